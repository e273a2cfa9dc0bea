"""Flows with a known answer: each case runs the simulation and puts its numbers beside published ones.

`python -m sim.validate` is the command that runs them; tests run them on coarser grids.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from sim.frame import Frame
from sim.grid import Grid
from sim.kernels import advect, plic, taichi_runtime, tension
from sim.scenes.reader import parse
from sim.simulation import COURANT, Simulation, Solve

Level = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (x, y) [m] -> True inside
SUBSAMPLES = 32  # points on a side of a cell


@dataclass(frozen=True)
class Check:
    """One number beside its reference. tolerance: the largest |measured - reference|, or the largest measured value

    itself where the reference is None.
    """

    quantity: str
    measured: float
    reference: float | None
    tolerance: float

    @property
    def error(self) -> float:
        """|measured - reference|, or the measured value where it should be as small as possible."""
        return abs(self.measured - (self.reference or 0.0))

    @property
    def holds(self) -> bool:
        """Whether the number is where it should be; NaN never is."""
        return bool(self.error <= self.tolerance)  # not NumPy's, which json cannot write


@dataclass(frozen=True)
class Curve:
    """A measured line and the published points beside it."""

    title: str
    x_label: str
    y_label: str
    x: list[float]
    y: list[float]
    points_x: list[float] = field(default_factory=list)
    points_y: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What a case has measured on a grid of n cells to its characteristic length."""

    case: str
    n: int
    checks: list[Check]
    curves: list[Curve] = field(default_factory=list)
    picture: np.ndarray | None = None  # fraction of the first phase at the end, (ny, nx)


@dataclass(frozen=True)
class Case:
    """A flow, the grids that it is run on, and where its reference stands."""

    run: Callable[[int, Solve], Result]
    sizes: tuple[int, ...]  # n of `python -m sim.validate`
    full: tuple[int, ...]  # n with --full
    source: str
    about: str


SCENE = """
title = "{title}"
sentence = "A flow with a known answer."
grid = [{ny}, {nx}]
height = {height}
gravity = {gravity}
{more}
[[phases]]
name = "one"
density = {rho[0]}
viscosity = {mu[0]}
color = "#1f7fd1"
[[phases]]
name = "two"
density = {rho[1]}
viscosity = {mu[1]}
color = "#f3efe6"
[[tensions]]
between = ["one", "two"]
value = {sigma}
[walls]
{walls}
"""


def fluid(
    title: str,
    grid: tuple[int, int],
    solve: Solve,
    inside: Level,
    *,
    rho: tuple[float, float],
    mu: tuple[float, float] = (0.0, 0.0),
    sigma: float = 0.0,
    height: float = 1.0,
    gravity: float = 0.0,
    walls: str = "",
    more: str = "",
) -> Simulation:
    """Two phases, the first of them where `inside` says, at rest."""
    ny, nx = grid
    text = SCENE.format(
        title=title, ny=ny, nx=nx, height=height, gravity=gravity, rho=rho, mu=mu, sigma=sigma, walls=walls, more=more
    )
    simulation = Simulation(parse(title, text), solve=solve)
    simulation.fill(sampled(inside, simulation.grid)[None])
    return simulation


def sampled(inside: Level, grid: Grid) -> np.ndarray:
    """Fraction of every cell where `inside` holds, (ny, nx)."""
    step = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES
    fraction = np.empty(grid.shape)
    x = (np.arange(grid.nx)[:, None] + step).reshape(-1) * grid.dx
    for j in range(grid.ny):
        y = (j + step) * grid.dx
        points = inside(x[None, :], y[:, None]) & np.ones((SUBSAMPLES, 1), dtype=bool)
        fraction[j] = points.reshape(SUBSAMPLES, grid.nx, SUBSAMPLES).mean((0, 2))
    return fraction


def run(simulation: Simulation, end: float, dt: float, watch: Callable[[Frame], None]) -> Frame:
    """Steps of dt [s] until `end` [s]; `watch` sees every frame, the first included."""
    frame = simulation.frame()
    watch(frame)
    while simulation.time < end - 1e-9:
        frame = simulation.step(min(dt, end - simulation.time))
        watch(frame)
    return frame


def at(times: list[float], values: list[float], when: float) -> float:
    """The value at that time, between the neighbours on a line."""
    return float(np.interp(when, times, values))


# The cases ---------------------------------------------------------------------------------------------------------

VORTEX = {32: 5.56e-2, 64: 1.10e-2, 128: 1.83e-3}


