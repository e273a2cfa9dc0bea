"""The dialog that asks for a name and saves what was drawn as a scene."""

from __future__ import annotations

from pathlib import Path

from imgui_bundle import imgui

from app.session.scene_commands import save_scene
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.ui_state import UiState
from app.ui.widgets import button, share
from app.worker.view_model import ViewModel

TITLE = "Save as scene"
AT_START = "What you draw at time zero is part of the scene: it is saved with it and kept on reset."
AFTER_START = (
    "The scene has started: what you pour now is not part of it, and only walls can be undone. "
    "Start over to draw into the scene."
)


class SaveSceneDialog:
    """Open while UiState.naming is set; draws a window of its own."""

    def __init__(self, view: ViewModel, state: UiState, out: Path) -> None:
        self._view, self._state, self._out = view, state, out
        self.name, self._error = "my-scene", ""
        self._refused = False  # the name, just now

    def draw(self, snapshot: Snapshot) -> None:
        """The dialog, while it is open."""
        if self._state.naming and not imgui.is_popup_open(TITLE):
            imgui.open_popup(TITLE)
            self._error = ""
        center = imgui.get_main_viewport().get_center()
        imgui.set_next_window_pos(center, imgui.Cond_.appearing, (0.5, 0.5))
        if not imgui.begin_popup_modal(TITLE, None, imgui.WindowFlags_.always_auto_resize)[0]:
            return
        wide = 22 * imgui.get_font_size()
        imgui.push_text_wrap_pos(wide)
        imgui.text_unformatted(AT_START if snapshot.at_start else AFTER_START)
        imgui.pop_text_wrap_pos()
        if imgui.is_window_appearing() or self._refused:
            imgui.set_keyboard_focus_here()
            self._refused = False
        imgui.set_next_item_width(wide - 7 * imgui.get_font_size())
        entered, self.name = imgui.input_text("##name", self.name, imgui.InputTextFlags_.enter_returns_true)
        imgui.same_line()
        imgui.text_disabled(f".toml in {self._out}")
        if self._error:
            imgui.text_colored(theme.WARNING, self._error)
        width = share(2)
        if button("Save", "Write the file.", width) or entered:
            self.save()
        imgui.same_line()
        if button("Cancel", "Close without saving. Key: Esc.", width) or imgui.is_key_pressed(imgui.Key.escape):
            self._state.naming = False
        if not self._state.naming:
            imgui.close_current_popup()
        imgui.end_popup()

    def save(self) -> None:
        """Writes the file and closes, or says why it cannot be written."""
        path = self._out / f"{self.name.strip()}.toml"
        if not self.name.strip() or path.name != f"{self.name.strip()}.toml" or "\0" in self.name:
            self._refuse("This is not a valid file name.")
        elif path.exists():
            self._refuse(f"{path} already exists: choose another name.")
        else:
            self._view.submit(save_scene, path, self._view.notify)
            self._state.naming = False

    def _refuse(self, why: str) -> None:
        self._error, self._refused = why, True
