"""What the window shows of a running simulation, and of a comparison, at one moment. Immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.session.timeline import TimelineView
from app.solving.advice import Advice
from app.solving.choice import Choice
from app.solving.method_stats import MethodResult
from app.solving.probes import Place
from app.solving.run_stats import FrameSample, fell_back
from precond.htp import tile_inspection
from sim.frame import Controls, Frame
from sim.grid import Grid
from sim.scenes.scene import Scene


@dataclass(frozen=True)
class ComparisonSnapshot:
    """All that a comparison shows: drawn by viewport/comparison_view.py, written to json by `numbers`."""

    scene: Scene
    grid: Grid
    tol: float
    mode: str  # "shadow": one fluid;  "together", "branch": equal simulated times;  "race": equal clocks
    frames: tuple[Frame, ...]  # a fluid for each pane
    results: tuple[MethodResult, ...]
    computing: float = 0.0  # what every clock shows [s]; of a video
    scale: float = 1.0  # seconds of computing in a second of a video
    about: str = ""  # machine and device, in a few words

    def numbers(self) -> dict[str, Any]:
        """Every number of it, for json."""
        return {"computing": self.computing, "panes": [result.numbers() for result in self.results]}

    @property
    def bars(self) -> tuple[float, ...]:
        """The lengths of the bars by method [s]: how far it has come in a race, else what it has cost."""
        if self.mode == "race":
            return tuple(result.time for result in self.results)
        return tuple(result.computing for result in self.results)


@dataclass(frozen=True)
class Snapshot:
    """All that the window shows of a simulation."""

    serial: int  # grows with every snapshot
    frame: Frame
    scene: Scene
    grid: Grid
    device: str
    choice: Choice
    settings: Controls  # gravity, densities, viscosities and tensions
    samples: tuple[FrameSample, ...]
    residuals: np.ndarray  # of the last solve by iteration, relative
    frames: int  # output frames since the start of the program
    steps_per_second: float  # pressure solves per second of wall clock
    frames_per_second: float  # output frames per second of wall clock
    fallback: str = ""  # one sentence when the last frame needed another preconditioner
    method: str = ""  # the chosen one, or what "auto" has come to
    effective_method: str = ""  # the method that stands in for the chosen one, else the chosen one
    tile: tile_inspection.Tile | None = None  # that the user has picked
    at_start: bool = False  # what is drawn now becomes part of the scene
    gestures: tuple[int, int] = (0, 0)  # that can be undone and redone
    comparison: ComparisonSnapshot | None = None
    replaying: bool = False  # inputs come from a log
    advice: Advice | None = None  # which method would be the fastest here
    probes: tuple[Place, ...] = ()  # whose values the samples hold
    timeline: TimelineView = field(default_factory=TimelineView)  # the moments that the run can go back to


def fallback_sentence(solutions: tuple[Any, ...]) -> str:
    """Why another preconditioner stepped in during these solves, or an empty text."""
    for solution in solutions:
        if fell_back(solution):
            name, status, iterations = solution.attempts[0]
            return (
                f"{name} failed after {iterations} iterations ({status.name.lower().replace('_', ' ')}), "
                f"{solution.preconditioner_used} solved it"
            )
    return ""
