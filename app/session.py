"""A running simulation with everything the user can do to it. Lives on one thread; see worker.py for the other one."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sim
from app import state
from app.solving import Choice, PressureSolve
from app.state import SavedState
from app.tally import Tally, fell_back
from precond.htp import anatomy
from sim.frame import STAGES, Controls, Frame, Stroke
from sim.grid import Grid
from sim.layout import Scene

FRAME_DT = 1 / 60  # [s] of one output frame
HISTORY = 240  # output frames that the plots show, four seconds at full speed
STROKES = 64  # kept for the next step; a user drawing over a stalled solver makes no more than a second's worth


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
    samples: tuple[Sample, ...]
    residuals: np.ndarray  # of the last solve by iteration, relative
    frames: int  # output frames since the start of the program
    steps_per_second: float  # pressure solves per second of wall clock
    frames_per_second: float  # output frames per second of wall clock
    fallback: str = ""  # one sentence when the last frame needed another preconditioner
    acting: str = ""  # the method that stands in for the chosen one, else the chosen one
    tile: anatomy.Tile | None = None  # that the user has picked


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


class Session:
    """Owns the Simulation. Build and use it on one thread only (Taichi's)."""

    def __init__(
        self,
        scene: Scene,
        grid: tuple[int, int] | None,
        solve: PressureSolve,
        *,
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
        saved: SavedState | None = None,
        total: Tally | None = None,
    ) -> None:
        self.solve, self._device, self._seed, self._threads = solve, device, seed, threads
        self.total = total  # counts every frame of the session, if anybody asks for it
        self.frames, self._serial = 0, 0
        self._strokes: list[Stroke] = []
        self._adopt(self._build(scene, grid) if saved is None else self._restored(saved))

    def _build(self, scene: Scene, grid: tuple[int, int] | None) -> sim.Simulation:
        return sim.Simulation(
            scene, grid, solve=self.solve, device=self._device, seed=self._seed, threads=self._threads
        )

    def _adopt(self, simulation: sim.Simulation) -> None:
        """Go on with this simulation: its settings, and plots that start afresh."""
        self.simulation = simulation
        controls = simulation.controls
        self.gravity, self.densities = controls.gravity, controls.densities
        self.samples: deque[Sample] = deque(maxlen=HISTORY)
        self.pace = Pace()
        self._strokes.clear()
        self.last = self.simulation.frame()
        self._tile: anatomy.Tile | None = None

    def step(self) -> Frame:
        """One output frame with the present settings and the strokes since the last."""
        strokes, self._strokes = tuple(self._strokes), []
        torch.set_flush_denormal(
            True
        )  # by thread, and OpenGL drivers undo it: a float32 multigrid was 40 times slower without
        self.solve.renew()
        start = time.perf_counter()
        frame = self.simulation.step(FRAME_DT, Controls(self.gravity, self.densities, strokes))
        if self.total is not None:
            self.total.add(frame, time.perf_counter() - start, compiling=self.frames == 0)
            self.total.notice = self.solve.notice or self.total.notice
        self.frames += 1
        self.last = frame
        solutions = frame.stats.solutions
        self.pace.add(len(solutions))
        mean = sum(s.iterations for s in solutions) / max(len(solutions), 1)
        self.samples.append(
            Sample(self.solve.choice.precond, tuple(frame.stats.ms[s] for s in STAGES), mean, frame.stats.volume_drift)
        )
        return frame

    def snapshot(self) -> Snapshot:
        """The present, for the window."""
        self._serial += 1
        frames, steps = self.pace.rates()
        solutions = self.last.stats.solutions
        return Snapshot(
            serial=self._serial,
            frame=self.last,
            scene=self.simulation.scene,
            grid=self.simulation.grid,
            device=str(self.simulation.device),
            choice=self.solve.choice,
            gravity=self.gravity,
            densities=self.densities,
            samples=tuple(self.samples),
            residuals=residuals(solutions),
            frames=self.frames,
            steps_per_second=steps,
            frames_per_second=frames,
            fallback=fallback_sentence(solutions),
            acting=self.solve.acting,
            tile=None if self._tile is None else self.solve.with_functions(self._tile),
        )

    # What the user can do ------------------------------------------------------------------------------------------

    def set_gravity(self, gravity: float) -> None:
        """Gravity from the next frame on [m/s^2]."""
        self.gravity = gravity

    def set_densities(self, densities: tuple[float, ...]) -> None:
        """Densities from the next frame on [kg/m^3]."""
        self.densities = densities

    def stroke(self, stroke: Stroke) -> None:
        """Adds a stroke of the brush to the next frame; the oldest give way when a slow solver lets too many gather."""
        self._strokes = [*self._strokes, stroke][-STROKES:]

    def pick_tile(self, x: float, y: float) -> None:
        """Has snapshots hold the functions of the tile at that place [m]."""
        grid = self.simulation.grid
        row, column = (min(max(int(place / grid.dx), 0), n - 1) for place, n in ((y, grid.ny), (x, grid.nx)))
        self._tile = anatomy.tile_at(*grid.shape, row, column)

    def reset(self) -> None:
        """Back to time zero; gravity and densities stay as the user has set them."""
        gravity, densities = self.gravity, self.densities
        self.simulation.reset()
        self._adopt(self.simulation)
        self.gravity, self.densities = gravity, densities

    def set_scene(self, scene: Scene, grid: tuple[int, int] | None = None) -> None:
        """Another scene from its start. Raises ValueError, and then the old one goes on."""
        self._adopt(self._build(scene, grid))

    def save(self, path: Path) -> None:
        """Writes the state to a file. Raises OSError."""
        state.save(path, self.simulation.state())

    def load(self, path: Path) -> None:
        """Continues from a state file, whatever scene it is of. Raises ValueError, and then the old one goes on."""
        self._adopt(self._restored(state.load(path)))

    def _restored(self, saved: SavedState) -> sim.Simulation:
        simulation = self._build(saved.scene, saved.grid.shape)
        try:
            simulation.restore(dict(saved.arrays))
        except ValueError as error:
            raise ValueError(f"state file {saved.file!r} cannot be used: {error}") from None
        return simulation


def residuals(solutions: tuple[Any, ...]) -> np.ndarray:
    """Relative residual after each iteration of the last solve."""
    return np.asarray(solutions[-1].history).astype(np.float64).ravel() if solutions else np.empty(0)


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
