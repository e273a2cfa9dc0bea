"""The viewport: the picture of the fluid, or the panes of a race, with overlay and brush."""

from __future__ import annotations

from typing import Any

from imgui_bundle import ImVec2, imgui

from app.render.compositor import Compositor
from app.render.renderer import FluidRenderer
from app.render.views import Range, automatic_range, eased
from app.session.session import Session
from app.session.snapshot import ComparisonSnapshot, Snapshot
from app.solving.choice import PANES, ComparisonChoice
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.log_slider import short
from app.ui.rect import Rect
from app.ui.ui_state import UiState
from app.viewport import tile_overlay
from app.viewport.brush_input import BrushInput
from app.viewport.busy import BusySign, wheel
from app.viewport.comparison_view import ComparisonView
from app.viewport.overlay import MARGIN, Overlay
from app.viewport.probe_overlay import ProbeOverlay
from app.viewport.timeline_bar import TimelineBar
from app.viewport.transform import ViewTransform
from app.worker.view_model import ViewModel

SMALLEST = 48.0  # [pixels] of a viewport in which anything can be seen; a minimised window has less
STRIP = 0.29  # share of the height for the curves and the table of shadow mode


class Viewport:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state
        self._renderer: FluidRenderer | None = None
        self._drawn: tuple[Any, ...] = ()
        self._inspected: tuple[int | None, ComparisonChoice] = (None, view.comparing)  # as asked for
        self.compositor = Compositor()
        self._comparison = ComparisonView(state.fonts, self.compositor)
        self._overlay = Overlay(view, state)
        self._probes = ProbeOverlay(view, state)
        self._busy = BusySign(view, state.fonts)
        self._timeline = TimelineBar(view, state)
        self.brush = BrushInput(view, state)

    def draw(self, rate: tuple[str, str]) -> None:
        """The whole viewport; `rate` is the label and value about frames per second."""
        room = imgui.get_content_region_avail()
        origin = imgui.get_cursor_screen_pos()
        snapshot = self._view.snapshot
        area = Rect(origin.x, origin.y, room.x, room.y)
        if min(room.x, room.y) < SMALLEST:
            return
        if snapshot is None:
            if self._view.fatal_error:
                self._overlay.centred(self._view.fatal_error, area)
            else:
                wheel(DrawList(self._state.fonts), area, self._view.start)
            return
        self._ask_for_inspection()
        comparison = snapshot.comparison
        if comparison is not None and comparison.mode in PANES:
            self._race(snapshot, comparison, area)
            return
        foot = self._timeline.height(snapshot.timeline)
        room = ImVec2(room.x, room.y - foot)
        if foot:
            self._timeline.draw(snapshot.timeline, Rect(area.x, area.bottom - foot, area.width, foot))
        strip = STRIP * room.y if comparison is not None else 0.0
        aspect = snapshot.grid.nx / snapshot.grid.ny
        width = max(round(min(room.x, (room.y - strip) * aspect)), 1)
        height = max(round(width / aspect), 1)
        # on whole pixels, or the picture would be blurred
        x, y = round(origin.x + (room.x - width) / 2), round(origin.y + (room.y - strip - height) / 2)
        picture = Rect(x, y, width, height)
        transform = ViewTransform(picture, self._state.look.region, snapshot.grid)
        self._picture(snapshot, picture)
        if self._state.view.tiles:
            tile_overlay.draw_edges(imgui.get_window_draw_list(), snapshot.grid.shape, snapshot.tile, transform)
        self.brush.handle(snapshot, [transform])
        self._overlay.draw(snapshot, picture, area, rate)
        self._probes.draw(snapshot, transform)
        if comparison is not None:
            below = Rect(origin.x, origin.y + room.y - strip + MARGIN, room.x, strip - MARGIN)
            self._comparison.strip(comparison, below, snapshot.method)
        self._overlay.messages(snapshot, picture)
        self._busy.draw(snapshot, picture)

    def _ask_for_inspection(self) -> None:
        """Has error and residual of solves computed while they are looked at, also by panes that are new."""
        state, wanted = self._state, None
        if state.view.of_solve:
            wanted = state.iteration
        if (wanted, self._view.comparing) != self._inspected:
            if (wanted, self._inspected[0]) != (None, None):
                self._view.submit(Session.inspect, wanted)
            self._inspected = wanted, self._view.comparing

    def _race(self, snapshot: Snapshot, comparison: ComparisonSnapshot, area: Rect) -> None:
        """A pane for each method; the brush works in any of them and acts on all."""
        state = self._state
        self._find_limits(snapshot)
        self._drawn = (snapshot.serial, state.view.name)
        places = self._comparison.draw(
            comparison, area, header=False, view=state.view, limits=state.limits, look=state.look
        )
        transforms = [ViewTransform(place, state.look.region, snapshot.grid) for place in places.pictures]
        if state.view.tiles:
            for result, transform in zip(comparison.results, transforms):
                if result.precond in tile_overlay.METHODS:
                    tile_overlay.draw_edges(imgui.get_window_draw_list(), snapshot.grid.shape, None, transform)
        self.brush.handle(snapshot, transforms)
        if state.view.field is not None:  # a colour bar would hide half a pane
            text = f"{state.view.name} {short(state.limits.low)} to {short(state.limits.high)} {state.view.unit}"
            place = places.pictures[-1]
            DrawList(state.fonts).tag(place.x + 8, place.y + 8, text, theme.SMALL * theme.unit(), theme.INK)
        if self._view.paused:
            place = places.pictures[0]
            DrawList(state.fonts).tag(place.x + 8, place.y + 8, "paused", theme.TEXT * theme.unit(), theme.WARNING)
        self._overlay.messages(snapshot, area)
        self._busy.draw(snapshot, area)

    def _picture(self, snapshot: Snapshot, place: Rect) -> None:
        """Draws the fluid, where anything has changed, and lays it under the window."""
        if self._renderer is None:
            self._renderer = FluidRenderer()
        state, scale = self._state, imgui.get_io().display_framebuffer_scale
        pixels = (max(1, round(place.width * scale.x)), max(1, round(place.height * scale.y)))
        self._find_limits(snapshot)
        wanted = (snapshot.serial, state.view.name, state.limits, pixels, state.look)
        if wanted != self._drawn:
            place_in = snapshot.scene, snapshot.grid, state.view, state.limits
            self._renderer.draw(snapshot.frame, *place_in, pixels, state.look)
            self._drawn = wanted
        self.compositor.lay(self._renderer, place.x, place.y)

    def _find_limits(self, snapshot: Snapshot) -> None:
        """The automatic range of the colour map, where snapshot or view have changed since the last picture."""
        state = self._state
        if state.view.field is not None and state.automatic and self._drawn[:2] != (snapshot.serial, state.view.name):
            frames = (snapshot.frame,) if snapshot.comparison is None else snapshot.comparison.frames
            ranges = [automatic_range(state.view, state.view.field(each, snapshot.grid), each.solid) for each in frames]
            found = Range(min(each.low for each in ranges), max(each.high for each in ranges))
            fresh = self._drawn[1:2] != (state.view.name,)
            state.limits = eased(None if fresh else state.limits, found)
