"""The last minutes of a run as states that it can go on from, within a budget of memory.

Every output frame is kept whole, so that any of them is shown at once and goes on bit for bit. Fields in float64 shrink
by a fifth at most without loss (zlib of their shuffled bytes, 6 ms a frame at 96 x 128), which is not worth a third of
a core; what is the same as in the frame before - walls, a network's output, a field of zeros - is kept once. When the
budget is full, frames are left out: the older they are, the fewer stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from sim.frame import Controls, Stats

DENSE = 300  # of the newest frames all are kept, as long as they fit into the budget


@dataclass(frozen=True)
class Moment:
    """The state of a run after an output frame."""

    number: int  # output frames made by then, whose count never goes back: no two moments have the same
    time: float  # [s]
    arrays: Mapping[str, np.ndarray]  # of Simulation.state and of the solver's memory
    settings: Controls
    stats: Stats  # of the frame, without the pressure of its solves
    gestures: tuple[Any, ...] = ()  # drawn by then


@dataclass(frozen=True)
class TimelineView:
    """What the window shows of a time line."""

    numbers: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # of the moments kept, ascending
    times: np.ndarray = field(default_factory=lambda: np.empty(0))  # their simulated times [s]
    present: int = -1  # the number of the moment that the fluid stands at
    used: int = 0  # [bytes]
    budget: int = 0  # [bytes]

    def nearest(self, share: float) -> int:
        """The number of the moment nearest to a place along the line, 0 at its start and 1 at its end."""
        wanted = self.numbers[0] + min(max(share, 0.0), 1.0) * (self.numbers[-1] - self.numbers[0])
        return int(self.numbers[np.abs(self.numbers - wanted).argmin()])

    def share_of(self, number: int) -> float:
        """The place of a moment along the line, 0 to 1."""
        length = self.numbers[-1] - self.numbers[0]
        return float((number - self.numbers[0]) / length) if length else 1.0

    def time_of(self, number: int) -> float:
        """The simulated time of a moment [s]."""
        return float(self.times[np.searchsorted(self.numbers, number)])


class Timeline:
    """The moments of one scene on one grid, in order, and the one at which the fluid stands.

    budget: [bytes]; 0 keeps none but the pinned ones.  pinned: numbers of moments that are always kept, because a
    replay will go back to them.
    """

    def __init__(self, budget: int, pinned: Iterable[int] = ()) -> None:
        self.budget, self.pinned = budget, frozenset(pinned)
        self._moments: list[Moment] = []
        self._present = -1  # place in the list
        self._holders: dict[int, int] = {}  # by id of an array, how many moments hold it
        self._used = 0

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def present(self) -> int:
        """The number of the moment that the fluid stands at; -1 on an empty line."""
        return self._moments[self._present].number if self._moments else -1

    def wants(self, number: int) -> bool:
        """Whether a moment of that number will be kept."""
        return self.budget > 0 or number in self.pinned

    @property
    def used(self) -> int:
        """Memory in use [bytes]."""
        return self._used

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the moments kept, ascending."""
        return tuple(moment.number for moment in self._moments)

    def clear(self) -> None:
        """Forgets every moment, for another scene or grid."""
        self._moments, self._present, self._holders, self._used = [], -1, {}, 0

    def keep(self, moment: Moment) -> None:
        """Adds the moment that follows the present one. Moments that lay ahead are forgotten.

        One of the same number takes the place of the present one, which the user has drawn into.
        """
        start = self._present + 1
        if self._moments and self._present >= 0 and self._moments[self._present].number == moment.number:
            start = self._present
        self._drop(range(start, len(self._moments)))
        before = self._moments[-1].arrays if self._moments else {}
        shared = {name: same(array, before.get(name)) for name, array in moment.arrays.items()}
        self._moments.append(replace(moment, arrays=shared, stats=without_pressure(moment.stats)))
        self._hold(shared.values())
        self._present = len(self._moments) - 1
        self._make_room()

    def find(self, number: int) -> Moment:
        """The moment of that number. Raises ValueError where it is not kept."""
        for moment in reversed(self._moments):
            if moment.number == number:
                return moment
        raise ValueError(f"frame {number} is not on the time line any more")

    def go_to(self, moment: Moment) -> None:
        """Makes this the present moment; those after it stay until the fluid moves on."""
        self._present = self._moments.index(moment)

    def set_budget(self, budget: int) -> None:
        """Changes the budget [bytes]; leaves out what does not fit."""
        self.budget = budget
        if budget == 0 and not self.pinned:
            self.clear()
        self._make_room()

    @property
    def view(self) -> TimelineView:
        """For the window."""
        if not self._moments:
            return TimelineView(budget=self.budget)
        count = len(self._moments)
        numbers = np.fromiter((moment.number for moment in self._moments), np.int64, count)
        times = np.fromiter((moment.time for moment in self._moments), np.float64, count)
        return TimelineView(numbers, times, self.present, self._used, self.budget)

    def _make_room(self) -> None:
        """Leaves out moments until the rest fits."""
        while self._used > self.budget:
            place = self._least_missed()
            if place is None:
                return
            self._drop(range(place, place + 1))

    def _least_missed(self) -> int | None:
        """The place of the moment that leaves the shortest gap for its age, both in frames; None where all must stay.

        So gaps grow in proportion to age. First come those older than DENSE frames, then any but the present one.
        """
        numbers = np.array(self.numbers)
        if len(numbers) < 2:
            return None
        age = numbers[-1] - numbers
        gap = np.append(numbers[1:], numbers[-1]) - np.insert(numbers[:-1], 0, numbers[0] - DENSE)
        missed = gap / np.maximum(age, 1.0) + 1e9 * (age < DENSE)
        stays = np.isin(numbers, tuple(self.pinned))
        stays[self._present] = True
        missed[stays] = np.inf
        place = int(missed.argmin())
        return None if stays[place] else place

    def _drop(self, places: range) -> None:
        for place in reversed(places):
            moment = self._moments.pop(place)
            self._present -= self._present > place
            for array in moment.arrays.values():
                self._holders[id(array)] -= 1
                if not self._holders[id(array)]:
                    del self._holders[id(array)]
                    self._used -= array.nbytes

    def _hold(self, arrays: Iterable[np.ndarray]) -> None:
        for array in arrays:
            if id(array) not in self._holders:
                self._used += array.nbytes
            self._holders[id(array)] = self._holders.get(id(array), 0) + 1


def same(array: np.ndarray, before: np.ndarray | None) -> np.ndarray:
    """The array of the moment before, where it holds the same, bit for bit."""
    if before is None or before.shape != array.shape or before.dtype != array.dtype:
        return array
    equal = (
        array.tobytes() == before.tobytes() if array.dtype.kind != "f" else np.array_equal(bits(array), bits(before))
    )
    return before if equal else array


def bits(array: np.ndarray) -> np.ndarray:
    """Floats as integers, by which -0.0 differs from 0.0."""
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def without_pressure(stats: Stats) -> Stats:
    """The same numbers; the solutions of their solves no longer hold x, which is the pressure of the state."""
    empty = torch.empty(0, dtype=torch.float64)
    solutions, of_bodies = (
        tuple(replace(solution, x=empty) for solution in each)  # type: ignore
        for each in (stats.solutions, stats.body_solutions)
    )
    return replace(stats, solutions=solutions, body_solutions=of_bodies)