def vortex(n: int, solve: Solve) -> Result:
    """A disc drawn out to a spiral by a vortex that turns back: only the transport of the phases is at work."""
    del solve  # the velocity is given
    taichi_runtime.start("cpu")

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - 0.3) ** 2 + (y - 0.263662) ** 2 < 0.2**2

    F = torch.from_numpy(sampled(disc, Grid(n, n)))[None].contiguous()
    plan = plic.plan_for(F)
    start, spare, c, plane, enter = F.clone(), zeros(1, n, n), zeros(1, n, n), zeros(1, 3, n, n), zeros(1, 2, n)
    solid = torch.zeros(n, n, dtype=torch.uint8)
    u, v, flux = zeros(n, n + 1), zeros(n + 1, n), (zeros(1, n, n + 1), zeros(1, n + 1, n))
    corner = np.arange(n + 1) / n
    psi = -1.5 * np.outer(np.sin(np.pi * corner), np.sin(np.pi * corner)) / np.pi
    shape_u, shape_v = torch.from_numpy(-np.diff(psi, axis=0) * n), torch.from_numpy(np.diff(psi, axis=1) * n)
    period, when, k = 15.0, 0.0, 0
    stretched = F[0].numpy()
    while when < period:
        # As long as the flow of the moment allows, as in the reference: short steps blur more.
        ahead = abs(math.sin(2 * math.pi * (when + 0.5 / n) / period))
        h = min(COURANT / (1.5 * n * max(ahead, 1e-3)), 0.1, period - when)
        strength = math.sin(2 * math.pi * (when + 0.5 * h) / period)
        while 1.5 * abs(strength) * h * n > COURANT:
            h *= 0.9
            strength = math.sin(2 * math.pi * (when + 0.5 * h) / period)
        u.copy_(shape_u * strength)
        v.copy_(shape_v * strength)
        begun = F
        for axis in (0, 1) if k % 2 == 0 else (1, 0):
            w = u if axis == 0 else v
            advect.sweep_volume(axis, plan, begun, F, spare, plane, solid, enter, c, w, flux[axis], h * n)
            F, spare = spare, F
        if when < 0.5 * period <= when + h:
            stretched = F[0].numpy().copy()
        when, k = when + h, k + 1
    error, volume = float((F - start).abs().mean()), float(start.sum())
    published = VORTEX.get(n, math.nan)
    checks = [
        Check("mean |f error|", error, None, 1.02 * published),
        Check("relative volume error", abs(float(F.sum()) - volume) / volume, None, 1e-12),
    ]
    return Result("vortex", n, checks, picture=stretched)


def drop(n: int, solve: Solve) -> Result:
    """A drop at rest without gravity: what moves it is the error of the surface tension alone."""
    radius, sigma, rho = 0.2, 25.0, (100.0, 1.0)  # a capillary wave takes half a second around it
    mu = math.sqrt(rho[0] * sigma * 2 * radius / 120)  # Laplace number 120, the first of Popinet 2009

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - 0.5) ** 2 + (y - 0.5) ** 2 < radius**2

    simulation = fluid("drop", (n, n), solve, disc, rho=rho, mu=(mu, mu / 10), sigma=sigma)
    times: list[float] = []
    capillary: list[float] = []

    def watch(frame: Frame) -> None:
        times.append(frame.time)
        capillary.append(frame.stats.speed_max * mu / sigma)

    frame = run(simulation, 1.0, 0.02, watch)
    inner, outer = frame.fractions[0] > 1 - 1e-6, frame.fractions[0] < 1e-6
    jump = float(frame.pressure[inner].mean() - frame.pressure[outer].mean())
    checks = [
        Check("pressure jump / (sigma / R)", jump * radius / sigma, 1.0, 0.01),
        Check("capillary number after 1 s", capillary[-1], None, 1e-5),
    ]
    curve = Curve("Spurious currents", "time [s]", "max |u| mu / sigma", times[1:], capillary[1:])
    return Result("drop", n, checks, [curve], frame.fractions[0])


