"""The inputs of a session by output frame: written to its log, and taken from the log of another run in a replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from app.session.input_log import MARK_EVERY, InputLog, check_sum
from app.session.replay import LoggedInput, Replay
from app.solving.choice import Choice
from sim.frame import Frame

BUSY = "Input is ignored during a replay"


class Journal:
    """Counts output frames, and knows whether inputs come from the user or from a replay."""

    def __init__(self, log: InputLog | None, replay: Replay | None, choice: Choice) -> None:
        self.log, self.replay = log, replay
        self.frames = 0  # output frames made
        self._accepts_replay = False
        self._logged_choice = choice

    @property
    def replaying(self) -> bool:
        """Whether inputs come from a replay."""
        return self.replay is not None and self.frames < self.replay.frames

    @property
    def rewinds(self) -> frozenset[int]:
        """The moments that the replay will go back to."""
        return frozenset() if self.replay is None else self.replay.rewinds

    def follow(self, replay: Replay) -> None:
        """Counts frames anew and takes inputs from the replay. Raises ValueError where that cannot be."""
        self.check_free()
        self.replay, self.frames, self._logged_choice = replay, 0, replay.start.choice

    def check_free(self, deed: str = "A log cannot be replayed") -> None:
        """Raises ValueError during a replay, and where this run writes a log, which would not tell of the deed."""
        if self.replaying:
            raise ValueError(BUSY)
        if self.log is not None:
            raise ValueError(f"{deed} while this run writes a log: start without --log")

    @contextmanager
    def input(self, name: str, values: dict[str, Any]) -> Iterator[None]:
        """Around a change of the run: refuses the user's during a replay, and logs it once it has been made."""
        if self.replaying and not self._accepts_replay:
            raise ValueError(BUSY)
        yield
        self.write(name, values)

    @contextmanager
    def replayed_inputs(self) -> Iterator[Iterable[LoggedInput]]:
        """The inputs that the replay has for the next frame; they may be made within this context."""
        self._accepts_replay = True
        try:
            yield () if self.replay is None else self.replay.due(self.frames)
        finally:
            self._accepts_replay = False

    def write(self, name: str, values: dict[str, Any]) -> None:
        """Adds a line to the log, if there is one."""
        if self.log is not None:
            self.log.write({"frame": self.frames, "do": name, **values})

    def end_frame(self, frame: Frame, used: Sequence[Choice]) -> None:
        """Counts an output frame; logs changes of the solver within it, by the number of the solve, and check sums."""
        for number, choice in enumerate(used):
            if choice != self._logged_choice:
                self.write("choose", {"solve": number, **asdict(choice)})
                self._logged_choice = choice
        self.frames += 1
        if self.frames % MARK_EVERY == 0:
            self.write("mark", {"time": frame.time, "sum": check_sum(frame)})

    def close(self, last: Frame) -> None:
        """Ends the log with how far the run got."""
        if self.log is not None:
            self.write("end", {"time": last.time, "sum": check_sum(last)})
            self.log.close()
