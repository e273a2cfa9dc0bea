"""The panel's groups about the scene: which one, how many cells, what is drawn into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from imgui_bundle import imgui

from app.panels.fluid import swatch
from app.session import grid_presets
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import NUMBERS, tip
from app.ui.ui_state import Interaction
from app.ui.widgets import button, note, row, share
from app.worker.worker import Worker
from sim.scenes import reader as scene_reader
from sim.scenes import writer

BUTTONS = 2  # phases with a button of their own; more are chosen from a list, or the buttons take two lines
AT_START = "What is drawn before the scene starts belongs to it: Save as scene keeps it, R brings it back."
LATER = (
    "The scene has started: what is poured now flows on and is not part of the scene. Walls can still be undone. "
    "Start over goes back to where drawing counts."
)


class ScenePanel:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction, out: Path) -> None:
        self._worker, self._state, self._out = worker, state, out
        self._scenes = scene_reader.names()
        self._own: tuple[Path, ...] = ()  # scenes that were saved here
        self._size = ""  # as typed
        self._name, self._trouble = "my-scene", ""

    def draw(self, snapshot: Snapshot) -> None:
        """Scene, size, and the clock's buttons."""
        imgui.set_next_item_width(0.6 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##scene", snapshot.scene.title):
            self._list(snapshot)
            imgui.end_combo()
        else:
            self._own = ()
        tip("The scenes that come with the program, and those saved in the folder out.")
        imgui.same_line()
        imgui.set_next_item_width(-1)
        ny, nx = snapshot.grid.shape
        if imgui.begin_combo("##grid", f"{ny} x {nx}", imgui.ComboFlags_.height_large):
            self._sizes(snapshot)
            imgui.end_combo()
        tip(NUMBERS["grid"])
        note(self._state, snapshot.scene.sentence)
        worker = self._worker
        pressed = row((
            ("Go on" if worker.paused else "Pause", "Pause or go on: Space.", True),
            ("Step", "One frame, then pause: the key with the full stop.", True),
            ("Reset", "Back to the scene's start: R.", True),
        ), self._state, "clock")  # fmt: skip
        if pressed == 0:
            worker.set_paused(not worker.paused)
        elif pressed == 1:
            worker.step_once()
        elif pressed == 2:
            worker.submit(Session.reset)

    def _list(self, snapshot: Snapshot) -> None:
        if imgui.is_window_appearing():
            self._own = tuple(sorted(self._out.glob("*.toml")))
        for name in self._scenes:
            chosen = name == snapshot.scene.name
            if imgui.selectable(name, chosen)[0]:
                self._worker.submit(change_scene, name, self._worker.rows)
        for path in self._own:
            if imgui.selectable(f"{path.stem}   ({path})", False)[0]:
                self._worker.submit(change_scene, path, 0)

    def _sizes(self, snapshot: Snapshot) -> None:
        scene, worker = snapshot.scene, self._worker
        options = [("The scene's own", scene.grid, 0)]
        options += [(p.name, grid_presets.grid_of(scene, p.rows), p.rows) for p in grid_presets.PRESETS]
        for name, shape, rows in options:
            label = f"{name}: {shape[0]} x {shape[1]}"
            if imgui.selectable(label, shape == snapshot.grid.shape)[0]:
                worker.rows = rows
                worker.set_grid(shape)
                preset = grid_presets.preset_of(shape)
                if rows and preset is not None:
                    worker.choose(replace(worker.choice, tol=preset.tol))
        imgui.set_next_item_width(8 * imgui.get_font_size())
        entered, self._size = imgui.input_text_with_hint(
            "##own size", "e.g. 80x120", self._size, imgui.InputTextFlags_.enter_returns_true
        )
        tip("Rows x columns, 16 to 2048 each, then Enter.")
        if entered:
            try:
                worker.set_grid(grid_presets.parsed(self._size))
                worker.rows = 0
            except ValueError as error:
                worker.say(error)
            imgui.close_current_popup()

    # Drawing ---------------------------------------------------------------------------------------------------------

    def draw_tools(self, snapshot: Snapshot) -> None:
        """Tools, brush, undo, and the way into a file."""
        state, phases = self._state, snapshot.scene.phases
        few = len(phases) <= BUTTONS
        self._tool("push", "Push", "The fluid follows the mouse.")
        if few:
            for k, phase in enumerate(phases):
                self._tool("pour", phase.name.capitalize(), f"Pour {phase.name}.", k)
        self._tool("solid", "Wall", "Build walls.")
        self._tool("erase", "Erase", "Take walls away.")
        self._tool("drag", "Move", "Press on a wall and drag it.")
        if not few:
            self._pour_from_list(snapshot)
        imgui.set_next_item_width(imgui.get_content_region_avail().x - 5.2 * imgui.get_font_size())
        percent = 100 * state.radius
        changed, percent = imgui.slider_float("##radius", percent, 1.0, 20.0, "radius %.0f %% of the height")
        if changed:
            state.set_radius(percent / 100)
        tip(NUMBERS["radius"])
        imgui.same_line()
        _, state.mirror = imgui.checkbox("Mirror", state.mirror)
        tip("Every stroke is also made on the other side, left and right exchanged: M.")
        self._history(snapshot)

    def _history(self, snapshot: Snapshot) -> None:
        done, undone = snapshot.gestures
        worker, racing = self._worker, self._worker.comparing.mode == "race"
        scope = "anything drawn" if snapshot.at_start else "walls"
        pressed = row((
            ("Undo", f"Take back what was drawn last ({scope}): Ctrl+Z.", done > 0 and not racing),
            ("Redo", "Bring it back: Ctrl+Y.", undone > 0 and not racing),
            ("Start over", f"Pause at the scene's start, where drawing counts. {AT_START}", not snapshot.at_start),
            ("Save ...", f"Save as scene. {AT_START if snapshot.at_start else LATER}", not racing),
        ))  # fmt: skip
        if pressed is None:
            return
        if pressed == 2:
            worker.set_paused(True)
            worker.submit(Session.reset)
        elif pressed == 3:
            self._state.naming = True
        else:
            worker.submit((Session.undo, Session.redo)[pressed])

    def draw_naming(self, snapshot: Snapshot) -> None:
        """The question for a name, while there is one."""
        title = "Save as scene"
        if self._state.naming and not imgui.is_popup_open(title):
            imgui.open_popup(title)
            self._trouble = ""
        center = imgui.get_main_viewport().get_center()
        imgui.set_next_window_pos(center, imgui.Cond_.appearing, (0.5, 0.5))
        if not imgui.begin_popup_modal(title, None, imgui.WindowFlags_.always_auto_resize)[0]:
            return
        wide = 22 * imgui.get_font_size()
        imgui.push_text_wrap_pos(wide)
        imgui.text_unformatted(AT_START if snapshot.at_start else LATER)
        imgui.pop_text_wrap_pos()
        if imgui.is_window_appearing():
            imgui.set_keyboard_focus_here()
        imgui.set_next_item_width(wide - 7 * imgui.get_font_size())
        entered, self._name = imgui.input_text("##name", self._name, imgui.InputTextFlags_.enter_returns_true)
        imgui.same_line()
        imgui.text_disabled(f".toml in {self._out}")
        if self._trouble:
            imgui.text_colored(theme.WARNING, self._trouble)
        width = share(2)
        if button("Save", "Write the file.", width) or entered:
            self._save()
        imgui.same_line()
        if button("Cancel", "Nothing is written: Esc.", width) or imgui.is_key_pressed(imgui.Key.escape):
            self._state.naming = False
        if not self._state.naming:
            imgui.close_current_popup()
        imgui.end_popup()

    def _save(self) -> None:
        path = self._out / f"{self._name.strip()}.toml"
        if not self._name.strip() or path.name != f"{self._name.strip()}.toml" or "\0" in self._name:
            self._trouble = "This cannot be the name of a file."
        elif path.exists():
            self._trouble = f"{path} exists: give another name."
        else:
            self._worker.submit(save_scene, path, self._worker.say)
            self._state.naming = False

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


def change_scene(session: Session, scene: str | Path, rows: int) -> None:
    """Loads a scene on the simulation's thread, with so many rows; 0: its own grid."""
    found = scene_reader.load(scene)
    session.set_scene(found, grid_presets.grid_of(found, rows) if rows else None)


def save_scene(session: Session, path: Path, say: Callable[[str], None]) -> None:
    """Writes the scene with what was drawn at time zero. Raises OSError."""
    path.parent.mkdir(exist_ok=True)
    scene = replace(session.start, title=path.stem)
    writer.write(path, scene)
    say(f"saved {path}: it is among the scenes of the panel")
