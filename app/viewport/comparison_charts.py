"""Residual curves and bars of a comparison, one for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from imgui_bundle import imgui

from app.session.snapshot import ComparisonSnapshot
from app.solving.method_stats import MethodResult, caption
from app.solving.residual_curve import curve_points
from app.ui import theme
from app.ui.axis_ticks import decades, nice_ceiling
from app.ui.draw_list import DrawList
from app.ui.rect import Rect
from app.viewport.comparison_layout import BAR, HEADING
from app.viewport.pane_style import PaneStyle, styles_of
from precond.figures import method_style

LABEL, TITLE = 20.0, 22.0  # font sizes in units
LEAST = 13.0  # pixels; smaller text cannot be read
LOWEST, HIGHEST = 1e-16, 1e3  # residuals shown
TITLES = {
    "race": "Simulated time",
    "together": "Computing time so far",
}


class AxisLimits:
    """The ends of the axes: they grow with what is shown and never shrink, so that curves do not jump about."""

    def __init__(self) -> None:
        self.iterations, self.high = 10.0, 1.0

    def make_room(self, results: Sequence[MethodResult]) -> None:
        """Extends the axes to hold these curves."""
        for result in results:
            self.iterations = max(self.iterations, nice_ceiling(float(len(result.history))))
            _, residuals = curve_points(result.history)
            if len(residuals):
                top = min(max(float(residuals.max()), LOWEST), HIGHEST)
                self.high = max(self.high, 10.0 ** math.ceil(math.log10(top)))


def size_of(text: float, unit: float) -> float:
    """A font size in units as pixels."""
    return max(text * unit, LEAST)


def draw_curves(pen: DrawList, comparison: ComparisonSnapshot, area: Rect, unit: float, limits: AxisLimits) -> None:
    """Residual over iterations of every method's newest solve, both axes logarithmic."""
    limits.make_room(comparison.results)
    small, title = size_of(LABEL, unit), size_of(TITLE, unit)
    pen.text(area.x, area.y, "Residual after each iteration, newest solve", title, theme.DIM)
    left = area.x + 2.9 * small
    plot = Rect(left, area.y + HEADING * unit, area.right - left, area.height - HEADING * unit - 2.9 * small)
    if plot.width < 40 or plot.height < 30:
        return
    axes = Axes(plot, limits.iterations, max(comparison.tol / 9.5, LOWEST), limits.high)
    pen.ink.add_rect_filled((plot.x, plot.y), (plot.right, plot.bottom), theme.packed(theme.PLOT), 4)
    draw_grid(pen, axes, small)
    level = axes.place(1.0, comparison.tol)[1]
    dashed(pen, plot, level, unit)
    pen.text(plot.x + 0.5 * small, level + 0.1 * small, "tolerance", small, theme.WARNING)  # curves come from above
    for result, style in zip(comparison.results, styles_of(comparison.results)):
        draw_curve(pen, axes, result, style, unit)
    pen.text(plot.x + plot.width / 2, plot.bottom + 1.55 * small, "iterations", small, theme.DIM, align="centre")


class Axes:
    """Logarithmic axes in a rectangle: iterations from 1, residuals between two ends."""

    def __init__(self, plot: Rect, iterations: float, low: float, high: float) -> None:
        self.plot, self.iterations, self.low, self.high = plot, iterations, low, high
        self._wide = 1.04 * math.log10(iterations)

    def place(self, iteration: float, residual: float) -> tuple[float, float]:
        """The point of a curve, in pixels."""
        x = math.log10(max(iteration, 1.0)) / self._wide
        y = math.log10(min(max(residual, self.low), self.high) / self.low) / math.log10(self.high / self.low)
        return self.plot.x + (0.02 + 0.96 * x) * self.plot.width, self.plot.bottom - y * self.plot.height


def draw_grid(pen: DrawList, axes: Axes, small: float) -> None:
    """Lines and numbers at the powers of ten."""
    plot = axes.plot
    for exponent in decades(axes.low, axes.high):
        y = axes.place(1.0, 10.0**exponent)[1]
        pen.line((plot.x, y), (plot.right, y), theme.GRID)
        pen.text(plot.x - 0.4 * small, y - 0.62 * small, f"1e{exponent}", small, theme.DIM, align="right")
    for exponent in range(math.floor(math.log10(axes.iterations)) + 1):
        x = axes.place(10.0**exponent, 1.0)[0]
        pen.line((x, plot.y), (x, plot.bottom), theme.GRID)
        pen.text(x, plot.bottom + 0.3 * small, f"{10**exponent:,}", small, theme.DIM, align="centre")


