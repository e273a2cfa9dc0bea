"""The simulation's own process: a worker whose view model follows the window's commands and answers through a pipe."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from typing import Any, Protocol

from app.session.session import Session
from app.session.snapshot import Snapshot
from app.session.state_file import SavedState
from app.solving.switchable_solver import SwitchableSolver
from app.worker.messages import Channel
from app.worker.processes import ignore_signals
from app.worker.shown import Kept, Shown
from app.worker.view_model import ViewModel
from app.worker.worker import Worker, log_unexpected

KEEP_EVERY = 0.05  # [s] between two states to continue from
PATIENCE = 10.0  # [s] that a process waits for its own end once the window is gone


class Job(Protocol):
    """What to simulate, and what to do at the end. It is sent to the process.

    has_results: whether `finish` writes any, without which it need not be waited for.
    """

    @property
    def has_results(self) -> bool: ...

    def solver(self) -> SwitchableSolver:
        """The solver of the session, made in the process."""

    def open(self, solve: SwitchableSolver, view: ViewModel, kept: Kept | None) -> Session:
        """The session, from its start or continued. Raises what Session raises."""

    def finish(self, session: Session) -> None:
        """Writes results after the last frame. Raises ValueError."""


class ServedViewModel(ViewModel):
    """The view model of the simulation's process. What it shows is shown by the window's too."""

    def __init__(self, channel: Channel, solve: SwitchableSolver, shown: Shown) -> None:
        self.channel = channel
        super().__init__(solve, shown.paused)
        self.comparing, self.rows, self.speed = shown.comparing, shown.rows, shown.speed
        self.start = shown.start
        self.session: Session | None = None
        self._seen, self._order = shown.seen, 0
        self._telling = threading.RLock()  # commands and what is told of their outcome, one at a time
        self._told: Shown | None = None
        self._kept_at = 0.0

    def _shown(self) -> Shown:
        """The present state."""
        return Shown(
            self.choice, self.paused, self.single_steps, self.comparing, self.rows, self.speed, self.start,
            self.fatal_error, self._seen,
        )  # fmt: skip

    def carry_out(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        """One of the window's commands: a method of the view model."""
        with self._telling:
            try:
                getattr(self, name)(*arguments)
            finally:
                self._seen = number
                self.tell()

    def tell(self) -> None:
        """Sends the present state where it has changed."""
        with self._telling:
            shown = self._shown()
            if shown != self._told:
                self._told, self._order = shown, self._order + 1
                self.channel.send("shown", replace(shown, order=self._order))

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
        self.channel.send_arrays("snapshot", snapshot)
        self.tell()
        if self.session is not None and time.perf_counter() > self._kept_at + KEEP_EVERY:
            self._kept_at = time.perf_counter()
            self.channel.keep(kept(self.session))


def kept(session: Session) -> Kept:
    """The session's present state."""
    now = session.simulation
    arrays = {**now.state(), **session.solve.memory()}
    state = SavedState("the last frame", now.scene, now.grid, arrays)
    return Kept(state, session.settings, session.total, session.frames)


def serve(ends: tuple[Any, ...], job: Job, shown: Shown, before: Kept | None) -> None:
    """The process: simulates until the window says "close" or is gone. before: what to continue from."""
    ignore_signals()
    channel, solve = Channel(ends, None), job.solver()
    solve.choice = shown.choice
    view = ServedViewModel(channel, solve, shown)
    channel.set_view(view)

    def opened() -> Session:
        view.session = job.open(solve, view, before)
        return view.session

    worker = Worker(opened, solve, view)
    threading.Thread(target=listen, args=(channel, view, worker), name="commands", daemon=True).start()
    failure = ""
    with contextlib.suppress(OSError):  # the window is gone
        try:
            worker.run()
        finally:
            if view.session is not None:
                view.session.close_log()
        channel.send("finishing")
        try:
            if view.session is not None:
                job.finish(view.session)
        except Exception as error:  # whatever it is, the window says it, or nobody would
            failure = " ".join(str(error).split()) or type(error).__name__
            log_unexpected(error)
        view.tell()
        channel.send("ended", failure)


def listen(channel: Channel, view: ServedViewModel, worker: Worker) -> None:
    """Carries out the window's commands; ends the process when the window is gone."""
    while True:
        try:
            number, name, arguments = channel.receive()
            if name == "close":
                worker.close()
            else:
                view.carry_out(number, name, arguments)
        except (EOFError, OSError):
            break
        except Exception as error:  # a command that cannot be carried out; the next one may be
            log_unexpected(error)
            with contextlib.suppress(OSError):
                view.notify(error)
    worker.close()
    time.sleep(PATIENCE)
    os._exit(1)
