"""What the window shows of a running simulation, immutable."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from app.solving.method_stats import Board, curve
from app.solving.run_stats import fell_back
from app.solving.switchable_solver import Choice
from precond.htp import tile_inspection
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.scene import Scene

if TYPE_CHECKING:
    from app.session.session import Session


@dataclass(frozen=True)
class Sample:
    """One output frame's point in the plots."""

    precond: str
    ms: tuple[float, ...]  # by STAGES [ms]
    iterations: float  # mean over the frame's solves
    drift: float


@dataclass(frozen=True)
class Snapshot:
    """All that the window shows of a simulation, immutable."""

    serial: int  # grows with every snapshot
    frame: Frame
    scene: Scene
    grid: Grid
    device: str
    choice: Choice
    gravity: float  # [m/s^2]
    densities: tuple[float, ...]  # [kg/m^3]
    viscosities: tuple[float, ...]  # [Pa s]
    tensions: tuple[float, ...]  # [N/m] by pairs of phases, see sim.layout.pairs
    samples: tuple[Sample, ...]
    residuals: np.ndarray  # of the last solve by iteration, relative
    frames: int  # output frames since the start of the program
    steps_per_second: float  # pressure solves per second of wall clock
    frames_per_second: float  # output frames per second of wall clock
    fallback: str = ""  # one sentence when the last frame needed another preconditioner
    acting: str = ""  # the method that stands in for the chosen one, else the chosen one
    tile: tile_inspection.Tile | None = None  # that the user has picked
    at_start: bool = False  # what is drawn now becomes part of the scene
    gestures: tuple[int, int] = (0, 0)  # drawn ones that can be undone and redone
    board: Board | None = None  # of several methods, while they are compared


@dataclass
class Pace:
    """Frames and solves of the last second or so of wall clock."""

    ends: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=61))

    def add(self, solves: int) -> None:
        """Notes the end of a frame."""
        self.ends.append((time.perf_counter(), solves))

    def rates(self) -> tuple[float, float]:
        """(frames, solves) per second."""
        if len(self.ends) < 2:
            return 0.0, 0.0
        seconds = self.ends[-1][0] - self.ends[0][0]
        solves = sum(count for _, count in list(self.ends)[1:])
        return (len(self.ends) - 1) / seconds, solves / seconds


def snapshot_of(session: Session, serial: int) -> Snapshot:
    """What there is to see of a session."""
    frames, steps = session.pace.rates()
    solutions, simulation, solve = session.last.stats.solutions, session.simulation, session.solve
    return Snapshot(
        serial=serial,
        frame=session.last,
        scene=simulation.scene,
        grid=simulation.grid,
        device=str(simulation.device),
        choice=solve.choice,
        gravity=session.gravity,
        densities=session.densities,
        viscosities=session.viscosities,
        tensions=session.tensions,
        samples=tuple(session.samples),
        residuals=curve(solutions),
        frames=session.frames,
        steps_per_second=steps,
        frames_per_second=frames,
        fallback=fallback_sentence(solutions),
        acting=solve.acting,
        tile=None if session.tile is None else solve.with_functions(session.tile),
        at_start=session.at_start,
        gestures=session.drawing.counts,
        board=board_of(session) if solve.shadows.methods else None,
    )


def board_of(session: Session) -> Board:
    """A fluid and the methods that solve its systems beside its own."""
    place = session.simulation.scene, session.simulation.grid, session.solve.choice.tol
    return Board(*place, "shadow", (session.last,), session.solve.shadows.standings(session.last.time))


def fallback_sentence(solutions: tuple[Any, ...]) -> str:
    """Why another preconditioner stepped in during these solves, or an empty text."""
    for solution in solutions:
        if fell_back(solution):
            name, status, iterations = solution.attempts[0]
            return (
                f"{name} gave up after {iterations} iterations ({status.name.lower().replace('_', ' ')}), "
                f"{solution.preconditioner_used} solved it"
            )
    return ""
