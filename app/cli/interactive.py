"""Opens the window on a display, and writes the results when it is closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.cli.options import Options
from app.cli.outputs import open_session, write_results
from app.record.video import Recorder
from app.session.grid_presets import AutomaticGrid
from app.session.session import Session
from app.solving import kernels
from app.solving.choice import Choice
from app.solving.run_stats import RunStats
from app.solving.switchable_solver import SwitchableSolver
from app.window import toolkit
from app.window.settings_sync import SettingsSync
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from precond.support.command_line import RUN_TIME, Refusal
from sim.grid import with_rows

if TYPE_CHECKING:  # PyOpenGL must not be imported before `prepare_toolkit`
    from app.window.window import Window


def run(options: Options, settings: SettingsSync | None = None) -> int:
    """Opens the window and returns the exit code when it is closed; `settings`: those of the last run."""
    settings = settings or SettingsSync(None)
    options, undecided = decide(options, settings)
    solve = SwitchableSolver(Choice(options.preconds[0], options.tol), options.device, options.weights)
    total, sessions = RunStats(options.preconds[0]), []
    view = ViewModel(solve, options.paused)

    def opened() -> Session:
        kernels.prepare(options.device, view.show_start)
        sessions.append(open_session(options, solve, total))
        return sessions[0]

    if options.compare:
        view.compare("race" if options.race else "shadow", options.compare)
    view.automatic_grid = AutomaticGrid(options.free_tol) if undecided else None
    view.rows = settings.settings.rows
    window = new_window(view, offscreen=False)
    window.use(settings)
    window.frames = options.frames
    if options.record is not None:
        window.recorder = Recorder(options.record, toolkit.SIZE, live=True)
    worker = Worker(opened, solve, view)
    worker.start()
    try:
        toolkit.start(window.params(settings.size))
    finally:
        worker.close()
        if window.recording:
            print(window.end_recording())
    if sessions and not worker.is_alive():
        sessions[0].close_log()
    if view.fatal_error:
        raise Refusal(view.fatal_error, RUN_TIME)
    if sessions and not worker.is_alive():
        write_results(options, sessions[0], total, [total])
    return 0


def decide(options: Options, settings: SettingsSync) -> tuple[Options, bool]:
    """The options, completed from the settings; and whether the grid is still to be found by measuring the machine."""
    rows, tol = settings.settings.rows, settings.settings.tol
    settings.keeps_tol = options.free_tol
    if options.free_tol and tol:
        options = replace(options, tol=tol)
    if options.free_grid and rows:
        options = replace(options, grid=with_rows(options.scene.grid, rows))
    return options, options.free_grid and not rows


def new_window(view: ViewModel, offscreen: bool) -> Window:
    """A window for a display or for none. Raises Refusal where its toolkit is not installed."""
    toolkit.prepare_toolkit(offscreen)
    from app.window.window import Window

    return Window(view, offscreen)