def oscillation(n: int, solve: Solve) -> Result:
    """A drop that is drawn out by 5% and let go: frequency of its second mode (Lamb 1932, art. 273, in the plane)."""
    radius, sigma, rho, amplitude = 0.2, 1.0, (100.0, 1.0), 0.05

    def ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - 0.5, y - 0.5
        return np.hypot(x, y) < radius * (1 + amplitude * np.cos(2 * np.arctan2(y, x)))

    # A little viscosity, which shifts the frequency by 3e-4, keeps modes down that the grid excites.
    mu = 0.01 * math.sqrt(rho[0] * sigma * 2 * radius)
    simulation = fluid("oscillation", (n, n), solve, ellipse, rho=rho, mu=(mu, mu / 100), sigma=sigma)
    omega = math.sqrt((2**3 - 2) * sigma / ((rho[0] + rho[1]) * radius**3))
    centre = (np.arange(n) + 0.5) / n - 0.5
    weight = centre[None, :] ** 2 - centre[:, None] ** 2
    times: list[float] = []
    stretch: list[float] = []

    def watch(frame: Frame) -> None:
        times.append(frame.time)
        stretch.append(float((frame.fractions[0] * weight).sum()))

    period = 2 * math.pi / omega
    frame = run(simulation, 2 * period, period / 100, watch)
    sign = np.sign(stretch)
    zeros = [
        times[k] + (times[k + 1] - times[k]) * stretch[k] / (stretch[k] - stretch[k + 1])
        for k in np.nonzero(sign[1:] != sign[:-1])[0]
    ]
    measured = math.pi * (len(zeros) - 1) / (zeros[-1] - zeros[0]) if len(zeros) > 1 else math.nan
    checks = [Check("frequency / Lamb's", measured / omega, 1.0, 0.03)]
    lamb = np.exp(-4 * mu / rho[0] / radius**2 * np.array(times)) * np.cos(omega * np.array(times))
    curve = Curve(
        "Second moment of the drop", "time [s]", "of the initial one", times, [s / stretch[0] for s in stretch],
        times[::5], lamb[::5].tolist(),
    )  # fmt: skip
    return Result("oscillation", n, checks, [curve], frame.fractions[0])


HE_1999 = {0.93: (0.5490, 0.4451), 2.06: (0.6023, 0.3551), 3.02: (0.6450, 0.2652), 4.08: (0.6932, 0.1655)}


def rayleigh_taylor(n: int, solve: Solve) -> Result:
    """Heavy over light fluid, Atwood number 1/2, Reynolds number 256: heights of bubble and spike."""
    width, nu, g, rho = 0.25, 0.00153, 9.81, (300.0, 100.0)

    def heavy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return y > 0.5 + 0.025 * np.cos(8 * np.pi * x)

    simulation = fluid(
        "rayleigh-taylor", (4 * n, n), solve, heavy, rho=rho, mu=(rho[0] * nu, rho[1] * nu), gravity=g,
        walls='bottom = "no-slip"\ntop = "no-slip"',
    )  # fmt: skip
    scale = math.sqrt(g / width)
    times: list[float] = []
    bubble: list[float] = []
    spike: list[float] = []

    def watch(frame: Frame) -> None:
        f = frame.fractions[0]
        times.append(frame.time * scale)
        bubble.append(max(edge(1 - f[::-1, i]) for i in range(n)))
        spike.append(1 - max(edge(f[:, i]) for i in range(n)))

    def edge(column: np.ndarray) -> float:
        """1 less the height of the first cell from the start of a column that is half filled."""
        k = int(np.argmax(column > 0.5))
        if not column[k] > 0.5:
            return 0.0
        part = (column[k] - 0.5) / (column[k] - column[k - 1]) if k else 0.5
        return 1 - (k + 0.5 - part) / column.size

    frame = run(simulation, 4.1 / scale, 0.05 / scale, watch)
    checks = []
    for when, heights in HE_1999.items():
        for name, series, height in zip(("bubble", "spike"), (bubble, spike), heights):
            checks.append(Check(f"{name} at t* = {when}", at(times, series, when), height, 0.03 * width))
    moments, labels = list(HE_1999), ("t sqrt(g / W)", "y / H")
    curves = [
        Curve(f"Height of the {name}", *labels, times, series, moments, [heights[k] for heights in HE_1999.values()])
        for k, (name, series) in enumerate((("bubble", bubble), ("spike", spike)))
    ]  # fmt: skip
    return Result("rayleigh-taylor", n, checks, curves, frame.fractions[0])


@dataclass(frozen=True)
class Bubble:
    """A rising bubble of Hysing et al. 2009: liquid and gas, and the numbers of their finest codes."""

    rho: tuple[float, float]  # bubble, liquid
    mu: tuple[float, float]
    sigma: float
    end: float


