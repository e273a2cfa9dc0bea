"""Draws text, lines and markers of any size into a draw list of ImGui."""

from __future__ import annotations

import math
from typing import Any

from imgui_bundle import imgui

from app.ui import theme
from app.ui.rect import Rect
from app.ui.theme import Fonts


class DrawList:
    """Draws into the current ImGui window."""

    def __init__(self, fonts: Fonts) -> None:
        self.fonts = fonts
        self.ink = imgui.get_window_draw_list()

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """The width of a line of text [pixels]."""
        imgui.push_font(self._font(bold), size / theme.unit())  # ImGui's sizes grow with the display, these have grown
        result = float(imgui.calc_text_size(text).x)
        imgui.pop_font()
        return result

    def text(
        self, x: float, y: float, text: str, size: float, tint: Any = theme.INK, *, bold: bool = False, align: str = ""
    ) -> float:
        """A line whose upper left corner, or upper "right" or "centre", is given. Returns its width."""
        width = self.width(text, size, bold)
        left = x - {"": 0.0, "centre": 0.5, "right": 1.0}[align] * width
        self.ink.add_text(self._font(bold), size, (round(left), round(y)), theme.packed(tint), text)
        return width

    def plate(self, place: Rect, text: str, size: float, tint: Any) -> None:
        """Text in as many lines as it takes, on a dark plate along the lower edge of a place."""
        edge = 0.6 * size
        width = place.width - 2 * edge
        imgui.push_font(self._font(False), size / theme.unit())
        top = place.bottom - float(imgui.calc_text_size(text, wrap_width=width).y) - edge
        imgui.pop_font()
        self.ink.add_rect_filled((place.x, top), (place.right, place.bottom), theme.packed(theme.PLATE))
        at = (place.x + edge, top + edge / 2)
        self.ink.add_text(self._font(False), size, at, theme.packed(tint), text, width)

    def tag(self, x: float, y: float, text: str, size: float, tint: Any) -> None:
        """A line on a dark plate, whose upper left corner is given."""
        edge = 0.45 * size
        end = x + self.width(text, size, bold=True) + 2 * edge, y + size + 1.2 * edge
        self.ink.add_rect_filled((x, y), end, theme.packed(theme.PLATE), 0.4 * size)
        self.ink.add_text(self._font(True), size, (x + edge, y + 0.5 * edge), theme.packed(tint), text)

    def fitted(self, text: str, room: float, size: float, bold: bool = False) -> float:
        """The font size at which the text fits, `size` at most."""
        return size * min(1.0, room / max(self.width(text, size, bold), 1.0))

    def line(self, start: tuple[float, float], end: tuple[float, float], tint: Any, width: float = 1.0) -> None:
        """Draws a straight line."""
        self.ink.add_line(start, end, theme.packed(tint), width)

    def marker(self, x: float, y: float, shape: str, radius: float, tint: Any) -> None:
        """One of method_style.MARKERS, filled."""
        shade = theme.packed(tint)
        if shape == "circle":
            self.ink.add_circle_filled((x, y), radius, shade, 24)
            return
        corners, turn, size = {
            "square": (4, math.pi / 4, 1.25),
            "diamond": (4, 0.0, 1.3),
            "triangle": (3, -math.pi / 2, 1.35),
        }[shape]
        places: list[Any] = [
            imgui.ImVec2(x + size * radius * math.cos(turn + 2 * math.pi * k / corners),
                         y + size * radius * math.sin(turn + 2 * math.pi * k / corners))
            for k in range(corners)
        ]  # fmt: skip
        self.ink.add_convex_poly_filled(places, shade)

    def _font(self, bold: bool) -> Any:
        return self.fonts.bold if bold else self.fonts.regular
