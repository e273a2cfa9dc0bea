"""Inspection of a hierarchy, for pictures: where its blocks meet, and a tile's functions as pressures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .hierarchy import COARSEST, FUNCTIONS, Hierarchy
from .layout import SIDE, levels

Edges = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Tile:
    """One tile. Its first cell (row, column) lies below the grid where the grid was padded.

    functions: (r, 8, 8) pressures, row 0 at the bottom, each over its largest value; NaN in solids. None: not known.
    """

    row: int
    column: int
    functions: np.ndarray | None = None


@cache
def edges(ny: int, nx: int) -> tuple[Edges, ...]:
    """For every level, the tiles first: (rows, columns) of cells above and right of which two of its blocks meet."""
    found = []
    whole, _ = levels(ny, nx, FUNCTIONS, COARSEST)
    up, across = whole[0][0] * SIDE, whole[0][1] * SIDE
    for count in whole:
        rows = (k * up // count[0] - (up - ny) for k in range(1, count[0]))
        columns = (k * across // count[1] for k in range(1, count[1]))
        found.append((tuple(r for r in rows if 0 < r < ny), tuple(c for c in columns if 0 < c < nx)))
    return tuple(found)


def tile_at(ny: int, nx: int, row: int, column: int) -> Tile:
    """The tile of a cell, its functions not known."""
    below = levels(ny, nx, FUNCTIONS, COARSEST)[0][0][0] * SIDE - ny  # padding rows
    return Tile((row + below) // SIDE * SIDE - below, column // SIDE * SIDE)


def with_functions(tile: Tile, M: object) -> Tile:
    """The tile with the functions that it has in M's last setup; without any if M is no hierarchy that was set up."""
    if not isinstance(M, Hierarchy) or M.constants is None:
        return tile
    layout = M.constants.layout
    below = layout.tiles[0] * SIDE - layout.grid[0]
    k = int(layout.tile_grid[(tile.row + below) // SIDE, tile.column // SIDE])
    found = M.functions_of(k)
    if found is None:
        return tile
    root, scaled = found
    p = np.where(root > 0, scaled / np.where(root > 0, root, 1.0), np.nan)
    largest = np.nanmax(np.abs(p), axis=1, keepdims=True) if (root > 0).any() else 1.0
    return Tile(tile.row, tile.column, (p / np.maximum(largest, 1e-30)).reshape(-1, SIDE, SIDE))
