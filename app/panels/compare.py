"""The panel's group about comparisons: off, shadow, race or branches, and of what."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from app.panels.branches import BranchRows
from app.session.snapshot import Snapshot
from app.solving.choice import METHODS_MAX, ComparisonChoice
from app.ui import method_list, theme
from app.ui.tooltips import tip
from app.ui.ui_state import UiState
from app.ui.widgets import mark, note
from app.worker.view_model import ViewModel
from precond.figures import method_style

MODES = (
    ("off", "Off", "One method, one fluid."),
    (
        "shadow",
        "Shadow",
        "One fluid: every method solves each of its pressure systems, and the fluid follows one of them.",
    ),
    ("race", "Race", "One fluid per method, all from the current state, each as fast as its solver allows."),
    (
        "branch",
        "Branch",
        "Up to four fluids from this moment, in step: another method, tolerance or density, or too few iterations.",
    ),
)


class ComparePanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState, reasons: dict[str, str | None]) -> None:
        self._view, self._state, self._reasons = view, state, reasons
        self._branches = BranchRows(view, state, reasons)
        first = view.comparing
        if first.mode == "off":  # what the command line has chosen is checked already
            here = tuple(name for name in first.methods if not reasons.get(name))
            view.compare(methods=here)

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group: on one line, but for branches."""
        comparing = self._view.comparing
        for mode, label, hint in MODES:
            if mode != "off":
                imgui.same_line(0, 4)
            chosen = comparing.mode == mode
            if chosen:
                imgui.push_style_color(imgui.Col_.button, theme.color("#2f6f6c"))
            if imgui.button(label) and not chosen:
                self._view.compare(mode)
            if chosen:
                imgui.pop_style_color()
            tip(hint)
            if mode == "shadow":
                mark(self._state, "compare")
        if comparing.mode == "branch":
            self._branches.draw(snapshot)
            return
        imgui.same_line()
        imgui.set_next_item_width(-1)
        preview = ", ".join(map(method_style.title, comparing.methods))
        if imgui.begin_combo("##methods", preview, imgui.ComboFlags_.height_large):
            for name, reason in method_list.entries(self._reasons):
                self._method(comparing, name, reason)
            imgui.end_combo()
        else:
            tip("The methods to compare, four at most.")
        if comparing.mode == "shadow" and snapshot.method not in comparing.methods:
            followed = method_style.title(snapshot.method)
            note(self._state, f"The fluid follows {followed}, which is not among the compared.", theme.WARNING)

    def _method(self, comparing: ComparisonChoice, name: str, reason: str | None) -> None:
        """A line of the list: a box to tick, disabled where it cannot be changed."""
        chosen = name in comparing.methods
        if not reason and not chosen and len(comparing.methods) >= METHODS_MAX:
            reason = f"At most {METHODS_MAX} methods: remove another first"
        if not reason and chosen and len(comparing.methods) == 1:
            reason = "Keep at least one method"
        imgui.begin_disabled(bool(reason))
        (x, y), side = imgui.get_cursor_screen_pos(), imgui.get_text_line_height()
        imgui.dummy(ImVec2(side, side))
        shade = theme.packed(theme.color(method_style.color(name)), 1.0 if chosen else 0.35)
        imgui.get_window_draw_list().add_circle_filled((x + side / 2, y + side / 2), 0.3 * side, shade)
        imgui.same_line(0, 4)
        changed, _ = imgui.checkbox(method_list.label(name), chosen)
        imgui.end_disabled()
        method_list.explain(name, reason)
        if changed:
            wanted = set(comparing.methods) ^ {name}
            self._view.compare(methods=tuple(n for n in self._reasons if n in wanted))