TC1 = Bubble((100.0, 1000.0), (1.0, 10.0), 24.5, 3.0)
TC2 = Bubble((1.0, 1000.0), (0.1, 10.0), 1.96, 2.0)


def rise(bubble: Bubble, name: str, n: int, solve: Solve) -> tuple[Result, dict[str, list[float]]]:
    """The bubble's centre [m], rise velocity [m/s] and circularity against time; n cells across the box."""
    centre, radius = (0.5, 0.5), 0.25

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2

    simulation = fluid(
        name, (2 * n, n), solve, disc, rho=bubble.rho, mu=bubble.mu, sigma=bubble.sigma, height=2.0, gravity=0.98,
        walls='bottom = "no-slip"\ntop = "no-slip"',
    )  # fmt: skip
    y = (np.arange(2 * n) + 0.5)[:, None] / n
    rows, plan = torch.zeros(2 * n, 2, dtype=torch.float64), plic.plan_for(simulation.F)
    series: dict[str, list[float]] = {"time": [], "centre": [], "velocity": [], "circularity": []}

    def watch(frame: Frame) -> None:
        f = frame.fractions[0]
        volume = f.sum()
        tension.survey(
            plan, simulation.F, simulation.solid.view(torch.uint8), simulation._sigma, rows, simulation.grid.dx
        )
        perimeter = float(rows[:, 1].sum())
        series["time"].append(frame.time)
        series["centre"].append(float((f * y).sum() / volume))
        series["velocity"].append(float((f * 0.5 * (frame.v[1:] + frame.v[:-1])).sum() / volume))
        series["circularity"].append(2 * math.sqrt(math.pi * volume) / n / perimeter)

    frame = run(simulation, bubble.end, 0.02, watch)
    labels = (
        ("centre", "height of the centre [m]"),
        ("velocity", "rise velocity [m/s]"),
        ("circularity", "circularity"),
    )
    curves = [Curve(label, "time [s]", label, series["time"], series[key]) for key, label in labels]
    return Result(name, n, [], curves, frame.fractions[0]), series


def bubble_1(n: int, solve: Solve) -> Result:
    """An ellipsoidal bubble, density ratio 10."""
    result, s = rise(TC1, "bubble-1", n, solve)
    checks = [
        Check("centre at 3 s [m]", at(s["time"], s["centre"], 3.0), 1.0817, 0.01 * 1.0817),
        Check("centre at 2 s [m]", at(s["time"], s["centre"], 2.0), 0.8887, 0.01 * 0.8887),
        Check("centre at 1 s [m]", at(s["time"], s["centre"], 1.0), 0.6696, 0.01 * 0.6696),
        Check("largest rise velocity [m/s]", max(s["velocity"]), 0.24166, 0.02 * 0.24166),
        Check("smallest circularity", min(s["circularity"]), 0.90125, 0.02 * 0.90125),
    ]
    points = {
        "centre": ([1.0, 2.0, 3.0], [0.6696, 0.8887, 1.0817]),
        "velocity": ([0.924], [0.24166]),
        "circularity": ([1.900], [0.90125]),
    }
    return with_points(result, checks, **points)


def bubble_2(n: int, solve: Solve) -> Result:
    """A skirted bubble, density ratio 1000, to the time at which the published codes begin to disagree."""
    result, s = rise(TC2, "bubble-2", n, solve)
    checks = [
        Check("rise velocity at 0.732 s [m/s]", at(s["time"], s["velocity"], 0.732), 0.25022, 0.04 * 0.25022),
        Check("rise velocity at 2 s [m/s]", at(s["time"], s["velocity"], 2.0), 0.23933, 0.04 * 0.23933),
    ]
    return with_points(result, checks, velocity=([0.732, 2.060], [0.25022, 0.23933]))


def with_points(result: Result, checks: list[Check], **points: tuple[list[float], list[float]]) -> Result:
    """The result with its checks, and with published points on its curves of centre, velocity and circularity."""
    curves = []
    for key, curve in zip(("centre", "velocity", "circularity"), result.curves):
        x, y = points.get(key, ([], []))
        curves.append(Curve(curve.title, curve.x_label, curve.y_label, curve.x, curve.y, x, y))
    return Result(result.case, result.n, checks, curves, result.picture)


MARTIN_MOYCE = (
    (0.41, 1.11), (0.84, 1.22), (1.19, 1.44), (1.43, 1.67), (1.63, 1.89), (1.83, 2.11), (1.98, 2.33), (2.20, 2.56),
    (2.32, 2.78), (2.51, 3.00), (2.65, 3.22), (2.83, 3.44), (2.98, 3.67), (3.11, 3.89), (3.33, 4.11),
)  # fmt: skip
GATE_MAX = 0.6  # in units of T: the gate of the experiment is not gone at once


