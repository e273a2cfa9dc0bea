"""The panel's group about the pressure solver: method, tolerance, and how the last solve ended."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from imgui_bundle import imgui

import precond
from app.session.snapshot import Snapshot
from app.solving.advice import Advice
from app.solving.choice import AUTO
from app.ui import method_list, theme
from app.ui.tooltips import NUMBERS, tip, tip_in
from app.ui.ui_state import UiState
from app.ui.widgets import mark, note, track
from app.worker.view_model import ViewModel
from precond.figures import method_style

TOLERANCES = (1e-2, 1e-12)  # from loose to tight


class SolverPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState, reasons: dict[str, str | None]) -> None:
        """reasons: by method, why it cannot be chosen; None where it can."""
        self._view, self._state, self._reasons = view, state, reasons

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        solutions = snapshot.frame.stats.solutions
        last = solutions[-1] if solutions else None
        if last is not None:
            self._status(last)
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        self._methods(snapshot)
        imgui.same_line()
        imgui.set_next_item_width(-1)
        self._tolerance()
        self._numbers(
            ("iterations", str(last.iterations) if last else "-"),
            ("max |u|", f"{snapshot.frame.stats.speed_max:.2g} m/s"),
            ("residual", f"{last.residual:.1e}" if last else "-"),
            ("max |div u|", f"{snapshot.frame.stats.divergence_max:.1e} /s"),
        )
        if snapshot.advice is not None and not self._view.in_panes:
            note(self._state, advice_text(snapshot.advice))
            table = "\n".join(f"{method_style.title(name)}: {ms:.2f} ms" for name, ms in snapshot.advice.ms)
            slow = "".join(f"\n{method_style.title(name)}: far more" for name in snapshot.advice.too_slow)
            tip(f"{NUMBERS['advice']}\n{table}{slow}")

    def _methods(self, snapshot: Snapshot) -> None:
        """The list of preconditioners."""
        choice, racing = self._view.choice, self._view.in_panes
        imgui.begin_disabled(racing)  # every pane has its own
        race = snapshot.comparison if racing else None
        own = method_style.title(snapshot.effective_method if choice.precond == AUTO else choice.precond)
        own = f"{AUTO}: {own}" if choice.precond == AUTO else own
        shown = f"first pane: {method_style.title(race.results[0].precond)}" if race else own
        opened = imgui.begin_combo("##preconditioner", shown, imgui.ComboFlags_.height_large)
        mark(self._state, "preconditioner")
        if opened:
            if imgui.selectable(AUTO, choice.precond == AUTO)[0]:
                self._view.choose(replace(choice, precond=AUTO))
            tip("The fastest on this machine, found by measuring a few methods beside the run.")
            name = method_list.pick(self._reasons, choice.precond)
            if name is not None:
                self._view.choose(replace(choice, precond=name))
            imgui.end_combo()
        else:
            alone = "The preconditioner. You can switch it while the fluid flows."
            tip("Every pane has its own. The numbers and plots below are those of the first pane." if racing else alone)
        imgui.end_disabled()  # after the list: within it ImGui ends the program

    def _tolerance(self) -> None:
        choice = self._view.choice
        digits, tight = -math.log10(choice.tol), -math.log10(TOLERANCES[1])
        changed, digits = imgui.slider_float(
            "##tol", digits, -math.log10(TOLERANCES[0]), tight, f"tol {choice.tol:.0e}"
        )
        track((digits + math.log10(TOLERANCES[0])) / (tight + math.log10(TOLERANCES[0])))
        tip(NUMBERS["tolerance"])
        if changed:
            self._view.choose(replace(choice, tol=10.0 ** -round(min(digits, tight))))

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


def advice_text(advice: Advice) -> str:
    """One line: whether another method would be faster here, and by how much."""
    if advice.fastest == advice.used:
        others = [ms / advice.ms[0][1] for name, ms in advice.ms[1:2]]
        return f"The fastest here; the next one takes {others[0]:.1f}x"
    return f"{method_style.title(advice.fastest)} would take {advice.ratio:.2g}x the time"
