"""--compare without a window: panes side by side as a table, as json and as a video."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from app.cli import interactive
from app.cli.options import DEFAULT_FRAMES, Options
from app.cli.outputs import progress_bar, write_or_refuse
from app.compare.pane import Pane, advance_to
from app.session.session import Session
from app.solving import run_stats
from app.solving.method_stats import Board, Means
from app.solving.run_stats import Tally
from app.solving.switchable_solver import Choice, PressureSolve
from precond.support.command_line import RUN_TIME, Refusal, write_json
from precond.support.provenance import machine

HOLD = 15  # pictures for which the numbers in a video stay, a quarter of a second: longer than reading one takes
RATE = 60  # pictures in a second of video
SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)  # and ten, a hundred, ... times these
REHEARSED = 4  # frames by which the fastest pane is found


def run(options: Options) -> int:
    """Simulates the panes, writes what was asked for and returns the exit code."""
    if options.race and options.replay is not None and options.replay.changes_scene:
        raise Refusal(f"--replay {options.replay.file!r} changes the scene, which a race cannot: leave out --race")
    try:
        panes = [open_pane(name, options) for name in options.compare]
    except (ValueError, RuntimeError) as error:
        raise Refusal(error) from None
    except MemoryError:
        raise Refusal(f"{len(options.compare)} fluids of this size do not fit into memory", RUN_TIME) from None
    comparison = Comparison(panes, options)
    print(heading(comparison), flush=True)
    if options.record is None:
        for _ in comparison.boards():
            pass
    else:
        interactive.prepare_toolkit(offscreen=True)
        from app.window import comparison_video

        comparison_video.record(comparison, options.record)
    print(run_stats.table([pane.tally for pane in panes]))
    for pane in panes:
        if pane.tally.notice:
            print(f"note: {pane.tally.notice}")
    if comparison.failure:
        raise Refusal(comparison.failure, RUN_TIME)
    if options.json is not None:
        write_or_refuse("--json", options.json, lambda path: write_json(path, results(comparison)))
    return 0


def open_pane(name: str, options: Options) -> Pane:
    """A fluid at the start of the run, solved by that method."""
    session = Session(
        options.scene,
        options.grid,
        PressureSolve(Choice(name, options.tol), options.device, options.weights),
        device=options.device,
        seed=options.seed,
        threads=options.threads,
        saved=options.state,
        replay=options.replay and options.replay.with_own_preconditioners(),  # each reads the log for itself
    )
    return Pane(session)


class Comparison:
    """Panes that advance together, or in a race as fast as their solvers allow."""

    def __init__(self, panes: Sequence[Pane], options: Options) -> None:
        self.panes, self.race = list(panes), options.race
        self.frames = options.frames or DEFAULT_FRAMES
        self.scale = 1.0  # seconds of computing in a second of video
        self.failure = ""  # one sentence when it ended early
        self.drain = lambda: None  # waits until nobody else uses the machine
        self.numbers: list[dict[str, Any]] = []  # of every board
        self._held = [Means() for _ in panes]

    def boards(self) -> Iterator[Board]:
        """The common start, then one board for each frame; ends early, with `failure` set, when a pane breaks."""
        try:
            self._prepare()
            with progress_bar() as bar:
                task = bar.add_task("race" if self.race else "comparison", total=self.frames)
                for picture in range(self.frames + 1):
                    self.drain()
                    self._advance(picture)
                    board = self._board(picture)
                    self.numbers.append(board.numbers())
                    bar.update(task, completed=picture)
                    yield board
        except (ValueError, RuntimeError) as error:  # a velocity not finite, or out of memory
            self.failure = str(error)
        except KeyboardInterrupt:
            self.failure = f"interrupted after {len(self.numbers)} pictures"

    def _prepare(self) -> None:
        """Lets compilers run; for a race, finds how much computing to put into a second of video."""
        for pane in self.panes:
            pane.warm_up()
        if self.race:
            fastest = min(self.panes, key=lambda pane: pane.rehearse(REHEARSED))
            self.scale = rounded_up(fastest.rehearse(self.frames))

    def _advance(self, picture: int) -> None:
        if self.race:
            advance_to(self.panes, self.clock(picture))
        elif picture:
            for pane in self.panes:
                pane.step()
                pane.publish()

    def clock(self, picture: int) -> float:
        """What every pane's clock shows in a picture of a race [s]."""
        return picture * self.scale / RATE

    def _board(self, picture: int) -> Board:
        self._held = [
            pane.book.means() if picture % HOLD == 0 or held == Means() else held
            for pane, held in zip(self.panes, self._held)
        ]
        session = self.panes[0].session
        return Board(
            scene=session.simulation.scene,
            grid=session.simulation.grid,
            tol=session.solve.choice.tol,
            mode="race" if self.race else "together",
            frames=tuple(pane.frame for pane in self.panes),
            standings=tuple(pane.standing(held) for pane, held in zip(self.panes, self._held)),
            computing=self.clock(picture) if self.race else 0.0,
            scale=self.scale,
            about=where(session),
        )


def rounded_up(value: float) -> float:
    """The next of SCALES, 1 at least: the fastest pane then flows in real time, or a little faster."""
    power = 10.0 ** max(math.floor(math.log10(max(value, 1.0))), 0)
    return next((step * power for step in SCALES if value <= step * power), 10 * power)


def where(session: Session) -> str:
    """The machine in a few words."""
    if session.simulation.device.type == "cuda":
        return torch.cuda.get_device_name()
    count = os.cpu_count() or 1
    return f"{count} CPU core{'s' if count > 1 else ''}"


def heading(comparison: Comparison) -> str:
    """One line that says what runs and where."""
    session = comparison.panes[0].session
    ny, nx = session.simulation.grid.shape
    kind = "race" if comparison.race else "equal simulated times"
    return (
        f"{session.simulation.scene.name}, {ny}x{nx} cells, tolerance {session.solve.choice.tol:g}, "
        f"{where(session)}, {kind}"
    )


def results(comparison: Comparison) -> dict[str, Any]:
    """What --json writes: the totals, each pane, and every number of every picture."""
    panes, simulation = comparison.panes, comparison.panes[0].session.simulation
    total = Tally(",".join(pane.precond for pane in panes))
    for pane in panes:
        total = merged(total, pane.tally)
    ends = [{"time": pane.frame.time, "clock": pane.book.clock, "computing": pane.book.computing} for pane in panes]
    return {
        **total.numbers(),
        "frames": comparison.frames,
        "scene": simulation.scene.name,
        "grid": list(simulation.grid.shape),
        "tol": comparison.panes[0].session.solve.choice.tol,
        "seed": simulation.seed,
        "race": comparison.race,
        "scale": comparison.scale,
        "panes": [{**pane.tally.numbers(), **end} for pane, end in zip(panes, ends)],
        "pictures": comparison.numbers,
        "machine": machine(simulation.device.type),
    }


LARGEST = ("residual_max", "divergence_max", "drift_max", "speed_max", "fractions_max")


def merged(one: Tally, other: Tally) -> Tally:
    """Both together, under the first one's name."""
    values = {}
    for key, mine in vars(one).items():
        theirs = getattr(other, key)
        if key == "fractions_min":
            values[key] = min(mine, theirs)
        elif key in LARGEST:
            values[key] = max(mine, theirs)
        elif isinstance(mine, str):
            values[key] = mine or (theirs if key == "notice" else mine)
        else:
            values[key] = mine + theirs
    return replace(one, **values)
