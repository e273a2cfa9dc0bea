"""The panel's group about the scene: which one, on which grid, and its clock."""

from __future__ import annotations

import math
from pathlib import Path

from imgui_bundle import imgui

from app.session import grid_presets
from app.session.scene_commands import change_scene
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui.tooltips import NUMBERS, tip
from app.ui.ui_state import UiState
from app.ui.widgets import note, row
from app.worker.view_model import ViewModel
from sim.grid import with_rows
from sim.scenes import reader as scene_reader

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, math.inf)


class ScenePanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState, out: Path) -> None:
        self._view, self._state, self._out = view, state, out
        self._scenes = scene_reader.names()
        self._saved: tuple[Path, ...] = ()  # scenes in the folder
        self._size = ""  # as typed

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        imgui.set_next_item_width(0.6 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##scene", snapshot.scene.title):
            self._list(snapshot)
            imgui.end_combo()
        else:
            self._saved = ()
        tip("Built-in scenes, and scenes saved in the folder out.")
        imgui.same_line()
        imgui.set_next_item_width(-1)
        ny, nx = snapshot.grid.shape
        if imgui.begin_combo("##grid", f"{ny} x {nx}", imgui.ComboFlags_.height_large):
            self._sizes(snapshot)
            imgui.end_combo()
        tip(NUMBERS["grid"])
        note(self._state, snapshot.scene.sentence)
        view = self._view
        pressed = row((
            ("Resume" if view.paused else "Pause", "Pause or resume. Key: Space.", True),
            ("Step", "Make one frame, then pause. Key: full stop.", True),
            ("Reset", "Back to time zero. Key: R.", True),
        ), self._state, "clock")  # fmt: skip
        if pressed == 0:
            view.set_paused(not view.paused)
        elif pressed == 1:
            view.step_once()
        elif pressed == 2:
            view.submit(Session.reset)
        self._speed()

    def _speed(self) -> None:
        """How fast the clock may run."""
        view = self._view
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##speed", speed_text(view.speed)):
            for speed in SPEEDS:
                if imgui.selectable(speed_text(speed), speed == view.speed)[0]:
                    view.set_speed(speed)
            imgui.end_combo()
        else:
            tip(NUMBERS["speed"])

    def _list(self, snapshot: Snapshot) -> None:
        """The scenes to choose from."""
        if imgui.is_window_appearing():
            self._saved = tuple(sorted(self._out.glob("*.toml")))
        for name in self._scenes:
            chosen = name == snapshot.scene.name
            if imgui.selectable(name, chosen)[0]:
                self._view.submit(change_scene, name, self._view.rows)
        for path in self._saved:
            if imgui.selectable(f"{path.stem}   ({path})", False)[0]:
                self._view.submit(change_scene, path, 0)

    def _sizes(self, snapshot: Snapshot) -> None:
        """The grids to choose from, and a field for any other."""
        scene, view = snapshot.scene, self._view
        options = [("The scene's own", scene.grid, 0)]
        options += [(p.name, with_rows(scene.grid, p.rows), p.rows) for p in grid_presets.PRESETS]
        for name, shape, rows in options:
            label = f"{name}: {shape[0]} x {shape[1]}"
            if imgui.selectable(label, shape == snapshot.grid.shape)[0]:
                view.choose_rows(rows)
                view.set_grid(shape)
        imgui.set_next_item_width(8 * imgui.get_font_size())
        entered, self._size = imgui.input_text_with_hint(
            "##own size", "e.g. 80x120", self._size, imgui.InputTextFlags_.enter_returns_true
        )
        tip("Rows x columns, 16 to 2048 each. Press Enter.")
        if entered:
            try:
                view.set_grid(grid_presets.parsed(self._size))
                view.choose_rows(0)
            except ValueError as error:
                view.notify(error)
            imgui.close_current_popup()


def speed_text(speed: float) -> str:
    """What the list of speeds says."""
    if math.isinf(speed):
        return "As fast as possible"
    return "Real time" if speed == 1.0 else f"{speed:g} x real time"
