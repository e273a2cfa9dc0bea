"""Opens the program's window without a display, for tests that use it as a user does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.cli.interactive import WindowJob

ROOT = Path(__file__).resolve().parents[3]
SIZE = (960, 640)
SCENE, GRID = "dam-break", (24, 32)


def open_unseen(options: Sequence[str], prepare: Callable[[Any, Any, Any], None]) -> int:
    """Opens the window of `python -m app` without a display and returns the exit code when it is closed.

    `prepare(window, view model, parameters)` is called before it is shown.
    """
    from app.cli import interactive
    from app.cli import options as arguments
    from app.window.settings_sync import SettingsSync

    arguments.check_display = lambda headless: None
    interactive.WindowJob = UnhurriedJob
    made = interactive.new_window

    def new_window(view: Any, offscreen: bool) -> Any:
        window = made(view, offscreen=True)
        params = window.params

        def on_the_null_platform(size: tuple[int, int]) -> Any:
            given = params(size)
            window.offscreen = False  # it draws without a display, and is used as if there were one
            prepare(window, view, given)
            return given

        window.params = on_the_null_platform
        return window

    interactive.new_window = new_window
    settings = SettingsSync(None)
    settings.settings = replace(settings.settings, width=SIZE[0], height=SIZE[1], rows=GRID[0])
    return interactive.run(arguments.options(options), settings)


class UnhurriedJob(WindowJob):
    """A simulation that does not give way, or other programs on this machine decide how long a test takes."""

    def solver(self) -> Any:
        """In the simulation's process."""
        from app.worker import worker

        worker.NICENESS = 0
        return super().solver()


def simulation_runs() -> bool:
    """Whether the simulation's process is alive."""
    return any(process.name == "simulation" for process in multiprocessing.active_children())
