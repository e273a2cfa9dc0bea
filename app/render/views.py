"""What can be looked at: the fluid itself, or one of its fields under a colour map."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.fields import density, divergence, pressure, speed, vorticity
from sim.frame import Frame
from sim.grid import Grid


@dataclass(frozen=True)
class View:
    """One way to look at a frame. `field` gives (ny, nx) at cell centres; None is the fluid in its own colours.

    tiles: with the hierarchy of the preconditioners `htp` and `hierarchy` drawn over it.
    of_solve: of the newest pressure solve; frames hold it only while it is looked at.
    """

    name: str
    unit: str
    colormap: str
    signed: bool = False  # the range is symmetric about zero
    field: Callable[[Frame, Grid], np.ndarray] | None = None
    tiles: bool = False
    of_solve: bool = False


def error(frame: Frame, grid: Grid) -> np.ndarray:
    """x_k - x* [Pa] of an InspectedFrame, see solving/inspection.py; 0 before the first solve."""
    return np.asarray(getattr(frame, "error", np.zeros(grid.shape)))


def residual(frame: Frame, grid: Grid) -> np.ndarray:
    """P b - A x_k [1/s] of an InspectedFrame; 0 before the first solve."""
    return np.asarray(getattr(frame, "residual", np.zeros(grid.shape)))


VIEWS = (
    View("phase", "", "depth"),
    View("density", "kg/m³", "depth", field=density),
    View("pressure", "Pa", "leaf", field=pressure),
    View("speed", "m/s", "ember", field=speed),
    View("vorticity", "1/s", "balance", signed=True, field=vorticity),
    View("divergence", "1/s", "balance", signed=True, field=divergence),
    View("tiles", "", "depth", tiles=True),
    View("error", "Pa", "balance", signed=True, field=error, of_solve=True),
    View("residual", "1/s", "balance", signed=True, field=residual, of_solve=True),
)


@dataclass(frozen=True)
class Range:
    """The values at the two ends of a colour map."""

    low: float
    high: float


def automatic_range(view: View, values: np.ndarray, solid: np.ndarray) -> Range:
    """The range from nearly the smallest to nearly the largest value in the fluid; a lone spike does not widen it."""
    fluid = values[~solid]
    if fluid.size == 0:
        return Range(0.0, 1.0)
    low, high = np.percentile(fluid, (0.2, 99.8))
    if view.signed:
        high = max(abs(low), abs(high))
        low = -high
    elif view.name == "speed":
        low = 0.0
    if not (math.isfinite(low) and math.isfinite(high)):
        return Range(0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # a constant field; keep it off the map's ends
        pad = max(abs(high), 1.0) * 0.5
        low, high = low - pad, high + pad
    return Range(float(low), float(high))


def eased(old: Range | None, new: Range) -> Range:
    """The automatic range as shown: it widens at once and narrows slowly, so that the colours do not flicker."""
    if old is None:
        return new
    low = new.low if new.low < old.low else old.low + 0.04 * (new.low - old.low)
    high = new.high if new.high > old.high else old.high + 0.04 * (new.high - old.high)
    return Range(low, high)
