"""Statistics of a run: a sample of every frame for the plots, and the sums that --json and the table show."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from precond.support.command_line import aligned
from sim.frame import STAGES, BodyState, Frame, SolidForce
from sim.grid import Grid

SOLVER_STAGES = ("setup", "inference", "solve")  # the rest of a step is the fluid's
RATE_FRAMES = 60  # that rates are measured over: a second or so


@dataclass(frozen=True)
class Load:
    """What the fluid does to a wall inside the domain or to a floating body, for a metre of depth."""

    name: str
    x: float  # force [N/m]
    y: float
    moment: float  # about its centre, anticlockwise [N]


@dataclass(frozen=True)
class FrameSample:
    """One output frame's point in the plots."""

    precond: str
    ms: tuple[float, ...]  # by STAGES [ms]
    iterations: float  # mean over the frame's solves
    drift: float  # relative volume drift
    solves: int
    end: float  # time.perf_counter() [s]
    time: float = 0.0  # simulated [s]
    dt: float = 0.0  # mean sub-step [s]
    energy: float = 0.0  # [J/m]
    divergence: float = 0.0  # max |div u| [1/s]
    speed: float = 0.0  # max |u| [m/s]
    volumes: tuple[float, ...] = ()  # by phase [m^2]
    probes: tuple[tuple[float, ...], ...] = ()  # see probes.values_at
    loads: tuple[Load, ...] = ()  # on floating bodies, then on walls

    @classmethod
    def of(cls, frame: Frame, precond: str, probes: tuple[tuple[float, ...], ...] = ()) -> FrameSample:
        """The point of a frame that has just been made."""
        solutions, stats = frame.stats.solutions, frame.stats
        mean = sum(solution.iterations for solution in solutions) / max(len(solutions), 1)
        ms = tuple(stats.ms[stage] for stage in STAGES)
        return cls(
            precond,
            ms,
            mean,
            stats.volume_drift,
            len(solutions),
            time.perf_counter(),
            time=frame.time,
            dt=frame.dt / max(frame.substeps, 1),
            energy=stats.energy,
            divergence=stats.divergence_max,
            speed=stats.speed_max,
            volumes=stats.volumes,
            probes=probes,
            loads=(*map(load_of, stats.bodies), *map(load_of, stats.solids)),
        )


def load_of(part: BodyState | SolidForce) -> Load:
    """Pressure and friction together; what walls do to a body that touches them is not the fluid's."""
    x, y = (a + b for a, b in zip(part.pressure_force, part.viscous_force))
    return Load(part.name, x, y, part.moment)


def rates(samples: Sequence[FrameSample]) -> tuple[float, float]:
    """(frames, solves) per second of wall clock over the last RATE_FRAMES frames."""
    recent = list(samples)[-RATE_FRAMES - 1 :]
    if len(recent) < 2:
        return 0.0, 0.0
    seconds = recent[-1].end - recent[0].end
    return (len(recent) - 1) / seconds, sum(sample.solves for sample in recent[1:]) / seconds


