"""The panel's group about comparisons: off, shadow or race, and which methods."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import ImVec2, imgui

from app.cli.validation import PANES
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import tip
from app.ui.ui_state import Interaction
from app.ui.widgets import mark
from app.worker.worker import Comparing, Worker
from precond.figures import method_style

MODES = (
    ("off", "Off", "One solver."),
    ("shadow", "Shadow", "All methods solve every pressure system, the fluid follows one of them."),
    ("race", "Race", "A fluid for each method, from the present state, each as fast as its solver allows."),
)


class ComparePanel:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction, reasons: dict[str, str | None]) -> None:
        self._worker, self._state, self._reasons = worker, state, reasons
        first = worker.comparing
        if first.mode == "off":  # what the command line has chosen is checked already
            here = tuple(name for name in first.methods if not reasons.get(name))
            worker.compare(replace(first, methods=here))

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group: a line."""
        comparing = self._worker.comparing
        for mode, label, hint in MODES:
            if mode != "off":
                imgui.same_line(0, 4)
            chosen = comparing.mode == mode
            if chosen:
                imgui.push_style_color(imgui.Col_.button, theme.color("#2f6f6c"))
            if imgui.button(label) and not chosen:
                self._worker.compare(replace(comparing, mode=mode))
            if chosen:
                imgui.pop_style_color()
            tip(hint)
            if mode == "shadow":
                mark(self._state, "compare")
        imgui.same_line()
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##methods", ", ".join(comparing.methods), imgui.ComboFlags_.height_large):
            for name, reason in self._reasons.items():
                self._method(comparing, name, reason)
            imgui.end_combo()
        else:
            tip("Which methods, four at most.")

    def _method(self, comparing: Comparing, name: str, reason: str | None) -> None:
        """A line of the list: a box to tick, disabled where it cannot be."""
        chosen = name in comparing.methods
        if not reason and not chosen and len(comparing.methods) >= PANES:
            reason = f"{PANES} are the most: take another away first"
        if not reason and chosen and len(comparing.methods) == 1:
            reason = "one has to stay"
        imgui.begin_disabled(bool(reason))
        (x, y), side = imgui.get_cursor_screen_pos(), imgui.get_text_line_height()
        imgui.dummy(ImVec2(side, side))
        shade = theme.packed(theme.color(method_style.color(name)), 1.0 if chosen else 0.35)
        imgui.get_window_draw_list().add_circle_filled((x + side / 2, y + side / 2), 0.3 * side, shade)
        imgui.same_line(0, 4)
        changed, _ = imgui.checkbox(f"{method_style.title(name)}##{name}", chosen)
        imgui.end_disabled()
        if reason and imgui.is_item_hovered(imgui.HoveredFlags_.allow_when_disabled):
            imgui.set_tooltip(reason)
        if changed:
            wanted = set(comparing.methods) ^ {name}
            self._worker.compare(replace(comparing, methods=tuple(n for n in self._reasons if n in wanted)))
