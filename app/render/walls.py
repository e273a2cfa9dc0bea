"""Walls as smooth as their scene has them: shares of cells, but whole cells where walls have moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def of_outlines(outlines: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """The share of every cell inside convex polygons with corners (n, 2) [m], (ny, nx) float32, by its distance."""
    share = np.zeros(grid.shape, np.float32)
    for outline in outlines:
        corners = outline / grid.dx
        low, high = np.floor(corners.min(0)).astype(int) - 1, np.ceil(corners.max(0)).astype(int) + 1
        part = share[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)]
        y, x = np.indices(part.shape) + np.maximum(low, 0)[::-1, None, None] + 0.5
        outside = np.full(part.shape, -np.inf)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0)):
            away = ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / math.hypot(bx - ax, by - ay)
            np.maximum(outside, away, out=outside)
        np.maximum(part, (0.5 - outside).clip(0, 1), out=part)
    return share
