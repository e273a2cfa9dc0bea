"""The panel's plots: milliseconds by stage, residuals of the last solve, iterations, volume drift."""

from __future__ import annotations

import math

import numpy as np
from imgui_bundle import imgui, implot

from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import STAGES as STAGES_TOLD
from app.ui.tooltips import tip_in
from sim.frame import STAGES

STILL = implot.Flags_.canvas_only | implot.Flags_.no_inputs  # nothing but the curves
BARE = implot.AxisFlags_.no_tick_labels | implot.AxisFlags_.no_grid_lines
FEWEST = 60  # frames that the plots leave room for at the start
SMOOTHING = 20  # output frames that a number in the legend is the mean of


def stage_times(snapshot: Snapshot, height: float) -> None:
    """Stacked milliseconds per output frame over the last frames, and a legend with the present numbers."""
    ms = np.array([sample.ms for sample in snapshot.samples], dtype=float).reshape(-1, len(STAGES))
    stack = np.cumsum(ms, axis=1)
    usual = np.sort(stack[:, -1])[: -1 if len(ms) > 2 else None]  # kernels compile in the first frame
    top = nice_ceiling(float(np.percentile(usual, 98)) if len(ms) else 1.0)
    if begin("ms", len(ms), height, top):
        x = np.arange(-len(ms), 0, dtype=float)
        floor = np.zeros(len(ms))
        for k in range(len(STAGES)):
            spec = implot.Spec(fill_color=theme.STAGE_COLORS[k], fill_alpha=0.85)
            implot.plot_shaded(STAGES[k], x, floor, np.ascontiguousarray(stack[:, k]), spec)
            floor = np.ascontiguousarray(stack[:, k])
        implot.end_plot()
    legend(ms[-SMOOTHING:].mean(axis=0) if len(ms) else np.zeros(len(STAGES)))


def legend(means: np.ndarray) -> None:
    """A square, a name and a number for every stage, in rows of three, or of two in a narrow panel."""
    room, unit = imgui.get_content_region_avail().x, theme.unit()
    columns = 3 if room > 280 * unit else 2
    width = room / columns
    small = theme.SMALL * unit
    left, top = imgui.get_cursor_screen_pos()
    ink = imgui.get_window_draw_list()
    for k, stage in enumerate(STAGES):
        x, y = left + width * (k % columns), top + 18 * unit * (k // columns)
        ink.add_rect_filled((x, y + 3 * unit), (x + 9 * unit, y + 12 * unit), theme.packed(theme.STAGE_COLORS[k]), 2)
        ink.add_text(imgui.get_font(), small, (x + 14 * unit, y), theme.packed(theme.DIM), stage)
        number = f"{means[k]:.{1 if means[k] < 100 else 0}f}"
        right = x + width - 12 * unit - imgui.calc_text_size(number).x * small / imgui.get_font_size()
        ink.add_text(imgui.get_font(), small, (right, y), theme.packed(theme.INK), number)
        tip_in((x, y), (x + width, y + 18 * unit), f"{STAGES_TOLD[stage]} Mean of {SMOOTHING} frames, wall clock.")
    imgui.dummy((0, (2 + 18 * -(-len(STAGES) // columns)) * unit))


def residuals(snapshot: Snapshot, height: float) -> None:
    """Relative residual of the last solve by iteration on a logarithmic axis, with the tolerance."""
    history = np.clip(snapshot.residuals[np.isfinite(snapshot.residuals)], 1e-18, 1e6)
    history = np.concatenate([[1.0], history]) if len(history) else history
    tol = snapshot.choice.tol
    low = min(float(history.min()) if len(history) else 1.0, tol) / 5
    high = max(float(history.max()) if len(history) else 1.0, 1.0) * 3
    last = max(len(history) - 1, 1)
    if implot.begin_plot("##residuals", (-1, height), STILL):
        implot.setup_axes("", "", implot.AxisFlags_.no_grid_lines, 0)
        implot.setup_axis_scale(implot.ImAxis_.y1, implot.Scale_.log10)
        implot.setup_axis_limits(implot.ImAxis_.x1, 0, 1.06 * last, implot.Cond_.always)
        implot.setup_axis_limits(implot.ImAxis_.y1, low, high, implot.Cond_.always)
        exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1, decade_step(low, high))
        labels = [f"1e{exponent}" for exponent in exponents]
        implot.setup_axis_ticks(implot.ImAxis_.y1, [10.0**exponent for exponent in exponents], labels, False)
        goal = implot.Spec(line_color=theme.WARNING, flags=implot.InfLinesFlags_.horizontal)
        implot.plot_inf_lines("tolerance", np.array([tol]), goal)
        implot.plot_line("residual", history, 1.0, 0.0, implot.Spec(line_color=theme.ACCENT, line_weight=1.6))
        implot.end_plot()


def iterations(snapshot: Snapshot, height: float) -> None:
    """Mean iterations per solve over the last frames."""
    values = np.array([sample.iterations for sample in snapshot.samples], dtype=float)
    line("iterations", values, height, nice_ceiling(1.15 * float(values.max()) if len(values) else 10.0))


def drift(snapshot: Snapshot, height: float) -> None:
    """Relative volume drift over the last frames, in parts per million."""
    values = 1e6 * np.array([sample.drift for sample in snapshot.samples], dtype=float)
    line("drift", values, height, nice_ceiling(1.15 * float(values.max()) if len(values) else 1.0))


def line(name: str, values: np.ndarray, height: float, top: float) -> None:
    """One quantity over the last frames."""
    if begin(name, len(values), height, top):
        x = np.arange(-len(values), 0, dtype=float)
        implot.plot_line(name, x, values, implot.Spec(line_color=theme.ACCENT, line_weight=1.6))
        implot.end_plot()


def begin(name: str, count: int, height: float, top: float) -> bool:
    """A plot over the last `count` frames, the newest at the right edge, from 0 to `top`."""
    if not implot.begin_plot(f"##{name}", (-1, height), STILL):
        return False
    implot.setup_axes("", "", BARE, 0)
    implot.setup_axis_limits(implot.ImAxis_.x1, -max(count, FEWEST), -1, implot.Cond_.always)
    implot.setup_axis_limits(implot.ImAxis_.y1, 0, top, implot.Cond_.always)
    ticks = [0.0, top / 2, top]
    implot.setup_axis_ticks(implot.ImAxis_.y1, ticks, [f"{tick:g}" for tick in ticks], False)
    return True


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... so that an axis changes seldom."""
    if not (math.isfinite(value) and value > 0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def decade_step(low: float, high: float) -> int:
    """Decades between two labels, at most three labels."""
    return max(1, math.ceil((math.log10(high) - math.log10(low)) / 3))
