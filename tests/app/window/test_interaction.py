"""The whole window, used by its own widgets: Dear ImGui's test engine moves the mouse and presses the keys.

No display is needed: GLFW's null platform with EGL. All steps run in one process and one window, each a test of the
engine that begins with the scene of the command line at time zero; what a step expects is asked of the simulation's
snapshots and of files, not of pixels. Widgets are found by what is written on them: the driver notes the ids of labels
as they are drawn, since the engine's own search knows neither labels without text ("##scene") nor texts that change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.window.unseen import GRID, ROOT, SCENE, open_unseen, simulation_runs

RESIZED = (1184, 700)
PATIENCE = 120.0  # [s] for the simulation to follow: on a busy machine new kernels have taken a minute to compile
DRAWS = 0.02  # [s] between pictures of the window while it waits: Python lets one thread work at a time
LABELLED = ("begin_combo", "button", "checkbox", "input_text", "input_text_with_hint", "invisible_button", "selectable")


class Hand:
    """A user of the window, in the thread of the engine's tests."""

    def __init__(self, ctx: Any, window: Any, view: Any, ids: dict[str, int]) -> None:
        from imgui_bundle import imgui

        self.ctx, self.window, self.view, self.ids, self.imgui = ctx, window, view, ids, imgui

    @property
    def now(self) -> Any:
        """The newest snapshot."""
        return self.view.snapshot

    @property
    def solution(self) -> Any:
        """Of the newest pressure solve; None at time zero."""
        solutions = self.now.frame.stats.solutions
        return solutions[-1] if solutions else None

    @property
    def attempted(self) -> str:
        """The preconditioner that the newest solve began with."""
        return self.solution.attempts[0][0] if self.solution else ""

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Lets the window draw until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert not self.view.fatal_error, self.view.fatal_error
            assert time.monotonic() < end, f"waited in vain; notices: {[n.text for n in self.notices()]}"
            time.sleep(DRAWS)
            self.ctx.yield_()

    def frames(self, count: int) -> None:
        """Waits for so many more frames of the fluid."""
        serial, start = self.now.serial, self.now.frames
        self.until(lambda: self.now.serial != serial and self.now.frames >= start + count)

    def still(self) -> None:
        """Waits until the fluid has stopped."""
        seen, since = -1, time.monotonic()

        def stopped() -> bool:
            nonlocal seen, since
            if self.now.serial != seen:
                seen, since = self.now.serial, time.monotonic()
            return time.monotonic() - since > 0.5

        self.until(stopped)

    def notices(self) -> tuple[Any, ...]:
        """All that was said, the newest first."""
        return self.view.notices.newest_first()

    def said(self, *words: str) -> str:
        """Waits for a notice with these words in it."""

        def found() -> list[str]:
            return [n.text for n in self.notices() if all(word in n.text for word in words)]

        self.until(lambda: bool(found()))
        return found()[0]

    def done(self) -> None:
        """Lets the engine's trouble with the last action be ours."""
        assert not self.ctx.is_error(), f"the test engine cannot do that: {self.ctx.test_output.log.buffer.c_str()}"
        self.ctx.yield_(2)

    def click(self, label: str) -> None:
        """Presses the widget with this label."""
        self.until(lambda: label in self.ids, 2.0)
        self.ctx.item_click(self.imgui.test_engine.TestRef(self.ids[label]))
        self.done()

    def unfold(self, section: str) -> None:
        """Opens a section of the panel."""
        if section in self.window.state.closed:
            self.click(f"heading of {section}")
        assert section not in self.window.state.closed

    def choose(self, combo: str, entry: str) -> None:
        """Picks an entry of a list."""
        self.ids.pop(entry, None)
        self.click(combo)
        self.click(entry)

    def key(self, *names: str) -> None:
        """Presses keys together, e.g. key("mod_ctrl", "z")."""
        chord = 0
        for name in names:
            chord |= int(getattr(self.imgui.Key, name))
        self.ctx.key_press(chord)
        self.done()

    def spot(self, x: float, y: float) -> Any:
        """Where a place of the fluid is in the window; fractions of its width and height, from the lower left."""
        place = self.ctx.item_info(self.imgui.test_engine.TestRef(self.ids["fluid0"])).rect_full
        return self.imgui.ImVec2(
            place.min.x + x * (place.max.x - place.min.x), place.max.y - y * (place.max.y - place.min.y)
        )

    def drag(self, *places: tuple[float, float], button: int = 0) -> None:
        """Moves the mouse over the fluid with a button held."""
        self.ctx.mouse_move_to_pos(self.spot(*places[0]))
        self.ctx.mouse_down(button)
        self.ctx.yield_(2)
        for x, y in places[1:]:
            self.ctx.mouse_move_to_pos(self.spot(x, y))
            self.ctx.yield_(2)
        self.ctx.mouse_up(button)
        self.done()

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the cell there."""
        ny, nx = self.now.grid.shape
        return int(y * ny), int(x * nx)

    def start_over(self) -> None:
        """The scene of the command line at time zero, paused, at the size of the command line."""
        from app.panels.scene import change_scene
        from app.solving.choice import Choice, Variant

        self.ctx.popup_close_all()
        for button in (0, 1, 2):  # a step that failed may have held one
            if self.imgui.is_mouse_down(button):
                self.ctx.mouse_up(button)
        serial, view = self.now.serial, self.view
        view.compare("off", ("jacobi", "multigrid"), (Variant(), Variant()))
        view.choose(Choice("multigrid", 1e-6))
        view.set_paused(True)
        view.submit(change_scene, SCENE, GRID[0])
        self.until(lambda: self.now.serial != serial and self.now.frame.time == 0 and self.now.comparison is None)
        assert self.now.grid.shape == GRID


# Steps, in this order -------------------------------------------------------------------------------------------------


def every_scene_can_be_chosen(hand: Hand) -> None:
    from sim.grid import with_rows
    from sim.scenes import reader as scene_reader

    for name in (*scene_reader.names(), SCENE):
        hand.choose("##scene", name)
        hand.until(lambda name=name: hand.now.scene.name == name)
        assert hand.now.grid.shape == with_rows(scene_reader.load(name).grid, GRID[0])
        assert hand.now.frame.time == 0
        hand.view.step_once()
        hand.until(lambda: hand.now.frame.time > 0)
        assert hand.now.frame.stats.volume_drift < 1e-6


def every_solver_can_be_chosen(hand: Hand) -> None:
    import precond
    from precond.figures import method_style

    available = [name for name in precond.names() if hand.view.why_unavailable(name) is None]
    assert {"jacobi", "multigrid", "htp", "spai", "npo", "htp-paper"} <= set(available)
    for name in available:
        before = hand.now
        hand.choose("##preconditioner", f"{method_style.title(name)}##{name}")
        assert hand.view.choice.precond == name
        hand.view.step_once()
        hand.until(lambda before=before: hand.now.frames > before.frames)
        now, solutions = hand.now, hand.now.frame.stats.solutions
        assert now.frames == before.frames + 1
        assert now.frame.time > before.frame.time, "the fluid was started again"
        assert [solution.attempts[0][0] for solution in solutions] == [now.effective_method] * len(solutions), "late"
        assert now.choice.precond == now.samples[-1].precond == name
        for solution in solutions:
            assert solution.residual <= now.choice.tol
            used = solution.preconditioner_used
            assert used == name or name in now.fallback, "another stepped in, unsaid"
            assert used in (now.effective_method, *now.fallback.split()), "the overlay names another method"


def what_is_not_installed_cannot_be_chosen(hand: Hand) -> None:
    import precond
    from app.panels.side_panel import SidePanel
    from app.ui import method_list, tooltips
    from precond.figures import method_style

    folder, panel, show, shown = precond.io.weights.models_dir, hand.window.panel, tooltips.show, []

    def note(text: str) -> None:
        shown.append(text)
        show(text)

    precond.io.weights.models_dir = lambda: Path("no-models").resolve()
    tooltips.show = method_list.show = note
    try:
        reasons = {name: precond.why_unavailable(name) for name in ("htp", "spai", "npo", "htp-paper")}
        hand.window.panel = SidePanel(hand.view, hand.window.state, hand.window, Path("out"))  # it asks once
        for name, reason in reasons.items():
            assert reason is not None
            assert ".safetensors" in reason
            label = f"{method_style.title(name)}##{name}"
            hand.ids.pop(label, None)
            hand.click("##preconditioner")
            hand.until(lambda label=label: label in hand.ids)
            entry = hand.imgui.test_engine.TestRef(hand.ids[label])
            hand.ctx.scroll_to_item_y(entry)
            hand.ctx.mouse_move_to_pos(hand.ctx.item_info(entry).rect_full.get_center())
            hand.until(lambda reason=reason: any(reason in text for text in shown))
            hand.ctx.mouse_click(0)
            hand.done()
            assert hand.imgui.is_popup_open("", int(hand.imgui.PopupFlags_.any_popup)), "it was taken"
            hand.ctx.popup_close_all()
            assert hand.view.choice.precond == "multigrid"
    finally:
        precond.io.weights.models_dir, tooltips.show, hand.window.panel = folder, show, panel
        method_list.show = show


def the_clock_pauses_steps_and_resets(hand: Hand) -> None:
    hand.click("Resume")
    assert not hand.view.paused
    hand.frames(2)
    hand.click("Pause")
    assert hand.view.paused
    hand.still()  # the frame under way has come
    frames, at = hand.now.frames, hand.now.frame.time
    hand.click("Step")
    hand.until(lambda: hand.now.frames > frames)
    hand.still()
    assert hand.now.frames == frames + 1
    assert hand.now.frame.time > at
    hand.key("space")
    assert not hand.view.paused
    hand.frames(1)
    hand.key("space")
    assert hand.view.paused
    hand.click("Reset")
    hand.until(lambda: hand.now.frame.time == 0)
    assert abs(hand.now.frame.u).max() == 0


def another_grid_starts_the_scene_again(hand: Hand) -> None:
    hand.click("##grid")
    hand.click("##own size")
    hand.ctx.key_chars_replace_enter("16x24")
    hand.done()
    hand.until(lambda: hand.now.grid.shape == (16, 24))
    hand.click("##grid")
    hand.click("##own size")
    hand.ctx.key_chars_replace_enter("3x4")
    hand.done()
    hand.said("3x4")
    assert hand.now.grid.shape == (16, 24)


def the_mouse_pours_builds_and_pushes(hand: Hand) -> None:
    hand.unfold("Draw")
    phase = hand.now.scene.phases[0]
    spots = ((0.7, 0.75), (0.8, 0.75))
    assert all(hand.now.frame.fractions[0][hand.cell(*spot)] == 0 for spot in spots)
    volume = hand.now.frame.fractions[0].sum()
    hand.click(phase.name.capitalize())
    assert (hand.window.state.tool, hand.window.state.phase) == ("pour", 0)
    hand.drag(*spots)
    hand.until(lambda: all(hand.now.frame.fractions[0][hand.cell(*spot)] > 0.99 for spot in spots))
    assert hand.now.frame.fractions[0].sum() > volume + 2

    walls = ((0.5, 0.6), (0.62, 0.6))
    hand.click("Wall")
    hand.drag(*walls)
    hand.until(lambda: all(hand.now.frame.solid[hand.cell(*spot)] for spot in walls))
    hand.until(lambda: hand.now.gestures == (2, 0))
    hand.key("mod_ctrl", "z")
    hand.until(lambda: hand.now.gestures == (1, 1))
    assert not hand.now.frame.solid.any()
    hand.key("mod_ctrl", "y")
    hand.until(lambda: hand.now.gestures == (2, 0))
    assert hand.now.frame.solid[hand.cell(*walls[1])]

    hand.drag((0.25, 0.3), (0.18, 0.3), (0.1, 0.3), button=1)  # the right button pushes, whatever the tool
    hand.key("period")
    hand.until(lambda: hand.now.frame.time > 0)
    row, column = hand.cell(0.18, 0.3)
    assert hand.now.frame.u[row, column] < -0.1, "the column of water falls to the right unless it is pushed"
    assert hand.now.frame.solid[hand.cell(*walls[1])]
    assert hand.now.frame.stats.volume_drift < 1e-6


def a_drawing_is_saved_as_a_scene(hand: Hand) -> None:
    hand.unfold("Draw")
    hand.click("Wall")
    hand.drag((0.8, 0.5), (0.9, 0.5))
    hand.until(lambda: hand.now.gestures == (1, 0))
    hand.key("mod_ctrl", "s")
    hand.ids.pop("Cancel", None)
    hand.click("##name")
    hand.ctx.key_chars_replace_enter("mine")
    hand.done()
    hand.said("Saved", "mine.toml")
    from app.session.session import Session

    hand.view.submit(Session.undo)
    hand.until(lambda: not hand.now.frame.solid.any())
    hand.click("##scene")
    mine = "mine   (out/mine.toml)"
    hand.until(lambda: mine in hand.ids)
    hand.click(mine)
    hand.until(lambda: hand.now.frame.solid[hand.cell(0.85, 0.5)])


def comparisons_come_and_go(hand: Hand) -> None:
    hand.unfold("Compare")
    hand.view.set_paused(False)
    hand.click("Shadow")
    assert hand.view.comparing.mode == "shadow"
    hand.until(lambda: hand.now.comparison is not None and all(s.iterations > 0 for s in hand.now.comparison.results))
    comparison = hand.now.comparison
    assert comparison.mode == "shadow"
    assert [s.precond for s in comparison.results] == ["jacobi", "multigrid"]
    assert comparison.results[0].iterations > comparison.results[1].iterations
    hand.click("Race")
    assert hand.view.comparing.mode == "race"
    hand.until(lambda: hand.now.comparison is not None and hand.now.comparison.mode == "race")
    hand.until(lambda: all(s.frames > 2 for s in hand.now.comparison.results))
    assert all(s.failures == 0 for s in hand.now.comparison.results)
    volumes = [frame.stats.volumes[0] for frame in hand.now.comparison.frames]
    hand.window.state.tool, hand.window.state.phase = "pour", 0
    hand.drag((0.6, 0.8), (0.8, 0.8))  # in the first pane, felt in both
    hand.until(lambda: all(f.stats.volumes[0] > v for f, v in zip(hand.now.comparison.frames, volumes)))
    hand.window.state.tool = "push"
    hand.click("Off")
    hand.until(lambda: hand.now.comparison is None)
    hand.frames(1)


def branches_are_compared_and_one_is_kept(hand: Hand) -> None:
    from app.panels.branches import TOO_LITTLE

    hand.unfold("Compare")
    hand.view.set_paused(False)
    hand.frames(3)
    hand.click("Branch")
    hand.until(lambda: hand.now.comparison is not None and hand.now.comparison.mode == "branch")
    hand.until(lambda: hand.now.comparison.results[0].frames > 2)
    assert [result.parted for result in hand.now.comparison.results] == [None, None], "they solve alike"
    hand.click("Too little")
    hand.until(lambda: hand.now.comparison is not None and len(hand.now.comparison.results) == len(TOO_LITTLE))
    hand.until(lambda: hand.now.comparison.results[0].frames > 4)
    converged, *others = hand.now.comparison.results
    assert all(other.drift > 10 * converged.drift for other in others[:2])
    assert len({result.frames for result in hand.now.comparison.results}) == 1
    hand.click("Keep")  # of the last row
    hand.until(lambda: hand.now.comparison is None)
    hand.said("Continues from pane 4")
    assert hand.view.comparing.mode == "off"
    assert hand.view.choice.tol == TOO_LITTLE[3].tol
    hand.frames(2)
    hand.click("Branch")
    hand.until(lambda: hand.now.comparison is not None)
    before = hand.now.frame.time
    hand.until(lambda: hand.now.frame.time > before)
    hand.click("Off")
    hand.until(lambda: hand.now.comparison is None)
    hand.said("where the panes began")


def a_recording_of_two_seconds_can_be_played(hand: Hand) -> None:
    import av

    hand.unfold("Files")
    hand.view.set_paused(False)
    before = hand.now.frames
    hand.click("Record")
    assert hand.window.recording
    after = hand.now.frames
    hand.frames(20)
    hand.view.set_paused(True)
    hand.still()
    until = hand.now.frames
    hand.ctx.yield_(30)  # while the fluid stands still no time passes in the video
    hand.click("Stop")
    assert not hand.window.recording
    hand.said("Recorded", "recording-1.mp4")
    with av.open("out/recording-1.mp4") as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (960, 720)  # of the fluid alone, not of the window
        assert until - after - 2 <= round(60 * stream.duration * stream.time_base) <= until - before + 1
        pictures = [frame.to_ndarray(format="gray").std() for frame in film.decode(video=0)]
    assert len(pictures) > 5
    assert min(pictures) > 5, "an empty picture"


def a_saved_state_comes_back(hand: Hand) -> None:
    import numpy as np

    hand.unfold("Files")
    hand.view.step_once()
    hand.until(lambda: hand.now.frame.time > 0)
    hand.click("Save")
    hand.said("Saved", "state-1.npz")
    saved = hand.now.frame
    hand.view.step_once()
    hand.until(lambda: hand.now.frame.time > saved.time)
    assert not np.array_equal(hand.now.frame.fractions, saved.fractions)
    hand.click("Open ...")
    hand.until(lambda: "state-1.npz" in hand.ids)
    hand.key("escape")  # closes the list, and no more
    hand.until(lambda: not hand.imgui.is_popup_open("", int(hand.imgui.PopupFlags_.any_popup)))
    hand.click("Open ...")
    hand.click("state-1.npz")
    hand.said("Opened the state", "state-1.npz")
    hand.until(lambda: hand.now.frame.time == saved.time)
    assert np.array_equal(hand.now.frame.fractions, saved.fractions)
    assert np.array_equal(hand.now.frame.u, saved.u)


def the_time_line_goes_back_and_forth(hand: Hand) -> None:
    import numpy as np

    from app.session.session import Session

    hand.view.set_paused(False)
    hand.frames(12)
    hand.click("time line")  # in its middle; the fluid stops there
    assert hand.view.paused
    line = hand.now.timeline
    hand.until(lambda: hand.now.timeline.present < hand.now.timeline.numbers[-1])
    hand.still()
    line, here = hand.now.timeline, hand.now.frame
    assert here.time == line.time_of(line.present)
    assert here.time < line.times[-1]
    hand.key("left_arrow")
    hand.until(lambda: hand.now.frame.time < here.time)
    hand.key("right_arrow")
    hand.until(lambda: hand.now.frame.time == here.time)
    assert np.array_equal(hand.now.frame.u, here.u)
    assert len(hand.now.timeline.numbers) == len(line.numbers), "what lay ahead is gone"
    before = line.numbers.tolist()
    following = before[before.index(line.present) + 1]
    again = line.time_of(following)
    hand.key("period")
    hand.until(lambda: hand.now.frame.time > here.time)
    assert hand.now.frame.time == again, "it went on otherwise than before"
    assert hand.now.timeline.present == hand.now.timeline.numbers[-1] == hand.now.frames
    assert following not in hand.now.timeline.numbers
    hand.view.submit(Session.set_timeline_budget, 0)
    hand.until(lambda: len(hand.now.timeline.numbers) == 0)
    hand.view.submit(Session.set_timeline_budget, 1 << 29)


def a_probe_follows_the_value_under_it(hand: Hand) -> None:
    from app.solving.probes import PROBED

    hand.unfold("Probes")
    hand.view.step_once()
    hand.until(lambda: hand.now.frame.time > 0)
    hand.ctx.mouse_move_to_pos(hand.spot(0.1, 0.1))
    hand.key("p")
    hand.until(lambda: len(hand.now.probes) == 1)
    hand.ctx.mouse_move_to_pos(hand.spot(0.8, 0.8))
    hand.key("p")
    hand.until(lambda: len(hand.now.probes) == 2)
    hand.view.set_paused(False)
    hand.until(lambda: bool(hand.now.samples) and len(hand.now.samples[-1].probes) == 2)
    hand.view.set_paused(True)
    hand.still()
    for k, spot in enumerate(((0.1, 0.1), (0.8, 0.8))):
        found = dict(zip(PROBED, hand.now.samples[-1].probes[k]))
        assert found["pressure"] == hand.now.frame.pressure[hand.cell(*spot)]
    hand.ctx.mouse_move_to_pos(hand.spot(0.805, 0.8))
    hand.key("p")
    hand.until(lambda: len(hand.now.probes) == 1)
    hand.click("x")
    hand.until(lambda: not hand.now.probes)


def forces_are_listed_and_a_body_can_be_made_heavier(hand: Hand) -> None:
    from app.session.session import Session

    hand.choose("##scene", "floating-box")
    hand.until(lambda: hand.now.scene.name == "floating-box")
    hand.unfold("Forces")
    hand.view.step_once()
    hand.until(lambda: bool(hand.now.samples) and bool(hand.now.samples[-1].loads))
    (body,) = hand.now.frame.stats.bodies
    assert hand.now.samples[-1].loads[0].name == body.name
    assert hand.now.samples[-1].loads[0].y == body.pressure_force[1] + body.viscous_force[1]
    hand.view.submit(Session.set_body_densities, (3.0 * body.density,))
    hand.view.step_once()
    hand.until(lambda: hand.now.frame.stats.bodies[0].density == 3.0 * body.density)
    hand.key("left_arrow")
    hand.until(lambda: hand.now.frame.stats.bodies[0].density == body.density)


def keys_show_every_view(hand: Hand) -> None:
    from app.render.views import VIEWS

    hand.view.step_once()
    hand.until(lambda: hand.now.frame.time > 0)
    for k, each in enumerate(VIEWS):
        hand.key(f"_{k + 1}")
        assert hand.window.state.view is each
        if each.field is not None:
            assert hand.window.state.limits.low < hand.window.state.limits.high
    hand.key("_1")
    hand.key("h")
    assert hand.window.state.show_help
    hand.key("escape")
    assert not hand.window.state.show_help


def another_size_moves_the_fluid_with_the_mouse(hand: Hand) -> None:
    from imgui_bundle import hello_imgui
    from PIL import Image

    before = hand.spot(1, 0)
    hello_imgui.change_window_size(RESIZED)
    hand.until(lambda: tuple(hand.imgui.get_io().display_size) == RESIZED)
    hand.ctx.yield_(3)
    assert hand.spot(1, 0).x > before.x
    hand.window.state.tool = "solid"
    hand.drag((0.9, 0.9))
    hand.until(lambda: hand.now.frame.solid.any())
    assert hand.now.frame.solid[hand.cell(0.9, 0.9)]
    hand.window.state.tool = "push"
    hand.key("mod_shift", "f12")
    hand.said("Saved", "screenshot-1.png")
    with Image.open("out/screenshot-1.png") as picture:
        assert picture.size == RESIZED
    hand.key("f12")
    hand.said("Saved", "screenshot-2.png")
    with Image.open("out/screenshot-2.png") as picture:
        assert picture.size == (960, 720)
        air = picture.getpixel((700, 200))
    assert max(abs(a - 255 * b) for a, b in zip(air, hand.now.scene.phases[1].color)) < 4, "something lies on the fluid"


def the_wheel_zooms_and_the_brush_follows(hand: Hand) -> None:
    state = hand.window.state
    state.tool = "solid"
    hand.ctx.mouse_move_to_pos(hand.spot(0.7, 0.75))
    hand.ctx.mouse_wheel_y(6)
    hand.done()
    region = state.look.region
    assert region.magnification > 2.5
    x, y = region.at(0.7, 0.75)
    assert abs(x - 0.7) < 0.02  # what was under the mouse has stayed there
    assert abs(y - 0.75) < 0.02
    cell = hand.cell(*region.at(0.2, 0.3))
    assert cell != hand.cell(0.2, 0.3)
    hand.drag((0.2, 0.3))
    hand.until(lambda: hand.now.frame.solid.any())
    assert hand.now.frame.solid[cell]
    assert not hand.now.frame.solid[hand.cell(0.2, 0.3)]
    hand.drag((0.5, 0.5), (0.6, 0.55), (0.7, 0.6), button=2)
    moved = state.look.region
    assert abs(moved.x - (region.x - 0.2 * region.size)) < 0.01
    assert abs(moved.y - (region.y - 0.1 * region.size)) < 0.01
    hand.key("_0")
    assert state.look.region.size == 1
    hand.ctx.mouse_wheel_y(3)
    hand.done()
    assert state.look.region.size < 1
    hand.ctx.mouse_move_to_pos(hand.spot(0.4, 0.5))
    hand.ctx.mouse_double_click(2)
    hand.done()
    assert state.look.region.size == 1
    radius = state.radius
    hand.ctx.key_down(int(hand.imgui.Key.mod_shift))
    hand.ctx.mouse_wheel_y(1)
    hand.ctx.key_up(int(hand.imgui.Key.mod_shift))
    hand.done()
    assert state.radius > radius
    assert state.look.region.size == 1, "Shift and the wheel are the brush's"
    state.tool = "push"


def tab_hides_the_panel_and_l_shows_streamlines(hand: Hand) -> None:
    before = hand.spot(1, 0).x
    hand.key("tab")
    hand.ctx.yield_(5)
    assert hand.spot(1, 0).x > before + 50, "the fluid has not grown into the panel's place"
    hand.key("tab")
    hand.ctx.yield_(5)
    assert abs(hand.spot(1, 0).x - before) < 3
    hand.key("l")
    assert hand.window.state.look.streamlines
    hand.key("l")
    assert not hand.window.state.look.streamlines
    hand.choose("##theme", "dark")
    assert hand.window.state.look.theme.name == "dark"
    hand.choose("##theme", "clean")


def a_colour_is_changed_and_kept(hand: Hand) -> None:
    from app.session.session import Session

    hand.unfold("Fluid")
    hand.view.submit(Session.set_color, 0, (0.9, 0.3, 0.1))
    hand.until(lambda: hand.now.scene.phases[0].color[0] > 0.85)
    hand.key("r")
    hand.ctx.yield_(5)
    assert hand.now.scene.phases[0].color[0] > 0.85


def escape_closes_the_window(hand: Hand) -> None:
    hand.view.set_paused(False)
    hand.frames(1)
    hand.key("escape")
    assert not hand.window._params.app_shall_exit
    hand.said("Press Esc once more to quit")
    hand.key("escape")
    assert hand.window._params.app_shall_exit


STEPS = (
    every_scene_can_be_chosen,
    every_solver_can_be_chosen,
    what_is_not_installed_cannot_be_chosen,
    the_clock_pauses_steps_and_resets,
    another_grid_starts_the_scene_again,
    the_mouse_pours_builds_and_pushes,
    a_drawing_is_saved_as_a_scene,
    comparisons_come_and_go,
    branches_are_compared_and_one_is_kept,
    a_recording_of_two_seconds_can_be_played,
    a_saved_state_comes_back,
    the_time_line_goes_back_and_forth,
    a_probe_follows_the_value_under_it,
    forces_are_listed_and_a_body_can_be_made_heavier,
    keys_show_every_view,
    another_size_moves_the_fluid_with_the_mouse,
    the_wheel_zooms_and_the_brush_follows,
    tab_hides_the_panel_and_l_shows_streamlines,
    a_colour_is_changed_and_kept,
    escape_closes_the_window,
)


# The process of the window --------------------------------------------------------------------------------------------


def note_ids(ids: dict[str, int]) -> None:
    """Has ImGui's widgets note the ids of their labels, and of what is written on them."""
    from imgui_bundle import imgui

    def noting(draw: Callable[..., Any]) -> Callable[..., Any]:
        def drawn(label: str, *arguments: Any, **keywords: Any) -> Any:
            ids[label] = ids[label.split("##")[0] or label] = imgui.get_id(label)
            return draw(label, *arguments, **keywords)

        return drawn

    for name in LABELLED:
        setattr(imgui, name, noting(getattr(imgui, name)))


