"""Scenes: what is where at time zero. `sim.scenes.reader` reads them from toml.

A scene places its shapes in fractions of the domain: x of its width, y of its height, radii of its height, so that the
same file serves every grid. Later shapes paint over earlier ones; what no shape covers is the last phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from itertools import combinations

import numpy as np

from sim.grid import Grid

SUBSAMPLES = 32  # points on a side of a cell that a shape's edge crosses: area exact to about 1e-3 of a cell


@dataclass(frozen=True)
class Phase:
    """One liquid or gas."""

    name: str
    density: float  # [kg/m^3]
    color: tuple[float, float, float]  # linear 0..1
    viscosity: float = 0.0  # dynamic [Pa s]


@dataclass(frozen=True)
class Shape:
    """A region of the domain: its inside is where `level(x, y) < 0`, x and y in fractions."""

    kind: str
    phase: str = ""  # empty for a solid
    start: tuple[float, float] = (0.0, 0.0)  # box: lower left corner; stroke: one end of its middle line
    end: tuple[float, float] = (1.0, 1.0)  # box: upper right corner; stroke: the other end
    center: tuple[float, float] = (0.5, 0.5)  # disc
    radius: float = 0.1  # disc and stroke, fraction of the height
    height: float = 0.5  # pool: mean level of its surface
    amplitude: float = 0.0  # pool: surface = height + amplitude cos(2 pi waves x)
    waves: float = 1.0
    erase: bool = False  # of solids: no wall here, whatever solids before it say

    def inside(self, x: np.ndarray, y: np.ndarray, aspect: float) -> np.ndarray:
        """True where (x, y), in fractions of a domain `aspect` times as wide as high, lies inside."""
        if self.kind == "box":
            return (x >= self.start[0]) & (x < self.end[0]) & (y >= self.start[1]) & (y < self.end[1])
        if self.kind == "disc":
            return ((x - self.center[0]) * aspect) ** 2 + (y - self.center[1]) ** 2 < self.radius**2
        if self.kind == "stroke":
            along_x, along_y = (self.end[0] - self.start[0]) * aspect, self.end[1] - self.start[1]
            x, y = (x - self.start[0]) * aspect, y - self.start[1]
            t = np.clip((x * along_x + y * along_y) / max(along_x**2 + along_y**2, 1e-30), 0.0, 1.0)
            return (x - t * along_x) ** 2 + (y - t * along_y) ** 2 < self.radius**2
        return y < self.height + self.amplitude * np.cos(2 * np.pi * self.waves * x)


@dataclass(frozen=True)
class Barriers:
    """Random barriers of heavy fluid, the frames that HTP was published on (arXiv 2605.13343), at rest at time zero."""

    phase: str
    count: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Tension:
    """Surface tension [N/m] of the interface between two phases."""

    between: tuple[str, str]
    value: float


ANGLES = (40.0, 150.0)  # degrees; flatter drops end in films that no grid resolves: 30 degrees came out as 13


@dataclass(frozen=True)
class ContactAngle:
    """Angle [degrees] at which the interface of two phases meets walls, measured through the first of them."""

    between: tuple[str, str]
    angle: float


@dataclass(frozen=True)
class Shaking:
    """A tank that is moved to and fro along x: x = amplitude (1 - cos(2 pi t / period)), seen from inside it."""

    amplitude: float  # [m]
    period: float  # [s]

    def acceleration(self) -> float:
        """The largest [m/s^2]."""
        return abs(self.amplitude) * (2 * np.pi / self.period) ** 2

    def impulse(self, start: float, end: float) -> float:
        """What the fluid's velocity along x gains from `start` to `end` [s], in the frame of the tank [m/s]."""
        omega = 2 * np.pi / self.period
        return float(-self.amplitude * omega * (np.sin(omega * end) - np.sin(omega * start)))


SIDES = ("left", "right", "bottom", "top")


@dataclass(frozen=True)
class Opening:
    """A part of a side of the domain, from start to end in fractions of it, through which fluid comes or goes.

    An inlet brings `phase` at `speed` [m/s]; the outlets of a region share what its inlets bring.
    """

    side: str
    start: float = 0.0
    end: float = 1.0
    phase: str = ""  # empty for an outlet
    speed: float = 0.0


@dataclass(frozen=True)
class FloatingBody:
    """A rigid body that moves with the fluid; `sim.scenes.outline` has its corners."""

    name: str
    shape: Shape  # in fractions of the domain, before it is turned
    density: float  # [kg/m^3]
    angle: float = 0.0  # by which it is turned about its centre, anticlockwise [degrees]
    velocity: tuple[float, float] = (0.0, 0.0)  # at time zero [m/s]
    spin: float = 0.0  # at time zero, anticlockwise [rad/s]


CONDITIONS = ("slip", "no-slip")


@dataclass(frozen=True)
class Walls:
    """Whether viscous fluid sticks to each wall of the domain and to all solid cells ("no-slip") or glides along."""

    left: str = "slip"
    right: str = "slip"
    bottom: str = "slip"
    top: str = "slip"  # ignored where the top is open
    solids: str = "slip"

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value not in CONDITIONS:
                raise ValueError(f"walls: {entry.name} = {value!r} is unknown: choose {' or '.join(CONDITIONS)}")


