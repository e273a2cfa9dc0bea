"""Opens the window on a display, and writes the results when it is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import interruption
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
from app.worker.remote import RemoteViewModel, Selection, SimulationProcess
from app.worker.shown import Kept
from app.worker.view_model import ViewModel
from precond.support.command_line import RUN_TIME, Refusal
from sim.grid import with_rows

if TYPE_CHECKING:  # PyOpenGL must not be imported before `prepare_toolkit`
    from app.window.window import Window


@dataclass(frozen=True)
class WindowJob:
    """What the simulation's process does for a window; see worker/serving.py."""

    options: Options
    undecided: bool  # the grid is still to be found by measuring the machine
    timeline: int = 0  # memory for moments to go back to [MiB]

    @property
    def has_results(self) -> bool:
        """Whether `finish` will write any."""
        options = self.options
        return any((options.json, options.save_state, options.export, options.log))

    def solver(self) -> SwitchableSolver:
        """The solver of the session, made in the process."""
        options = self.options
        solve = SwitchableSolver(Choice(options.preconds[0], options.tol), options.device, options.weights)
        solve.advising = True
        return solve

    def open(self, solve: SwitchableSolver, view: ViewModel, kept: Kept | None) -> Session:
        """The session as the options say, or continued from what was kept of it."""
        kernels.prepare(self.options.device, view.show_start, solve.cancelled.is_set)
        options = self.options
        view.automatic_grid = AutomaticGrid() if self.undecided and kept is None else None
        if kept is not None:
            if options.log is not None:
                view.notify(f"The log {str(options.log)!r} ends where the simulation's process ended")
            options = replace(options, log=None, replay=None, state=kept.state, scene=kept.state.scene)
            options = replace(options, grid=kept.state.grid.shape)
        total = RunStats(options.preconds[0]) if kept is None else kept.total
        session = open_session(options, solve, total, self.timeline << 20)
        if kept is not None:
            session.settings, session.journal.frames = kept.settings, kept.frames
        return session

    def finish(self, session: Session) -> None:
        """Writes the results. Raises ValueError."""
        total = session.total
        assert total is not None
        try:
            write_results(self.options, session, total, [total])
        except Refusal as refusal:
            raise ValueError(str(refusal)) from None


def run(options: Options, settings: SettingsSync | None = None) -> int:
    """Opens the window and returns the exit code when it is closed; `settings`: those of the last run."""
    settings = settings or SettingsSync(None)
    options, undecided = decide(options, settings)
    view = RemoteViewModel(Selection(Choice(options.preconds[0], options.tol), options.weights), options.paused)
    if options.compare:
        compare(view, options)
    view.choose_rows(settings.settings.rows)
    with interruption.held_back():
        window = new_window(view, offscreen=False)
    window.use(settings)
    window.frames, window.should_end = options.frames, interruption.asked
    if options.record is not None:
        start_recording(window, options, options.record)
    simulation = SimulationProcess(WindowJob(options, undecided, settings.settings.timeline), view)
    simulation.start()
    try:
        with interruption.held_back():
            toolkit.start(window.params(settings.size))
    finally:
        simulation.close()
        if window.recording:
            print(window.capture.end())
    if view.fatal_error or simulation.failure:
        raise Refusal(view.fatal_error or simulation.failure, RUN_TIME)
    return 0


def start_recording(window: Window, options: Options, path: Path) -> None:
    """Records the window, or the fluid alone, from the first picture on."""
    pictures = options.pictures
    if pictures is not None:
        window.state.look = replace(window.state.look, theme=pictures.look.theme)
    size = toolkit.SIZE if pictures is None else pictures.size
    window.capture.start(Recorder(path, size, live=True), whole=pictures is None)


def compare(view: RemoteViewModel, options: Options) -> None:
    """Starts the comparison of the command line: branches, where more than the methods differ."""
    methods = tuple(dict.fromkeys(each.precond for each in options.compare))
    if all(each.plain for each in options.compare):
        view.compare("race" if options.race else "shadow", methods)
    else:
        view.compare("branch", variants=options.compare)


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
