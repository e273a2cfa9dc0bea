"""The panel's plots: milliseconds by stage, residuals of the last solve, and one quantity over time."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, imgui, implot

from app.panels.history import STILL, HistoryPlot, begin
from app.session.snapshot import Snapshot
from app.solving.residual_curve import curve_points
from app.ui import theme
from app.ui.axis_ticks import decades, nice_ceiling
from app.ui.tooltips import NUMBERS, tip, tip_in
from app.ui.tooltips import STAGES as STAGE_TOOLTIPS
from app.ui.ui_state import UiState
from sim.frame import STAGES

SMOOTHING = 20  # output frames that a number in the legend is the mean of


class PlotsPanel:
    """Draws into the current ImGui window."""

    def __init__(self, state: UiState) -> None:
        self._state = state
        self._history = HistoryPlot(state.fonts)

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        unit = theme.unit()
        stage_times(snapshot, 54 * unit)
        half, height = imgui.get_content_region_avail().x / 2 - 4 * unit, 84 * unit
        still = imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
        imgui.begin_child("residuals", ImVec2(half, height), 0, still)
        self._caption("residual of the last solve")
        residuals(snapshot, 64 * unit)
        imgui.end_child()
        tip(f"{NUMBERS['residual']} Plotted by iteration; the horizontal line is the tolerance.")
        imgui.same_line()
        imgui.begin_child("history", ImVec2(half, height), 0, still)
        self._history.draw(snapshot, 64 * unit)
        imgui.end_child()

    def _caption(self, text: str) -> None:
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        imgui.text_colored(theme.DIM, text)
        imgui.pop_font()


def stage_times(snapshot: Snapshot, height: float) -> None:
    """Stacked milliseconds per output frame over the last frames, and a legend with the present numbers."""
    ms = np.array([sample.ms for sample in snapshot.samples], dtype=float).reshape(-1, len(STAGES))
    stack = np.cumsum(ms, axis=1)
    usual = np.sort(stack[:, -1])[: -1 if len(ms) > 2 else None]  # kernels compile in the first frame
    top = nice_ceiling(float(np.percentile(usual, 98)) if len(ms) else 1.0)
    if begin("ms", len(ms), height, 0.0, top):
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
        text = f"{STAGE_TOOLTIPS[stage]} Wall-clock mean of {SMOOTHING} frames."
        tip_in((x, y), (x + width, y + 18 * unit), text)
    imgui.dummy((0, (2 + 18 * -(-len(STAGES) // columns)) * unit))


def residuals(snapshot: Snapshot, height: float) -> None:
    """Relative residual of the last solve by iteration on a logarithmic axis, with the tolerance."""
    numbers, values = curve_points(snapshot.residuals)
    if len(values):  # the axis starts before the first iteration
        numbers, values = np.concatenate([[0.0], numbers]), np.concatenate([[1.0], values])
    tol = snapshot.choice.tol
    low = min(float(values.min()) if len(values) else 1.0, tol) / 5
    high = max(float(values.max()) if len(values) else 1.0, 1.0) * 3
    last = max(float(numbers[-1]) if len(numbers) else 1.0, 1.0)
    if implot.begin_plot("##residuals", (-1, height), STILL):
        implot.setup_axes("", "", implot.AxisFlags_.no_grid_lines, 0)
        implot.setup_axis_scale(implot.ImAxis_.y1, implot.Scale_.log10)
        implot.setup_axis_limits(implot.ImAxis_.x1, 0, 1.06 * last, implot.Cond_.always)
        implot.setup_axis_limits(implot.ImAxis_.y1, low, high, implot.Cond_.always)
        exponents = decades(low, high)
        labels = [f"1e{exponent}" for exponent in exponents]
        implot.setup_axis_ticks(implot.ImAxis_.y1, [10.0**exponent for exponent in exponents], labels, False)
        goal = implot.Spec(line_color=theme.WARNING, flags=implot.InfLinesFlags_.horizontal)
        implot.plot_inf_lines("tolerance", np.array([tol]), goal)
        implot.plot_line("residual", numbers, values, implot.Spec(line_color=theme.ACCENT, line_weight=1.6))
        implot.end_plot()
