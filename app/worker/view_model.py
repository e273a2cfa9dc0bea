"""Between the window and the simulation: what is shown, what the user has set, and what the user asks for.

The window draws and changes a view model and never sees the simulation's thread; may be used from any thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from app.session.grid_presets import AutomaticGrid
from app.session.journal import BUSY
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving.choice import PANES, Choice, ComparisonChoice, Variant
from app.worker.notifications import Notice, Notices

Command = tuple[Callable[..., Any], tuple[Any, ...]]  # an action on a session, and its other arguments


class Chooses(Protocol):
    """What knows the method and tolerance of the next pressure solve, here or in another process."""

    choice: Choice

    def why_unavailable(self, name: str) -> str | None:
        """None if that preconditioner can be chosen, else a sentence."""


class ViewModel:
    """What the window shows and the user sets. Methods return at once; the simulation follows at its next frame."""

    def __init__(self, solve: Chooses, paused: bool = False) -> None:
        self._solve, self._lock = solve, threading.Lock()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.changed = threading.Event()  # something was set or asked for
        # what is shown
        self.snapshot: Snapshot | None = None
        self.notices = Notices()
        self.start = "Starting the simulation ..."  # shown until there is a snapshot
        self.fatal_error = ""  # why there is no simulation, one sentence
        self.on_snapshot: Callable[[], None] = do_nothing  # called on the simulation's thread
        # what the user has set
        self.paused = paused
        self.single_steps = 0  # frames to make although it is paused
        self.comparing = ComparisonChoice()
        self.rows = 0  # of the grid that scenes are opened with; 0: their own
        self.automatic_grid: AutomaticGrid | None = None  # until the user chooses one
        self.speed = 1.0  # simulated seconds in a second, at most; infinite: as fast as possible

    def show_start(self, text: str) -> None:
        """Says what the simulation is waiting for."""
        self.start = text
        self.on_snapshot()

    # Read ------------------------------------------------------------------------------------------------------------

    @property
    def choice(self) -> Choice:
        """What the next pressure solve will use."""
        return self._solve.choice

    @property
    def in_panes(self) -> bool:
        """Whether the user has chosen several fluids beside each other."""
        return self.comparing.mode in PANES

    @property
    def replaying(self) -> bool:
        """Whether inputs come from a log."""
        return self.snapshot is not None and self.snapshot.replaying

    @property
    def notice(self) -> Notice | None:
        """The sentence to show on the fluid."""
        return self.notices.current

    def why_unavailable(self, name: str) -> str | None:
        """None if that preconditioner can be chosen, else a sentence."""
        return self._solve.why_unavailable(name)

    # Set by the user -------------------------------------------------------------------------------------------------

    def submit(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Asks the simulation for action(session, *arguments), e.g. submit(Session.reset)."""
        self._commands.put((action, arguments))
        self.changed.set()

    def choose(self, choice: Choice) -> None:
        """Sets preconditioner and tolerance, from the next pressure solve on, even within a frame."""
        if self.replaying:
            self.notify(BUSY)
            return
        self._solve.choice = choice
        self.submit(do_nothing)  # so that a paused simulation publishes it

    def compare(
        self,
        mode: str | None = None,
        methods: tuple[str, ...] | None = None,
        variants: tuple[Variant, ...] | None = None,
    ) -> None:
        """Changes what is compared, from the next frame on."""
        before = self.comparing
        mode = before.mode if mode is None else mode
        if mode in PANES and self.replaying:
            self.notify(BUSY)
            return
        with self._lock:
            methods = before.methods if methods is None else methods
            self.comparing = ComparisonChoice(mode, methods, before.variants if variants is None else variants)
        self.changed.set()

    def keep_pane(self, number: int) -> None:
        """Goes on with the fluid of that pane alone."""
        self.submit(keep_pane, number)

    def stop_comparing(self, failed: ComparisonChoice) -> None:
        """Switches a comparison off that cannot be had, unless the user has chosen another in the meantime."""
        with self._lock:
            if self.comparing is failed:
                self.comparing = replace(failed, mode="off")
        self.changed.set()

    def set_paused(self, paused: bool) -> None:
        """Pauses after the frame under way, or resumes."""
        self.paused, self.single_steps = paused, 0
        self.changed.set()

    def step_once(self) -> None:
        """Pauses and makes one more frame."""
        self.paused = True
        self.single_steps += 1
        self.changed.set()

    def rewind(self, number: int) -> None:
        """Pauses, and goes to a moment of the time line."""
        if self.replaying or self.in_panes:
            self.notify(BUSY if self.replaying else "The time line is off while there are panes: switch Compare off")
            return
        self.set_paused(True)
        self.submit(Session.rewind, number)

    def set_grid(self, grid: tuple[int, int]) -> None:
        """Restarts the scene on this grid."""
        self.keep_grid()

        def restart(session: Session) -> None:
            session.set_grid(grid)
            self.notify(f"Restarted on {grid[0]} x {grid[1]} cells")

        self.submit(restart)

    def set_speed(self, speed: float) -> None:
        """So many simulated seconds in a second, at most."""
        self.speed = speed
        self.changed.set()

    def keep_grid(self) -> None:
        """No other grid is chosen automatically from now on."""
        self.automatic_grid = None

    def choose_rows(self, rows: int) -> None:
        """Scenes are opened with that many rows from now on; 0: their own."""
        self.rows = rows

    # Set by the simulation -------------------------------------------------------------------------------------------

    def notify(self, text: object) -> None:
        """Shows the user a sentence."""
        self.notices.add(text)

    def mention(self, text: object) -> None:
        """Lists a sentence that the fluid shows anyway."""
        self.notices.add(text, current=False)

    def publish(self, snapshot: Snapshot) -> None:
        """Shows another snapshot."""
        self.snapshot = snapshot
        self.on_snapshot()

    def commands(self) -> Iterator[Command]:
        """The commands that wait, each once."""
        while not self._commands.empty():
            yield self._commands.get()

    @property
    def unanswered(self) -> bool:
        """Whether the simulation has not done all that was asked for."""
        return self.has_commands

    @property
    def has_commands(self) -> bool:
        """Whether commands wait."""
        return not self._commands.empty()


def do_nothing(*_: object) -> None:
    """A callback or a command without effect."""


def keep_pane(session: Session, number: int) -> None:
    """Stands for a command that the worker carries out itself: sessions know nothing of panes."""
    raise ValueError("there are no panes")
