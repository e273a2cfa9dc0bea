"""The panel's group about drawing: tools, the brush, undo, and saving what was drawn."""

from __future__ import annotations

from imgui_bundle import imgui

from app.panels.fluid import swatch
from app.panels.save_scene_dialog import AFTER_START, AT_START
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import NUMBERS, tip
from app.ui.ui_state import UiState
from app.ui.widgets import button, row, track
from app.worker.view_model import ViewModel

BUTTONS = 2  # phases with a button of their own; more are chosen from a list, or the buttons take two lines


class DrawPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        state, phases = self._state, snapshot.scene.phases
        few = len(phases) <= BUTTONS
        self._tool("push", "Push", "The fluid follows the mouse.")
        if few:
            for k, phase in enumerate(phases):
                self._tool("pour", phase.name.capitalize(), f"Pour {phase.name}.", k)
        self._tool("solid", "Wall", "Build walls.")
        self._tool("erase", "Erase", "Remove walls.")
        self._tool("drag", "Move", "Drag a wall to another place.")
        if not few:
            self._pour_from_list(snapshot)
        imgui.set_next_item_width(imgui.get_content_region_avail().x - 5.2 * imgui.get_font_size())
        percent = 100 * state.radius
        changed, percent = imgui.slider_float("##radius", percent, 1.0, 20.0, "radius %.0f %% of height")
        track((percent - 1.0) / 19.0)
        if changed:
            state.set_radius(percent / 100)
        tip(NUMBERS["radius"])
        imgui.same_line()
        _, state.mirror = imgui.checkbox("Mirror", state.mirror)
        tip("Repeats every stroke on the other side, left and right exchanged. Key: M.")
        self._history(snapshot)

    def _history(self, snapshot: Snapshot) -> None:
        """Undo, redo, reset, save."""
        done, undone = snapshot.gestures
        view, racing = self._view, self._view.in_panes
        scope = "anything drawn" if snapshot.at_start else "walls only"
        pressed = row((
            ("Undo", f"Undo what was drawn last ({scope}). Keys: Ctrl+Z.", done > 0 and not racing),
            ("Redo", "Redo what was undone last. Keys: Ctrl+Y.", undone > 0 and not racing),
            ("Start over", f"Reset and pause at time zero. {AT_START}", not snapshot.at_start),
            ("Save ...", f"Save as scene. Keys: Ctrl+S. {AT_START if snapshot.at_start else AFTER_START}", not racing),
        ))  # fmt: skip
        if pressed is None:
            return
        if pressed == 2:
            view.set_paused(True)
            view.submit(Session.reset)
        elif pressed == 3:
            self._state.naming = True
        else:
            view.submit((Session.undo, Session.redo)[pressed])

    def _tool(self, tool: str, label: str, hint: str, phase: int | None = None) -> None:
        """A button, on the line of the one before it where there is room."""
        state = self._state
        chosen = state.tool == tool and phase in (None, state.phase)
        right = imgui.get_item_rect_max().x + imgui.calc_text_size(label).x + 24 * theme.unit()
        if tool != "push" and right < imgui.get_window_pos().x + imgui.get_window_width() - 12 * theme.unit():
            imgui.same_line(0, 5 * theme.unit())
        if button(f"{label}###{tool}{phase}", hint, chosen=chosen):
            state.tool, state.phase = tool, state.phase if phase is None else phase

    def _pour_from_list(self, snapshot: Snapshot) -> None:
        state, phases = self._state, snapshot.scene.phases
        chosen = phases[min(state.phase, len(phases) - 1)]
        self._tool("pour", "Pour", f"Pour {chosen.name}.")
        imgui.same_line()
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##pour", chosen.name.capitalize()):
            for k, phase in enumerate(phases):
                swatch(phase)
                imgui.same_line(0, 6)
                if imgui.selectable(phase.name.capitalize(), phase is chosen)[0]:
                    state.tool, state.phase = "pour", k
            imgui.end_combo()
