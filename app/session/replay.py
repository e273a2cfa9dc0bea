"""The log of another run, as input_log_reader.py reads it: its inputs, each at the frame at which it took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from app.session.input_log import check_sum
from app.session.state_file import SavedState
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Controls, Frame
from sim.grid import Grid
from sim.scenes.scene import Scene


class Chooses(Protocol):
    """A session, as far as `choose_tolerance` needs one."""

    @property
    def solve(self) -> SwitchableSolver: ...
    def choose(self, solve: int, choice: Choice) -> None: ...


@dataclass(frozen=True)
class RunStart:
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
class LoggedInput:
    """One input; `carry_out` is to be called before the frame of that number is simulated, counted from 0."""

    frame: int
    name: str  # as the log calls it
    command: Callable[..., None]  # of a session and the arguments
    arguments: tuple[Any, ...]

    def carry_out(self, session: Any) -> None:
        """Does to the session what the user did."""
        self.command(session, *self.arguments)


class Replay:
    """A log as read. `due` returns every input once, frame by frame."""

    def __init__(
        self, file: str, start: RunStart, inputs: list[LoggedInput], marks: dict[int, str], frames: int
    ) -> None:
        self.file, self.start = file, start
        self.frames = frames  # output frames of the logged run
        self.differs: int | None = None  # the first frame at which the fluid was seen to differ from the logged one
        self.compared = 0  # check sums
        self._inputs, self._marks, self._next = inputs, marks, 0

    def due(self, frame: int) -> Iterator[LoggedInput]:
        """The inputs up to this frame that have not been returned yet."""
        while self._next < len(self._inputs) and self._inputs[self._next].frame <= frame:
            self._next += 1
            yield self._inputs[self._next - 1]

    def compare(self, frames: int, frame: Frame) -> None:
        """Compares the fluid after this number of frames with the logged one, where the log has a check sum."""
        if frames in self._marks:
            self.compared += 1
            if self.differs is None and check_sum(frame) != self._marks[frames]:
                self.differs = frames

    def verdict(self) -> str:
        """Whether the replay equals the log, in one sentence; empty where nothing could be compared."""
        if self.differs is not None:
            return f"the replay differs from {self.file!r} at frame {self.differs} or a few frames before"
        return f"the replay equals {self.file!r} bit for bit" if self.compared else ""

    @property
    def rewinds(self) -> frozenset[int]:
        """The moments that the run went back to."""
        return frozenset(each.arguments[0] for each in self._inputs if each.name == "rewind")

    @property
    def changes_scene(self) -> bool:
        """Whether the run changed to another scene, grid or saved state."""
        return any(each.name in ("scene", "grid", "load") for each in self._inputs)

    def with_own_preconditioners(self) -> Replay:
        """The same inputs without the choice of preconditioners; tolerances still change as logged."""
        inputs = [replace(each, command=choose_tolerance) if each.name == "choose" else each for each in self._inputs]
        return Replay(self.file, self.start, inputs, {}, self.frames)


def choose_tolerance(session: Chooses, solve: int, choice: Choice) -> None:
    """As Session.choose, but the preconditioner stays."""
    session.choose(solve, replace(choice, precond=session.solve.choice.precond))
