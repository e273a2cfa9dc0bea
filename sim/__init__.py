"""The fluid, in Taichi: up to eight liquids and gases on a staggered grid; the pressure solver is passed in.

    simulation = sim.Simulation("dam-break", grid=(96, 128), solve=solve)     # solve(system, b, x0) -> precond.Solution
    frame = simulation.step(1 / 60)

Taichi is imported when `Simulation` is first asked for, so that scenes and arguments are checked instantly.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")  # the banner would be the first line of every program's output

from sim.frame import Controls, Frame, Stats, Stroke
from sim.grid import Grid
from sim.scenes.reader import SceneError

if TYPE_CHECKING:
    from sim.simulation import NotFiniteError, Simulation

__all__ = ["Controls", "Frame", "Grid", "NotFiniteError", "SceneError", "Simulation", "Stats", "Stroke"]


def __getattr__(name: str) -> Any:
    if name in ("Simulation", "NotFiniteError"):
        from sim import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module 'sim' has no attribute {name!r}")