def drive(folder: Path) -> dict[str, Any]:
    """Runs in a process of its own: opens the window and takes all steps. Returns what went wrong in each."""
    os.chdir(folder)
    import app.__main__  # noqa: F401  # as from the command line: it settles how OpenMP waits before torch is loaded

    report: dict[str, Any] = {"steps": {}, "seconds": {}}

    def prepare(window: Any, view: Any, params: Any) -> None:
        params.use_imgui_test_engine = True
        params.callbacks.register_tests = lambda: register(window, view, report)

    options = ["--scene", SCENE, "--grid", f"{GRID[0]}x{GRID[1]}", "--precond", "multigrid", "--paused"]
    report["exit_code"] = open_unseen(options, prepare)
    report["alive"] = simulation_runs()
    return report


def register(window: Any, view: Any, report: dict[str, Any]) -> None:
    """Queues the steps as tests of the engine, which closes the window after the last."""
    from imgui_bundle import hello_imgui, imgui

    engine = hello_imgui.get_imgui_test_engine()
    io = imgui.test_engine.get_io(engine)
    io.config_run_speed = imgui.test_engine.TestRunSpeed.fast
    io.config_mouse_draw_cursor, io.config_watchdog_kill_test = False, 3 * PATIENCE
    ids: dict[str, int] = {}
    note_ids(ids)

    def taking(step: Callable[[Hand], None]) -> Callable[[Any], None]:
        def take(ctx: Any) -> None:
            hand, start, trouble = Hand(ctx, window, view, ids), time.monotonic(), ""
            try:
                hand.until(lambda: view.snapshot is not None, 100.0)
                hand.start_over()
                step(hand)
            except Exception:
                trouble = traceback.format_exc()
            report["steps"][step.__name__], report["seconds"][step.__name__] = trouble, time.monotonic() - start

        return take

    for step in STEPS:
        test = imgui.test_engine.register_test(engine, "window", step.__name__)
        test.test_func = taking(step)
        imgui.test_engine.queue_test(engine, test)

    def close_at_the_end() -> None:
        if len(report["steps"]) == len(STEPS):
            window.quit()

    window.before_frame = close_at_the_end


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of one run through all steps."""
    pytest.importorskip("imgui_bundle")
    folder = tmp_path_factory.mktemp("window")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(variable, None)
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    if "cannot be opened" in done.stderr:
        pytest.skip("no OpenGL without a display here")
    assert done.returncode == 0, done.stdout + done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "stderr": done.stderr}


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.parametrize("step", [step.__name__ for step in STEPS])
def test_by_hand(report, step):
    assert step in report["steps"], f"never came to it: {report}"
    assert report["steps"][step] == "", report["steps"][step]


@pytest.mark.egl
@pytest.mark.slow
def test_the_window_ends_well(report):
    assert report["exit_code"] == 0
    assert not report["alive"]
    assert "Traceback" not in report["stderr"]
    assert "Error" not in report["stderr"]


if __name__ == "__main__":
    print(json.dumps(drive(Path(sys.argv[1]))))
