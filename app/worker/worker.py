"""The simulation's own thread: takes the user's commands, publishes the newest snapshot, never stops the window."""

from __future__ import annotations

import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app.compare.race import PANE_INPUTS, Race
from app.session.grid_presets import ENOUGH, AutomaticGrid, with_rows
from app.session.journal import BUSY
from app.session.session import FRAME_DT, Session
from app.session.snapshot import Snapshot
from app.solving.choice import Choice
from app.solving.switchable_solver import Cancelled, SwitchableSolver
from app.worker.notifications import Notice, Notices
from precond.support.threads import lower_own_priority
from sim.frame import Frame

NICENESS = 10  # a tenth of the window's weight: with every core busy solving, the window still gets its share


@dataclass(frozen=True)
class ComparisonChoice:
    """What the user has chosen to see side by side."""

    mode: str = "off"  # or "shadow": one fluid, its systems solved by all;  "race": a fluid for each
    methods: tuple[str, ...] = ("htp", "jacobi", "dilu", "multigrid")


class Worker(threading.Thread):
    """Runs a Session. `open_session` is called on this thread, where Taichi must live.

    Everything else may be called from the window's thread and returns at once.
    """

    def __init__(self, open_session: Callable[[], Session], solve: SwitchableSolver, paused: bool = False) -> None:
        super().__init__(name="simulation", daemon=True)
        self._open_session, self._solve = open_session, solve
        self._commands: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = queue.SimpleQueue()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._single_steps = 0
        self._session: Session | None = None
        self._refresh = False
        self._race: Race | None = None
        self._compares = ComparisonChoice()
        self._serial = 0  # of the snapshots of races
        self._said = ""  # about a method that stands in
        self.paused = paused
        self.comparing = ComparisonChoice()  # replaced from the window's thread, see `compare`
        self.snapshot: Snapshot | None = None
        self.on_news: Callable[[], None] = nothing  # called on this thread when there is another snapshot
        self.notices = Notices()
        self.notice: Notice | None = None  # the newest that is to be shown on the fluid
        self.automatic_grid: AutomaticGrid | None = None  # of the grid, until it has been made
        self.rows = 0  # of the grid that scenes are opened with; 0: their own
        self.broken = ""  # why there is no simulation, one sentence

    # For the window --------------------------------------------------------------------------------------------------

    def submit(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Has the simulation do action(session, *arguments) before its next frame, e.g. submit(Session.reset)."""
        self._commands.put((action, arguments))
        self._wake.set()

    def choose(self, choice: Choice) -> None:
        """Another preconditioner or tolerance, from the next pressure solve on, even within a frame."""
        if self._session is not None and self._session.replaying:
            self.notify(BUSY)
            return
        self._solve.choice = choice
        self._refresh = True
        self._wake.set()

    def compare(self, comparing: ComparisonChoice) -> None:
        """Shows other methods beside the one that the fluid follows, before its next frame."""
        if comparing.mode == "race" and self._session is not None and self._session.replaying:
            self.notify(BUSY)
            return
        self.comparing = comparing
        self._wake.set()

    @property
    def choice(self) -> Choice:
        """What the next pressure solve will use."""
        return self._solve.choice

    def why_unavailable(self, name: str) -> str | None:
        """None if that preconditioner can be chosen, else a sentence."""
        return self._solve.why_unavailable(name)

    def set_paused(self, paused: bool) -> None:
        """Stops after the frame under way, or goes on."""
        self.paused, self._single_steps = paused, 0
        self._wake.set()

    def step_once(self) -> None:
        """Pauses and makes one more frame."""
        self.paused = True
        self._single_steps += 1
        self._wake.set()

    def close(self, timeout: float = 20.0) -> None:
        """Ends the thread; it stops before its next pressure solve."""
        self._closing.set()
        self._solve.cancelled.set()
        self._wake.set()
        if self.is_alive():
            self.join(timeout)

    def notify(self, text: object) -> None:
        """Shows the user a sentence."""
        self.notice = self.notices.add(text)

    def set_grid(self, grid: tuple[int, int]) -> None:
        """Starts the scene again at this size, and says so."""
        self.automatic_grid = None

        def start_again(session: Session) -> None:
            session.set_grid(grid)
            self.notify(f"started again at {grid[0]} x {grid[1]} cells")

        self.submit(start_again)

    # On this thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """The thread's body."""
        lower_own_priority(NICENESS)
        try:
            self._session = self._open_session()
            self._publish(self._session)
        except Cancelled:
            return
        except Exception as error:
            self.broken = " ".join(str(error).split()) or type(error).__name__
            log_unexpected(error)
            return
        due = time.perf_counter()
        while not self._closing.is_set():
            self._handle()
            if self.paused and self._single_steps == 0:
                self._wake.wait(1.0)
                self._wake.clear()
                due = time.perf_counter()
                continue
            self._advance()
            pace = FRAME_DT / (len(self._race.panes) if self._race else 1)
            due = max(due + pace, time.perf_counter() - pace)  # never faster than real time, never catching up
            self._rest(due)

    def _handle(self) -> None:
        """Carries out the commands waiting; a failing one becomes a notice."""
        session, done = self._session, False
        assert session is not None
        enough = time.perf_counter() + FRAME_DT
        while not self._commands.empty():
            if time.perf_counter() > enough:  # what has been done so far is to be seen
                self._wake.set()
                break
            action, arguments = self._commands.get()
            done = True
            try:
                self._carry_out(session, action, arguments)
            except Exception as error:
                self.notify(error)
                log_unexpected(error)
        if self.comparing is not self._compares:
            done = True
            self._start_comparing(session)
        if done or self._refresh:
            self._refresh = False
            if self._race is not None:
                self._race.set_tolerance(self._solve.choice.tol)
            self._publish(session)

    def _carry_out(self, session: Session, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Does it to every pane of a race, or else to the session; a race then starts again from its new state."""
        if self._race is not None and action in PANE_INPUTS:
            self._race.submit(action, arguments)
            return
        before = session.last
        action(session, *arguments)
        if self._race is not None and session.last is not before:
            self._start_comparing(session)

    def _start_comparing(self, session: Session) -> None:
        """Has the comparison that the user asked for; none where it cannot be had."""
        comparing, self._race = self.comparing, None
        try:
            session.set_shadows(comparing.methods if comparing.mode == "shadow" else ())
            if comparing.mode == "race":
                self._race = Race(session, comparing.methods)
        except Cancelled:
            pass
        except (ValueError, RuntimeError, MemoryError) as error:
            self.notify(f"the race cannot start: {error}")
            comparing = self.comparing = ComparisonChoice("off", comparing.methods)
        self._compares = comparing

    def _publish(self, session: Session) -> None:
        """A new snapshot for the window."""
        if self._race is None:
            self.snapshot = session.snapshot()
        else:
            self._serial -= 1  # other than all of the session's
            self.snapshot = self._race.snapshot(self._serial)
        self.on_news()

    def _take_turn(self, race: Race) -> None:
        """One frame of one pane."""
        try:
            race.turn()
        except Cancelled:
            return
        except Exception as error:
            self.paused, self._single_steps = True, 0
            self.notify(error)
            log_unexpected(error)

    def _advance(self) -> None:
        """One frame; trouble pauses with a notice."""
        session = self._session
        assert session is not None
        self._single_steps = max(0, self._single_steps - 1)
        if self._race is not None:
            self._take_turn(self._race)
            self._publish(session)
            return
        start = time.perf_counter()
        try:
            frame = session.step()
            seconds = time.perf_counter() - start
            self._publish(session)
        except Cancelled:
            return
        except Exception as error:
            self.paused, self._single_steps = True, 0
            self.notify(f"{error} - paused, press R to start again")
            log_unexpected(error)
            return
        if self.snapshot is not None and self.snapshot.fallback:
            self.notices.add(self.snapshot.fallback)  # the canvas shows it as long as it holds
        self._choose_grid(session, frame, seconds)
        if self._solve.notice != self._said:
            self._said = self._solve.notice
            if self._said:
                self.notify(self._said)
        for text in frame.stats.notices:
            self.notify(text)
        if self._solve.failure:
            self.notify(self._solve.failure)
            self._solve.failure = ""
        self._report_on_files(session)

    def _choose_grid(self, session: Session, frame: Frame, seconds: float) -> None:
        """Changes to a coarser grid where this machine does not keep up with the first one."""
        first = self.automatic_grid
        if first is None or self._compares.mode != "off":
            return
        scene, (ny, nx) = session.simulation.scene, session.simulation.grid.shape
        preset = first.watch(scene, (ny, nx), len(frame.stats.solutions), seconds)
        if preset is not None:
            rows, columns = with_rows(scene, preset.rows)
            session.set_grid((rows, columns))
            self.rows = rows
            if first.with_tolerance:
                self._solve.choice = replace(self._solve.choice, tol=preset.tol)
            self._publish(session)
            self.notify(
                f"this machine makes {first.rate:.0f} steps/s at {ny} x {nx} cells: {rows} x {columns} were chosen to "
                f"hold {ENOUGH:.0f}; change it under Scene"
            )
        if first.done:
            self.automatic_grid = None

    def _report_on_files(self, session: Session) -> None:
        """Says that a log cannot go on; pauses at the end of a replay."""
        if session.log is not None and session.log.error:
            self.notify(session.log.error)
            session.log.error = ""
        if session.replay is not None and session.frames == session.replay.frames:
            self.paused, self._single_steps = True, 0
            verdict = session.replay.verdict()
            self.notify(f"the replay has ended, press Space to go on from here{verdict and f'; {verdict}'}")

    def _rest(self, due: float) -> None:
        """Waits until `due`, unless there is something to do."""
        while (left := due - time.perf_counter()) > 0 and not self._closing.is_set():
            if self._wake.wait(left):
                self._wake.clear()
                if self._commands.empty():
                    continue
                self._handle()


def nothing() -> None:
    """For when nobody wants to hear of it."""


def log_unexpected(error: Exception) -> None:
    """A traceback on stderr for what is not the user's doing; a ValueError or OSError has said all in its sentence."""
    if not isinstance(error, (ValueError, OSError)):
        traceback.print_exception(error, file=sys.stderr)
