"""Draws a comparison: a pane for each fluid, its numbers above it, curves and bars beside or below."""

from __future__ import annotations

from typing import Any

from imgui_bundle import imgui

from app.render.compositor import Compositor
from app.render.look import PLAIN, Look
from app.render.renderer import FluidRenderer
from app.render.views import VIEWS, Range, View
from app.session.snapshot import ComparisonSnapshot
from app.solving.method_stats import MethodResult, caption, digits
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.rect import Rect
from app.ui.theme import Fonts
from app.viewport.comparison_charts import AxisLimits, draw_bars, draw_curves, draw_table, size_of
from app.viewport.comparison_layout import HEADER, Layout, arrange, halves
from app.viewport.pane_style import PaneStyle, styles_of
from app.viewport.time_charts import draw_over_time
from precond.figures import method_style

NAME, NUMBER, WORD, HEADLINE = 30.0, 26.0, 20.0, 40.0  # font sizes in units
STRIP = 330.0  # units that the height of a strip stands for
UNIT_RANGE = Range(0.0, 1.0)


class ComparisonView:
    """Draws into the current ImGui window; needs a current OpenGL context."""

    def __init__(self, fonts: Fonts, compositor: Compositor) -> None:
        self._fonts, self._compositor = fonts, compositor
        self._panes: list[tuple[FluidRenderer, tuple[Any, ...]]] = []  # with what it has drawn
        self._limits = AxisLimits()
        self._compared: tuple[Any, ...] = ()

    def draw(
        self,
        comparison: ComparisonSnapshot,
        area: Rect,
        *,
        header: bool = True,
        view: View = VIEWS[0],
        limits: Range = UNIT_RANGE,
        look: Look = PLAIN,
    ) -> Layout:
        """The whole comparison in an area; returns its layout."""
        self._follow(comparison)
        unit = min(area.height / 1080, area.width / 1440)
        aspect = comparison.grid.nx / comparison.grid.ny
        places = arrange(area, len(comparison.frames), aspect, unit, header=header)
        pen = DrawList(self._fonts)
        if header:
            self._header(pen, comparison, places.header, unit)
        styles = styles_of(comparison.results)
        for k, (result, frame) in enumerate(zip(comparison.results, comparison.frames)):
            self._picture(k, comparison, frame, places.pictures[k], view, limits, look)
            self._caption(pen, comparison, result, styles[k], places.captions[k], unit)
            words, tint = (result.warning, theme.WARNING) if result.warning else (parting(comparison, k), theme.INK)
            if words:
                pen.plate(places.pictures[k], words, size_of(WORD, unit), tint)
        if comparison.mode == "branch":
            traces = [result.trace for result in comparison.results]
            upper, lower = halves(places.curves, places.bars)
            for area, title, name in (
                (upper, "Relative volume error over time", "drift"),
                (lower, "max |div u| [1/s] over time", "divergence"),
            ):
                curves = [(trace.times, getattr(trace, name)) for trace in traces]
                draw_over_time(pen, area, unit, title, curves, styles)
            return places
        draw_curves(pen, comparison, places.curves, unit, self._limits)
        draw_bars(pen, comparison, places.bars, unit)
        return places

    def strip(self, comparison: ComparisonSnapshot, area: Rect, followed: str) -> None:
        """Curves and table of methods that all solve the systems of one fluid, side by side in a low area."""
        self._follow(comparison)
        unit, pen = area.height / STRIP, DrawList(self._fonts)
        half = area.width / 2 - 14
        draw_curves(pen, comparison, Rect(area.x, area.y, half, area.height), unit, self._limits)
        draw_table(pen, comparison, Rect(area.right - half, area.y, half, area.height), unit, followed)
        errors = [f"{method_style.title(each.precond)}: {each.error}" for each in comparison.results if each.error]
        if errors:
            place = Rect(area.right - half, area.y, half, area.height)
            pen.plate(place, "\n".join(errors), size_of(WORD, unit), theme.WARNING)

    def _follow(self, comparison: ComparisonSnapshot) -> None:
        """Starts new axes for another scene, grid or choice of methods."""
        methods_shown = tuple(result.precond for result in comparison.results)
        compared = comparison.mode, comparison.scene.name, comparison.grid, comparison.tol, methods_shown
        if compared != self._compared:
            self._limits, self._compared = AxisLimits(), compared

    def _picture(
        self, k: int, comparison: ComparisonSnapshot, frame: Any, place: Rect, view: View, limits: Range, look: Look
    ) -> None:
        while len(self._panes) <= k:
            self._panes.append((FluidRenderer(), ()))
        renderer, drawn = self._panes[k]
        scale = imgui.get_io().display_framebuffer_scale
        pixels = max(1, round(place.width * scale.x)), max(1, round(place.height * scale.y))
        wanted = (frame, view.name, limits, pixels, comparison.scene, look)
        if drawn[:1] == () or drawn[0] is not frame or drawn[1:] != wanted[1:]:
            renderer.draw(frame, comparison.scene, comparison.grid, view, limits, pixels, look)
            self._panes[k] = renderer, wanted
        self._compositor.lay(renderer, place.x, place.y)

    def _header(self, pen: DrawList, comparison: ComparisonSnapshot, area: Rect, unit: float) -> None:
        size, word, name = (size_of(text, unit) for text in (HEADLINE, NUMBER, NAME))
        ny, nx = comparison.grid.shape
        facts = f"{ny} x {nx} cells, tolerance {comparison.tol:.0e}, {comparison.about}".replace("e-0", "e-")
        above, below = headline(comparison)
        stacked = area.height > HEADER * unit
        lower = area.y + (108 * unit if stacked else 0)
        edge, align = (area.x, "") if stacked else (area.right, "right")
        pen.text(area.x, area.y - 4 * unit, comparison.scene.title, size, bold=True)
        room = area.width if stacked else 0.58 * area.width
        pen.text(area.x, area.y + 44 * unit, facts, pen.fitted(facts, room, word), theme.DIM)
        pen.text(edge, lower + 2 * unit, above, name, theme.ACCENT, bold=True, align=align)
        pen.text(edge, lower + 44 * unit, below, word, theme.DIM, align=align)

    def _caption(
        self,
        pen: DrawList,
        comparison: ComparisonSnapshot,
        result: MethodResult,
        style: PaneStyle,
        area: Rect,
        unit: float,
    ) -> None:
        tint = theme.color(style.color)
        size, number, word = (size_of(text, unit) for text in (NAME, NUMBER, WORD))
        pen.marker(area.x + 0.4 * size, area.y + 0.62 * size, style.marker, 0.3 * size, tint)
        room = area.width - 1.1 * size
        if comparison.mode == "race":
            time = f"t = {result.time:.2f} s"
            room -= pen.text(area.right, area.y, time, size, bold=True, align="right") + 0.5 * size
        pen.text(area.x + 1.1 * size, area.y, style.title, pen.fitted(style.title, room, size, True), tint, bold=True)
        pen.line((area.x, area.bottom - 2 * unit), (area.right, area.bottom - 2 * unit), tint, max(4 * unit, 2.0))
        if not result.frames:
            return
        if comparison.mode == "branch":
            words = (
                ("iterations", "volume error", "max |div u|"),
                ("it.", "vol. error", "div"),
                ("it.", "vol.", "div"),
            )
            values = digits(result.shown.iterations), f"{result.drift:.1e}", f"{result.divergence:.1e} /s"
            self._numbers(pen, values, words, area, number, word)
            return
        self._numbers(pen, caption(result), (("iterations", "solver", ""), ("iterations", "", "")), area, number, word)

    def _numbers(
        self,
        pen: DrawList,
        values: tuple[str, str, str],
        choices: tuple[tuple[str, str, str], ...],
        area: Rect,
        number: float,
        word: float,
    ) -> None:
        """Three numbers and what they are, at the left, in the middle and at the right.

        choices: the words, ever shorter ones for ever narrower panes.
        """
        for words in choices:
            widths = [
                pen.width(value, number, True) + (pen.width(label, word) + 0.35 * number if label else 0.0)
                for value, label in zip(values, words)
            ]
            shrunk = min(1.0, area.width / (sum(widths) + 1.4 * number))
            if shrunk == 1.0:
                break
        number, word, widths = shrunk * number, shrunk * word, [shrunk * width for width in widths]
        room = (area.width - sum(widths)) / 2
        left, base = area.x, area.bottom - 1.55 * number
        for value, label, width in zip(values, words, widths):
            wide = pen.text(left, base, value, number, bold=True)
            pen.text(left + wide + 0.35 * number, base + 0.9 * (number - word), label, word, theme.DIM)
            left += width + room


def headline(comparison: ComparisonSnapshot) -> tuple[str, str]:
    """What the picture compares, and the time."""
    if comparison.mode == "race":
        return (
            f"1 s of video = {comparison.scale:g} s of computing",
            f"Every solver has had {comparison.computing:.2f} s",
        )
    time = comparison.results[0].time
    if comparison.mode == "branch":
        return "The same moment, solved otherwise", f"t = {time:.2f} s"
    return "Same simulated time in every pane", f"t = {time:.2f} s"


def parting(comparison: ComparisonSnapshot, k: int) -> str:
    """Whether a branch is still the same as the first, or since when it differs and by how much."""
    result = comparison.results[k]
    if comparison.mode != "branch" or k == 0 or not result.frames:
        return ""
    if result.parted is None:
        return "Equal to the first, bit for bit"
    return f"Differs since {result.parted:.2f} s: {100 * result.difference:.2g} % of the area"