def dam_break(n: int, solve: Solve) -> Result:
    """The front of a collapsing column twice as high as wide, water in air; n cells to the width of the column.

    The gate of the experiment takes time to open: one shift of the time axis is fitted, and stated.
    """
    a, g = 0.05715, 9.81
    rows = math.ceil(2.5 * n)

    def column(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x < a) & (y < 2 * a)

    simulation = fluid(
        "dam-break", (rows, 5 * n), solve, column, rho=(1000.0, 1.2), mu=(1e-3, 1.8e-5), sigma=0.07,
        height=rows * a / n, gravity=g,
    )  # fmt: skip
    scale = math.sqrt(2 * g / a)
    times: list[float] = []
    fronts: list[float] = []

    def watch(frame: Frame) -> None:
        floor = frame.fractions[0][: max(1, n // 8)].max(0) > 0.5
        times.append(frame.time * scale)
        fronts.append((float(np.nonzero(floor)[0].max()) + 1) / n)

    frame = run(simulation, 3.4 / scale, 0.02 / scale, watch)
    when, where = (np.array(column) for column in zip(*MARTIN_MOYCE))

    def worst(shift: float) -> float:
        return float(np.max(np.abs(np.interp(when - shift, times, fronts) / where - 1)))

    shift = min(np.linspace(0, GATE_MAX, 121), key=worst)
    checks = [
        Check("largest relative error of the front", worst(shift), None, 0.08),
        Check("fitted opening of the gate, in T", float(shift), None, GATE_MAX),
    ]
    curve = Curve(
        "Front of the collapsing column", "t sqrt(2 g / a)", "x / a", (np.array(times) + shift).tolist(), fronts,
        when.tolist(), where.tolist(),
    )  # fmt: skip
    return Result("dam-break", n, checks, [curve], frame.fractions[0])


REST = """
title = "Rest"
sentence = "Mercury, water and oil under air, with two steps."
grid = [{n}, {n}]
[[phases]]
name = "mercury"
density = 13500.0
color = "#888888"
[[phases]]
name = "water"
density = 1000.0
color = "#1f7fd1"
[[phases]]
name = "oil"
density = 900.0
color = "#d1a01f"
[[phases]]
name = "air"
density = 1.2
color = "#f3efe6"
[[shapes]]
kind = "pool"
phase = "oil"
height = 0.75
[[shapes]]
kind = "pool"
phase = "water"
height = 0.53
[[shapes]]
kind = "pool"
phase = "mercury"
height = 0.21
[[solids]]
kind = "box"
start = [0.0, 0.0]
end = [0.3, 0.4]
[[solids]]
kind = "box"
start = [0.6, 0.3]
end = [0.8, 0.6]
"""


def rest(n: int, solve: Solve) -> Result:
    """Four layers at rest around solids, density ratio 11,250: whatever moves is an error."""
    simulation = Simulation(parse("rest", REST.format(n=n)), solve=solve)
    speeds: list[float] = []
    frame = run(simulation, 1.0, 0.02, lambda frame: speeds.append(frame.stats.speed_max))
    return Result("rest", n, [Check("largest speed in 1 s [m/s]", max(speeds), None, 1e-6)], picture=frame.fractions[0])


CASES = {
    "vortex": Case(vortex, (32, 64), (32, 64, 128), "Basilisk, test reversed.c", "transport of an interface"),
    "rest": Case(rest, (48,), (48, 96), "exact", "hydrostatic balance"),
    "drop": Case(drop, (32,), (32, 64), "Laplace", "balance of surface tension and pressure"),
    "oscillation": Case(oscillation, (48,), (32, 64, 128), "Lamb 1932", "dynamics of surface tension"),
    "bubble-1": Case(bubble_1, (32,), (32, 64, 128), "Hysing et al. 2009, test case 1", "all forces together"),
    "bubble-2": Case(bubble_2, (32,), (32, 64), "Hysing et al. 2009, test case 2", "density ratio 1000"),
    "rayleigh-taylor": Case(rayleigh_taylor, (32,), (32, 64, 128), "He et al. 1999", "growth of an instability"),
    "dam-break": Case(dam_break, (16,), (16, 32), "Martin & Moyce 1952", "violent flow of water in air"),
}
