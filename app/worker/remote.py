"""The window's side of a simulation in a process of its own: starts it, follows it, and starts it again if it dies."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import Any

from app.session.journal import BUSY
from app.session.snapshot import Snapshot
from app.solving.choice import Choice, ComparisonChoice, Variant
from app.solving.switchable_solver import why_unavailable
from app.worker.messages import Channel
from app.worker.processes import end, ended_by, launch
from app.worker.serving import Job, serve
from app.worker.shown import Kept, Shown
from app.worker.view_model import ViewModel

DEATHS = 3  # within DEATHS_WITHIN: then there is no use in starting it once more
DEATHS_WITHIN = 30.0  # [s]
NOTHING_TO_WRITE = 3.0  # [s] to wait for a process that will write nothing, as one that still compiles kernels
Outbox = queue.SimpleQueue[Any]


class Selection:
    """The method and tolerance that the window has chosen; the solver is in another process."""

    def __init__(self, choice: Choice, weights: str | None) -> None:
        self.choice, self._weights = choice, weights

    def why_unavailable(self, name: str) -> str | None:
        """None if that preconditioner can be chosen, else a sentence."""
        return why_unavailable(name, self._weights)


class RemoteViewModel(ViewModel):
    """The view model of a window whose simulation runs in another process. Its commands are sent there by number."""

    def __init__(self, selection: Selection, paused: bool = False) -> None:
        super().__init__(selection, paused)
        self.link: SimulationProcess | None = None
        self._numbering = threading.RLock()  # what is shown changes together with the number of its command
        self._sent, self._adopted = 0, 0  # the number of the last command, the order of the last record taken over
        self._asked = -1  # the snapshot that was shown when something was asked for last
        self._serial = 0

    def adopt(self, shown: Shown) -> None:
        """Takes over the simulation's state, but for what the window has changed since."""
        with self._numbering:
            self.start, self.fatal_error = shown.start, shown.fatal_error
            if shown.seen < self._sent or shown.order <= self._adopted:
                return
            self._adopted = shown.order
            self._solve.choice = shown.choice
            self.paused, self.single_steps = shown.paused, shown.single_steps
            self.comparing, self.rows, self.speed = shown.comparing, shown.rows, shown.speed

    def receive(self, snapshot: Snapshot) -> None:
        """Shows a snapshot from the process, of a serial of its own here, since processes follow one another."""
        self._serial += 1
        self.publish(replace(snapshot, serial=self._serial))

    @property
    def shown(self) -> Shown:
        """What a new process has to begin with."""
        return Shown(self.choice, self.paused, 0, self.comparing, self.rows, self.speed, self.start, "", self._sent)

    def say_again(self, known: Shown) -> None:
        """Tells a new process, which began with `known`, what has been set while it was starting."""
        with self._numbering:
            self._adopted = 0
            if self._sent != known.seen:
                self._tell("choose", self.choice)
                self._tell("compare", *self._compared)
                self._tell("set_speed", self.speed)
                self._tell("choose_rows", self.rows)
                self._tell("set_paused", self.paused)

    @property
    def unanswered(self) -> bool:
        """See ViewModel: nothing new has been shown since."""
        return self._asked >= self._serial

    def submit(self, action: Callable[..., Any], *arguments: Any) -> None:
        """See ViewModel; the action is a function of a module, which the other process has too."""
        self._asked = self._serial
        self._tell("submit", action, *arguments)

    def choose(self, choice: Choice) -> None:
        """See ViewModel."""
        if self.replaying:
            self.notify(BUSY)
            return
        with self._numbering:
            self._solve.choice = choice
            self._tell("choose", choice)

    def compare(
        self,
        mode: str | None = None,
        methods: tuple[str, ...] | None = None,
        variants: tuple[Variant, ...] | None = None,
    ) -> None:
        """See ViewModel."""
        with self._numbering:
            before, self._asked = self.comparing, self._serial
            super().compare(mode, methods, variants)
            if self.comparing is not before:
                self._tell("compare", *self._compared)

    @property
    def _compared(self) -> tuple[Any, ...]:
        """The arguments of `compare` that say what is compared now."""
        return self.comparing.mode, self.comparing.methods, self.comparing.variants

    def stop_comparing(self, failed: ComparisonChoice) -> None:
        """See ViewModel; the simulation does it."""

    def set_paused(self, paused: bool) -> None:
        """See ViewModel."""
        with self._numbering:
            super().set_paused(paused)
            self._tell("set_paused", paused)

    def step_once(self) -> None:
        """See ViewModel."""
        with self._numbering:
            super().step_once()
            self._tell("step_once")

    def set_grid(self, grid: tuple[int, int]) -> None:
        """See ViewModel."""
        self._asked = self._serial
        self._tell("set_grid", grid)

    def set_speed(self, speed: float) -> None:
        """See ViewModel."""
        with self._numbering:
            super().set_speed(speed)
            self._tell("set_speed", speed)

    def keep_grid(self) -> None:
        """See ViewModel."""
        self._tell("keep_grid")

    def choose_rows(self, rows: int) -> None:
        """See ViewModel."""
        with self._numbering:
            super().choose_rows(rows)
            self._tell("choose_rows", rows)

    def _tell(self, name: str, *arguments: Any) -> None:
        """Sends a command; one for a process that has died is lost."""
        with self._numbering:
            self._sent += 1
            if self.link is not None:
                self.link.send(self._sent, name, arguments)


