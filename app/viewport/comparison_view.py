"""Draws a comparison: a pane for each fluid, its numbers above it, curves and bars beside or below."""

from __future__ import annotations

from typing import Any

from imgui_bundle import imgui

from app.render.compositor import Backdrop
from app.render.renderer import FluidRenderer
from app.render.views import VIEWS, Range, View
from app.solving.method_stats import Board, Standing, caption
from app.ui import theme
from app.ui.draw_list import Pen
from app.ui.theme import Fonts
from app.viewport.comparison_charts import Reach, draw_bars, draw_curves, draw_table, size_of
from app.viewport.comparison_layout import HEADER, Arrangement, Rect, arrange
from precond.figures import method_style

NAME, NUMBER, WORD, HEADLINE = 30.0, 26.0, 20.0, 40.0  # font sizes in units
STRIP = 330.0  # units that the height of a strip stands for
UNIT_RANGE = Range(0.0, 1.0)


class Stage:
    """Draws into the current ImGui window; needs a current OpenGL context."""

    def __init__(self, fonts: Fonts, backdrop: Backdrop) -> None:
        self._fonts, self._backdrop = fonts, backdrop
        self._panes: list[tuple[FluidRenderer, tuple[Any, ...]]] = []  # with what it has drawn
        self._reach = Reach()
        self._compared: tuple[Any, ...] = ()

    def draw(
        self,
        board: Board,
        area: Rect,
        *,
        header: bool = True,
        view: View = VIEWS[0],
        limits: Range = UNIT_RANGE,
    ) -> Arrangement:
        """The whole board in an area; returns where its parts are."""
        self._follow(board)
        unit = min(area.height / 1080, area.width / 1440)
        aspect = board.grid.nx / board.grid.ny
        places = arrange(area, len(board.frames), aspect, unit, header=header)
        pen = Pen(self._fonts)
        if header:
            self._header(pen, board, places.header, unit)
        for k, (standing, frame) in enumerate(zip(board.standings, board.frames)):
            self._picture(k, board, frame, places.pictures[k], view, limits)
            self._caption(pen, board, standing, places.captions[k], unit)
            if standing.warning:
                pen.plate(places.pictures[k], standing.warning, size_of(WORD, unit), theme.WARNING)
        draw_curves(pen, board, places.curves, unit, self._reach)
        draw_bars(pen, board, places.bars, unit)
        return places

    def strip(self, board: Board, area: Rect, followed: str) -> None:
        """Curves and table of methods that all solve the systems of one fluid, side by side in a low area."""
        self._follow(board)
        unit, pen = area.height / STRIP, Pen(self._fonts)
        half = area.width / 2 - 14
        draw_curves(pen, board, Rect(area.x, area.y, half, area.height), unit, self._reach)
        draw_table(pen, board, Rect(area.right - half, area.y, half, area.height), unit, followed)
        troubles = [f"{method_style.title(each.precond)}: {each.trouble}" for each in board.standings if each.trouble]
        if troubles:
            place = Rect(area.right - half, area.y, half, area.height)
            pen.plate(place, "\n".join(troubles), size_of(WORD, unit), theme.WARNING)

    def _follow(self, board: Board) -> None:
        """Has the axes start afresh for another scene, grid or choice of methods."""
        methods_shown = tuple(standing.precond for standing in board.standings)
        compared = board.mode, board.scene.name, board.grid, board.tol, methods_shown
        if compared != self._compared:
            self._reach, self._compared = Reach(), compared

    def _picture(self, k: int, board: Board, frame: Any, place: Rect, view: View, limits: Range) -> None:
        while len(self._panes) <= k:
            self._panes.append((FluidRenderer(), ()))
        renderer, drawn = self._panes[k]
        scale = imgui.get_io().display_framebuffer_scale
        pixels = max(1, round(place.width * scale.x)), max(1, round(place.height * scale.y))
        wanted = (frame, view.name, limits, pixels)
        if drawn[:1] == () or drawn[0] is not frame or drawn[1:] != wanted[1:]:
            renderer.draw(frame, board.scene, board.grid, view, limits, pixels)
            self._panes[k] = renderer, wanted
        self._backdrop.lay(renderer, place.x, place.y)

    def _header(self, pen: Pen, board: Board, area: Rect, unit: float) -> None:
        size, word, name = (size_of(text, unit) for text in (HEADLINE, NUMBER, NAME))
        ny, nx = board.grid.shape
        facts = f"{ny} x {nx} cells, tolerance {board.tol:.0e}, {board.about}".replace("e-0", "e-")
        above, below = headline(board)
        stacked = area.height > HEADER * unit
        lower = area.y + (108 * unit if stacked else 0)
        edge, align = (area.x, "") if stacked else (area.right, "right")
        pen.text(area.x, area.y - 4 * unit, board.scene.title, size, bold=True)
        room = area.width if stacked else 0.58 * area.width
        pen.text(area.x, area.y + 44 * unit, facts, pen.fitted(facts, room, word), theme.DIM)
        pen.text(edge, lower + 2 * unit, above, name, theme.ACCENT, bold=True, align=align)
        pen.text(edge, lower + 44 * unit, below, word, theme.DIM, align=align)

    def _caption(self, pen: Pen, board: Board, standing: Standing, area: Rect, unit: float) -> None:
        tint = theme.color(method_style.color(standing.precond))
        size, number, word = (size_of(text, unit) for text in (NAME, NUMBER, WORD))
        pen.marker(area.x + 0.4 * size, area.y + 0.62 * size, method_style.marker(standing.precond), 0.3 * size, tint)
        room = area.width - 1.1 * size
        if board.mode == "race":
            time = f"t = {standing.time:.2f} s"
            room -= pen.text(area.right, area.y, time, size, bold=True, align="right") + 0.5 * size
        name = method_style.title(standing.precond)
        pen.text(area.x + 1.1 * size, area.y, name, pen.fitted(name, room, size, True), tint, bold=True)
        pen.line((area.x, area.bottom - 2 * unit), (area.right, area.bottom - 2 * unit), tint, max(4 * unit, 2.0))
        if not standing.frames:
            return
        self._numbers(pen, caption(standing), area, number, word)

    def _numbers(self, pen: Pen, values: tuple[str, str, str], area: Rect, number: float, word: float) -> None:
        """Three numbers and what they are, at the left, in the middle and at the right; tighter in a narrow pane."""
        for words in (("iterations", "solver", ""), ("iterations", "", "")):
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


def headline(board: Board) -> tuple[str, str]:
    """What the picture compares, and the time."""
    if board.mode == "race":
        return (
            f"1 s of video = {board.scale:g} s of computing",
            f"every solver has had {board.computing:.2f} s",
        )
    time = board.standings[0].time
    return "Same simulated time in every pane", f"t = {time:.2f} s"
