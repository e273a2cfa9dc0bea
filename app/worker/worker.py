"""The simulation's own thread: follows the view model, publishes the newest snapshot, never holds up the window."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from app.compare.branches import Branches
from app.compare.race import PANE_INPUTS, Race
from app.session.session import FRAME_DT, Session
from app.solving.choice import PANES, SWEEPS, ComparisonChoice
from app.solving.switchable_solver import Cancelled, SwitchableSolver
from app.worker.view_model import ViewModel, keep_pane
from precond.support.threads import lower_own_priority
from sim.frame import Frame
from sim.grid import with_rows

NAMES = {"race": "The race", "branch": "Branches", "shadow": "Shadow mode"}
NICENESS = 10  # a tenth of the window's weight: with every core busy solving, the window still gets its share


class Worker(threading.Thread):
    """Runs a Session. `open_session` is called on this thread, where Taichi must live."""

    def __init__(self, open_session: Callable[[], Session], solve: SwitchableSolver, view: ViewModel) -> None:
        super().__init__(name="simulation", daemon=True)
        self._open_session, self._solve, self._view = open_session, solve, view
        self._closing = threading.Event()
        self._race: Race | Branches | None = None  # fluids beside each other
        self._comparing = ComparisonChoice()  # as started
        self._race_serial = 0  # of the snapshots of races
        self._shown_notice = ""  # about a method that stands in

    def close(self, timeout: float = 20.0) -> None:
        """Ends the thread; it stops before its next pressure solve. For the window's thread."""
        self._closing.set()
        self._solve.cancelled.set()
        self._view.changed.set()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        """The thread's body."""
        lower_own_priority(NICENESS)
        view = self._view
        try:
            session = self._open_session()
            self._publish(session)
        except Cancelled:
            return
        except Exception as error:
            view.fatal_error = " ".join(str(error).split()) or type(error).__name__
            log_unexpected(error)
            return
        due = time.perf_counter()
        while not self._closing.is_set():
            self._handle(session)
            if view.paused and view.single_steps == 0:
                view.changed.wait(1.0)
                view.changed.clear()
                due = time.perf_counter()
                continue
            self._advance(session)
            pace = FRAME_DT / view.speed / (len(self._race.panes) if self._race else 1)
            due = max(due + pace, time.perf_counter() - pace)  # never faster than asked for, never catching up
            self._rest(session, due)

    # What the user wants ---------------------------------------------------------------------------------------------

    def _handle(self, session: Session) -> None:
        """Carries out the commands that wait; an error becomes a notice."""
        view, done = self._view, False
        enough = time.perf_counter() + FRAME_DT
        for action, arguments in view.commands():
            done = True
            try:
                self._carry_out(session, action, arguments)
            except Exception as error:
                view.notify(error)
                log_unexpected(error)
            if time.perf_counter() > enough:  # what has been done so far is to be seen
                view.changed.set()
                break
        if view.comparing is not self._comparing:
            done = True
            self._start_comparing(session)
        if done:
            if self._race is not None:
                self._race.set_tolerance(self._solve.choice.tol)
            self._publish(session)

    def _carry_out(self, session: Session, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Does it to every pane of a race, or else to the session; a race then starts again from its new state."""
        if action is keep_pane:
            self._keep_pane(session, *arguments)
            return
        if self._race is not None and action in PANE_INPUTS:
            self._race.submit(action, arguments)
            return
        before = session.last
        action(session, *arguments)
        if self._race is not None and session.last is not before:
            self._start_comparing(session)

    def _keep_pane(self, session: Session, number: int) -> None:
        """Goes on with the fluid of a pane alone, and with its method. Raises ValueError where that cannot be."""
        if self._race is None or number >= len(self._race.panes):
            return
        pane = self._race.panes[number]
        session.adopt(pane.session)
        if pane.precond != SWEEPS:
            self._solve.choice = pane.session.solve.choice
        self._race = None
        self._view.compare("off")
        how = f"solved by {self._solve.method} to {self._solve.choice.tol:.0e}"
        self._view.notify(f"Continues from pane {number + 1} at {session.last.time:.2f} s, {how}")

    def _start_comparing(self, session: Session) -> None:
        """Starts the comparison that the user has chosen; none where it cannot be had."""
        wanted, before, self._race = self._view.comparing, self._race, None
        if before is not None and wanted.mode not in PANES:
            self._view.notify(
                f"Back at {session.last.time:.2f} s, where the panes began; Keep goes on with one of them"
            )
        try:
            session.set_shadows(wanted.methods if wanted.mode == "shadow" else ())
            if wanted.mode == "race":
                self._race = Race(session, wanted.methods)
            elif wanted.mode == "branch":
                self._race = Branches(session, wanted.variants)
        except Cancelled:
            pass
        except (ValueError, RuntimeError, MemoryError) as error:
            self._view.notify(f"{NAMES[wanted.mode]} cannot start: {error}")
            self._view.stop_comparing(wanted)
        self._comparing = wanted

    # Frames ----------------------------------------------------------------------------------------------------------

    def _publish(self, session: Session) -> None:
        """A new snapshot for the window."""
        if self._race is None:
            self._view.publish(session.snapshot())
        else:
            self._race_serial -= 1  # other than all of the session's
            self._view.publish(self._race.snapshot(self._race_serial))

    def _advance(self, session: Session) -> None:
        """One frame; an error pauses with a notice."""
        self._view.single_steps = max(0, self._view.single_steps - 1)
        if self._race is not None:
            if self._advance_panes(self._race):
                self._publish(session)
            return
        start = time.perf_counter()
        try:
            frame = session.step()
            self._publish(session)
            seconds = time.perf_counter() - start
        except Cancelled:
            return
        except Exception as error:
            self._view.set_paused(True)
            self._view.notify(f"Paused: {error}; press R to reset")
            log_unexpected(error)
            return
        try:
            self._choose_grid(session, frame, seconds)
        except (ValueError, RuntimeError, MemoryError) as error:
            self._view.automatic_grid = None
            self._view.notify(f"The grid stays as it is: {error}")
        self._report(session, frame)

    def _advance_panes(self, panes: Race | Branches) -> bool:
        """One frame of one pane; whether there is something new to show. In step, a single step is one of all panes."""
        try:
            while True:
                new = panes.turn()
                if new or not self._view.paused:
                    return new
        except Cancelled:
            return False
        except Exception as error:
            self._view.set_paused(True)
            self._view.notify(error)
            log_unexpected(error)
            return True

    def _choose_grid(self, session: Session, frame: Frame, seconds: float) -> None:
        """Changes to the finest grid that keeps up with the clock on this machine; later only says which that is."""
        view, automatic = self._view, self._view.automatic_grid
        if automatic is None or self._comparing.mode != "off" or session.replaying:
            return
        scene, (ny, nx) = session.simulation.scene, session.simulation.grid.shape
        target, method, settled = min(view.speed, 1.0), self._solve.method, automatic.settled
        preset = automatic.watch((ny, nx), frame.dt, seconds, target, method)
        if preset is None:
            return
        rows, columns = with_rows(scene.grid, preset.rows)
        reached = f"{method} flows at {100 * automatic.ratio:.0f} % of real time at {ny} x {nx} cells"
        if settled:
            view.notify(f"{reached}; {rows} x {columns} would suit it. Choose it under Scene.")
            return
        session.set_grid((rows, columns))
        view.rows = rows
        self._publish(session)
        view.notify(f"{reached}; now {rows} x {columns}. Change it under Scene.")

    def _report(self, session: Session, frame: Frame) -> None:
        """Notices about the frame, the solver and the files; pauses at the end of a replay."""
        view, log, replay = self._view, session.journal.log, session.journal.replay
        if view.snapshot is not None and view.snapshot.fallback:
            view.mention(view.snapshot.fallback)  # the fluid shows it as long as it holds
        if self._solve.notice != self._shown_notice:
            self._shown_notice = self._solve.notice
            if self._shown_notice:
                view.notify(self._shown_notice)
        for text in frame.stats.notices:
            view.notify(text)
        if self._solve.failure:
            view.notify(self._solve.failure)
            self._solve.failure = ""
        if log is not None and log.error:
            view.notify(log.error)
            log.error = ""
        if replay is not None and session.frames == replay.frames:
            view.set_paused(True)
            verdict = replay.verdict()
            view.notify(f"The replay has ended; press Space to continue from here{verdict and f' ({verdict})'}")

    def _rest(self, session: Session, due: float) -> None:
        """Waits until `due`, unless there is something to do."""
        view = self._view
        while (left := due - time.perf_counter()) > 0 and not self._closing.is_set():
            if view.changed.wait(left):
                view.changed.clear()
                if view.has_commands:
                    self._handle(session)


def log_unexpected(error: Exception) -> None:
    """A traceback on stderr for a bug; a ValueError or OSError has said all in its sentence."""
    if not isinstance(error, (ValueError, OSError)):
        traceback.print_exception(error, file=sys.stderr)
