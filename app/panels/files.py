"""The panel's groups about files, notices and the window itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from imgui_bundle import imgui

from app.panels.open_list import OpenList
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.actions import Actions
from app.ui.settings import BUDGET_MAX, CAPTURES, SCALES
from app.ui.tooltips import tip
from app.ui.ui_state import UiState
from app.ui.widgets import button, note, row, track
from app.worker.view_model import ViewModel


class FilesPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState, actions: Actions, out: Path) -> None:
        self._view, self._state, self._actions = view, state, actions
        self._open_list = OpenList(out)

    def draw(self, snapshot: Snapshot) -> None:
        """Videos, pictures, states, fields and plots."""
        actions = self._actions
        run((
            ("Stop", "Stop recording and finish the video in the folder out. Key: F9.", actions.toggle_recording)
            if actions.recording else
            ("Record", "Record the fluid, to play in real time, into the folder out. Key: F9, with Shift the whole "
             "window.", actions.toggle_recording),
            ("Picture", "Save a picture of the fluid in the folder out. Key: F12, with Shift of the whole window.",
             actions.take_screenshot),
            ("Save", "Save the state of the fluid in the folder out, to continue from it later.", actions.save_state),
            ("Open ...", "Open a saved state, a scene or a log. Or drop its file on the window.", self._open_list.show),
        ), self._state, "record")  # fmt: skip
        self._open_list.draw(actions.open_file)
        self._capture_size()
        run((
            ("Fields .npz", "Export density, velocity, pressure and fractions of this frame for NumPy.",
             lambda: actions.export_fields(".npz")),
            ("Fields .vti", "Export the fields of this frame as VTK image data for ParaView.",
             lambda: actions.export_fields(".vti")),
            ("Plots", "Save the plots as a picture (png) and their numbers (csv).", actions.export_plots),
        ))  # fmt: skip

    def _capture_size(self) -> None:
        state = self._state
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##capture", f"pictures and recordings {state.capture} pixels high"):
            for rows in CAPTURES:
                if imgui.selectable(f"{rows}##capture", rows == state.capture)[0]:
                    state.capture = rows
            imgui.end_combo()
        tip("Size of pictures and recordings of the fluid; their width follows from the domain.")

    def draw_notices(self, snapshot: Snapshot) -> None:
        """All notices, the newest first."""
        notices = self._view.notices.newest_first()
        if not notices:
            note(self._state, "No notices.")
            return
        for notice in notices[:12]:
            times = f"  ({notice.count} times)" if notice.count > 1 else ""
            note(self._state, f"{notice.clock}  {notice.text}{times}", theme.INK)
        if button("Clear", "Remove all notices."):
            self._view.notices.clear()

    def draw_window(self, snapshot: Snapshot) -> None:
        """Text size, help, tour, and reset."""
        state = self._state
        imgui.set_next_item_width(-1)
        percent = round(100 * state.scale)
        changed, percent = imgui.slider_int(
            "##scale", percent, round(100 * SCALES[0]), round(100 * SCALES[1]), "Text size %d %%"
        )
        if imgui.is_item_deactivated_after_edit() or (changed and not imgui.is_item_active()):
            theme.set_scale(state.scale)
        if changed:
            state.scale = min(max(percent / 100, SCALES[0]), SCALES[1])
        track((state.scale - SCALES[0]) / (SCALES[1] - SCALES[0]))
        tip("Size of text and controls, on top of the scaling of the display.")
        imgui.set_next_item_width(-1)
        changed, budget = imgui.slider_int(
            "##timeline", state.timeline, 0, BUDGET_MAX, "Time line %d MB", imgui.SliderFlags_.logarithmic
        )
        if changed:
            state.timeline = min(max(budget, 0), BUDGET_MAX)
            self._view.submit(Session.set_timeline_budget, state.timeline << 20)
        track(math.log1p(state.timeline) / math.log1p(BUDGET_MAX))
        tip("Memory for frames to go back to. A frame of 96 x 128 cells takes 0.4 MB. 0 switches the time line off.")
        run(
            (
                ("Help", "All keys and mouse tools. Key: H.", self._actions.toggle_help),
                ("Tour", "A guided tour in four steps.", self._actions.start_tour),
                (
                    "Reset settings",
                    "Reset text size, layout, brush and grid to defaults.",
                    self._actions.reset_settings,
                ),
            )
        )


Entries = tuple[tuple[str, str, Callable[[], None]], ...]


def run(entries: Entries, state: UiState | None = None, first: str = "") -> None:
    """A row of buttons with their tooltips and actions; `first` as for `row`."""
    pressed = row([(label, hint, True) for label, hint, _ in entries], state, first)
    if pressed is not None:
        entries[pressed][2]()
