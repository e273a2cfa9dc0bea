"""Zoom and pan: the wheel zooms about the mouse, the middle button drags, a double click of it shows everything."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import imgui

from app.render.region import STEP, WHOLE, Region
from app.ui.ui_state import UiState
from app.viewport.transform import ViewTransform

MIDDLE = imgui.MouseButton_.middle


class Navigation:
    """Moves the region that is looked at; comparisons share it among their panes."""

    def __init__(self, state: UiState) -> None:
        self._state = state
        self._dragged: ViewTransform | None = None  # the picture that the middle button was pressed on
        self._start = (0.0, 0.0)

    def hover(self, transform: ViewTransform) -> None:
        """The mouse is over a picture."""
        io, mouse = imgui.get_io(), imgui.get_mouse_pos()
        if io.mouse_wheel and not io.key_shift and not io.key_ctrl:
            self._show(transform.region.zoomed(STEP**io.mouse_wheel, *transform.shares(mouse.x, mouse.y)))
        if imgui.is_mouse_double_clicked(MIDDLE):
            self._show(WHOLE)
        elif imgui.is_mouse_clicked(MIDDLE):
            self._dragged, self._start = transform, (mouse.x, mouse.y)

    def drag(self) -> None:
        """Follows the mouse while the middle button is held, also beyond the picture. Once a frame."""
        if self._dragged is None:
            return
        if not imgui.is_mouse_down(MIDDLE):
            self._dragged = None
            return
        mouse, picture = imgui.get_mouse_pos(), self._dragged.picture
        across, up = (mouse.x - self._start[0]) / picture.width, (self._start[1] - mouse.y) / picture.height
        if across or up:
            self._show(self._dragged.region.moved(across, up))

    def _show(self, region: Region) -> None:
        if self._dragged is not None and region == WHOLE:
            self._dragged = None
        self._state.look = replace(self._state.look, region=region)
