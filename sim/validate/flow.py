"""Set-up shared by the validation cases: two phases whose interface is given by a function of x and y."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.reader import parse
from sim.simulation import Simulation, Solve

Level = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (x, y) [m] -> True inside
SUBSAMPLES = 32  # points on a side of a cell

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
