"""The part of a session that writes the log of its inputs, and obeys the log of another run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.session.input_log import Log, check_sum
from app.solving.switchable_solver import Choice, PressureSolve
from sim.frame import Frame

if TYPE_CHECKING:
    from app.session.replay import Replay
    from app.session.session import Session

BUSY = "a replay is running and decides about everything: wait for its end, or start without --replay"


class Logged:
    """What a Session is besides a fluid: its inputs with the output frames at which they took effect."""

    solve: PressureSolve
    last: Frame

    def __init__(self, log: Log | None, replay: Replay | None, choice: Choice) -> None:
        self.log, self.replay, self._obeys_replay = log, replay, False
        self.frames = 0
        self._logged_choice = choice

    @property
    def replaying(self) -> bool:
        """Whether a replay decides what happens."""
        return self.replay is not None and self.frames < self.replay.frames

    @contextmanager
    def _input(self, do: str, values: dict[str, Any]) -> Iterator[None]:
        """Around a change of the run: refused to the user during a replay, and logged once it has been made."""
        if self.replaying and not self._obeys_replay:
            raise ValueError(BUSY)
        yield
        self._write(do, values)

    def _write(self, do: str, values: dict[str, Any]) -> None:
        if self.log is not None:
            self.log.write({"frame": self.frames, "do": do, **values})

    def _write_choices(self) -> None:
        """Logs with which pressure solve of the frame just made another preconditioner or tolerance came into use."""
        for number, choice in enumerate(self.solve.used):
            if choice != self._logged_choice:
                self._write("choose", {"solve": number, **asdict(choice)})
                self._logged_choice = choice

    def _obey_replay(self: Session) -> None:  # type: ignore[misc]
        """Makes the inputs that the replay has for the next frame."""
        if self.replay is None:
            return
        self._obeys_replay = True
        try:
            for entry in self.replay.due(self.frames):
                entry.carry_out(self)
        finally:
            self._obeys_replay = False

    def close_log(self) -> None:
        """Ends the log, after the last frame, with how far the run got."""
        if self.log is not None:
            self._write("end", {"time": self.last.time, "sum": check_sum(self.last)})
            self.log.close()
