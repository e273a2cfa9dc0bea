"""The cells that a picture shows, and how finely its light is found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.render.region import Region
from sim.grid import Grid

MARGIN = 4  # cells beyond those in sight: what a B-spline and the spread of edges read
TEXEL = 4.5  # [pixels] of a texel of the first pass


@dataclass(frozen=True)
class Crop:
    """Rows and columns of the grid for a picture of `size` pixels."""

    region: Region
    size: tuple[int, int]  # (width, height) [pixels]
    shape: tuple[int, int]  # (ny, nx) of the whole grid
    rows: tuple[int, int]  # first, and the one after the last
    columns: tuple[int, int]

    @classmethod
    def of(cls, grid: Grid, region: Region, size: tuple[int, int]) -> Crop:
        """The crop for a picture of the region."""
        spans = []
        for start, count in ((region.y, grid.ny), (region.x, grid.nx)):
            first, last = math.floor(start * count) - MARGIN, math.ceil((start + region.size) * count) + MARGIN
            spans.append((max(first, 0), min(last, count)))
        rows, columns = spans
        return cls(region, size, grid.shape, rows, columns)

    def cut(self, cells: np.ndarray) -> np.ndarray:
        """The part of an array (..., ny, nx)."""
        return cells[..., slice(*self.rows), slice(*self.columns)]

    @property
    def cell(self) -> float:
        """Pixels on a side of a cell."""
        return self.size[1] / (self.shape[0] * self.region.size)

    @property
    def texels(self) -> tuple[int, int]:
        """Texels of the first pass across and up the picture."""
        return max(1, round(self.size[0] / TEXEL)), max(1, round(self.size[1] / TEXEL))

    @property
    def to_cells(self) -> tuple[float, float, float, float]:
        """Offset and scale from places in the picture to places in the crop, both 0 to 1."""
        (j0, j1), (i0, i1), (ny, nx) = self.rows, self.columns, self.shape
        region = self.region
        return (
            (region.x * nx - i0) / (i1 - i0),
            (region.y * ny - j0) / (j1 - j0),
            region.size * nx / (i1 - i0),
            region.size * ny / (j1 - j0),
        )

    def in_picture(self, places: np.ndarray) -> np.ndarray:
        """Places in the crop, 0 to 1, as places in the picture."""
        offset, scale = np.array(self.to_cells, np.float32).reshape(2, 2)
        return np.asarray((places - offset) / scale, np.float32)

    def pixels_of(self, cells: np.ndarray) -> np.ndarray:
        """Places (n, 2) in cells of the whole grid as pixels of the picture, from its lower left."""
        ny, nx = self.shape
        corner = np.array([self.region.x * nx, self.region.y * ny])
        scale = np.array([self.size[0] / (nx * self.region.size), self.size[1] / (ny * self.region.size)])
        return np.asarray((cells - corner) * scale)
