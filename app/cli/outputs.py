"""What a run does between its first frame and its files: opens the session, makes its frames, writes its results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.options import DEFAULT_FRAMES, Options
from app.cli.progress import with_progress
from app.session.input_log import InputLog
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.run_stats import RunStats, centre_of_mass
from app.solving.switchable_solver import SwitchableSolver
from precond.support.command_line import RUN_TIME, Refusal
from precond.support.files import write_json
from precond.support.provenance import machine
from sim import export
from sim.frame import Frame


def open_session(
    options: Options, solve: SwitchableSolver | None = None, total: RunStats | None = None, timeline: int = 0
) -> Session:
    """The session that the options describe, on the calling thread. Raises ValueError with one sentence."""
    log = None
    if options.log is not None:
        try:
            log = InputLog(options.log)
        except OSError as error:
            raise ValueError(f"--log {str(options.log)!r} cannot be written: {error.strerror or error}") from None
    return Session(
        options.scene,
        options.grid,
        solve or SwitchableSolver(Choice(options.preconds[0], options.tol), options.device, options.weights),
        device=options.device,
        seed=options.seed,
        threads=options.threads,
        saved=options.state,
        total=total,
        log=log,
        replay=options.replay,
        timeline=timeline,
    )


class Run:
    """The frames of a run; its preconditioners take turns at equal shares, on one fluid."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.shares = shares(options.preconds, options.frames or DEFAULT_FRAMES)
        self.total = RunStats(",".join(options.preconds))
        self.parts: list[RunStats] = []  # by preconditioner
        self.failure = ""  # one sentence when the run ended early
        self.interrupted = False  # by its user, who gets the results of what was done
        self.notice = ""  # the last sentence that a frame had for the user

    def frames(self) -> Iterator[Frame]:
        """Simulates frame by frame; ends early, with `failure` set, when the velocity is no longer finite."""
        total = sum(count for _, count in self.shares)
        return with_progress(self._frames(), total, lambda: self.parts[-1].precond if self.parts else "")

    def _frames(self) -> Iterator[Frame]:
        for name, count in self.shares:
            self.parts.append(RunStats(name))
            self.session.solve.choice = Choice(name, self.session.solve.choice.tol)
            for _ in range(count):
                start = time.perf_counter()
                try:
                    frame = self.session.step()
                except (ValueError, RuntimeError) as error:  # not finite, or out of memory
                    self.failure = str(error)
                    return
                except KeyboardInterrupt:
                    self.interrupted = True
                    return
                seconds = time.perf_counter() - start
                self.notice = " ".join(frame.stats.notices) or self.notice
                first = self.total.frames == 0  # kernels compile in it
                self._turn_to(self.session.solve.choice.precond)
                for stats in (self.total, self.parts[-1]):
                    stats.add(frame, seconds, compiling=first)
                    stats.notice = self.session.solve.notice or stats.notice
                yield frame

    def _turn_to(self, name: str) -> None:
        """Counts from here on for another preconditioner, where a replay has switched to it."""
        if self.session.journal.replay is not None and name != self.parts[-1].precond:
            self.parts.append(RunStats(name))


def shares(names: Sequence[str], frames: int) -> list[tuple[str, int]]:
    """(name, frames) in order: equal shares, the first ones a frame longer where it does not divide."""
    each, left = divmod(frames, len(names))
    return [(name, each + (k < left)) for k, name in enumerate(names)]


def results(session: Session, total: RunStats, parts: Sequence[RunStats]) -> dict[str, Any]:
    """The table that --json writes: the whole run, and its parts by preconditioner."""
    simulation = session.simulation
    return {
        **total.numbers(),
        "scene": simulation.scene.name,
        "grid": list(simulation.grid.shape),
        "tol": session.solve.choice.tol,
        "seed": simulation.seed,
        "time": session.last.time,
        **forces(session.last),
        "centre_of_mass": list(centre_of_mass(session.last, simulation.grid)),
        "panes": [part.numbers() for part in parts],
        "machine": machine(simulation.device.type),
    }


def forces(frame: Frame) -> dict[str, Any]:
    """Solids and bodies of the frame under the names of sim.frame; nothing where there are none."""
    stats = frame.stats
    if not (stats.solids or stats.bodies):
        return {}
    return {"solids": [asdict(solid) for solid in stats.solids], "bodies": [asdict(body) for body in stats.bodies]}


def write_results(options: Options, session: Session, total: RunStats, parts: Sequence[RunStats]) -> None:
    """Writes --json, --save-state and --export. Raises Refusal."""
    for option, path, write in (
        ("--json", options.json, lambda path: write_json(path, results(session, total, parts))),
        ("--save-state", options.save_state, session.save),
        ("--export", options.export, lambda path: export.write(path, session.last, session.simulation.scene)),
    ):
        if path is not None:
            write_or_refuse(option, path, write)


def write_or_refuse(option: str, path: Path, write: Any) -> None:
    """Calls write(path). Raises Refusal where the disk fails."""
    try:
        write(path)
    except OSError as error:
        raise Refusal(f"{option} {str(path)!r} could not be written: {error.strerror or error}", RUN_TIME) from None
    print(f"wrote {path}", file=sys.stdout)
