"""Small scenes and the solver for the fluid that tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.scenes.scene import Scene

POOL = """
title = "Pool"
sentence = "A flat pool."
grid = [32, 48]
{more}
[[phases]]
name = "liquid"
density = {density}
color = "#0000ff"
[[phases]]
name = "gas"
density = 1.0
color = "#ffffff"
[[shapes]]
phase = "liquid"
{shape}
"""


def pool(density: float = 100.0, shape: str = 'kind = "pool"\nheight = 0.43', more: str = "") -> Scene:
    """A small two-phase scene; the gas weighs 1."""
    from sim.scenes.reader import parse  # here, so that tests of precond need nothing of what sim needs

    return parse("pool", POOL.format(density=density, shape=shape, more=more))


def pressure_solver(method: str = "multigrid", rtol: float = 1e-8) -> Callable:
    """solve(system, b, x0) for a Simulation."""
    from sim.validate.solver import pressure_solver

    return pressure_solver(method, rtol)
