"""What is written on the picture of the fluid: numbers, colour bar, functions of a tile, notices."""

from __future__ import annotations

import time
from typing import Any

from imgui_bundle import imgui

from app.render.region import WHOLE
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.log_slider import short
from app.ui.rect import Rect
from app.ui.tooltips import NUMBERS, show
from app.ui.ui_state import UiState
from app.viewport import tile_overlay
from app.worker.view_model import ViewModel
from precond.figures import method_style
from sim.frame import STAGES

MARGIN, WIDTH = 12.0, 196.0  # around the numbers, and of them [units]
NOTICE_SECONDS = 8.0
SMOOTHING = 20  # output frames that a number is the mean of
SOLVER = tuple(STAGES.index(stage) for stage in ("setup", "inference", "solve"))


class Overlay:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot, picture: Rect, area: Rect, rate: tuple[str, str]) -> None:
        """Everything but notices; `rate` is the label and value about frames per second.

        area: around the picture. Numbers stand beside a picture that leaves room for them.
        """
        corner = picture.x, picture.y
        if picture.x - area.x > (WIDTH + 2 * MARGIN) * theme.unit():
            corner = picture.x - (WIDTH + 2 * MARGIN) * theme.unit(), picture.y
        right = corner[0] + MARGIN * theme.unit()
        if self._state.overlay:
            self._numbers(snapshot, corner, rate)
            right += (WIDTH + 8) * theme.unit()
        if self._view.paused:
            text = "paused"
            if snapshot.at_start:
                text = "paused at time zero: what you draw becomes part of the scene"
            place = max(right, picture.x + MARGIN * theme.unit()), picture.y + MARGIN * theme.unit()
            DrawList(self._state.fonts).tag(*place, text, theme.TEXT * theme.unit(), theme.WARNING)
        if self._state.look.region != WHOLE:
            text, low = f"{self._state.look.region.magnification:.3g} x   (0: all)", (MARGIN + 22) * theme.unit()
            place = picture.x + MARGIN * theme.unit(), picture.bottom - low
            DrawList(self._state.fonts).tag(*place, text, theme.TEXT * theme.unit(), theme.INK)
        if self._state.view.field is not None:
            self._color_bar(picture)
        if self._state.view.tiles:
            self._functions(snapshot, picture)

    def _numbers(self, snapshot: Snapshot, corner: tuple[float, float], rate: tuple[str, str]) -> None:
        fonts, ink = self._state.fonts, imgui.get_window_draw_list()
        recent = [sample for sample in snapshot.samples[-SMOOTHING:] if sample.precond == snapshot.method]
        solver_ms = sum(sample.ms[k] for sample in recent for k in SOLVER) / max(len(recent), 1)
        iterations = sum(sample.iterations for sample in recent) / max(len(recent), 1)
        rows = (
            ("iterations", f"{iterations:.0f}"),
            ("solver", f"{solver_ms:.{1 if solver_ms < 100 else 0}f} ms/frame"),
            ("sub-steps", f"{snapshot.steps_per_second:.0f} /s"),
            rate,
            ("time", f"{snapshot.frame.time:.2f} s"),
        )
        unit = theme.unit()
        x, y = corner[0] + MARGIN * unit, corner[1] + MARGIN * unit
        width, line, size = WIDTH * unit, 19.0 * unit, theme.TEXT * unit
        end = y + 46 * unit + line * len(rows)
        ink.add_rect_filled((x, y), (x + width, end), theme.packed(theme.PLATE), 6 * unit)
        name, effective = snapshot.method, snapshot.effective_method
        pen, title = DrawList(fonts), method_style.title(name)
        size_of_title = pen.fitted(title, width - 24 * unit, theme.LARGE * unit, bold=True)
        pen.text(x + 12 * unit, y + 8 * unit, title, size_of_title, theme.ACCENT, bold=True)
        if effective != name:
            text = f"by {method_style.title(effective)}"
            pen.text(x + width + 8 * unit, y + 24 * unit, text, theme.SMALL * unit, theme.WARNING)
        mouse = imgui.get_mouse_pos()
        for k, (label, value) in enumerate(rows):
            top = y + 38 * unit + line * k
            ink.add_text(fonts.regular, size, (x + 12 * unit, top), theme.packed(theme.DIM), label)
            ink.add_text(fonts.regular, size, (x + 90 * unit, top), theme.packed(theme.INK), value)
            over = Rect(x, top, width, line).holds(mouse.x, mouse.y)
            if over and imgui.is_window_hovered() and not imgui.is_any_item_active():
                show(NUMBERS[label])

    def _color_bar(self, picture: Rect) -> None:
        state, ink, font, unit = self._state, imgui.get_window_draw_list(), self._state.fonts.regular, theme.unit()
        height, steps = min(220.0 * unit, 0.45 * picture.height), 64
        right, top = picture.right - MARGIN * unit, picture.y + MARGIN * unit
        plate = theme.packed(theme.PLATE)
        ink.add_rect_filled((right - 112 * unit, top), (right, top + height + 50 * unit), plate, 6 * unit)
        title = f"{state.view.name} [{state.view.unit}]"
        fit = unit * min(1.0, 96.0 * unit / max(imgui.calc_text_size(title).x, 1.0))
        place = (right - 104 * unit, top + 8 * unit)
        ink.add_text(font, theme.TEXT * fit, place, theme.packed(theme.INK), title)
        x, y, wide = right - 100 * unit, top + 36 * unit, 14 * unit
        shades = theme.packed_map(state.view.colormap)
        for k in range(steps):  # from the top, the high end, down
            shade = shades[255 - round(255 * k / (steps - 1))]
            ink.add_rect_filled((x, y + height * k / steps), (x + wide, y + height * (k + 1) / steps + 0.5), shade)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            value = state.limits.high + share * (state.limits.low - state.limits.high)
            span = max(abs(state.limits.low), abs(state.limits.high))
            text = "0" if abs(value) < 1e-9 * span else short(value)
            level, small = y + share * height, theme.SMALL * unit
            ink.add_line((x + wide, level), (x + 18 * unit, level), theme.packed(theme.DIM))
            ink.add_text(font, small, (x + 23 * unit, level - 0.5 * small - 1), theme.packed(theme.INK), text)

    def _functions(self, snapshot: Snapshot, picture: Rect) -> None:
        """The basis functions of the picked tile, or how to see them."""
        ink, font, tile = imgui.get_window_draw_list(), self._state.fonts.regular, snapshot.tile
        functions = None if tile is None else tile.functions
        if functions is not None:
            text = "functions as pressure"
        elif tile is None:
            text = "Click a tile with Push, or with the right button, to see its functions."
        elif snapshot.effective_method in tile_overlay.METHODS:
            text = "Its functions appear after the next solve."
        else:
            text = f"{snapshot.effective_method} has no functions on tiles: choose htp or hierarchy."
        unit = theme.unit()
        width, inner = tile_overlay.WIDTH * unit, (tile_overlay.WIDTH - 20) * unit
        left, top = picture.right - MARGIN - width, picture.y + MARGIN
        high = imgui.calc_text_size(text, wrap_width=inner).y
        end = top + high + (10 + (8.0 if functions is None else tile_overlay.HEIGHT)) * unit
        ink.add_rect_filled((left, top), (left + width, end), theme.packed(theme.PLATE), 6 * unit)
        place = (left + 10 * unit, top + 7 * unit)
        ink.add_text(font, imgui.get_font_size(), place, theme.packed(theme.INK), text, inner)
        if functions is not None:
            tile_overlay.draw_functions(ink, functions, (left, top + high + 14 * unit), unit)

    def messages(self, snapshot: Snapshot, area: Rect) -> None:
        """A fallback of the solver, and the newest notice for a few seconds."""
        lines = [snapshot.fallback] if snapshot.fallback else []
        notice = self._view.notice
        if notice is not None and time.monotonic() - notice.when < NOTICE_SECONDS:
            lines.append(notice.text)
        if lines:
            low = area.bottom - 44 * theme.unit()
            center = (area.x + area.width / 2, area.y + 64 * theme.unit() if self._state.touring else low)
            self._plate("\n".join(lines), center, theme.WARNING, area.width - 48)

    def centred(self, text: str, area: Rect) -> None:
        """A sentence in the middle of an empty area."""
        center = (area.x + area.width / 2, area.y + area.height / 2)
        self._plate(text, center, theme.INK, area.width - 80)

    def _plate(self, text: str, center: tuple[float, float], tint: Any, width: float) -> None:
        ink, font = imgui.get_window_draw_list(), self._state.fonts.regular
        size = imgui.calc_text_size(text, wrap_width=width)
        x, y = center[0] - size.x / 2, center[1] - size.y / 2
        ink.add_rect_filled((x - 14, y - 9), (x + size.x + 14, y + size.y + 9), theme.packed(theme.PLATE), 6)
        ink.add_text(font, imgui.get_font_size(), (x, y), theme.packed(tint), text, width)