@dataclass(frozen=True)
class Scene:
    """A scene as read: the domain, its phases and what is where.

    Phases are nested: a thin layer between two phases is followed best when it also stands between them in this order,
    as from the heaviest to the lightest.
    """

    name: str
    title: str
    sentence: str  # shown in the panel
    phases: tuple[Phase, ...]
    grid: tuple[int, int] = (96, 128)  # default (ny, nx)
    height: float = 1.0  # of the domain [m]
    gravity: float = 9.81  # [m/s^2], downwards
    open_top: bool = False
    shapes: tuple[Shape, ...] = ()
    solids: tuple[Shape, ...] = ()
    tensions: tuple[Tension, ...] = ()
    contact_angles: tuple[ContactAngle, ...] = ()
    walls: Walls = Walls()
    openings: tuple[Opening, ...] = ()
    barriers: Barriers | None = None
    shaking: Shaking | None = None
    bodies: tuple[FloatingBody, ...] = ()
    source: str = field(default="", repr=False)  # the toml it was read from, kept so that saved states stand alone

    def phase_index(self, name: str) -> int:
        """Position of the phase called `name`."""
        return [phase.name for phase in self.phases].index(name)

    def tension_of_pairs(self) -> tuple[float, ...]:
        """[N/m] of every pair of phases in the order of `pairs`; 0 where the scene gives none."""
        given = {frozenset(tension.between): tension.value for tension in self.tensions}
        return tuple(given.get(frozenset(pair), 0.0) for pair in combinations([p.name for p in self.phases], 2))

    def wetting(self) -> np.ndarray | None:
        """cot of the contact angle of phase i against phase j, (phases, phases), i < j; None: all are 90 degrees."""
        if all(each.angle == 90.0 for each in self.contact_angles):
            return None
        cot = np.zeros((len(self.phases), len(self.phases)))
        for each in self.contact_angles:
            i, j = map(self.phase_index, each.between)
            value = 1 / np.tan(np.radians(each.angle))
            cot[min(i, j), max(i, j)] = value if i < j else -value
        return cot

    def fractions(self, grid: Grid, seed: int = 0) -> np.ndarray:
        """Volume fraction of every phase in every cell at time zero, (phases, ny, nx), summing to 1."""
        fraction = np.zeros((len(self.phases), *grid.shape))
        fraction[-1] = 1.0
        shapes = list(self.shapes)
        if self.barriers is not None:
            shapes += barrier_shapes(self.barriers, seed)
        for shape in shapes:
            covered = coverage(shape, grid)
            fraction *= 1.0 - covered
            fraction[self.phase_index(shape.phase)] += covered
        return fraction

    def solid(self, grid: Grid) -> np.ndarray:
        """Cells that are wall, (ny, nx) bool: those whose larger part a solid covers."""
        solid = np.zeros(grid.shape, dtype=bool)
        for shape in self.solids:
            covered = coverage(shape, grid) > 0.5
            solid = solid & ~covered if shape.erase else solid | covered
        return solid


def pairs(count: int) -> Iterable[tuple[int, int]]:
    """(0, 1), (0, 2), ..., (1, 2), ...: the order in which numbers of pairs of phases are listed."""
    return combinations(range(count), 2)


def coverage(shape: Shape, grid: Grid) -> np.ndarray:
    """Fraction of every cell inside a shape, (ny, nx); only cells that its edge crosses are sampled finely."""
    aspect = grid.nx / grid.ny
    y, x = np.linspace(0, 1, 4 * grid.ny + 1), np.linspace(0, 1, 4 * grid.nx + 1)
    inside = np.broadcast_to(shape.inside(x[None, :], y[:, None], aspect), (y.size, x.size))
    blocks = np.lib.stride_tricks.sliding_window_view(inside, (5, 5))[::4, ::4]  # 5 x 5 points on and in every cell
    points = blocks.sum(axis=(2, 3))
    covered = (points == 25).astype(float)
    j, i = np.nonzero((points > 0) & (points < 25))
    step = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES
    fine_x = (i[:, None, None] + step[None, None, :]) / grid.nx
    fine_y = (j[:, None, None] + step[None, :, None]) / grid.ny
    covered[j, i] = shape.inside(fine_x, fine_y, aspect).mean(axis=(1, 2))
    return covered


def barrier_shapes(barriers: Barriers, seed: int) -> list[Shape]:
    """1 to `count` boxes of heavy fluid across the domain, each with a gap at one end, in the middle, or closed."""
    random = np.random.default_rng((barriers.seed, seed))
    boxes = []
    for _ in range(int(random.integers(1, barriers.count + 1))):
        vertical, center, thickness = random.random() < 0.5, random.uniform(0.2, 0.8), random.uniform(0.05, 0.2)
        gap = random.choice(["top", "bottom", "middle_hole", "closed"])
        spans = {
            "top": [(0.2, 1.0)],
            "bottom": [(0.0, 0.8)],
            "middle_hole": [(0.0, 0.4), (0.6, 1.0)],
            "closed": [(0.0, 1.0)],
        }[gap]
        across = (max(center - thickness / 2, 0.0), min(center + thickness / 2, 1.0))
        for along in spans:
            (x0, x1), (y0, y1) = (across, along) if vertical else (along, across)
            boxes.append(Shape("box", barriers.phase, start=(x0, y0), end=(x1, y1)))
    return boxes
