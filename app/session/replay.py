"""The log of a run as read by log_reader.py: gives its inputs back at the frames at which they took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from app.session.input_log import check_sum
from app.session.session import Session
from app.session.state_file import SavedState
from app.solving.switchable_solver import Choice
from sim.frame import Controls, Frame
from sim.grid import Grid
from sim.scenes.scene import Scene


@dataclass(frozen=True)
class Start:
    """How a logged run began."""

    scene: Scene
    grid: Grid
    seed: int
    device: str
    threads: int | None
    weights: str | None
    choice: Choice
    settings: Controls
    state: SavedState | None


@dataclass(frozen=True)
class Entry:
    """One input: `carry_out` is called before the frame of that number is simulated, counted from 0."""

    frame: int
    command: Callable[..., None]
    arguments: tuple[Any, ...]

    def carry_out(self, session: Session) -> None:
        """Does to the session what the user did."""
        self.command(session, *self.arguments)


class Replay:
    """A log as read. `due` hands out its inputs once, frame by frame."""

    def __init__(self, file: str, start: Start, entries: list[Entry], marks: dict[int, str], frames: int) -> None:
        self.file, self.start = file, start
        self.frames = frames  # output frames of the logged run
        self.differs: int | None = None  # the first frame at which the fluid was seen not to be the logged one
        self.compared = 0  # check sums
        self._entries, self._marks, self._next = entries, marks, 0

    def due(self, frame: int) -> Iterator[Entry]:
        """The inputs of this frame that have not been handed out."""
        while self._next < len(self._entries) and self._entries[self._next].frame <= frame:
            self._next += 1
            yield self._entries[self._next - 1]

    def compare(self, frames: int, frame: Frame) -> None:
        """Notes whether the fluid after so many frames is the logged one, where the log can tell."""
        if frames in self._marks:
            self.compared += 1
            if self.differs is None and check_sum(frame) != self._marks[frames]:
                self.differs = frames

    def verdict(self) -> str:
        """One sentence about how well the replay has met the log, empty where nothing could be compared."""
        if self.differs is not None:
            return f"the replay differs from {self.file!r} at frame {self.differs} or some frames before"
        return f"the replay equals {self.file!r} bit for bit" if self.compared else ""

    @property
    def changes_scene(self) -> bool:
        """Whether the run went on with another scene or a saved state."""
        return any(entry.command in (Session.set_scene, Session.set_grid, Session.load) for entry in self._entries)

    def with_own_preconditioners(self) -> Replay:
        """The same inputs without the choice of preconditioners; tolerances still change as logged."""
        entries = [
            replace(entry, command=choose_tolerance) if entry.command is Session.choose else entry
            for entry in self._entries
        ]
        return Replay(self.file, self.start, entries, {}, self.frames)


def choose_tolerance(session: Session, solve: int, choice: Choice) -> None:
    """As Session.choose, but the preconditioner stays."""
    session.choose(solve, replace(choice, precond=session.solve.choice.precond))
