"""The panel's groups about what is kept: files, notices, and the window's own settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from imgui_bundle import imgui

from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.settings import SCALES
from app.ui.tooltips import tip
from app.ui.ui_state import Interaction
from app.ui.widgets import button, note, row
from app.worker.worker import Worker


class Actions(Protocol):
    """What the panel asks of the window."""

    @property
    def recording(self) -> bool: ...
    def toggle_recording(self) -> None: ...
    def take_screenshot(self) -> None: ...
    def save_state(self) -> None: ...
    def load_state(self) -> None: ...
    def export_fields(self, suffix: str) -> None: ...
    def export_plots(self) -> None: ...
    def reset_settings(self) -> None: ...
    def start_tour(self) -> None: ...
    def toggle_help(self) -> None: ...


class FilesPanel:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction, actions: Actions) -> None:
        self._worker, self._state, self._actions = worker, state, actions

    def draw(self, snapshot: Snapshot) -> None:
        """Videos, pictures, states, fields and plots."""
        actions = self._actions
        run((
            ("End" if actions.recording else "Record", "Video of the window, in the folder out: F9.",
             actions.toggle_recording),
            ("Picture", "Picture of the window, in the folder out: F12.", actions.take_screenshot),
            ("Save", "Save the state of the fluid, to go on later, in the folder out.", actions.save_state),
            ("Load", "Go on with the newest saved state. Any other: drop its file on the window.", actions.load_state),
        ), self._state, "record")  # fmt: skip
        run((
            ("Fields .npz", "Export fields: density, velocity, pressure and fractions of this moment for NumPy.",
             lambda: actions.export_fields(".npz")),
            ("Fields .vti", "Export fields of this moment as VTK image data, which ParaView opens.",
             lambda: actions.export_fields(".vti")),
            ("Plots", "The plots' numbers as csv and a picture of them as png.", actions.export_plots),
        ))  # fmt: skip

    def draw_notices(self, snapshot: Snapshot) -> None:
        """All that was said, the newest first."""
        notices = self._worker.notices.newest_first()
        if not notices:
            note(self._state, "Nothing to report.")
            return
        for notice in notices[:12]:
            times = f"  ({notice.count} times)" if notice.count > 1 else ""
            note(self._state, f"{notice.clock}  {notice.text}{times}", theme.INK)
        if button("Clear", "Forget these."):
            self._worker.notices.clear()

    def draw_window(self, snapshot: Snapshot) -> None:
        """Size of the interface, help, tour, and back to how it came."""
        state = self._state
        imgui.set_next_item_width(-1)
        percent = round(100 * state.scale)
        changed, percent = imgui.slider_int(
            "##scale", percent, round(100 * SCALES[0]), round(100 * SCALES[1]), "letters %d %% of usual"
        )
        if imgui.is_item_deactivated_after_edit() or (changed and not imgui.is_item_active()):
            theme.set_scale(state.scale)
        if changed:
            state.scale = min(max(percent / 100, SCALES[0]), SCALES[1])
        tip("Size of letters and controls, besides what the display asks for.")
        run(
            (
                ("Help", "All keys and mouse tools: H.", self._actions.toggle_help),
                ("Tour", "Four steps through the window.", self._actions.start_tour),
                ("Reset settings", "Size, layout, brush and grid as on the first day.", self._actions.reset_settings),
            )
        )


Entries = tuple[tuple[str, str, Callable[[], None]], ...]


def run(entries: Entries, state: Interaction | None = None, first: str = "") -> None:
    """A row of buttons, each with what it does; `first` as for `row`."""
    pressed = row([(label, hint, True) for label, hint, _ in entries], state, first)
    if pressed is not None:
        entries[pressed][2]()
