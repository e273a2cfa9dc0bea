"""Curves over simulated time, one for each pane, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from imgui_bundle import imgui

from app.ui import theme
from app.ui.axis_ticks import decades, nice_ceiling
from app.ui.draw_list import DrawList
from app.ui.rect import Rect
from app.viewport.comparison_charts import LABEL, TITLE, size_of
from app.viewport.comparison_layout import HEADING
from app.viewport.pane_style import PaneStyle

DECADES = 14  # below the largest value, at most: the rest is rounding
Curve = tuple[np.ndarray, np.ndarray]  # times [s], values


def draw_over_time(
    pen: DrawList, area: Rect, unit: float, title: str, curves: Sequence[Curve], styles: Sequence[PaneStyle]
) -> None:
    """A chart of the curves; values of 0 are drawn at its foot."""
    small = size_of(LABEL, unit)
    pen.text(area.x, area.y, title, pen.fitted(title, area.width, size_of(TITLE, unit)), theme.DIM)
    left = area.x + 2.9 * small
    plot = Rect(left, area.y + HEADING * unit, area.right - left, area.height - HEADING * unit - 2.9 * small)
    if plot.width < 40 or plot.height < 30:
        return
    pen.ink.add_rect_filled((plot.x, plot.y), (plot.right, plot.bottom), theme.packed(theme.PLOT), 4)
    low, high = ends_of(curves)
    longest = nice_ceiling(max((float(times[-1]) for times, _ in curves if len(times)), default=1.0))
    for exponent in decades(low, high):
        y = plot.bottom - height_of(np.array([10.0**exponent]), low, high)[0] * plot.height
        pen.line((plot.x, y), (plot.right, y), theme.GRID)
        pen.text(plot.x - 0.4 * small, y - 0.62 * small, f"1e{exponent}", small, theme.DIM, align="right")
    for share in (0.0, 0.5, 1.0):
        align = {0.0: "", 0.5: "centre", 1.0: "right"}[share]
        x = plot.x + share * plot.width
        pen.text(x, plot.bottom + 0.3 * small, f"{share * longest:g} s", small, theme.DIM, align=align)
    for (times, values), style in zip(curves, styles):
        tint = theme.color(style.color)
        across = plot.x + times / longest * plot.width
        up = plot.bottom - height_of(values, low, high) * plot.height
        points: list[Any] = [imgui.ImVec2(float(x), float(y)) for x, y in zip(across, up)]
        if points:
            pen.ink.add_polyline(points, theme.packed(tint), max(3.0 * unit, 1.6), 0)
            pen.marker(points[-1].x, points[-1].y, style.marker, max(7.5 * unit, 4.0), tint)


def ends_of(curves: Sequence[Curve]) -> tuple[float, float]:
    """Powers of ten around all positive values."""
    positive = np.concatenate([values[values > 0] for _, values in curves] or [np.empty(0)])
    if not positive.size:
        return 1e-3, 1.0
    high = 10.0 ** math.ceil(math.log10(float(positive.max())) + 1e-9)
    low = 10.0 ** math.floor(math.log10(float(positive.min())))
    return max(low, high * 10.0**-DECADES), high


def height_of(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Places on the axis, 0 at its foot to 1."""
    share: np.ndarray = np.log10(values.clip(low, high) / low) / math.log10(high / low)
    return share
