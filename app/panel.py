"""The panel beside the fluid: every setting, every number."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol

from imgui_bundle import ImVec2, imgui

import precond
import sim.scene
from app import plots, theme
from app.compare_panel import ComparePanel
from app.fluid_panel import FluidPanel, swatch
from app.interaction import Interaction
from app.session import Session
from app.snapshot import Snapshot
from app.views import VIEWS, Range
from app.worker import Worker

TOLERANCES = (1e-2, 1e-12)  # from loose to tight
BUTTONS = 2  # phases with a button of their own; more are chosen from a list, or the buttons take two lines


class Actions(Protocol):
    """What the panel asks of the window."""

    @property
    def recording(self) -> bool: ...
    def toggle_recording(self) -> None: ...
    def take_screenshot(self) -> None: ...
    def save_state(self) -> None: ...
    def load_state(self) -> None: ...


class Panel:
    """Draws into the current ImGui window."""

    def __init__(self, worker: Worker, state: Interaction, actions: Actions) -> None:
        self._worker, self._state, self._actions = worker, state, actions
        self._fluid = FluidPanel(worker, state)
        self._scenes = sim.scene.names()
        self._show_drift = False  # in the place of iterations
        self._reasons = {name: worker.why_unavailable(name) for name in precond.names()}
        self._compare = ComparePanel(worker, self._reasons)

    def draw(self) -> None:
        """The whole panel."""
        snapshot = self._worker.snapshot
        if snapshot is None:
            imgui.text_disabled("Starting ...")
            return
        for title, group in (
            ("Scene", self._scene), ("Pressure solver", self._solver), ("Compare", self._compare.draw),
            ("Milliseconds per frame", self._plots),
            ("Brush", self._brush), ("Fluid", self._fluid.draw), ("View", self._view), ("Keep", self._keep),
        ):  # fmt: skip
            imgui.push_id(title)
            self._heading(title)
            group(snapshot)
            imgui.pop_id()

    def _heading(self, title: str) -> None:
        imgui.push_font(self._state.fonts.bold, theme.SMALL)
        imgui.text_colored(theme.ACCENT, title.upper())
        imgui.pop_font()

    def _scene(self, snapshot: Snapshot) -> None:
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##scene", snapshot.scene.title):
            for name in self._scenes:
                chosen = name == snapshot.scene.name
                if imgui.selectable(name, chosen)[0] and not chosen:
                    self._worker.submit(change_scene, name)
            imgui.end_combo()
        self._note(snapshot.scene.sentence)
        worker, width = self._worker, (imgui.get_content_region_avail().x - 16) / 3
        if imgui.button("Go on" if worker.paused else "Pause", ImVec2(width, 0)):
            worker.set_paused(not worker.paused)
        imgui.same_line()
        if imgui.button("Step", ImVec2(width, 0)):
            worker.step_once()
        imgui.same_line()
        if imgui.button("Reset", ImVec2(width, 0)):
            worker.submit(Session.reset)

    def _solver(self, snapshot: Snapshot) -> None:
        choice, solutions = self._worker.choice, snapshot.frame.stats.solutions
        last = solutions[-1] if solutions else None
        if last is not None:
            self._status(last)
        racing = self._worker.comparing.mode == "race"
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        imgui.begin_disabled(racing)  # every pane has its own
        opened = imgui.begin_combo("##preconditioner", choice.precond)
        imgui.end_disabled()
        if racing and imgui.is_item_hovered(imgui.HoveredFlags_.allow_when_disabled):
            imgui.set_tooltip("every pane has its own")
        if opened:
            for name, reason in self._reasons.items():
                flags = imgui.SelectableFlags_.disabled if reason else 0
                if imgui.selectable(name, name == choice.precond, flags)[0]:
                    self._worker.choose(replace(choice, precond=name))
                if reason and imgui.is_item_hovered(imgui.HoveredFlags_.allow_when_disabled):
                    imgui.set_tooltip(reason)
            imgui.end_combo()
        imgui.same_line()
        imgui.set_next_item_width(-1)
        digits, tight = -math.log10(choice.tol), -math.log10(TOLERANCES[1])
        changed, digits = imgui.slider_float(
            "##tol", digits, -math.log10(TOLERANCES[0]), tight, f"tol {choice.tol:.0e}"
        )
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
        self._right_align(text)
        imgui.text_colored(theme.DIM if fine and len(solution.attempts) < 2 else theme.WARNING, text)
        imgui.pop_font()
        if imgui.is_item_hovered():
            imgui.set_tooltip(advice.strip().capitalize())

    def _plots(self, snapshot: Snapshot) -> None:
        plots.stage_times(snapshot, 74)
        half = imgui.get_content_region_avail().x / 2 - 4
        imgui.begin_child("residuals", ImVec2(half, 96))
        self._caption("residual of the last solve")
        plots.residuals(snapshot, 78)
        imgui.end_child()
        imgui.same_line()
        imgui.begin_child("history", ImVec2(half, 96))
        self._caption("volume drift, ppm" if self._show_drift else "iterations per solve")
        (plots.drift if self._show_drift else plots.iterations)(snapshot, 78)
        imgui.end_child()
        if imgui.is_item_hovered():
            imgui.set_tooltip("click for " + ("iterations" if self._show_drift else "volume drift"))
            if imgui.is_mouse_clicked(imgui.MouseButton_.left):
                self._show_drift = not self._show_drift

    def _brush(self, snapshot: Snapshot) -> None:
        phases = snapshot.scene.phases
        few = len(phases) <= BUTTONS
        self._tool("push", "Push", "push the fluid along")
        if few:
            for k, phase in enumerate(phases):
                self._tool("pour", phase.name.capitalize(), f"pour {phase.name}", k)
        self._tool("solid", "Wall", "build walls")
        self._tool("erase", "Erase", "take walls away")
        self._tool("drag", "Move", "press on a wall and drag it")
        if not few:
            self._pour_from_list(snapshot)
        imgui.set_next_item_width(-1)
        _, percent = imgui.slider_float("##radius", 100 * self._state.radius, 1.0, 20.0, "radius %.0f %% of the height")
        self._state.radius = percent / 100

    def _tool(self, tool: str, label: str, hint: str, phase: int | None = None) -> None:
        """A button, on the line of the one before it where there is room."""
        state = self._state
        chosen = state.tool == tool and phase in (None, state.phase)
        right = imgui.get_item_rect_max().x + imgui.calc_text_size(label).x + 24
        if tool != "push" and right < imgui.get_window_pos().x + imgui.get_window_width() - 12:
            imgui.same_line()
        if chosen:
            imgui.push_style_color(imgui.Col_.button, theme.color("#2f6f6c"))
        if imgui.button(f"{label}###{tool}{phase}"):
            state.tool, state.phase = tool, state.phase if phase is None else phase
        if chosen:
            imgui.pop_style_color()
        if imgui.is_item_hovered():
            imgui.set_tooltip(hint)

    def _pour_from_list(self, snapshot: Snapshot) -> None:
        state, phases = self._state, snapshot.scene.phases
        chosen = phases[min(state.phase, len(phases) - 1)]
        self._tool("pour", "Pour", f"pour {chosen.name}")
        imgui.same_line()
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##pour", chosen.name.capitalize()):
            for k, phase in enumerate(phases):
                swatch(phase)
                imgui.same_line(0, 6)
                if imgui.selectable(phase.name.capitalize(), phase is chosen)[0]:
                    state.tool, state.phase = "pour", k
            imgui.end_combo()

    def _view(self, snapshot: Snapshot) -> None:
        state = self._state
        imgui.set_next_item_width(0.55 * imgui.get_content_region_avail().x)
        if imgui.begin_combo("##view", f"{state.view.name} {state.view.unit and '[' + state.view.unit + ']'}"):
            for k, view in enumerate(VIEWS):
                if imgui.selectable(f"{view.name}##{k}", view is state.view)[0]:
                    state.look_at(view)
            imgui.end_combo()
        if state.view.field is None:
            return
        imgui.same_line()
        _, state.automatic = imgui.checkbox("automatic range", state.automatic)
        if state.automatic:
            return
        imgui.set_next_item_width(-1)
        changed, (low, high) = imgui.input_float2("##range", [state.limits.low, state.limits.high], "%.4g")
        if changed and low < high:
            state.limits = Range(low, high)

    def _keep(self, snapshot: Snapshot) -> None:
        actions, width = self._actions, (imgui.get_content_region_avail().x - 24) / 4
        for k, (label, hint, action) in enumerate((
            ("End" if actions.recording else "Record", "video of the window, F9", actions.toggle_recording),
            ("Picture", "screenshot, F12", actions.take_screenshot),
            ("Save", "save the state", actions.save_state),
            ("Load", "continue from the newest saved state", actions.load_state),
        )):  # fmt: skip
            if k:
                imgui.same_line()
            if imgui.button(f"{label}###{k}", ImVec2(width, 0)):
                action()
            if imgui.is_item_hovered():
                imgui.set_tooltip(f"{hint}, in the folder out" if k < 3 else hint)

    # Pieces ----------------------------------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        imgui.push_style_color(imgui.Col_.text, theme.DIM)
        imgui.text_wrapped(text)
        imgui.pop_style_color()
        imgui.pop_font()

    def _caption(self, text: str) -> None:
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        imgui.text_colored(theme.DIM, text)
        imgui.pop_font()

    def _right_align(self, text: str) -> None:
        """The next text on this line, at the right edge."""
        imgui.same_line(
            imgui.get_cursor_start_pos().x + imgui.get_content_region_avail().x - imgui.calc_text_size(text).x
        )

    def _numbers(self, *pairs: tuple[str, str]) -> None:
        """Labels and values in two columns."""
        half = imgui.get_content_region_avail().x / 2
        left = imgui.get_cursor_pos_x()
        for k, (label, value) in enumerate(pairs):
            x = left + (k % 2) * (half + 6)
            if k % 2:
                imgui.same_line(x)
            imgui.text_colored(theme.DIM, label)
            imgui.same_line(x + half - 14 - imgui.calc_text_size(value).x)
            imgui.text(value)


def change_scene(session: Session, name: str) -> None:
    """Loads a scene by name on the simulation's thread, at its own grid."""
    session.set_scene(sim.scene.load(name))
