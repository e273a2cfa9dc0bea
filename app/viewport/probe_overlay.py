"""The value under the mouse, and the probes that were placed, on the picture of the fluid."""

from __future__ import annotations

from imgui_bundle import imgui

from app.render.views import View
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving import probes
from app.solving.probes import Place
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.log_slider import short
from app.ui.ui_state import UiState
from app.viewport.transform import ViewTransform
from app.worker.view_model import ViewModel

REACH = 0.03  # of the picture's height, within which P removes a probe instead of placing one


class ProbeOverlay:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot, transform: ViewTransform) -> None:
        """Markers, and the value under the mouse unless it is pressed."""
        pen, unit, picture = DrawList(self._state.fonts), theme.unit(), transform.picture
        for k, place in enumerate(snapshot.probes):
            x, y = transform.to_pixels(*place)
            if not picture.holds(x, y):
                continue
            tint = theme.PROBE_COLORS[k]
            pen.ink.add_circle((x, y), 6 * unit, theme.packed(theme.GROUND), 24, 4 * unit)
            pen.ink.add_circle((x, y), 6 * unit, theme.packed(tint), 24, 2 * unit)
            text = f"{k + 1}: {reading(snapshot, self._state.view, place)}"
            pen.tag(x + 10 * unit, y - 8 * unit, text, theme.SMALL * unit, tint)
        mouse = imgui.get_mouse_pos()
        if not (imgui.is_window_hovered() and picture.holds(mouse.x, mouse.y)) or self._state.show_help:
            return
        here = transform.to_meters(mouse.x, mouse.y)
        if imgui.is_key_pressed(imgui.Key.p, False) and not imgui.get_io().want_text_input:
            self._toggle(snapshot, here, REACH * picture.height / transform.pixels_per_meter)
        if self._state.overlay and not imgui.is_any_mouse_down():
            text = reading(snapshot, self._state.view, here)
            size = theme.SMALL * unit
            wide = pen.width(text, size, bold=True) + 24 * unit
            x = mouse.x + 16 * unit if mouse.x + wide < picture.right else mouse.x - wide
            pen.tag(x, mouse.y + 14 * unit, text, size, theme.INK)

    def _toggle(self, snapshot: Snapshot, place: Place, reach: float) -> None:
        try:
            places = probes.toggled(snapshot.probes, place, reach)
        except ValueError as error:
            self._view.notify(error)
            return
        self._view.submit(Session.set_probes, places)


def reading(snapshot: Snapshot, view: View, place: Place) -> str:
    """The value at a place in this view, with its unit; of the phases, which one and how much of the cell."""
    frame, grid = snapshot.frame, snapshot.grid
    cell = probes.cell_at(grid, place)
    if cell is None:
        return ""
    if frame.solid[cell]:
        return "wall"
    if view.field is None:
        which, share = probes.phase_at(frame, cell)
        name = snapshot.scene.phases[which].name
        return name if share > 0.9995 else f"{name} {100 * share:.1f} %"
    return f"{short(float(view.field(frame, grid)[cell]))} {view.unit}"
