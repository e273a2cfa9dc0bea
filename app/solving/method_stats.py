"""Where a method stands in a comparison: the numbers that are shown and written, by one piece of code."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.solving.run_stats import fell_back
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.scene import Scene

SMOOTHING = 20  # output frames that shown numbers are the mean of


@dataclass(frozen=True)
class Means:
    """Over the last SMOOTHING output frames, as shown: digits that change with every frame cannot be read."""

    iterations: float = 0.0  # of a solve
    solver_ms: float = 0.0  # of a frame: set-up, network and iterations of all its solves
    fps: float = 0.0  # output frames per second of computing


@dataclass(frozen=True)
class Standing:
    """One method at one moment."""

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
    trouble: str = ""  # why there are no numbers, or others than one would think
    shown: Means = Means()
    history: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)  # relative, by iteration, newest solve

    @property
    def warning(self) -> str:
        """What a reader of its numbers has to know, a few words."""
        parts = [self.trouble] if self.trouble else []
        if self.failures:
            parts.append(f"{self.failures} solves failed")
        if self.fallbacks:
            parts.append(f"{self.fallbacks} solves finished by another method")
        return ", ".join(parts)

    def numbers(self) -> dict[str, Any]:
        """For json, which has no word for what is not finite; without the curve."""
        table = {key: value for key, value in vars(self).items() if key != "history"}
        table |= {"residual": self.residual if math.isfinite(self.residual) else None}
        return {**table, "shown": dict(vars(self.shown))}


class Book:
    """Adds up the solves of one method."""

    def __init__(self, precond: str) -> None:
        self.precond = precond
        self.frames, self.computing, self.clock = 0, 0.0, 0.0
        self.failures, self.fallbacks, self.trouble = 0, 0, ""
        self._newest: tuple[Any, ...] = ()
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=SMOOTHING)

    def add(self, solutions: Sequence[Any], frame_ms: float = 0.0) -> None:
        """Counts an output frame; without its time where nothing but the solver is the method's own."""
        self.frames += 1
        self.computing += frame_ms / 1e3
        self.failures += sum(solution.status.name != "CONVERGED" for solution in solutions)
        self.fallbacks += sum(map(fell_back, solutions))
        self._newest = tuple(solutions)
        iterations = sum(solution.iterations for solution in solutions) / max(len(solutions), 1)
        self._recent.append((iterations, sum(map(solver_ms, solutions)), frame_ms))

    def means(self) -> Means:
        """Over the last frames."""
        if not self._recent:
            return Means()
        iterations, solver, frame = (sum(column) / len(self._recent) for column in zip(*self._recent))
        return Means(iterations, solver, 1e3 / frame if frame else 0.0)

    def standing(self, time: float, shown: Means | None = None) -> Standing:
        """At this simulated time [s]; `shown`: means that are to stay as they are for a while."""
        iterations, solver, frame = self._recent[-1] if self._recent else (0.0, 0.0, 0.0)
        return Standing(
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
            trouble=self.trouble,
            shown=shown or self.means(),
            history=curve(self._newest),
        )


def solver_ms(solution: Any) -> float:
    """All that the solver took [ms]."""
    return float(solution.setup_ms + solution.inference_ms + solution.solve_ms)


def curve(solutions: Sequence[Any]) -> np.ndarray:
    """Relative residual after each iteration of the last solve."""
    return np.asarray(solutions[-1].history).astype(np.float64).ravel() if solutions else np.empty(0)


@dataclass(frozen=True)
class Board:
    """All that a comparison shows at one moment: drawn by stage.py, written to json by `numbers`."""

    scene: Scene
    grid: Grid
    tol: float
    mode: str  # "shadow": one fluid;  "together": equal simulated times;  "race": equal clocks
    frames: tuple[Frame, ...]  # a fluid for each pane
    standings: tuple[Standing, ...]
    computing: float = 0.0  # what every clock shows [s]; of a video
    scale: float = 1.0  # seconds of computing in a second of a video
    about: str = ""  # machine and device, a few words

    def numbers(self) -> dict[str, Any]:
        """Every number of it, for json."""
        return {"computing": self.computing, "panes": [standing.numbers() for standing in self.standings]}

    @property
    def bars(self) -> tuple[float, ...]:
        """What the bars show, for each method [s]: how far it has come in a race, else what it has cost."""
        if self.mode == "race":
            return tuple(standing.time for standing in self.standings)
        return tuple(standing.computing for standing in self.standings)


def caption(standing: Standing) -> tuple[str, str, str]:
    """Iterations, milliseconds and frames per second as words."""
    means = standing.shown
    return (digits(means.iterations), f"{digits(means.solver_ms)} ms", f"{digits(means.fps)} fps")


def digits(value: float) -> str:
    """Three digits at most, without an exponent: 4.92 as 4.9, 356.2 as 356."""
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
