"""The staggered (MAC) grid.

    x = i dx, y = j dx, row 0 is the bottom; arrays are indexed [j, i].
    u[j, i]   (ny, nx + 1)  lives on the face between cells (j, i - 1) and (j, i)
    v[j, i]   (ny + 1, nx)  lives on the face between cells (j - 1, i) and (j, i)
    p, rho, fractions [j, i] (ny, nx) live at cell centres

The domain is one unit of height (metres unless the scene says otherwise) tall and nx / ny as wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST, LARGEST = 16, 2048  # cells on a side; below, no scene can be recognised; above, a step takes seconds


@dataclass(frozen=True)
class Grid:
    """Number of cells and their size: ny rows, nx columns, square cells of side dx [m]."""

    ny: int
    nx: int
    height: float = 1.0  # [m]

    def __post_init__(self) -> None:
        if not (SMALLEST <= self.ny <= LARGEST and SMALLEST <= self.nx <= LARGEST):
            raise ValueError(
                f"grid {self.ny}x{self.nx} is out of range: NYxNX takes {SMALLEST} to {LARGEST} cells each, e.g. 96x128"
            )
        if not 1e-6 <= self.height <= 1e6:
            raise ValueError(f"height {self.height} must lie in 1e-06 to 1e+06 [m]")

    @property
    def dx(self) -> float:
        """Side of a cell [m]."""
        return self.height / self.ny

    @property
    def width(self) -> float:
        """Width of the domain [m]."""
        return self.nx * self.dx

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.ny, self.nx

    @classmethod
    def parse(cls, text: str) -> Grid:
        """Grid from "NYxNX", e.g. "96x128". Raises ValueError with the offending text."""
        rows, cross, columns = text.lower().partition("x")
        if not (cross and rows.isdigit() and columns.isdigit()):
            raise ValueError(f"grid {text!r} is not of the form NYxNX, e.g. 96x128")
        return cls(int(rows), int(columns))


def with_rows(shape: tuple[int, int], rows: int) -> tuple[int, int]:
    """(ny, nx) of about `rows` rows with the aspect of a shape; more or fewer where columns would be out of range."""
    ny, nx = shape
    rows = min(max(rows, math.ceil(SMALLEST * ny / nx)), math.floor(LARGEST * ny / nx), LARGEST)
    return rows, min(max(round(rows * nx / ny), SMALLEST), LARGEST)
