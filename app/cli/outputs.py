"""What a run does between its first frame and its files, on screen or off it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.options import DEFAULT_FRAMES, Options
from app.session.input_log import Log
from app.session.session import Session
from app.solving.run_stats import Tally, centre_of_mass
from app.solving.switchable_solver import Choice, PressureSolve
from precond.support.command_line import RUN_TIME, Refusal, write_json
from precond.support.provenance import machine
from sim import export
from sim.frame import Frame


def open_session(options: Options, solve: PressureSolve | None = None, total: Tally | None = None) -> Session:
    """The session that the options describe, on the calling thread. Raises ValueError with one sentence."""
    log = None
    if options.log is not None:
        try:
            log = Log(options.log)
        except OSError as error:
            raise ValueError(f"--log {str(options.log)!r} cannot be written: {error.strerror or error}") from None
    return Session(
        options.scene,
        options.grid,
        solve or PressureSolve(Choice(options.preconds[0], options.tol), options.device, options.weights),
        device=options.device,
        seed=options.seed,
        threads=options.threads,
        saved=options.state,
        total=total,
        log=log,
        replay=options.replay,
    )


class Journey:
    """The frames of a run, its preconditioners taking turns at equal shares; the fluid is never reset between them."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.shares = shares(options.preconds, options.frames or DEFAULT_FRAMES)
        self.total = Tally(",".join(options.preconds))
        self.panes: list[Tally] = []
        self.failure = ""  # one sentence when the run ended early
        self.notice = ""  # the last sentence that a frame had for the user

    def frames(self) -> Iterator[Frame]:
        """Simulates frame by frame; ends early, with `failure` set, when the velocity is no longer finite."""
        with progress_bar() as bar:
            task = bar.add_task("", total=sum(count for _, count in self.shares))
            for frame in self._frames():
                bar.update(task, advance=1, description=self.panes[-1].precond)
                yield frame

    def _frames(self) -> Iterator[Frame]:
        for name, count in self.shares:
            self.panes.append(Tally(name))
            self.session.solve.choice = Choice(name, self.session.solve.choice.tol)
            for _ in range(count):
                start = time.perf_counter()
                try:
                    frame = self.session.step()
                except (ValueError, RuntimeError) as error:  # not finite, or out of memory
                    self.failure = str(error)
                    return
                except KeyboardInterrupt:
                    self.failure = f"interrupted after {self.total.frames} frames"
                    return
                seconds = time.perf_counter() - start
                self.notice = " ".join(frame.stats.notices) or self.notice
                first = self.total.frames == 0  # kernels compile in it
                self._turn_to(self.session.solve.choice.precond)
                for numbers in (self.total, self.panes[-1]):
                    numbers.add(frame, seconds, compiling=first)
                    numbers.notice = self.session.solve.notice or numbers.notice
                yield frame

    def _turn_to(self, name: str) -> None:
        """Counts from here on for another preconditioner, where a replay has switched to it."""
        if self.session.replay is not None and name != self.panes[-1].precond:
            self.panes.append(Tally(name))


def progress_bar() -> Progress:
    """A bar on stderr while somebody is watching; nothing in logs and pipes."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def shares(names: Sequence[str], frames: int) -> list[tuple[str, int]]:
    """(name, frames) in order: equal shares, the first ones a frame longer where it does not divide."""
    each, left = divmod(frames, len(names))
    return [(name, each + (k < left)) for k, name in enumerate(names)]


def results(session: Session, tallies: Sequence[Tally]) -> dict[str, Any]:
    """The table that --json writes, the first tally over the whole run, the others by preconditioner."""
    simulation = session.simulation
    return {
        **tallies[0].numbers(),
        "scene": simulation.scene.name,
        "grid": list(simulation.grid.shape),
        "tol": session.solve.choice.tol,
        "seed": simulation.seed,
        "time": session.last.time,
        "centre_of_mass": list(centre_of_mass(session.last, simulation.grid)),
        "panes": [numbers.numbers() for numbers in tallies[1:]],
        "machine": machine(simulation.device.type),
    }


def write_results(options: Options, session: Session, tallies: Sequence[Tally]) -> None:
    """Writes --json, --save-state and --export. Raises Refusal."""
    for option, path, write in (
        ("--json", options.json, lambda path: write_json(path, results(session, tallies))),
        ("--save-state", options.save_state, session.save),
        ("--export", options.export, lambda path: export.write(path, session.last, session.simulation.scene)),
    ):
        if path is not None:
            write_or_refuse(option, path, write)


def write_or_refuse(option: str, path: Path, write: Any) -> None:
    """Calls write(path) and turns a failing disk into a sentence."""
    try:
        write(path)
    except OSError as error:
        raise Refusal(f"{option} {str(path)!r} could not be written: {error.strerror or error}", RUN_TIME) from None
    print(f"wrote {path}", file=sys.stdout)
