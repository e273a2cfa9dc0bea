"""Walls as smooth as their scene has them: shares of cells, but whole cells where walls have moved."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sim.grid import Grid
from sim.scenes.scene import Scene, Shape, coverage


def shares(solid: np.ndarray, scene: Scene, grid: Grid) -> np.ndarray:
    """The share of every cell that is wall, float32; above 1/2 exactly where `solid` is, the cells that flow knows."""
    shares = solid.astype(np.float32)
    if solid.any() and scene.solids:
        drawn = of_shapes(scene.solids, grid)
        agree = (drawn > 0.5) == solid
        shares[agree] = drawn[agree]
    return shares


@lru_cache(maxsize=8)
def of_shapes(solids: tuple[Shape, ...], grid: Grid) -> np.ndarray:
    """The share of every cell inside the scene's solids, (ny, nx) float32."""
    covered = np.zeros(grid.shape)
    for shape in solids:
        inside = coverage(shape, grid)
        covered = np.minimum(covered, 1 - inside) if shape.erase else np.maximum(covered, inside)
    return covered.astype(np.float32)
