"""What both processes know of the user's settings and the simulation's answers, as one record."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.session.state_file import SavedState
from app.solving.choice import Choice, ComparisonChoice
from app.solving.run_stats import RunStats
from sim.frame import Controls


@dataclass(frozen=True)
class Shown:
    """The view model's state as one process sees it.

    seen: the number of the last command that the simulation has taken in; what the window has changed since is newer.
    order: grows with every record of one process.
    """

    choice: Choice
    paused: bool = False
    single_steps: int = 0
    comparing: ComparisonChoice = field(default_factory=ComparisonChoice)
    rows: int = 0
    speed: float = 1.0
    start: str = ""
    fatal_error: str = ""
    seen: int = 0
    order: int = 0


@dataclass(frozen=True)
class Kept:
    """What a simulation can be continued from after its process has died."""

    state: SavedState
    settings: Controls
    total: RunStats | None
    frames: int  # output frames made
