"""The pane that shows the fluid: the picture, what is written on it, and the mouse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from imgui_bundle import ImVec2, imgui

from app.render.compositor import Backdrop
from app.render.renderer import FluidRenderer
from app.render.views import automatic_range, eased
from app.session.scene_editor import DRAWN
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.session.strokes import mirrored
from app.solving.method_stats import Board
from app.ui import theme
from app.ui.draw_list import Pen
from app.ui.tooltips import NUMBERS, show
from app.ui.ui_state import Interaction
from app.viewport import tile_overlay
from app.viewport.comparison_layout import Rect
from app.viewport.comparison_view import Stage
from app.worker.worker import Worker
from sim.frame import STAGES, Stroke

MARGIN = 12.0
NOTICE_SECONDS = 8.0
SMALLEST = 48.0  # [pixels] of a pane in which anything can be seen; a minimised window has less
STRIP = 0.29  # share of the height for the curves and the table of shadow mode


class Canvas:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction) -> None:
        self._worker, self._state = worker, state
        self._renderer: FluidRenderer | None = None
        self._drawn: tuple[Any, ...] = ()
        self.backdrop = Backdrop()
        self._stage = Stage(state.fonts, self.backdrop)
        self._mouse: tuple[float, float] | None = None  # of the stroke under way [m]
        self._holds = False  # what the stroke draws or drags waits for the release

    def draw(self, rate: tuple[str, str]) -> None:
        """The whole pane; `rate` is the label and value about frames per second."""
        room = imgui.get_content_region_avail()
        origin = imgui.get_cursor_screen_pos()
        snapshot = self._worker.snapshot
        if min(room.x, room.y) < SMALLEST:
            return
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
            tile_overlay.draw_edges(imgui.get_window_draw_list(), snapshot.grid.shape, snapshot.tile, corner, size)
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

    def _race(self, snapshot: Snapshot, board: Board, area: Rect) -> None:
        """A pane for each method; the brush works in any of them and is felt in all."""
        state = self._state
        self._find_limits(snapshot)
        self._drawn = (snapshot.serial, state.view.name)
        places = self._stage.draw(board, area, header=False, view=state.view, limits=state.limits)
        if state.view.tiles:
            for standing, place in zip(board.standings, places.pictures):
                if standing.precond in tile_overlay.METHODS:
                    corner, size = (place.x, place.y), (place.width, place.height)
                    tile_overlay.draw_edges(imgui.get_window_draw_list(), snapshot.grid.shape, None, corner, size)
        self._use_mouse(snapshot, places.pictures)
        if state.view.field is not None:  # a colour bar would hide half a pane
            text = f"{state.view.name} {state.limits.low:.3g} to {state.limits.high:.3g} {state.view.unit}"
            Pen(state.fonts).plate(places.pictures[-1], text, theme.SMALL * theme.unit(), theme.INK)
        if self._worker.paused:
            place = places.pictures[0]
            Pen(state.fonts).tag(place.x + 8, place.y + 8, "paused", theme.TEXT * theme.unit(), theme.WARNING)
        self._messages(snapshot, (area.x, area.y), (area.width, area.height))

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
        self.backdrop.lay(self._renderer, *corner)

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
                ink, radius = imgui.get_window_draw_list(), state.radius * picture.height
                ink.add_circle(mouse, radius, ring, 48, 1.5)
                if state.mirror:
                    other = picture.x + picture.right - mouse.x
                    ink.add_circle((other, mouse.y), radius, ring, 48, 1.0)
                self._resize_brush()
            if imgui.is_item_active():
                place = picture
        if place is None:
            if self._mouse is not None and self._holds:
                self._worker.submit(Session.let_go)
            self._mouse, self._holds = None, False
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
        stroke = Stroke(tool, *start, *here, radius, phase)
        self._holds = self._holds or tool != "push"
        if snapshot.at_start and tool in DRAWN and start == here and not first:
            return  # drawn already; later, a mouse that rests goes on pouring
        self._worker.submit(Session.stroke, stroke)
        if state.mirror and tool != "drag":  # one hand moves one wall
            self._worker.submit(Session.stroke, mirrored(stroke, snapshot.grid.width))

    def _resize_brush(self) -> None:
        """By Shift and the wheel."""
        io = imgui.get_io()
        turned = io.mouse_wheel or io.mouse_wheel_h  # some systems turn the wheel sideways with Shift
        if io.key_shift and turned:
            self._state.set_radius(self._state.radius * (1.1 if turned > 0 else 1 / 1.1))

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
        unit = theme.unit()
        x, y = corner[0] + MARGIN * unit, corner[1] + MARGIN * unit
        width, line, size = 196.0 * unit, 19.0 * unit, theme.TEXT * unit
        end = y + 46 * unit + line * len(rows)
        ink.add_rect_filled((x, y), (x + width, end), theme.packed(theme.PLATE), 6 * unit)
        name = snapshot.choice.precond
        ink.add_text(fonts.bold, theme.LARGE * unit, (x + 12 * unit, y + 8 * unit), theme.packed(theme.ACCENT), name)
        if snapshot.acting != name:
            beside = x + 22 * unit + imgui.calc_text_size(name).x * theme.LARGE * unit / imgui.get_font_size()
            text, place = f"by {snapshot.acting}", (beside, y + 15 * unit)
            ink.add_text(fonts.regular, theme.SMALL * unit, place, theme.packed(theme.WARNING), text)
        mouse = imgui.get_mouse_pos()
        for k, (label, value) in enumerate(rows):
            top = y + 38 * unit + line * k
            ink.add_text(fonts.regular, size, (x + 12 * unit, top), theme.packed(theme.DIM), label)
            ink.add_text(fonts.regular, size, (x + 90 * unit, top), theme.packed(theme.INK), value)
            over = x <= mouse.x < x + width and top <= mouse.y < top + line
            if over and imgui.is_window_hovered() and not imgui.is_any_item_active():
                show(NUMBERS[label])
        if self._worker.paused:
            text = "paused"
            if snapshot.at_start:
                text = "paused at the scene's start: what you draw becomes part of it"
            Pen(fonts).tag(x + width + 8 * unit, y, text, size, theme.WARNING)

    def _color_bar(self, corner: tuple[float, float], size: tuple[float, float]) -> None:
        state, ink, font, unit = self._state, imgui.get_window_draw_list(), self._state.fonts.regular, theme.unit()
        height, steps = min(220.0 * unit, 0.45 * size[1]), 64
        right, top = corner[0] + size[0] - MARGIN * unit, corner[1] + MARGIN * unit
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
            text = "0" if abs(value) < 1e-9 * span else f"{value:.3g}"
            level, small = y + share * height, theme.SMALL * unit
            ink.add_line((x + wide, level), (x + 18 * unit, level), theme.packed(theme.DIM))
            ink.add_text(font, small, (x + 23 * unit, level - 0.5 * small - 1), theme.packed(theme.INK), text)

    def _functions(self, snapshot: Snapshot, corner: tuple[float, float], size: tuple[float, float]) -> None:
        ink, font, tile = imgui.get_window_draw_list(), self._state.fonts.regular, snapshot.tile
        functions = None if tile is None else tile.functions
        if functions is not None:
            text = "functions as pressure"
        elif tile is None:
            text = "Click a tile with Push, or the right button, to see its functions."
        elif snapshot.acting in tile_overlay.METHODS:
            text = "Its functions follow with the next solve."
        else:
            text = f"{snapshot.acting} has no functions on tiles: choose htp or hierarchy."
        unit = theme.unit()
        width, inner = tile_overlay.WIDTH * unit, (tile_overlay.WIDTH - 20) * unit
        left, top = corner[0] + size[0] - MARGIN - width, corner[1] + MARGIN
        high = imgui.calc_text_size(text, wrap_width=inner).y
        end = top + high + (10 + (8.0 if functions is None else tile_overlay.HEIGHT)) * unit
        ink.add_rect_filled((left, top), (left + width, end), theme.packed(theme.PLATE), 6 * unit)
        place = (left + 10 * unit, top + 7 * unit)
        ink.add_text(font, imgui.get_font_size(), place, theme.packed(theme.INK), text, inner)
        if functions is not None:
            tile_overlay.draw_functions(ink, functions, (left, top + high + 14 * unit), unit)

    def _messages(self, snapshot: Snapshot, corner: tuple[float, float], size: tuple[float, float]) -> None:
        lines = [snapshot.fallback] if snapshot.fallback else []
        notice = self._worker.notice
        if notice is not None and time.monotonic() - notice.when < NOTICE_SECONDS:
            lines.append(notice.text)
        if lines:
            self._plate_of_lines(
                lines, (corner[0] + size[0] / 2, corner[1] + size[1] - 44 * theme.unit()), theme.WARNING, size[0] - 48
            )

    def _plate_of_lines(self, lines: list[str], center: tuple[float, float], tint: Any, width: float) -> None:
        ink, font = imgui.get_window_draw_list(), self._state.fonts.regular
        text = "\n".join(lines)
        size = imgui.calc_text_size(text, wrap_width=width)
        x, y = center[0] - size.x / 2, center[1] - size.y / 2
        ink.add_rect_filled((x - 14, y - 9), (x + size.x + 14, y + size.y + 9), theme.packed(theme.PLATE), 6)
        ink.add_text(font, imgui.get_font_size(), (x, y), theme.packed(tint), text, width)
