"""The guided tour: four things to do, each with a sentence and a frame around its control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WATCHED = 1.0  # simulated seconds after which the first step is done
IN_THE_WAY = ("Milliseconds per frame", "Draw", "Fluid", "Window")  # sections folded where controls stand below them
RAISED = 2.0  # factor of the contrast that counts as raised


@dataclass(frozen=True)
class Facts:
    """What the tour looks at to see that a step is done."""

    time: float  # simulated, or frames where time started again [s]
    precond: str  # that the newest frame was solved with
    contrast: float  # heaviest over lightest density
    comparing: bool
    recording: bool


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    sentence: str
    marks: tuple[str, ...]  # controls to point at, see UiState.marks
    sections: tuple[str, ...]  # of the panel, that must be open for them
    done: Callable[[Facts, Facts], bool]  # of the facts when the step began, and now


STEPS = (
    Step("Watch it flow. Pause stops the fluid; Resume continues.", ("clock",), ("Scene",),
         lambda then, now: abs(now.time - then.time) >= WATCHED),
    Step("Switch to Jacobi and watch the iterations jump.", ("preconditioner", "iterations"), ("Pressure solver",),
         lambda then, now: now.precond == "jacobi"),
    Step("Raise the density ratio: the equations become harder to solve.", ("ratio",), ("Fluid",),
         lambda then, now: now.contrast >= RAISED * then.contrast),
    Step("Record a comparison: choose Shadow, then press Record.", ("compare", "record"), ("Compare", "Files"),
         lambda then, now: now.comparing and now.recording),
)  # fmt: skip


class Tour:
    """The user's progress through the tour. `offered` until it has been started or declined once."""

    def __init__(self) -> None:
        self.offered, self.toured = False, False
        self._at: int | None = None
        self._then: Facts | None = None

    @property
    def step(self) -> Step | None:
        """The current step, None while there is no tour."""
        return None if self._at is None else STEPS[self._at]

    def closed(self, before: set[str]) -> set[str]:
        """Sections to be folded in the current step, of a user who had `before` folded."""
        step = self.step
        if step is None:
            return set(before)
        low = {"Fluid", "Files"} & set(step.sections)
        return (before | (set(IN_THE_WAY) if low else set())) - set(step.sections)

    @property
    def number(self) -> int:
        """Number of the current step, from 1; 0 while there is no tour."""
        return 0 if self._at is None else self._at + 1

    def start(self) -> None:
        """Starts the tour at its first step."""
        self._at, self._then, self.offered, self.toured = 0, None, False, True

    def end(self) -> None:
        """Leaves it, or declines it; it is not offered again."""
        self._at, self.offered, self.toured = None, False, True

    def skip(self) -> None:
        """Moves to the next step, whether this one was done or not."""
        if self._at is not None:
            self._at, self._then = (self._at + 1 if self._at + 1 < len(STEPS) else None), None

    def look(self, now: Facts) -> bool:
        """Moves to the next step where this one is done; True when that was the last one."""
        step = self.step
        if step is None:
            return False
        self._then = self._then or now
        if not step.done(self._then, now):
            return False
        self.skip()
        return self._at is None
