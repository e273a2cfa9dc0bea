"""The mouse on the fluid: strokes of the brush, and its size."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from app.session.scene_editor import DRAWN
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.session.strokes import mirrored
from app.ui import theme
from app.ui.ui_state import UiState
from app.viewport.navigation import Navigation
from app.viewport.transform import ViewTransform
from app.worker.view_model import ViewModel
from sim.frame import Stroke


class BrushInput:
    """Turns what the mouse does over pictures of the fluid into strokes."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state
        self._navigation = Navigation(state)
        self._mouse: tuple[float, float] | None = None  # of the stroke under way [m]
        self._holds = False  # what the stroke draws or drags waits for the release

    @property
    def pressed(self) -> bool:
        """Whether a stroke is under way."""
        return self._mouse is not None

    def handle(self, snapshot: Snapshot, pictures: Sequence[ViewTransform]) -> None:
        """Uses the brush in whichever of the pictures the mouse is."""
        both = imgui.ButtonFlags_.mouse_button_left | imgui.ButtonFlags_.mouse_button_right
        mouse, state, place = imgui.get_mouse_pos(), self._state, None
        for k, transform in enumerate(pictures):
            picture = transform.picture
            imgui.set_cursor_screen_pos(ImVec2(picture.x, picture.y))
            imgui.invisible_button(f"fluid{k}", ImVec2(picture.width, picture.height), both)
            if imgui.is_item_hovered() and not state.show_help:
                self._draw_ring(mouse, transform)
                self._resize()
                self._navigation.hover(transform)
            if imgui.is_item_active():
                place = transform
        self._navigation.drag()
        if place is None:
            self._release()
            return
        here = place.to_meters(mouse.x, mouse.y)
        first, start = self._mouse is None, self._mouse or here
        self._mouse = here
        tool = "push" if imgui.is_mouse_down(imgui.MouseButton_.right) else state.tool
        if tool == "push" and first and state.view.tiles:
            self._view.submit(Session.pick_tile, *here)
        if tool == "drag" and first and self._view.paused:
            self._view.notify("Walls are moved while the fluid flows: press Space to resume")
        if tool == "push" and start == here:
            return
        radius, phase = state.radius * snapshot.grid.height, min(state.phase, len(snapshot.scene.phases) - 1)
        stroke = Stroke(tool, *start, *here, radius, phase)
        self._holds = self._holds or tool != "push"
        if snapshot.at_start and tool in DRAWN and start == here and not first:
            return  # drawn already; later, a mouse that rests goes on pouring
        self._view.submit(Session.stroke, stroke)
        if state.mirror and tool != "drag":  # one hand moves one wall
            self._view.submit(Session.stroke, mirrored(stroke, snapshot.grid.width))

    def _release(self) -> None:
        if self._mouse is not None and self._holds:
            self._view.submit(Session.let_go)
        self._mouse, self._holds = None, False

    def _draw_ring(self, mouse: ImVec2, transform: ViewTransform) -> None:
        """The outline of the brush, and of its mirror image."""
        state = self._state
        dark = state.view.field is not None or state.look.theme.gas is not None
        ring, whole = theme.packed(theme.INK if dark else theme.GROUND, 0.5), transform.whole
        ink, radius = imgui.get_window_draw_list(), state.radius * whole.height
        ink.add_circle(mouse, radius, ring, 48, 1.5)
        if state.mirror:
            other = whole.x + whole.right - mouse.x
            ink.add_circle((other, mouse.y), radius, ring, 48, 1.0)

    def _resize(self) -> None:
        """Shift and the wheel change the size."""
        io = imgui.get_io()
        turned = io.mouse_wheel or io.mouse_wheel_h  # some systems turn the wheel sideways with Shift
        if io.key_shift and turned:
            self._state.set_radius(self._state.radius * (1.1 if turned > 0 else 1 / 1.1))