def dashed(pen: DrawList, plot: Rect, y: float, unit: float) -> None:
    """A dashed line across the plot."""
    step = max(12 * unit, 6.0)
    for k in range(int(plot.width / (2 * step)) + 1):
        start = plot.x + 2 * k * step
        pen.line((start, y), (min(start + step, plot.right), y), theme.WARNING, max(1.6 * unit, 1.0))


def draw_curve(pen: DrawList, axes: Axes, result: MethodResult, style: PaneStyle, unit: float) -> None:
    """A curve with the method's marker at its end."""
    tint = theme.color(style.color)
    places = [axes.place(number, residual) for number, residual in zip(*curve_points(result.history))]
    if not places:
        return
    points: list[Any] = [imgui.ImVec2(*place) for place in places]
    pen.ink.add_polyline(points, theme.packed(tint), max(3.0 * unit, 1.6), 0)
    pen.marker(*places[-1], style.marker, max(7.5 * unit, 4.0), tint)


def draw_bars(pen: DrawList, comparison: ComparisonSnapshot, area: Rect, unit: float) -> None:
    """A bar for each method; the longest fills the row."""
    title, size = size_of(TITLE, unit), size_of(TITLE, unit)
    pen.text(area.x, area.y, TITLES[comparison.mode], title, theme.DIM)
    values, largest = comparison.bars, max(max(comparison.bars, default=0.0), 1e-9)
    styles = styles_of(comparison.results)
    names = max(pen.width(style.title, size) for style in styles)
    left = area.x + names + 24 * unit + 1.3 * size
    right = area.right - pen.width("888.88 s", size) - 10 * unit
    row = max(BAR * unit, 1.5 * size)
    for k, (style, value) in enumerate(zip(styles, values)):
        tint = theme.color(style.color)
        middle = area.y + HEADING * unit + (k + 0.5) * row
        pen.marker(area.x + 0.45 * size, middle, style.marker, 0.36 * size, tint)
        pen.text(area.x + 1.3 * size, middle - 0.62 * size, style.title, size)
        half = 0.26 * row
        pen.ink.add_rect_filled((left, middle - half), (right, middle + half), theme.packed(theme.FIELD), 3)
        end = left + (right - left) * value / largest
        if end > left + 1:
            pen.ink.add_rect_filled((left, middle - half), (end, middle + half), theme.packed(tint), 3)
        pen.text(area.right, middle - 0.62 * size, seconds(value), size, align="right", bold=True)


def seconds(value: float) -> str:
    """The number beside a bar."""
    return f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


COLUMNS = (
    ("iterations", 0.46),
    ("solver", 0.65),
    ("residual", 0.84),
    ("failed", 1.0),
)  # with their right edges, shares of the width


def draw_table(pen: DrawList, comparison: ComparisonSnapshot, area: Rect, unit: float, followed: str) -> None:
    """A row of numbers for each method, the one that moves the fluid in bold."""
    size = size_of(LABEL, unit)
    row = min(1.75 * size, area.height / (len(comparison.results) + 1))
    pen.text(area.x, area.y, "method", size, theme.DIM)
    for heading, share in COLUMNS:
        pen.text(area.x + share * area.width, area.y, heading, size, theme.DIM, align="right")
    for k, result in enumerate(comparison.results):
        y, bold = area.y + (k + 1.15) * row, result.precond == followed
        tint = theme.color(method_style.color(result.precond))
        pen.marker(area.x + 0.45 * size, y + 0.62 * size, method_style.marker(result.precond), 0.36 * size, tint)
        name, room = method_style.title(result.precond), 0.32 * area.width - 1.3 * size
        pen.text(area.x + 1.3 * size, y, name, pen.fitted(name, room, size, bold), bold=bold)
        if not result.frames:
            pen.text(area.x + COLUMNS[0][1] * area.width, y, "-", size, theme.DIM, align="right")
            continue
        for value, (heading, share) in zip(cells(result), COLUMNS):
            warn = heading == "failed" and result.failures
            shade = theme.WARNING if warn else theme.INK
            pen.text(area.x + share * area.width, y, value, size, shade, bold=bold, align="right")


def cells(result: MethodResult) -> tuple[str, str, str, str]:
    """A row of the table under COLUMNS."""
    iterations, milliseconds, _ = caption(result)
    return iterations, milliseconds, f"{result.residual:.1e}", str(result.failures)
