"""The panes of a comparison: fluids with solvers and clocks of their own, from the same state, with the same inputs.

All are stepped on one thread, one after another, so that none is slowed by another while it is timed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sim
from app.session.session import FRAME_DT, Session
from app.session.snapshot import ComparisonSnapshot, Snapshot
from app.solving.choice import Variant
from app.solving.method_stats import MethodResult, MethodStats, RecentMeans
from app.solving.pane_trace import TraceRecorder
from app.solving.run_stats import RunStats
from precond.figures import method_style
from sim.frame import Frame, Stroke

ORDINARY = Variant()
WARM_UP = 3  # frames on CUDA, where the second of equal solves is recorded, and that of the brush's walls thereafter
REHEARSAL = 30.0  # [s] of computing at most
OUTSIDE = tuple(Stroke(tool, -9.0, -9.0, -9.0, -9.0, 1e-3) for tool in ("push", "pour", "solid", "erase"))  # no effect


class Pane:
    """One fluid. `step` computes the next frame; `publish` shows it, once the pane's clock has reached it."""

    def __init__(self, session: Session, variant: Variant = ORDINARY) -> None:
        """variant: what the session differs by, to be named in its results."""
        self.session, self.variant = session, variant
        self.precond = session.solve.choice.precond
        self.start_over()

    def start_over(self) -> None:
        """Counts from zero; the fluid stays."""
        name = self.precond if self.variant.plain else str(replace(self.variant, precond=self.precond))
        self.method_stats, self.run_stats = MethodStats(self.precond), RunStats(name)
        self.frame = self.session.last  # as shown
        self.trace = TraceRecorder()
        self.failed = False  # its fluid broke off and stays where it is
        self.due = 0.0  # when, on its own clock, the frame computed last is ready [s]
        self._origin = self.session.last.time
        self._waiting: tuple[Frame, float] | None = None

    @property
    def elapsed(self) -> float:
        """Simulated time since the start, as shown [s]."""
        return self.frame.time - self._origin

    def step(self) -> None:
        """Computes an output frame; if it raises, the fluid stays as it was."""
        start = time.perf_counter()
        frame = self.session.step()
        seconds = time.perf_counter() - start
        # a fluid that is faster than real time waits, as it does in the window
        self.due = max(self.due + seconds, frame.time - self._origin)
        self._waiting = frame, seconds

    def publish(self) -> None:
        """Shows and counts the frame computed last."""
        if self._waiting is None:
            return
        self.frame, seconds = self._waiting
        self._waiting = None
        self.method_stats.add(self.frame.stats.solutions, 1e3 * seconds)
        self.method_stats.clock = self.due
        self.method_stats.error = self.session.solve.notice or self.method_stats.error
        self.run_stats.add(self.frame, seconds)
        self.run_stats.notice = self.session.solve.notice or self.run_stats.notice

    def fail(self, error: Exception) -> None:
        """The fluid stays where it is, and the results say why."""
        self.method_stats.error, self.due, self.failed = " ".join(str(error).split()), math.inf, True

    def result(self, shown: RecentMeans | None = None) -> MethodResult:
        """The statistics as shown."""
        found = self.method_stats.result(self.frame.time, shown)
        label = "" if self.variant.plain else self.variant.label(method_style.title(self.precond))
        stats = self.frame.stats
        return replace(
            found,
            label=label,
            limited=bool(self.variant.iterations),
            divergence=stats.divergence_max,
            drift=stats.volume_drift,
            parted=self.trace.parted,
            difference=self.trace.difference,
            trace=self.trace.trace,
        )

    def warm_up(self) -> None:
        """Compiles kernels, allocates buffers and lets CUDA record, so that no frame is timed with it."""
        self.rehearse(WARM_UP if self.session.simulation.device.type == "cuda" else 1, OUTSIDE)

    def rehearse(self, frames: int, strokes: tuple[Stroke, ...] = ()) -> float:
        """Seconds of computing for a simulated second over the next frames, or as many as REHEARSAL allows.

        Afterwards the fluid is as it was.
        """
        simulation, solve = self.session.simulation, self.session.solve
        before, origin, start = simulation.state(), simulation.time, time.perf_counter()
        try:
            for _ in range(frames):
                solve.begin_frame()
                simulation.step(FRAME_DT, replace(self.session.settings, strokes=strokes))
                if time.perf_counter() - start > REHEARSAL:
                    break
        except sim.NotFiniteError:  # the frame itself will report it
            pass
        seconds, simulated = time.perf_counter() - start, simulation.time - origin
        simulation.restore(before)
        solve.forget()
        return seconds / max(simulated, 1e-9)


def furthest_behind(panes: Sequence[Pane]) -> Pane:
    """The pane whose own clock is furthest behind."""
    return min(panes, key=lambda pane: pane.due)


def advance_to(panes: Sequence[Pane], clock: float) -> None:
    """Advances every pane to the newest frame that it has finished when its own clock shows `clock` [s]."""
    while (pane := furthest_behind(panes)).due <= clock:
        pane.publish()
        pane.step()


def snapshot_of(panes: Sequence[Pane], mode: str, serial: int) -> Snapshot:
    """The first pane's, with the results of all panes.  mode: as in ComparisonSnapshot."""
    session = panes[0].session
    place = session.simulation.scene, session.simulation.grid, session.solve.choice.tol
    comparison = ComparisonSnapshot(
        *place, mode, tuple(pane.frame for pane in panes), tuple(pane.result() for pane in panes)
    )
    frames = max(pane.method_stats.frames for pane in panes)
    return replace(session.snapshot(), serial=serial, comparison=comparison, frames=frames)


class Inputs:
    """The user's inputs in a race. Each counts from the same output frame in every pane."""

    def __init__(self, panes: Sequence[Pane]) -> None:
        self._panes = panes
        self._entries: list[tuple[int, Callable[..., Any], tuple[Any, ...]]] = []
        self._next = [0 for _ in panes]

    def add(self, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Adds an input that counts from the next frame of the pane that is furthest ahead."""
        self._entries.append((max(pane.method_stats.frames for pane in self._panes), action, arguments))

    def carry_out_for(self, which: int) -> None:
        """Carries out the inputs due for a pane before its next frame. Raises ValueError where one is refused."""
        pane = self._panes[which]
        while (
            self._next[which] < len(self._entries) and self._entries[self._next[which]][0] <= pane.method_stats.frames
        ):
            _, action, arguments = self._entries[self._next[which]]
            self._next[which] += 1
            action(pane.session, *arguments)
