"""The pane that shows the fluid: the picture, what is written on it, and the mouse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from imgui_bundle import ImVec2, imgui

from app import colormaps, theme, tiles
from app.arrange import Rect
from app.interaction import KEYS, Interaction
from app.pen import Pen
from app.render import FluidRenderer
from app.session import Session
from app.snapshot import Snapshot
from app.stage import Stage
from app.standing import Board
from app.views import automatic_range, eased
from app.worker import Worker
from sim.frame import STAGES, Stroke

MARGIN = 12.0
NOTICE_SECONDS = 8.0
STRIP = 0.29  # share of the height for the curves and the table of shadow mode


class Canvas:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction) -> None:
        self._worker, self._state = worker, state
        self._renderer: FluidRenderer | None = None
        self._drawn: tuple[Any, ...] = ()
        self._stage = Stage(state.fonts)
        self._mouse: tuple[float, float] | None = None  # of the stroke under way [m]

    def draw(self, rate: tuple[str, str]) -> None:
        """The whole pane; `rate` is the label and value about frames per second."""
        room = imgui.get_content_region_avail()
        origin = imgui.get_cursor_screen_pos()
        snapshot = self._worker.snapshot
        if snapshot is None:
            text = self._worker.broken or "Preparing the simulation ..."
            self._plate_of_lines([text], (origin.x + room.x / 2, origin.y + room.y / 2), theme.INK, room.x - 80)
            return
        board = snapshot.board
        if board is not None and board.mode == "race":
            self._race(snapshot, board, Rect(origin.x, origin.y, room.x, room.y))
            return
        strip = STRIP * room.y if board is not None else 0.0
        aspect = snapshot.grid.nx / snapshot.grid.ny
        width = min(room.x, (room.y - strip) * aspect)
        size = (max(round(width), 1), max(round(width / aspect), 1))
        # on whole pixels, or the picture would be blurred
        corner = (round(origin.x + (room.x - size[0]) / 2), round(origin.y + (room.y - strip - size[1]) / 2))
        self._picture(snapshot, corner, size)
        if self._state.view.tiles:
            tiles.draw_edges(imgui.get_window_draw_list(), snapshot.grid.shape, snapshot.tile, corner, size)
        self._use_mouse(snapshot, [Rect(*corner, *size)])
        self._overlay(snapshot, corner, rate)
        if self._state.view.field is not None:
            self._color_bar(corner, size)
        if self._state.view.tiles:
            self._functions(snapshot, corner, size)
        if board is not None:
            area = Rect(origin.x, origin.y + room.y - strip + MARGIN, room.x, strip - MARGIN)
            self._stage.strip(board, area, snapshot.choice.precond)
        self._messages(snapshot, corner, size)
        if self._state.show_help:
            self._help((corner[0] + size[0] / 2, corner[1] + size[1] / 2))

    def _race(self, snapshot: Snapshot, board: Board, area: Rect) -> None:
        """A pane for each method; the brush works in any of them and is felt in all."""
        state = self._state
        self._find_limits(snapshot)
        self._drawn = (snapshot.serial, state.view.name)
        places = self._stage.draw(board, area, header=False, view=state.view, limits=state.limits)
        self._use_mouse(snapshot, places.pictures)
        if state.view.field is not None:  # a colour bar would hide half a pane
            text = f"{state.view.name} {state.limits.low:.3g} to {state.limits.high:.3g} {state.view.unit}"
            Pen(state.fonts).plate(places.pictures[-1], text, theme.SMALL, theme.INK)
        if self._worker.paused:
            place = places.pictures[0]
            ink, font = imgui.get_window_draw_list(), state.fonts.bold
            ink.add_text(font, theme.TEXT, (place.x + 8, place.y + 8), theme.packed(theme.WARNING), "paused")
        self._messages(snapshot, (area.x, area.y), (area.width, area.height))
        if state.show_help:
            self._help((area.x + area.width / 2, area.y + area.height / 2))

    def _picture(self, snapshot: Snapshot, corner: tuple[float, float], size: tuple[float, float]) -> None:
        if self._renderer is None:
            self._renderer = FluidRenderer()
        state, scale = self._state, imgui.get_io().display_framebuffer_scale
        pixels = (max(1, round(size[0] * scale.x)), max(1, round(size[1] * scale.y)))
        self._find_limits(snapshot)
        wanted = (snapshot.serial, state.view.name, state.limits, pixels)
        if wanted != self._drawn:
            self._renderer.draw(snapshot.frame, snapshot.scene, snapshot.grid, state.view, state.limits, pixels)
            self._drawn = wanted
        imgui.set_cursor_screen_pos(ImVec2(*corner))
        imgui.image(imgui.ImTextureRef(int(self._renderer.texture)), ImVec2(*size), ImVec2(0, 1), ImVec2(1, 0))

    def _find_limits(self, snapshot: Snapshot) -> None:
        """The automatic range of the colour map, where the snapshot or the view is another than the one drawn."""
        state = self._state
        if state.view.field is not None and state.automatic and self._drawn[:2] != (snapshot.serial, state.view.name):
            found = automatic_range(state.view, state.view.field(snapshot.frame, snapshot.grid), snapshot.frame.solid)
            fresh = self._drawn[1:2] != (state.view.name,)
            state.limits = eased(None if fresh else state.limits, found)

    # The mouse -------------------------------------------------------------------------------------------------------

    def _use_mouse(self, snapshot: Snapshot, places: Sequence[Rect]) -> None:
        """The brush, in whichever of the pictures of the fluid it is used."""
        both = imgui.ButtonFlags_.mouse_button_left | imgui.ButtonFlags_.mouse_button_right
        mouse, state, place = imgui.get_mouse_pos(), self._state, None
        for k, picture in enumerate(places):
            imgui.set_cursor_screen_pos(ImVec2(picture.x, picture.y))
            imgui.invisible_button(f"fluid{k}", ImVec2(picture.width, picture.height), both)
            if imgui.is_item_hovered() and not state.show_help:
                ring = theme.packed(theme.INK if state.view.field is not None else theme.GROUND, 0.5)
                imgui.get_window_draw_list().add_circle(mouse, state.radius * picture.height, ring, 48, 1.5)
            if imgui.is_item_active():
                place = picture
        if place is None:
            if self._mouse is not None and state.tool == "drag":
                self._worker.submit(Session.let_go)
            self._mouse = None
            return
        meters = snapshot.grid.height / place.height
        here = ((mouse.x - place.x) * meters, (place.bottom - mouse.y) * meters)
        first, start = self._mouse is None, self._mouse or here
        self._mouse = here
        tool = "push" if imgui.is_mouse_down(imgui.MouseButton_.right) else state.tool
        if tool == "push" and first and state.view.tiles:
            self._worker.submit(Session.pick_tile, *here)
        if tool == "push" and start == here:
            return
        radius, phase = state.radius * snapshot.grid.height, min(state.phase, len(snapshot.scene.phases) - 1)
        self._worker.submit(Session.stroke, Stroke(tool, *start, *here, radius, phase))

    # Written on the fluid --------------------------------------------------------------------------------------------

    def _overlay(self, snapshot: Snapshot, corner: tuple[float, float], rate: tuple[str, str]) -> None:
        fonts, ink = self._state.fonts, imgui.get_window_draw_list()
        recent = [sample for sample in snapshot.samples[-20:] if sample.precond == snapshot.choice.precond]
        solve_ms = sum(sample.ms[STAGES.index("solve")] for sample in recent) / max(len(recent), 1)
        iterations = sum(sample.iterations for sample in recent) / max(len(recent), 1)
        rows = (
            ("iterations", f"{iterations:.0f}"),
            ("solve", f"{solve_ms:.{1 if solve_ms < 100 else 0}f} ms/frame"),
            ("steps", f"{snapshot.steps_per_second:.0f} /s"),
            rate,
            ("time", f"{snapshot.frame.time:.2f} s"),
        )
        x, y = corner[0] + MARGIN, corner[1] + MARGIN
        width, line = 196.0, 19.0
        ink.add_rect_filled((x, y), (x + width, y + 46 + line * len(rows)), theme.packed(theme.PLATE), 6)
        name = snapshot.choice.precond
        ink.add_text(fonts.bold, theme.LARGE, (x + 12, y + 8), theme.packed(theme.ACCENT), name)
        if snapshot.acting != name:
            beside = x + 22 + imgui.calc_text_size(name).x * theme.LARGE / imgui.get_font_size()
            text = f"by {snapshot.acting}"
            ink.add_text(fonts.regular, theme.SMALL, (beside, y + 15), theme.packed(theme.WARNING), text)
        for k, (label, value) in enumerate(rows):
            top = y + 38 + line * k
            ink.add_text(fonts.regular, theme.TEXT, (x + 12, top), theme.packed(theme.DIM), label)
            ink.add_text(fonts.regular, theme.TEXT, (x + 90, top), theme.packed(theme.INK), value)
        if self._worker.paused:
            ink.add_text(fonts.bold, theme.TEXT, (x + width + 12, y + 10), theme.packed(theme.WARNING), "paused")

    def _color_bar(self, corner: tuple[float, float], size: tuple[float, float]) -> None:
        state, ink, font = self._state, imgui.get_window_draw_list(), self._state.fonts.regular
        height, steps = min(220.0, 0.45 * size[1]), 64
        right, top = corner[0] + size[0] - MARGIN, corner[1] + MARGIN
        ink.add_rect_filled((right - 112, top), (right, top + height + 50), theme.packed(theme.PLATE), 6)
        title = f"{state.view.name} [{state.view.unit}]"
        fit = min(1.0, 96.0 / max(imgui.calc_text_size(title).x, 1.0))
        ink.add_text(font, theme.TEXT * fit, (right - 104, top + 8), theme.packed(theme.INK), title)
        x, y = right - 100, top + 36
        for k in range(steps):  # from the top, the high end, down
            red, green, blue = colormaps.table(state.view.colormap)[255 - round(255 * k / (steps - 1))]
            shade = theme.packed(theme.color(f"#{red:02x}{green:02x}{blue:02x}"))
            ink.add_rect_filled((x, y + height * k / steps), (x + 14, y + height * (k + 1) / steps + 0.5), shade)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            value = state.limits.high + share * (state.limits.low - state.limits.high)
            span = max(abs(state.limits.low), abs(state.limits.high))
            text = "0" if abs(value) < 1e-9 * span else f"{value:.3g}"
            level = y + share * height
            ink.add_line((x + 14, level), (x + 18, level), theme.packed(theme.DIM))
            ink.add_text(font, theme.SMALL, (x + 23, level - 0.5 * theme.SMALL - 1), theme.packed(theme.INK), text)

    def _functions(self, snapshot: Snapshot, corner: tuple[float, float], size: tuple[float, float]) -> None:
        ink, font, tile = imgui.get_window_draw_list(), self._state.fonts.regular, snapshot.tile
        functions = None if tile is None else tile.functions
        if functions is not None:
            text = "functions as pressure"
        elif tile is None:
            text = "Click a tile with Push, or the right button, to see its functions."
        elif snapshot.acting in tiles.METHODS:
            text = "Its functions follow with the next solve."
        else:
            text = f"{snapshot.acting} has no functions on tiles: choose htp or hierarchy."
        left, top = corner[0] + size[0] - MARGIN - tiles.WIDTH, corner[1] + MARGIN
        high = imgui.calc_text_size(text, wrap_width=tiles.WIDTH - 20).y
        more = 8.0 if functions is None else tiles.HEIGHT
        ink.add_rect_filled((left, top), (left + tiles.WIDTH, top + high + 10 + more), theme.packed(theme.PLATE), 6)
        ink.add_text(font, theme.TEXT, (left + 10, top + 7), theme.packed(theme.INK), text, tiles.WIDTH - 20)
        if functions is not None:
            tiles.draw_functions(ink, functions, (left, top + high + 14))

    def _messages(self, snapshot: Snapshot, corner: tuple[float, float], size: tuple[float, float]) -> None:
        lines = [snapshot.fallback] if snapshot.fallback else []
        notice = self._worker.notice
        if notice is not None and time.monotonic() - notice.when < NOTICE_SECONDS:
            lines.append(notice.text)
        if lines:
            self._plate_of_lines(
                lines, (corner[0] + size[0] / 2, corner[1] + size[1] - 44), theme.WARNING, size[0] - 48
            )

    def _plate_of_lines(self, lines: list[str], center: tuple[float, float], tint: Any, width: float) -> None:
        ink, font = imgui.get_window_draw_list(), self._state.fonts.regular
        text = "\n".join(lines)
        size = imgui.calc_text_size(text, wrap_width=width)
        x, y = center[0] - size.x / 2, center[1] - size.y / 2
        ink.add_rect_filled((x - 14, y - 9), (x + size.x + 14, y + size.y + 9), theme.packed(theme.PLATE), 6)
        ink.add_text(font, imgui.get_font_size(), (x, y), theme.packed(tint), text, width)

    def _help(self, center: tuple[float, float]) -> None:
        ink, fonts = imgui.get_window_draw_list(), self._state.fonts
        width, line = 520.0, 24.0
        height = line * len(KEYS) + 56
        x, y = center[0] - width / 2, center[1] - height / 2
        ink.add_rect_filled((x, y), (x + width, y + height), theme.packed(theme.GROUND, 0.93), 8)
        ink.add_text(fonts.bold, theme.LARGE, (x + 20, y + 14), theme.packed(theme.ACCENT), "Keys")
        for k, (key, meaning) in enumerate(KEYS):
            top = y + 46 + line * k
            ink.add_text(fonts.bold, theme.TEXT, (x + 20, top), theme.packed(theme.INK), key)
            ink.add_text(fonts.regular, theme.TEXT, (x + 130, top), theme.packed(theme.DIM), meaning, width - 150)