class SimulationProcess:
    """Runs a Job in a process of its own, and shows what it does in a view model."""

    def __init__(self, job: Job, view: RemoteViewModel) -> None:
        self._job, self._view = job, view
        self._closing, self._finishing = threading.Event(), threading.Event()
        self._deaths: list[float] = []
        self._process: BaseProcess | None = None
        self._channel: Channel | None = None
        self._outbox: Outbox = queue.SimpleQueue()
        self._follower = threading.Thread(target=self._follow, name="simulation's messages", daemon=True)
        self.failure = ""  # why results were not written, one sentence
        view.link = self

    @property
    def pid(self) -> int | None:
        """The process's number, for whoever wants to watch it."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts the process; returns at once."""
        self._launch(None)
        atexit.register(self._closing.set)  # first of all, or the end of the program would be taken for a crash
        self._follower.start()

    def send(self, *message: Any) -> None:
        """Sends a command, without ever waiting; one for a process that has died is lost."""
        self._outbox.put(message)

    def close(self, timeout: float = 20.0) -> None:
        """Ends the process after its present frame, and waits for its results; one that does not end is killed."""
        self._closing.set()
        self.send(0, "close", ())
        self._follower.join(timeout if self._job.has_results else min(timeout, NOTHING_TO_WRITE))
        while self._finishing.is_set() and self._follower.is_alive():  # large files take their time
            self._follower.join(1.0)
        if self._follower.is_alive() and self._job.has_results:
            self.failure = "the simulation did not end in time, and its results are not written"
        if self._process is not None:
            end(self._process)
        self._outbox.put(None)

    def _launch(self, kept: Kept | None) -> None:
        shown = self._view.shown
        self._outbox.put(None)  # ends the sender of the process before
        process, channel = launch(serve, "simulation", self._view, self._job, shown, kept)
        outbox: Outbox = queue.SimpleQueue()
        threading.Thread(target=send_all, args=(outbox, channel), name="commands", daemon=True).start()
        self._process, self._channel, self._outbox = process, channel, outbox
        self._view.say_again(shown)
        if self._closing.is_set():
            self.send(0, "close", ())

    def _follow(self) -> None:
        """Shows what the process sends, until it ends; the thread's body."""
        while self._channel is not None:
            try:
                kind, *rest = self._channel.receive()
            except (EOFError, OSError):
                if not self._recover():
                    return
                continue
            if kind == "snapshot":
                self._view.receive(*rest)
            elif kind == "shown":
                self._view.adopt(*rest)
                self._view.on_snapshot()
            elif kind == "notice":
                self._view.notices.add(*rest)
                self._view.on_snapshot()
            elif kind == "finishing":
                self._finishing.set()
            elif kind == "ended":
                self.failure = rest[0]
                if not self._closing.is_set() and not self._view.fatal_error:
                    self._give_up("The simulation has ended by itself")
                return

    def _recover(self) -> bool:
        """After the process has died: starts another from its last state. False when that is of no use."""
        channel, process = self._channel, self._process
        assert channel is not None
        assert process is not None
        process.join(2.0)
        how, now = ended_by(process.exitcode), time.monotonic()
        if self._closing.is_set():
            if self._job.has_results:
                self.failure = f"the simulation's process ended {how} before its results were written"
            return False
        self._deaths = [death for death in self._deaths if now - death < DEATHS_WITHIN] + [now]
        if len(self._deaths) >= DEATHS:
            self._give_up(f"The simulation's process has ended {DEATHS} times, at last {how}")
            return False
        kept = channel.kept()
        channel.close()
        where = "its last frame" if kept else "its start"
        self._view.notify(f"The simulation's process ended {how}; it continues from {where}")
        try:
            self._launch(kept)
        except OSError as error:
            self._give_up(f"The simulation's process cannot be started again: {error.strerror or error}")
            return False
        return True

    def _give_up(self, why: str) -> None:
        self._view.fatal_error = why
        self._view.notify(f"{why}: start the program again")
        self._view.on_snapshot()


def send_all(outbox: Outbox, channel: Channel) -> None:
    """Sends what is put into the box, until None; a thread's body, so that the window never waits for a full pipe."""
    while (message := outbox.get()) is not None:
        try:
            channel.send(*message)
        except OSError:  # the process is gone
            return
