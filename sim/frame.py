"""Input and output of a step: immutable records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

STAGES = ("advect", "assemble", "setup", "inference", "solve", "project")
"""The stages of a step in their order; `Stats.ms` has one number [ms] for each."""

LIMITS = ("frame", "courant", "gravity", "capillary")
"""What may limit a sub-step: the time of the frame, the flow, what gravity adds to it, or capillary waves."""

TOOLS = ("push", "pour", "solid", "erase", "drag")


class Solution(Protocol):
    """What the simulation reads of a pressure solution (precond.Solution has all of it)."""

    @property
    def x(self) -> torch.Tensor: ...
    @property
    def status(self) -> Any: ...
    @property
    def iterations(self) -> int: ...
    @property
    def residual(self) -> float: ...
    @property
    def setup_ms(self) -> float: ...
    @property
    def inference_ms(self) -> float: ...
    @property
    def solve_ms(self) -> float: ...


@dataclass(frozen=True)
class Stroke:
    """One short stroke of the user's brush, a capsule from (x0, y0) to (x1, y1) [m] of the given radius [m].

    push: the fluid in the capsule takes the velocity of the stroke (its length over the step's dt)
    pour: the cells take the phase `phase`;  solid: they become wall;  erase: wall becomes fluid of the last phase
    drag: the wall that (x0, y0) lies in moves along, as far as the fluid around it can give way
    """

    tool: str
    x0: float
    y0: float
    x1: float
    y1: float
    radius: float
    phase: int = 0

    def __post_init__(self) -> None:
        if self.tool not in TOOLS:
            raise ValueError(f"tool {self.tool!r} is unknown: choose one of {', '.join(TOOLS)}")
        if not all(map(np.isfinite, (self.x0, self.y0, self.x1, self.y1, self.radius))) or self.radius <= 0:
            raise ValueError(f"stroke {self} must have finite ends and a positive radius")


GRAVITY_MAX = 1e6  # [m/s^2] of either sign
DENSITIES = (1e-6, 1e9)  # [kg/m^3]; beyond these sums of squares leave the range of float64
VISCOSITY_MAX, TENSION_MAX = 1e9, 1e6  # [Pa s], [N/m]


@dataclass(frozen=True)
class Controls:
    """The user's settings and input of one step."""

    gravity: float = 9.81  # [m/s^2], downwards
    densities: tuple[float, ...] = (1000.0, 10.0)  # [kg/m^3], one for each phase
    strokes: tuple[Stroke, ...] = ()
    viscosities: tuple[float, ...] = ()  # dynamic [Pa s], one for each phase; empty: none is viscous
    tensions: tuple[float, ...] = ()  # [N/m], one for each pair of phases as in sim.scenes.scene.pairs; empty: none
    body_densities: tuple[float, ...] = ()  # [kg/m^3], one for each floating body; empty: as the scene says

    def __post_init__(self) -> None:
        count = len(self.densities)
        for numbers, wanted, largest, name, unit in (
            (self.viscosities, count, VISCOSITY_MAX, "viscosity", "Pa s"),
            (self.tensions, count * (count - 1) // 2, TENSION_MAX, "surface tension", "N/m"),
        ):
            if len(numbers) not in (0, wanted):
                raise ValueError(f"{len(numbers)} values of {name} are given where {wanted} are needed")
            for number in numbers:
                if not 0 <= number <= largest:
                    raise ValueError(f"{name} {number} must lie in 0 to {largest:g} [{unit}]")
        if not abs(self.gravity) <= GRAVITY_MAX:
            raise ValueError(f"gravity {self.gravity} must lie within {GRAVITY_MAX:g} [m/s^2] of zero")
        for density in (*self.densities, *self.body_densities):
            if not DENSITIES[0] <= density <= DENSITIES[1]:
                raise ValueError(f"density {density} must lie in {DENSITIES[0]:g} to {DENSITIES[1]:g} [kg/m^3]")
        for stroke in self.strokes:
            if not isinstance(stroke, Stroke):
                raise TypeError(f"strokes hold {stroke!r}; give sim.Stroke records")
            if not (isinstance(stroke.phase, int) and 0 <= stroke.phase < len(self.densities)):
                raise ValueError(f"phase {stroke.phase!r} of a stroke does not exist: there are {len(self.densities)}")


def settings_table(controls: Controls) -> dict[str, Any]:
    """The controls without strokes, for json; densities of bodies only where they are given."""
    unset = {"strokes"} if controls.body_densities else {"strokes", "body_densities"}
    return {key: value for key, value in asdict(controls).items() if key not in unset}


@dataclass(frozen=True)
class SolidForce:
    """What the fluid does to one connected group of wall cells, for a metre of depth: see sim.bodies.wall_forces."""

    name: str  # "solid 1", ... by row from the bottom, then by column
    cells: int
    centre: tuple[float, float]  # of its area [m]
    pressure_force: tuple[float, float]  # [N/m]
    viscous_force: tuple[float, float]  # [N/m]
    moment: float  # of both about the centre, anticlockwise [N]


@dataclass(frozen=True)
class BodyState:
    """A floating body at the end of a frame, and the mean forces on it while the last sub-step's forces acted.

    Forces are for a metre of depth [N/m], the moment about the centre [N], anticlockwise.
    """

    name: str
    density: float  # [kg/m^3]
    area: float  # [m^2]
    centre: tuple[float, float]  # of mass [m]
    angle: float  # since time zero, anticlockwise [rad]
    velocity: tuple[float, float]  # [m/s]
    spin: float  # [rad/s]
    pressure_force: tuple[float, float]
    viscous_force: tuple[float, float]
    contact_force: tuple[float, float]  # of walls and other bodies
    moment: float  # of all of them


@dataclass(frozen=True)
class Stats:
    """Numbers of one output frame; milliseconds are sums over its sub-steps."""

    step: int  # pressure solves since the start
    solutions: tuple[Solution, ...]  # one for each sub-step of this frame
    ms: Mapping[str, float]  # by STAGES [ms]
    divergence_max: float  # max |div u| after the last projection [1/s]
    speed_max: float  # [m/s]
    courant: float  # largest sum over directions of |u| dt / dx of this frame's sub-steps
    volumes: tuple[float, ...]  # of each phase [m^2]
    volume_drift: float  # max over phases of |V - V(0) - ledger| / V(0)
    energy: float  # kinetic + potential + of surfaces [J/m]
    limit: str = ""  # what kept the shortest sub-step of this frame short: one of LIMITS
    slowed: float = 0.0  # simulated seconds that this frame fell short of (sub-step cap reached)
    notices: tuple[str, ...] = ()  # sentences for the user
    solids: tuple[SolidForce, ...] = ()  # forces on walls inside the domain
    bodies: tuple[BodyState, ...] = ()  # in the scene's order
    body_solutions: tuple[Solution, ...] = ()  # of the pressure that each motion of a body makes; not in `solutions`


@dataclass(frozen=True)
class Frame:
    """One immutable picture of the fluid: read-only NumPy arrays (float64, solid bool) and its statistics."""

    time: float  # [s]
    dt: float  # simulated time since the frame before [s]
    substeps: int
    fractions: np.ndarray  # (phases, ny, nx), sums to 1
    density: np.ndarray  # (ny, nx) [kg/m^3]
    u: np.ndarray  # (ny, nx + 1) [m/s]
    v: np.ndarray  # (ny + 1, nx) [m/s]
    pressure: np.ndarray  # (ny, nx) [Pa]
    solid: np.ndarray  # (ny, nx) bool
    stats: Stats = field(repr=False)
    outlines: tuple[np.ndarray, ...] = field(default=(), kw_only=True)  # of bodies: corners (n, 2) [m], anticlockwise


def fractions_of(F: torch.Tensor) -> np.ndarray:
    """Fractions of the single phases (phases, ny, nx) from the nested ones, read-only."""
    nested = F.cpu().numpy()
    fractions = np.empty((len(nested) + 1, *nested.shape[1:]))
    fractions[0] = nested[0]
    np.subtract(nested[1:], nested[:-1], out=fractions[1:-1])
    np.subtract(1.0, nested[-1], out=fractions[-1])
    fractions.flags.writeable = False
    return fractions


def frozen(tensor: torch.Tensor) -> np.ndarray:
    """A read-only NumPy copy."""
    array = tensor.detach().cpu().numpy().copy()
    array.flags.writeable = False
    return array
