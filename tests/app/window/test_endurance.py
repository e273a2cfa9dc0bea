"""Hours of use, in short: random mouse and keys, scenes, solvers and comparisons switched, recordings on and off.

`python -m tests.app.window.test_endurance --steps 20000` is the long form. It prints its numbers as json, also where
--minutes end it before. Memory is compared at the end with the end of the warm-up, in which everything was used once.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.window.unseen import GRID, ROOT, SCENE, SIZE, open_unseen, simulation_runs

GROWTH = 1.05  # of the memory after the warm-up
KEYS = ("space", "period", "r", "m", "h", "left_bracket", "right_bracket", *(f"_{k}" for k in range(1, 8)))
TOOLS = ("push", "push", "pour", "solid", "erase", "drag")
SHORT = {"scenes": ("dam-break", "drop-splash", "rising-bubble"), "solvers": ("multigrid", "jacobi", "htp"), "knobs": 2}
STALLED = 0.5  # [s] without a step, as in a pause, after which the fluid is told to go on


@dataclass(frozen=True)
class Plan:
    """How much to do, and with what."""

    steps: int  # output frames of the fluid
    warm_up: int
    chapter: int  # steps with one scene and one solver
    scenes: tuple[str, ...]
    solvers: tuple[str, ...]
    minutes: float = 1e9  # after which to end anyway
    seed: int = 0
    knobs: int = 4  # how many kinds of sliders: viscosities and tensions have kernels that take seconds to compile


class Use:
    """Uses the window: `acts` is advanced before each picture of it."""

    def __init__(self, window: Any, view: Any, plan: Plan) -> None:
        self.window, self.view, self.plan, self.chance = window, view, plan, random.Random(plan.seed)
        self.steps, self.solves, self.pictures, self.recordings, self.not_finite = 0, 0, 0, 0, 0
        self.failures, self.drift, self.rss = 0, 0.0, {}
        self.used: set[str] = set()
        self._serial, self._frames, self._racing, self._down = 0, 0, False, False
        self._end, self._moved = time.monotonic() + 60 * plan.minutes, time.monotonic()

    def acts(self) -> Iterator[None]:
        """The whole plan, a piece for every picture."""
        yield from self._until(lambda: self.view.snapshot is not None and self.view.snapshot.frames > 0)
        self.rss["start"] = self.memory()
        plan, chapter = self.plan, 0
        while self.steps < plan.steps and time.monotonic() < self._end:
            yield from self._chapter(chapter)
            chapter += 1
            if "warm" not in self.rss and self.steps >= plan.warm_up:
                yield from self._rest()
                self.rss["warm"], self.rss["warm_after"] = self.memory(), self.steps
            if chapter % 10 == 0:
                print(json.dumps({**self.report(), "now": self.memory()}), file=sys.stderr, flush=True)
        yield from self._rest()
        self.rss["end"] = self.memory()
        self.window.quit()

    def memory(self) -> float:
        """Resident memory of both processes [MB]."""
        return rss("self") + rss(self.view.link.pid)

    def hurry(self, *_: object) -> None:
        """Ends soon, with all numbers: for a signal."""
        self._end = 0.0

    def report(self) -> dict[str, Any]:
        """The numbers until now."""
        own = ("steps", "solves", "pictures", "recordings", "not_finite", "failures", "drift", "rss")
        return {**{name: getattr(self, name) for name in own}, "used": sorted(self.used)}

    def _chapter(self, number: int) -> Iterator[None]:
        """A scene, a solver, perhaps a comparison, perhaps a recording, and a restless user."""
        from app.session.scene_commands import change_scene
        from app.solving.choice import Choice

        plan, view = self.plan, self.view
        scene = plan.scenes[number % len(plan.scenes)]
        solver = plan.solvers[number % len(plan.solvers)]
        mode = ("off", "shadow", "branch", "race")[number % 4]
        self.used |= {scene, solver, mode}
        view.submit(change_scene, scene, view.rows)
        view.choose(Choice(solver, 1e-6 if number % 3 else 1e-3))
        view.compare(mode, ("jacobi", "multigrid", "htp")[: 2 + number % 2])
        if self.window.recording or number % 3 == 1:
            yield from self._press("f9")
        end = self.steps + plan.chapter
        while self.steps < end:
            yield from self._act()
        if self.window.recording:
            self.recordings += 1
            yield from self._press("f9")
            for path in Path("out").glob("recording-*.mp4"):
                path.unlink()

    def _rest(self) -> Iterator[None]:
        """Everything as at the start, so that memory can be compared."""
        from app.session.scene_commands import change_scene
        from app.solving.choice import Choice

        self._button(False)
        self.view.compare("off")
        self.view.choose(Choice(self.plan.solvers[0], 1e-6))
        self.view.submit(change_scene, SCENE, self.view.rows)
        self.view.set_paused(False)
        now = lambda: self.view.snapshot  # noqa: E731
        yield from self._until(lambda: now().comparison is None and now().scene.name == SCENE)
        end = self.steps + 10
        yield from self._until(lambda: self.steps >= end)
        settle()
        self.view.submit(settle)

    def _act(self) -> Iterator[None]:
        """Something that a user may do, most often with the mouse."""
        from app.session.session import Session

        what, view, state, chance = self.chance.random(), self.view, self.window.state, self.chance
        if what < 0.6:
            self._move(chance.uniform(0.02, 0.68), chance.uniform(0.06, 0.92))
            if chance.random() < 0.4:
                self._button(not self._down)
        elif what < 0.75:
            yield from self._press(chance.choice(KEYS))
        elif what < 0.8:
            yield from self._press(chance.choice("zy"), "mod_ctrl")
        elif what < 0.85:
            state.tool, state.phase = chance.choice(TOOLS), chance.randrange(2)
        elif what < 0.88:
            self._turn_a_knob()
        elif what < 0.89:
            view.submit(Session.save, Path("state.npz"))
            view.submit(Session.load, Path("state.npz"))
        yield from self._picture()
        if time.monotonic() - self._moved > STALLED:
            view.set_paused(False)
            self._moved = time.monotonic()

    def _turn_a_knob(self) -> None:
        """A slider of the section Fluid."""
        from app.session.session import Session

        chance, settings, submit = self.chance, self.view.snapshot.settings, self.view.submit
        knobs = (
            lambda: submit(Session.set_gravity, chance.uniform(-10, 15)),
            lambda: submit(Session.set_densities, tuple(10 ** chance.uniform(0, 3) for _ in settings.densities)),
            lambda: submit(Session.set_viscosities, tuple(10 ** chance.uniform(-3, 1) for _ in settings.viscosities)),
            lambda: submit(Session.set_tensions, tuple(10 ** chance.uniform(-2, 1) for _ in settings.tensions)),
        )
        chance.choice(knobs[: self.plan.knobs])()

    def _move(self, x: float, y: float) -> None:
        """The mouse, in fractions of the window."""
        import glfw
        from imgui_bundle import glfw_utils

        glfw.set_cursor_pos(glfw_utils.glfw_window_hello_imgui(), x * SIZE[0], y * SIZE[1])

    def _button(self, down: bool) -> None:
        from imgui_bundle import imgui

        self._down = down
        imgui.get_io().add_mouse_button_event(0, down)

    def _press(self, name: str, modifier: str = "") -> Iterator[None]:
        from imgui_bundle import imgui

        keys = [getattr(imgui.Key, key) for key in (modifier, name) if key]
        for down in (True, False):
            for key in keys:
                imgui.get_io().add_key_event(key, down)
            yield from self._picture()

    def _until(self, condition: Any, seconds: float = 120.0) -> Iterator[None]:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"the fluid stands still: {self.view.notice}")
            yield from self._picture()

    def _picture(self) -> Iterator[None]:
        """Lets the window draw, and looks at the fluid."""
        if self.view.fatal_error or not simulation_runs():
            raise RuntimeError(f"the simulation has ended: {self.view.fatal_error}")
        yield
        self.pictures += 1
        now = self.view.snapshot
        if now is None or now.serial == self._serial:
            return
        racing = now.comparison is not None and now.comparison.mode in ("race", "branch")
        if now.frames > self._frames and racing == self._racing:  # panes count for themselves
            self.steps += now.frames - self._frames
            self._moved = time.monotonic()
            stats = now.frame.stats
            self.solves += len(stats.solutions)
            self.failures += sum(solution.status.name != "CONVERGED" for solution in stats.solutions)
            self.drift = max(self.drift, stats.volume_drift)
        frames = (now.frame,) if now.comparison is None else now.comparison.frames
        self.not_finite += not all(
            np.isfinite(field).all() for frame in frames for field in (frame.u, frame.v, frame.fractions)
        )
        self._serial, self._frames, self._racing = now.serial, now.frames, racing


def settle(session: object = None) -> None:
    """Gives free memory back to the system, or what malloc keeps for later would drown a leak."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def rss(process: object) -> float:
    """Resident memory of a process [MB]; on other systems than Linux, of this one at its peak."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def drive(plan: Plan) -> dict[str, Any]:
    """Runs in a process of its own, in the present folder."""
    import app.__main__  # noqa: F401  # as from the command line: it settles how OpenMP waits before torch is loaded

    uses: list[Use] = []

    def prepare(window: Any, view: Any, params: Any) -> None:
        params.fps_idling.fps_max = 40.0
        uses.append(Use(window, view, plan))
        signal.signal(signal.SIGTERM, uses[0].hurry)
        acts = uses[0].acts()

        def act() -> None:
            try:
                next(acts, None)
            except Exception as error:
                uses[0].rss["broke"] = f"{type(error).__name__}: {error}"
                window.quit()

        window.before_frame = act

    start = time.monotonic()
    code = open_unseen(["--scene", SCENE, "--grid", f"{GRID[0]}x{GRID[1]}", "--precond", plan.solvers[0]], prepare)
    use = uses[0]
    notices = {notice.text: notice.count for notice in use.view.notices.newest_first()}
    ending = {"exit_code": code, "alive": simulation_runs(), "seconds": time.monotonic() - start}
    return {**use.report(), **ending, "notices": notices}


def check(seen: dict[str, Any], errors: str) -> None:
    """What has to hold, however long it was."""
    assert "broke" not in seen["rss"], seen["rss"]["broke"]
    assert seen["exit_code"] == 0
    assert not seen["alive"]
    assert seen["not_finite"] == 0
    assert "Traceback" not in errors, errors
    assert seen["recordings"] > 0
    assert seen["rss"]["end"] <= GROWTH * seen["rss"]["warm"], seen["rss"]


@pytest.mark.egl
@pytest.mark.slow
def test_a_restless_user_leaves_no_trace(tmp_path):
    pytest.importorskip("imgui_bundle")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(variable, None)
    command = [sys.executable, __file__, "--steps", "96", "--short"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    if "cannot be opened" in done.stderr:
        pytest.skip("no OpenGL without a display here")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    print(seen)
    assert seen["steps"] >= 96
    assert {*SHORT["scenes"], *SHORT["solvers"], "shadow", "branch", "race"} <= set(seen["used"])
    check(seen, done.stderr)


def main() -> int:
    """The command."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--steps", type=int, default=20000)
    p.add_argument("--minutes", type=float, default=1e9)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--short", action="store_true", help="few scenes and solvers")
    given = p.parse_args()
    sys.path.insert(0, str(ROOT))
    import precond
    from sim.scenes import reader as scene_reader

    if given.short:
        plan = Plan(given.steps, given.steps // 2, given.steps // 12, **SHORT, seed=given.seed)
    else:
        usable = tuple(name for name in precond.names() if precond.why_unavailable(name) is None)
        chapter = 20
        warm_up = min(chapter * (len(usable) + 1), given.steps // 2)
        plan = Plan(given.steps, warm_up, chapter, scene_reader.names(), usable, given.minutes, given.seed)
        os.chdir(tempfile.mkdtemp(prefix="estuary-"))
    seen = drive(plan)
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
