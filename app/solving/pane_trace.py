"""What a pane has come to over time: divergence, volume error, and how far it is from the first pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.frame import Frame

LONGEST = 1200  # points of a curve; from then on every second one is left out


@dataclass(frozen=True)
class Trace:
    """Curves of one pane by simulated time since they all began, arrays of equal length."""

    times: np.ndarray = field(default_factory=lambda: np.empty(0))  # [s]
    divergence: np.ndarray = field(default_factory=lambda: np.empty(0))  # max |div u| after the projection [1/s]
    drift: np.ndarray = field(default_factory=lambda: np.empty(0))  # relative volume drift
    difference: np.ndarray = field(default_factory=lambda: np.empty(0))  # see difference_of; 0 in the first pane


class TraceRecorder:
    """Collects the points of a Trace, one for each frame shown, thinned out in a long run."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float, float, float]] = []
        self._every, self._count = 1, 0
        self.parted: float | None = None  # when it first differed in anything from the first pane [s]

    def add(self, time: float, frame: Frame, first: Frame) -> None:
        """Adds a frame, and that of the first pane at the same simulated time.  time: since the start [s]."""
        differs = frame is not first and (self.parted is not None or not equal(frame, first))
        if differs and self.parted is None:
            self.parted = time
        if self._count % self._every == 0:
            stats = frame.stats
            difference = difference_of(frame, first) if differs else 0.0
            self._points.append((time, stats.divergence_max, stats.volume_drift, difference))
        self._count += 1
        if len(self._points) > LONGEST:
            del self._points[1::2]
            self._every *= 2

    @property
    def difference(self) -> float:
        """At the newest point."""
        return self._points[-1][3] if self._points else 0.0

    @property
    def trace(self) -> Trace:
        """The curves so far."""
        return Trace(*np.array(self._points).T.copy()) if self._points else Trace()


def equal(one: Frame, other: Frame) -> bool:
    """Whether two fluids are the same, bit for bit."""
    names = ("fractions", "u", "v", "pressure", "solid")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def difference_of(one: Frame, other: Frame) -> float:
    """The share of the fluid's area that holds another phase: mean over the cells of 1/2 sum of |f_k - g_k|."""
    fluid = ~(one.solid | other.solid)
    apart = 0.5 * np.abs(one.fractions - other.fractions).sum(0)
    return float(apart[fluid].mean()) if fluid.any() else 0.0


def add_all(panes: Sequence[tuple[TraceRecorder, Frame, float]]) -> None:
    """Adds the newest frame of every pane, (recorder, frame, time since the start), all at one simulated time."""
    first = panes[0][1]
    for recorder, frame, time in panes:
        recorder.add(time, frame, first)
