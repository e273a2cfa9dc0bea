"""The panel's group about the view: which field is shown, and the range of its colours."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import imgui

from app.render.themes import THEMES
from app.render.views import VIEWS, Range
from app.session.snapshot import Snapshot
from app.ui.tooltips import MAPS_ARE_SAFE, NUMBERS, tip
from app.ui.ui_state import NEWEST, UiState
from app.ui.widgets import track


class ViewPanel:
    """Draws into the current ImGui window."""

    def __init__(self, state: UiState) -> None:
        self._state = state

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        self._look()
        state = self._state
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##view", f"{state.view.name} {state.view.unit and '[' + state.view.unit + ']'}"):
            for k, view in enumerate(VIEWS):
                if imgui.selectable(f"{view.name}##{k}", view is state.view)[0]:
                    state.look_at(view)
            imgui.end_combo()
        else:
            tip(f"What is shown. Keys: 1 to {len(VIEWS)}. {MAPS_ARE_SAFE}")
        if state.view.field is None:
            return
        if state.view.of_solve:
            self._iteration(snapshot)
        if not state.view.of_solve:
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

    def _look(self) -> None:
        """Theme and streamlines."""
        state = self._state
        imgui.set_next_item_width(0.4 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##theme", f"{state.look.theme.name} picture"):
            for theme in THEMES:
                if imgui.selectable(f"{theme.name}##theme", theme is state.look.theme)[0]:
                    state.look = replace(state.look, theme=theme)
            imgui.end_combo()
        tip("Ground of the picture. Liquids keep their colours, which you change under Fluid.")
        imgui.same_line()
        changed, _ = imgui.checkbox("streamlines", state.look.streamlines)
        if changed:
            state.toggle_streamlines()
        tip("Which way the fluid moves at this moment, longer where it is faster. Key: L.")

    def _iteration(self, snapshot: Snapshot) -> None:
        """Of which iteration the error or residual is shown; at the right end, of the last."""
        state, solutions = self._state, snapshot.frame.stats.solutions
        last = max(solutions[-1].iterations if solutions else 0, 1)
        now = last if state.iteration == NEWEST else min(state.iteration, last)
        imgui.set_next_item_width(-1)
        text = f"after all {now} iterations" if state.iteration == NEWEST else f"after {now} of {last} iterations"
        changed, number = imgui.slider_int("##iteration", now, 0, last, text, imgui.SliderFlags_.always_clamp)
        track(now / last)
        tip(NUMBERS["inspection"])
        if changed:
            state.iteration = NEWEST if number == last else number
