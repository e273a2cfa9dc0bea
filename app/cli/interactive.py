"""Opens the window on a display, or draws it off screen into a video."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.options import Options
from app.cli.outputs import Journey, open_session, write_results
from app.record.video import Recorder
from app.session.grid_presets import FirstChoice
from app.session.session import Session
from app.solving.run_stats import Tally
from app.solving.switchable_solver import Choice, PressureSolve
from app.window.settings_sync import Memory
from app.worker.worker import Comparing, Worker
from precond.support.command_line import RUN_TIME, Refusal

if TYPE_CHECKING:  # PyOpenGL must not be imported before `prepare_toolkit`
    from app.window.window import Window

SIZE = (1280, 720)  # of the window and of videos
WARM_UP = 3  # pictures in which the docked layout settles


def run(options: Options, memory: Memory | None = None) -> int:
    """Opens the window and returns the exit code when it is closed; `memory`: what it remembers of other runs."""
    memory = memory or Memory(None)
    options, undecided = memory.decide(options)
    solve = PressureSolve(Choice(options.preconds[0], options.tol), options.device, options.weights)
    total, sessions = Tally(options.preconds[0]), []

    def opened() -> Session:
        sessions.append(open_session(options, solve, total))
        return sessions[0]

    worker = Worker(opened, solve, options.paused)
    if options.compare:
        worker.compare(Comparing("race" if options.race else "shadow", options.compare))
    worker.first_choice = FirstChoice(options.free_tol) if undecided else None
    worker.rows = memory.settings.rows
    window = new_window(worker, offscreen=False)
    window.use(memory)
    window.frames = options.frames
    if options.record is not None:
        window.recorder = Recorder(options.record, SIZE, live=True)
    worker.start()
    try:
        start(window.params(memory.size))
    finally:
        worker.close()
        if window.recording:
            print(window.end_recording())
    if sessions and not worker.is_alive():
        sessions[0].close_log()
    if worker.broken:
        raise Refusal(worker.broken, RUN_TIME)
    if sessions and not worker.is_alive():
        write_results(options, sessions[0], [total, total])
    return 0


def record(journey: Journey, path: Path) -> None:
    """Draws every frame of the journey off screen, the panel beside it, into a video; no frame is dropped."""
    session = journey.session
    worker = Worker(lambda: session, session.solve)  # never started: it only holds what the window shows
    worker.snapshot = session.snapshot()
    window = new_window(worker, offscreen=True)
    frames, recorder = journey.frames(), Recorder(path, SIZE, live=False)
    waits = iter(range(WARM_UP))

    def advance() -> None:
        if next(waits, None) is not None:
            return
        window.recorder = recorder
        if recorder.error or next(frames, None) is None:
            window.recorder = None
            window.quit()
        worker.snapshot = session.snapshot()

    window.before_frame = advance
    try:
        start(window.params(SIZE))
    finally:
        print(recorder.close())
    journey.failure = journey.failure or recorder.error


def new_window(worker: Worker, offscreen: bool) -> Window:
    """A window for a display or for none. Raises Refusal where its toolkit is not installed."""
    prepare_toolkit(offscreen)
    from app.window.window import Window

    return Window(worker, offscreen)


def prepare_toolkit(offscreen: bool) -> None:
    """Tells PyOpenGL how contexts are made, before OpenGL.GL is imported. Raises Refusal without a window toolkit."""
    if importlib.util.find_spec("imgui_bundle") is None:
        raise Refusal("windows and videos need imgui-bundle, which is missing: use Python 3.11 or later", RUN_TIME)
    import OpenGL

    OpenGL.ERROR_CHECKING = False  # twice as many calls, and what can fail is asked for where it can
    if offscreen:
        os.environ["PYOPENGL_PLATFORM"] = "egl"
    elif sys.platform.startswith("linux"):
        os.environ["PYOPENGL_PLATFORM"] = "egl" if speaks_wayland() else "glx"


def speaks_wayland() -> bool:
    """Whether the window is going to be one of Wayland's, and not of X11's, which Wayland shows too."""
    import glfw
    import imgui_bundle  # noqa: F401  # first, so that glfw finds the copy of the library that opens the window

    return bool(os.environ.get("WAYLAND_DISPLAY")) and "Wayland" in str(glfw.get_version_string())


def start(params: Any) -> None:
    """Runs HelloImGui until the window closes. Raises Refusal where no window or no OpenGL can be had."""
    from imgui_bundle import hello_imgui, implot

    context = implot.create_context()
    try:
        hello_imgui.run(params)
    except RuntimeError as error:
        raise Refusal(f"the window cannot be opened: {error}", RUN_TIME) from None
    finally:
        implot.destroy_context(context)
