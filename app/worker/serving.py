"""The simulation's own process: a worker whose view model follows the window's commands and answers through a pipe."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any, Protocol

from app.session.session import Session
from app.session.snapshot import Snapshot
from app.session.state_file import SavedState
from app.solving.switchable_solver import SwitchableSolver
from app.worker.messages import Channel
from app.worker.shown import Kept, Shown
from app.worker.view_model import ViewModel
from app.worker.worker import Worker

KEEP_EVERY = 0.05  # [s] between two states to continue from
PATIENCE = 10.0  # [s] that a process waits for its own end once the window is gone


class Job(Protocol):
    """What to simulate, and what to do at the end. It is sent to the process."""

    def prepare(self, view: ViewModel) -> SwitchableSolver:
        """Sets up the view model; the solver of the session."""

    def open(self, solve: SwitchableSolver, view: ViewModel, kept: Kept | None) -> Session:
        """The session, from its start or continued. Raises what Session raises."""

    def finish(self, session: Session) -> None:
        """Writes results after the last frame. Raises ValueError."""


class ServedViewModel(ViewModel):
    """The view model of the simulation's process. What it shows is shown by the window's too."""

    def __init__(self, channel: Channel, shown: Shown) -> None:
        self.channel = channel
        super().__init__(_NotYet(shown.choice), shown.paused)
        self.comparing, self.rows, self.speed = shown.comparing, shown.rows, shown.speed
        self.start = shown.start
        self.session: Session | None = None
        self.seen = shown.seen
        self._told: Shown | None = None
        self._kept_at = 0.0

    def use(self, solve: SwitchableSolver) -> None:
        """The solver whose choice it shows."""
        self._solve = solve

    @property
    def shown(self) -> Shown:
        """The present state."""
        return Shown(
            self.choice, self.paused, self.single_steps, self.comparing, self.rows, self.speed, self.start,
            self.fatal_error, self.seen,
        )  # fmt: skip

    def carry_out(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        """One of the window's commands: a method of the view model."""
        getattr(self, name)(*arguments)
        self.seen = number
        self.tell()

    def tell(self) -> None:
        """Sends the present state where it has changed."""
        if self.shown != self._told:
            self._told = self.shown
            self.channel.send("shown", self._told)

    def show_start(self, text: str) -> None:
        """See ViewModel."""
        super().show_start(text)
        self.tell()

    def notify(self, text: object) -> None:
        """See ViewModel."""
        self.channel.send("notice", str(text), True)
        self.tell()

    def mention(self, text: object) -> None:
        """See ViewModel."""
        self.channel.send("notice", str(text), False)

    def publish(self, snapshot: Snapshot) -> None:
        """See ViewModel. Also keeps what the simulation can be continued from."""
        super().publish(snapshot)
        self.channel.send_arrays("snapshot", snapshot, self.shown)
        if self.session is not None and time.perf_counter() > self._kept_at + KEEP_EVERY:
            self._kept_at = time.perf_counter()
            self.channel.keep(kept(self.session))


class _NotYet:
    """Stands for the solver until there is one."""

    def __init__(self, choice: Any) -> None:
        self.choice = choice

    def why_unavailable(self, name: str) -> str | None:
        """Nothing is known yet."""
        return f"{name} is not known yet"


def kept(session: Session) -> Kept:
    """The session's present state."""
    now = session.simulation
    arrays = {**now.state(), **session.solve.memory()}
    return Kept(SavedState("the last frame", now.scene, now.grid, arrays), session.settings)


def serve(ends: tuple[Any, ...], job: Job, shown: Shown, before: Kept | None) -> None:
    """The process: simulates until the window says "close" or is gone. before: what to continue from."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window hears Ctrl-C too, and decides
    channel = Channel(ends, None)
    view = ServedViewModel(channel, shown)
    channel.set_view(view)
    solve = job.prepare(view)
    solve.choice = shown.choice
    view.use(solve)

    def opened() -> Session:
        view.session = job.open(solve, view, before)
        return view.session

    worker = Worker(opened, solve, view)
    threading.Thread(target=listen, args=(channel, view, worker), name="commands", daemon=True).start()
    failure = ""
    try:
        worker.run()
        if view.session is not None:
            view.session.close_log()
            job.finish(view.session)
    except ValueError as error:
        failure = str(error)
    try:
        view.tell()
        channel.send("ended", failure)
    except OSError:  # nobody listens any more
        pass


def listen(channel: Channel, view: ServedViewModel, worker: Worker) -> None:
    """Carries out the window's commands; ends the process when the window is gone."""
    try:
        while True:
            number, name, arguments = channel.receive()
            if name == "close":
                worker.close()
            else:
                view.carry_out(number, name, arguments)
    except (EOFError, OSError):
        worker.close()
        time.sleep(PATIENCE)
        os._exit(1)
