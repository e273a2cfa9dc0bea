"""Curves over the last frames: energy, volumes, divergence and more, one of which is chosen from a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import imgui, implot

from app.session.snapshot import Snapshot
from app.solving.run_stats import FrameSample
from app.ui import theme
from app.ui.axis_ticks import nice_ceiling
from app.ui.log_slider import short
from app.ui.theme import Fonts
from app.ui.tooltips import NUMBERS, tip
from sim.scenes.scene import Phase

STILL = implot.Flags_.canvas_only | implot.Flags_.no_inputs  # nothing but the curves
BARE = implot.AxisFlags_.no_tick_labels | implot.AxisFlags_.no_grid_lines
FEWEST = 60  # frames that the plots leave room for at the start


@dataclass(frozen=True)
class Quantity:
    """A number of every frame, or one for each phase."""

    title: str
    values: Callable[[FrameSample], Sequence[float]]
    hint: str  # of tooltips.NUMBERS
    by_phase: bool = False


QUANTITIES = (
    Quantity("iterations per solve", lambda s: (s.iterations,), "iterations"),
    Quantity("volume drift, ppm", lambda s: (1e6 * s.drift,), "drift"),
    Quantity("energy, J/m", lambda s: (s.energy,), "energy"),
    Quantity("volume by phase, m²", lambda s: s.volumes, "volumes", by_phase=True),
    Quantity("max |div u|, 1/s", lambda s: (s.divergence,), "max |div u|"),
    Quantity("max |u|, m/s", lambda s: (s.speed,), "max |u|"),
    Quantity("length of a sub-step, ms", lambda s: (1e3 * s.dt,), "sub-steps"),
)


class HistoryPlot:
    """Draws into the current ImGui window."""

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts
        self._shown = QUANTITIES[0]

    def draw(self, snapshot: Snapshot, height: float) -> None:
        """The name of the quantity, which opens the list, and its curves."""
        imgui.push_font(self._fonts.regular, theme.SMALL)
        imgui.push_style_var(imgui.StyleVar_.frame_padding, (0.0, 0.0))
        imgui.push_style_color(imgui.Col_.frame_bg, theme.NOTHING)
        imgui.push_style_color(imgui.Col_.text, theme.DIM)
        imgui.set_next_item_width(-1)
        opened = imgui.begin_combo("##quantity", self._shown.title, imgui.ComboFlags_.height_large)
        imgui.pop_style_color(2)
        imgui.pop_style_var()
        if opened:
            for each in QUANTITIES:
                if imgui.selectable(each.title, each is self._shown)[0]:
                    self._shown = each
            imgui.end_combo()
        else:
            tip(f"{NUMBERS[self._shown.hint]} Click to plot something else.")
        imgui.pop_font()
        curves = np.array([self._shown.values(sample) for sample in snapshot.samples], dtype=float)
        tints = [phase_tint(phase) for phase in snapshot.scene.phases] if self._shown.by_phase else [theme.ACCENT]
        draw_curves(self._shown.title, curves.reshape(len(curves), len(tints)).T, tints, height)


def draw_curves(name: str, curves: np.ndarray, tints: Sequence[imgui.ImVec4], height: float) -> None:
    """Curves over the last frames, (curves, frames), the newest at the right edge; axes from 0 or around the values."""
    finite = curves[np.isfinite(curves)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    ends = (0.0, nice_ceiling(1.15 * high)) if low >= 0 else (-nice_ceiling(1.15 * max(-low, high)),) * 2
    if low < 0:
        ends = ends[0], -ends[0]
    count = curves.shape[1] if curves.ndim == 2 else 0
    if begin(name, count, height, *ends):
        x = np.arange(-count, 0, dtype=float)
        for k, (values, tint) in enumerate(zip(curves, tints)):
            spec = implot.Spec(line_color=tint, line_weight=1.6)
            implot.plot_line(f"{k}", x, np.ascontiguousarray(values), spec)
        implot.end_plot()


def begin(name: str, count: int, height: float, low: float, high: float) -> bool:
    """Begins a plot over the last `count` frames, the newest at the right edge, between two values."""
    if not implot.begin_plot(f"##{name}", (-1, height), STILL):
        return False
    implot.setup_axes("", "", BARE, 0)
    implot.setup_axis_limits(implot.ImAxis_.x1, -max(count, FEWEST), -1, implot.Cond_.always)
    implot.setup_axis_limits(implot.ImAxis_.y1, low, high, implot.Cond_.always)
    ticks = [low, (low + high) / 2, high]
    implot.setup_axis_ticks(implot.ImAxis_.y1, ticks, [short(tick) for tick in ticks], False)
    return True


def phase_tint(phase: Phase) -> imgui.ImVec4:
    """The phase's own colour."""
    return imgui.ImVec4(*phase.color, 1.0)
