"""Probes: places in the fluid whose values are followed over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim import fields
from sim.frame import Frame
from sim.grid import Grid

Place = tuple[float, float]  # (x, y) [m]
MOST = 4
PROBED = {
    "density": ("kg/m³", fields.density), "pressure": ("Pa", fields.pressure), "speed": ("m/s", fields.speed),
    "vorticity": ("1/s", fields.vorticity), "divergence": ("1/s", fields.divergence),
}  # fmt: skip
"""What a probe notes, in this order: the unit and the field of every name."""


def cell_at(grid: Grid, place: Place) -> tuple[int, int] | None:
    """(row, column) of the cell there, None outside of the domain."""
    row, column = math.floor(place[1] / grid.dx), math.floor(place[0] / grid.dx)
    return (row, column) if 0 <= row < grid.ny and 0 <= column < grid.nx else None


def values_at(frame: Frame, grid: Grid, places: Sequence[Place]) -> tuple[tuple[float, ...], ...]:
    """For every place the values of PROBED in its cell; NaN in walls."""
    if not places:
        return ()
    arrays = [field(frame, grid) for _, field in PROBED.values()]
    found = []
    for place in places:
        cell = cell_at(grid, place)
        if cell is None or frame.solid[cell]:
            found.append((math.nan,) * len(arrays))
        else:
            found.append(tuple(float(values[cell]) for values in arrays))
    return tuple(found)


def phase_at(frame: Frame, cell: tuple[int, int]) -> tuple[int, float]:
    """The phase that fills most of a cell, and its fraction."""
    fractions = frame.fractions[:, cell[0], cell[1]]
    which = int(np.argmax(fractions))
    return which, float(fractions[which])


def toggled(places: Sequence[Place], place: Place, reach: float) -> tuple[Place, ...]:
    """The places with another one, or without those within reach of it [m]. Raises ValueError beyond MOST."""
    left = tuple(each for each in places if math.dist(each, place) > reach)
    if len(left) < len(places):
        return left
    if len(left) == MOST:
        raise ValueError(f"At most {MOST} probes: press P on one to remove it")
    return (*left, place)
