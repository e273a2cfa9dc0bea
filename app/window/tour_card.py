"""Draws the tour: a small card in a corner of the fluid, and frames around controls."""

from __future__ import annotations

from typing import Any

from imgui_bundle import ImVec2, imgui

from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.ui_state import UiState
from app.ui.widgets import button
from app.window.tour import STEPS, Facts, Tour
from app.worker.view_model import ViewModel

FLAGS = (
    imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_docking | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_focus_on_appearing | imgui.WindowFlags_.no_nav
)  # fmt: skip
WIDTH = 19.0  # of the card, in letters' heights


class TourCard:
    """Draws into windows of its own, over all others."""

    def __init__(self, tour: Tour, state: UiState, view: ViewModel) -> None:
        self._tour, self._state, self._view = tour, state, view
        self._shown = 0  # the step whose sections were opened
        self._before: set[str] = set()  # sections that the user had folded

    def draw(self, snapshot: Snapshot, recording: bool, corner: tuple[float, float]) -> None:
        """`corner`: the lower left one of the place for the card."""
        tour = self._tour
        if tour.look(facts(snapshot, recording, self._view.comparing.mode)):
            self._view.notify("End of the tour. Press H for all keys; point at a number to see what it means.")
        if self._shown != tour.number:  # once for each step, so that the user may fold and open sections
            self._before = set(self._state.closed) if self._shown == 0 else self._before
            self._state.closed, self._shown = tour.closed(self._before), tour.number
        if tour.step is None and not tour.offered:
            return
        imgui.set_next_window_pos(ImVec2(*corner), imgui.Cond_.always, ImVec2(0, 1))
        imgui.push_style_color(imgui.Col_.window_bg, theme.color("#1d222a", 0.96))
        imgui.push_style_var(imgui.StyleVar_.window_rounding, 6 * theme.unit())
        if imgui.begin("##tour", None, FLAGS)[0]:
            if tour.step is None:
                self._offer()
            else:
                self._step()
        imgui.end()
        imgui.pop_style_var()
        imgui.pop_style_color()

    def _offer(self) -> None:
        imgui.text("New here?")
        imgui.same_line()
        if button("Take the tour", "One minute: flow, solvers, contrast, comparison. You can also start it from Help."):
            self._tour.start()
        imgui.same_line()
        if button("No, thanks", "Don't ask again."):
            self._tour.end()

    def _step(self) -> None:
        tour, step = self._tour, self._tour.step
        assert step is not None
        wide = WIDTH * imgui.get_font_size()
        imgui.push_font(self._state.fonts.bold, theme.SMALL)
        imgui.text_colored(theme.ACCENT, f"TOUR  {tour.number} / {len(STEPS)}")
        imgui.pop_font()
        imgui.push_text_wrap_pos(wide)
        imgui.text_unformatted(step.sentence)
        imgui.pop_text_wrap_pos()
        last = tour.number == len(STEPS)
        if button("Done" if last else "Next", "Skip this step."):
            tour.skip()
        imgui.same_line()
        if button("End tour", "You can start it again from Help."):
            tour.end()
        for name in step.marks:
            if name in self._state.marks:
                frame(self._state.marks[name])


def frame(place: tuple[float, float, float, float]) -> None:
    """A bright line around a control."""
    left, top, right, bottom = place
    edge = 3 * theme.unit()
    ink = imgui.get_foreground_draw_list()
    ink.add_rect((left - edge, top - edge), (right + edge, bottom + edge), theme.packed(theme.WARNING), 2 * edge,
                 thickness=2 * theme.unit())  # fmt: skip


def facts(snapshot: Snapshot, recording: bool, mode: str) -> Facts:
    """What decides whether a step of the tour is done."""
    solutions = snapshot.frame.stats.solutions
    used: Any = solutions[-1] if solutions else None
    densities = snapshot.settings.densities
    contrast = max(densities) / min(densities)
    return Facts(snapshot.frame.time, used.preconditioner_used if used else "", contrast, mode != "off", recording)
