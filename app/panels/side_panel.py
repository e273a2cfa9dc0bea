"""The panel beside the fluid: every setting, every number."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgui_bundle import ImVec2, imgui

import precond
from app.panels import plots
from app.panels.compare import ComparePanel
from app.panels.files import Actions, FilesPanel
from app.panels.fluid import FluidPanel
from app.panels.scene import ScenePanel
from app.render.views import VIEWS, Range
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import MAPS_ARE_SAFE, NUMBERS, show, tip, tip_in
from app.ui.ui_state import Interaction
from app.ui.widgets import heading, mark
from app.worker.worker import Worker

TOLERANCES = (1e-2, 1e-12)  # from loose to tight


class Panel:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction, actions: Actions, out: Path) -> None:
        self._worker, self._state = worker, state
        self._fluid, self._files = FluidPanel(worker, state), FilesPanel(worker, state, actions)
        self._scene = ScenePanel(worker, state, out)
        self._show_drift = False  # in the place of iterations
        self._reasons = {name: worker.why_unavailable(name) for name in precond.names()}
        self._compare = ComparePanel(worker, state, self._reasons)

    def draw(self) -> None:
        """The whole panel."""
        snapshot = self._worker.snapshot
        if snapshot is None:
            imgui.text_disabled("Starting ...")
            return
        self._state.marks.clear()
        for title, group in (
            ("Scene", self._scene.draw), ("Pressure solver", self._solver), ("Compare", self._compare.draw),
            ("Milliseconds per frame", self._plots), ("Draw", self._scene.draw_tools), ("View", self._view),
            ("Fluid", self._fluid.draw), ("Files", self._files.draw), ("Notices", self._files.draw_notices),
            ("Window", self._files.draw_window),
        ):  # fmt: skip
            imgui.push_id(title)
            if heading(self._state, title, self._beside(title, snapshot)):
                group(snapshot)
            imgui.pop_id()
        self._scene.draw_naming(snapshot)

    def _beside(self, title: str, snapshot: Snapshot) -> str:
        """A word at the right end of a heading."""
        if title == "Notices":
            count = len(self._worker.notices.newest_first())
            return str(count) if count else ""
        if title == "Draw" and snapshot.at_start:
            return "at the scene's start"
        if title == "Fluid" and title in self._state.closed:
            return f"density {max(snapshot.densities) / min(snapshot.densities):.3g} : 1"
        return ""

    def _solver(self, snapshot: Snapshot) -> None:
        choice, solutions = self._worker.choice, snapshot.frame.stats.solutions
        last = solutions[-1] if solutions else None
        if last is not None:
            self._status(last)
        racing = self._worker.comparing.mode == "race"
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        imgui.begin_disabled(racing)  # every pane has its own
        board = snapshot.board if racing else None
        shown = f"first pane: {board.standings[0].precond}" if board else choice.precond
        opened = imgui.begin_combo("##preconditioner", shown)
        mark(self._state, "preconditioner")
        if opened:
            for name, reason in self._reasons.items():
                flags = imgui.SelectableFlags_.disabled if reason else 0
                if imgui.selectable(name, name == choice.precond, flags)[0]:
                    self._worker.choose(replace(choice, precond=name))
                if reason:
                    tip(reason)
            imgui.end_combo()
        else:
            alone = "The preconditioner: switch it while the fluid flows."
            tip("Every pane has its own; numbers and plots below are the first one's." if racing else alone)
        imgui.end_disabled()  # after the list: within it ImGui ends the program
        imgui.same_line()
        imgui.set_next_item_width(-1)
        digits, tight = -math.log10(choice.tol), -math.log10(TOLERANCES[1])
        changed, digits = imgui.slider_float(
            "##tol", digits, -math.log10(TOLERANCES[0]), tight, f"tol {choice.tol:.0e}"
        )
        tip(NUMBERS["tolerance"])
        if changed:
            self._worker.choose(replace(choice, tol=10.0 ** -round(min(digits, tight))))
        self._numbers(
            ("iterations", str(last.iterations) if last else "-"),
            ("max |u|", f"{snapshot.frame.stats.speed_max:.2g} m/s"),
            ("residual", f"{last.residual:.1e}" if last else "-"),
            ("max |div u|", f"{snapshot.frame.stats.divergence_max:.1e} /s"),
        )

    def _status(self, solution: Any) -> None:
        """How the last solve ended, on the heading's line."""
        word, _, advice = solution.status.value.partition(":")
        fine = solution.status is precond.Status.CONVERGED
        attempts = " > ".join(
            f"{name} {status.name.lower().replace('_', ' ')}" for name, status, _ in solution.attempts
        )
        text = word.lower() if len(solution.attempts) < 2 else attempts
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        size, low, high = imgui.calc_text_size(text), imgui.get_item_rect_min(), imgui.get_item_rect_max()
        tint = theme.DIM if fine and len(solution.attempts) < 2 else theme.WARNING
        imgui.get_window_draw_list().add_text((high.x - size.x, low.y), theme.packed(tint), text)
        imgui.pop_font()
        tip_in((high.x - size.x, low.y), (high.x, high.y), advice.strip().capitalize())

    def _plots(self, snapshot: Snapshot) -> None:
        unit = theme.unit()
        plots.stage_times(snapshot, 54 * unit)
        half, height = imgui.get_content_region_avail().x / 2 - 4 * unit, 84 * unit
        still = imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
        imgui.begin_child("residuals", ImVec2(half, height), 0, still)
        self._caption("residual of the last solve")
        plots.residuals(snapshot, 64 * unit)
        imgui.end_child()
        tip(f"{NUMBERS['residual']} By iteration; the line across is the tolerance.")
        imgui.same_line()
        imgui.begin_child("history", ImVec2(half, height), 0, still)
        self._caption("volume drift, ppm" if self._show_drift else "iterations per solve")
        (plots.drift if self._show_drift else plots.iterations)(snapshot, 64 * unit)
        imgui.end_child()
        if imgui.is_item_hovered():
            show(f"{NUMBERS['drift' if self._show_drift else 'iterations']} "
                 f"Click for {'iterations' if self._show_drift else 'volume drift'}.")  # fmt: skip
            if imgui.is_mouse_clicked(imgui.MouseButton_.left):
                self._show_drift = not self._show_drift

    def _view(self, snapshot: Snapshot) -> None:
        state = self._state
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##view", f"{state.view.name} {state.view.unit and '[' + state.view.unit + ']'}"):
            for k, view in enumerate(VIEWS):
                if imgui.selectable(f"{view.name}##{k}", view is state.view)[0]:
                    state.look_at(view)
            imgui.end_combo()
        else:
            tip(f"What is shown: keys 1 to {len(VIEWS)}. {MAPS_ARE_SAFE}")
        if state.view.field is None:
            return
        imgui.same_line()
        _, state.automatic = imgui.checkbox("automatic range", state.automatic)
        tip(NUMBERS["range"])
        if state.automatic:
            return
        imgui.set_next_item_width(-1)
        changed, (low, high) = imgui.input_float2("##range", [state.limits.low, state.limits.high], "%.4g")
        tip(NUMBERS["range"])
        if changed and low < high:
            state.limits = Range(low, high)

    # Pieces ----------------------------------------------------------------------------------------------------------

    def _caption(self, text: str) -> None:
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        imgui.text_colored(theme.DIM, text)
        imgui.pop_font()

    def _numbers(self, *pairs: tuple[str, str]) -> None:
        """Labels and values in two columns."""
        gap = 6 * theme.unit()
        room, left = imgui.get_content_region_avail().x, imgui.get_cursor_pos_x()
        columns = 2 if room > 280 * theme.unit() else 1
        half = room / columns
        for k, (label, value) in enumerate(pairs):
            x = left + (k % columns) * (half + gap)
            if k % columns:
                imgui.same_line(x)
            imgui.text_colored(theme.DIM, label)
            low = imgui.get_item_rect_min()
            imgui.same_line(x + half - 2 * gap - imgui.calc_text_size(value).x)
            imgui.text(value)
            high = imgui.get_item_rect_max()
            tip_in((low.x, low.y), (high.x, high.y), NUMBERS[label])
            if label == "iterations":
                self._state.marks[label] = low.x, low.y, high.x, high.y
