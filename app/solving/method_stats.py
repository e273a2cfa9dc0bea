"""Statistics of one method in a comparison: the numbers that are shown and written come from here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.solving.pane_trace import Trace
from app.solving.residual_curve import residual_history
from app.solving.run_stats import failed, fell_back, never_finite

SMOOTHING = 20  # output frames that shown numbers are the mean of


@dataclass(frozen=True)
class RecentMeans:
    """Means over the last SMOOTHING output frames, as shown: digits that change with every frame cannot be read."""

    iterations: float = 0.0  # of a solve
    solver_ms: float = 0.0  # of a frame: set-up, network and iterations of all its solves
    fps: float = 0.0  # output frames per second of computing


@dataclass(frozen=True)
class MethodResult:
    """The statistics of one method at one moment, immutable."""

    precond: str
    frames: int = 0  # output frames simulated
    time: float = 0.0  # simulated [s]
    computing: float = 0.0  # measured, all frames together [s]
    clock: float = 0.0  # computing, and waiting where it is faster than real time [s]
    iterations: float = 0.0  # of the newest frame, mean over its solves
    solver_ms: float = 0.0  # of the newest frame
    frame_ms: float = 0.0
    residual: float = 0.0  # largest of the newest frame
    failures: int = 0  # solves that did not converge
    fallbacks: int = 0  # solves that another preconditioner had to finish
    error: str = ""  # why there are no numbers, or numbers of another method
    label: str = ""  # what it is called where not the method alone tells it from the others
    limited: bool = False  # it is to stop after so many iterations: that is no failure
    divergence: float = (
        0.0  # max |div u| of the newest frame [1/s]; of panes with a fluid of their own, as what follows
    )
    drift: float = 0.0  # relative volume drift of the newest frame
    parted: float | None = None  # when it first differed from the first pane, since they all began [s]
    difference: float = 0.0  # share of the area that holds another phase than in the first pane
    trace: Trace = field(default_factory=Trace, repr=False)
    shown: RecentMeans = RecentMeans()
    history: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)  # relative, by iteration, newest solve

    @property
    def warning(self) -> str:
        """What a reader of the numbers has to know, in a few words."""
        parts = [self.error] if self.error else []
        if self.failures and not self.limited:
            parts.append(f"{self.failures} solves failed")
        if self.fallbacks:
            parts.append(f"{self.fallbacks} solves finished by another method")
        return ", ".join(parts)

    def numbers(self) -> dict[str, Any]:
        """The numbers under the names that --json uses, without the curve; None for what is not finite."""
        table = {key: value for key, value in vars(self).items() if key not in ("history", "error", "trace")}
        # "trouble": the name in files of the first version
        table = {key: None if never_finite(value) else value for key, value in table.items()}
        # "trouble": the name of the error in files of the first version
        return {**table, "trouble": self.error, "shown": dict(vars(self.shown))}


class MethodStats:
    """Adds up the solves of one method."""

    def __init__(self, precond: str) -> None:
        self.precond = precond
        self.frames, self.computing, self.clock = 0, 0.0, 0.0
        self.failures, self.fallbacks, self.error = 0, 0, ""
        self._newest: tuple[Any, ...] = ()
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=SMOOTHING)

    def add(self, solutions: Sequence[Any], frame_ms: float = 0.0) -> None:
        """Counts an output frame; without its time where nothing but the solver is the method's own."""
        self.frames += 1
        self.computing += frame_ms / 1e3
        self.failures += sum(map(failed, solutions))
        self.fallbacks += sum(map(fell_back, solutions))
        self._newest = tuple(solutions)
        iterations = sum(solution.iterations for solution in solutions) / max(len(solutions), 1)
        self._recent.append((iterations, sum(map(solver_ms, solutions)), frame_ms))

    def means(self) -> RecentMeans:
        """Means over the last frames."""
        if not self._recent:
            return RecentMeans()
        iterations, solver, frame = (sum(column) / len(self._recent) for column in zip(*self._recent))
        return RecentMeans(iterations, solver, 1e3 / frame if frame else 0.0)

    def result(self, time: float, shown: RecentMeans | None = None) -> MethodResult:
        """The statistics at this simulated time [s]; `shown`: means that are to stay as they are for a while."""
        iterations, solver, frame = self._recent[-1] if self._recent else (0.0, 0.0, 0.0)
        return MethodResult(
            precond=self.precond,
            frames=self.frames,
            time=time,
            computing=self.computing,
            clock=self.clock,
            iterations=iterations,
            solver_ms=solver,
            frame_ms=frame,
            residual=max((float(solution.residual) for solution in self._newest), default=0.0),
            failures=self.failures,
            fallbacks=self.fallbacks,
            error=self.error,
            shown=shown or self.means(),
            history=residual_history(self._newest),
        )


def solver_ms(solution: Any) -> float:
    """Set-up, network and iterations of one solve [ms]."""
    return float(solution.setup_ms + solution.inference_ms + solution.solve_ms)


def caption(result: MethodResult) -> tuple[str, str, str]:
    """Iterations, milliseconds and frames per second as text."""
    means = result.shown
    return (digits(means.iterations), f"{digits(means.solver_ms)} ms", f"{digits(means.fps)} fps")


def digits(value: float) -> str:
    """Three digits at most, without an exponent: 4.92 as 4.9, 356.2 as 356."""
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