@dataclass
class RunStats:
    """Sums and extremes over the frames added. Times leave out frames that waited for compilers."""

    precond: str
    frames: int = 0
    timed_frames: int = 0
    timed_solves: int = 0
    seconds: float = 0.0  # wall clock of the timed frames
    own_ms: float = 0.0  # wall clock of the frames less setup, inference and solve
    setup_ms: float = 0.0
    inference_ms: float = 0.0
    solve_ms: float = 0.0
    solves: int = 0
    iterations: int = 0
    body_solves: int = 0  # of the pressure that motions of bodies make, which the numbers above leave out
    body_iterations: int = 0
    body_ms: float = 0.0  # set-up and networks included
    failures: int = 0  # solves whose status is not CONVERGED
    fallbacks: int = 0  # solves that another preconditioner had to finish
    residual_max: float = 0.0
    divergence_max: float = 0.0
    drift_max: float = 0.0
    speed_max: float = 0.0
    fractions_min: float = float("inf")
    fractions_max: float = float("-inf")
    notice: str = ""  # why another method stood in for the one asked for

    def add(self, frame: Frame, seconds: float, compiling: bool = False) -> None:
        """Counts one output frame that took `seconds` of wall clock."""
        stats = frame.stats
        self.frames += 1
        self.solves += len(stats.solutions)
        for solution in stats.solutions:
            self.iterations += solution.iterations
            self.failures += failed(solution)
            self.fallbacks += fell_back(solution)
            self.residual_max = max(self.residual_max, float(solution.residual))
        self.body_solves += len(stats.body_solutions)
        self.body_iterations += sum(solution.iterations for solution in stats.body_solutions)
        body_ms = sum(sum(getattr(s, f"{stage}_ms") for stage in SOLVER_STAGES) for s in stats.body_solutions)
        self.divergence_max = max(self.divergence_max, stats.divergence_max)
        self.drift_max = max(self.drift_max, stats.volume_drift)
        self.speed_max = max(self.speed_max, stats.speed_max)
        self.fractions_min = min(self.fractions_min, float(frame.fractions.min()))
        self.fractions_max = max(self.fractions_max, float(frame.fractions.max()))
        if compiling:
            return
        self.timed_frames += 1
        self.timed_solves += len(stats.solutions)
        self.seconds += seconds
        self.own_ms += 1e3 * seconds - sum(stats.ms[stage] for stage in SOLVER_STAGES) - body_ms
        self.body_ms += body_ms
        self.setup_ms += stats.ms["setup"]
        self.inference_ms += stats.ms["inference"]
        self.solve_ms += stats.ms["solve"]

    def numbers(self) -> dict[str, Any]:
        """The numbers under the names that --json uses; means are by solve, which is by sub-step. None: not finite."""
        timed = self.timed_solves or 1
        table: dict[str, Any] = {
            "frames": self.frames,
            "fps_mean": self.timed_frames / self.seconds if self.seconds else 0.0,
            "precond": self.precond,
            "solves": self.solves,
            "iterations_mean": self.iterations / (self.solves or 1),
            "failures": self.failures,
            "fallbacks": self.fallbacks,
            "setup_ms_mean": self.setup_ms / timed,
            "inference_ms_mean": self.inference_ms / timed,
            "solve_ms_mean": self.solve_ms / timed,
            "step_ms_mean": self.own_ms / timed,
            "divergence_max": self.divergence_max,
            "phase_volume_drift": self.drift_max,
            "residual_max": self.residual_max,
            "fractions_min": self.fractions_min,
            "fractions_max": self.fractions_max,
            "speed_max": self.speed_max,
            **({"notice": self.notice} if self.notice else {}),
            **(self._of_bodies() if self.body_solves else {}),
        }
        return {key: None if never_finite(value) else value for key, value in table.items()}

    def _of_bodies(self) -> dict[str, Any]:
        """How the solves for bodies went; the time is a mean over the steps, of all solves in a step together."""
        return {
            "body_solves": self.body_solves,
            "body_iterations_mean": self.body_iterations / self.body_solves,
            "body_ms_mean": self.body_ms / (self.timed_solves or 1),
        }


def never_finite(value: Any) -> bool:
    """Whether json cannot hold the number."""
    return isinstance(value, float) and not math.isfinite(value)


def failed(solution: Any) -> bool:
    """True if the solve did not reach its tolerance."""
    return bool(solution.status.name != "CONVERGED")


def fell_back(solution: Any) -> bool:
    """True if the chosen preconditioner did not finish this solve itself."""
    return len(solution.attempts) > 1


LARGEST = ("residual_max", "divergence_max", "drift_max", "speed_max", "fractions_max")


def merged(one: RunStats, other: RunStats) -> RunStats:
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


def centre_of_mass(frame: Frame, grid: Grid) -> tuple[float, float]:
    """(x, y) of the fluid's centre of mass [m]."""
    mass = np.where(frame.solid, 0.0, frame.density)
    total = float(mass.sum()) or 1.0
    x, y = (np.arange(grid.nx) + 0.5) * grid.dx, (np.arange(grid.ny) + 0.5) * grid.dx
    return float(mass.sum(axis=0) @ x) / total, float(mass.sum(axis=1) @ y) / total


COLUMNS = (  # heading, key, format
    ("preconditioner", "precond", "{}"),
    ("frames", "frames", "{}"),
    ("solves", "solves", "{}"),
    ("iterations", "iterations_mean", "{:.1f}"),
    ("setup ms", "setup_ms_mean", "{:.2f}"),
    ("network ms", "inference_ms_mean", "{:.2f}"),
    ("solve ms", "solve_ms_mean", "{:.2f}"),
    ("step ms", "step_ms_mean", "{:.2f}"),
    ("residual max", "residual_max", "{:.1e}"),
    ("failures", "failures", "{}"),
    ("fallbacks", "fallbacks", "{}"),
)


def table(parts: Sequence[RunStats]) -> str:
    """The table by preconditioner; iterations and milliseconds are means over the solves."""
    rows = [[heading for heading, _, _ in COLUMNS]]
    for stats in parts:
        numbers = stats.numbers()
        untimed = not stats.timed_frames
        rows.append(
            [
                "-" if (untimed and key.endswith("ms_mean")) or numbers[key] is None else form.format(numbers[key])
                for _, key, form in COLUMNS
            ]
        )
    return aligned(rows)
