"""Panes side by side, frame by frame: at equal simulated times, or in a race against the clock."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from app.compare.pane import Pane, advance_to
from app.session.session import Session
from app.session.snapshot import ComparisonSnapshot
from app.solving import pane_trace
from app.solving.method_stats import RecentMeans

HOLD = 15  # frames for which the numbers in a video stay, a quarter of a second: longer than reading one takes
RATE = 60  # frames in a second of video
SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)  # and ten, a hundred, ... times these
REHEARSED = 4  # frames by which the fastest pane is found


class Comparison:
    """Panes that advance together, or in a race as fast as their solvers allow, for a number of frames."""

    def __init__(self, panes: Sequence[Pane], race: bool, frames: int) -> None:
        self.panes, self.race, self.frames = list(panes), race, frames
        self.scale = 1.0  # seconds of computing in a second of video
        self.failure = ""  # one sentence when it ended early
        self.drain = lambda: None  # waits until nobody else uses the machine
        self.numbers: list[dict[str, Any]] = []  # of every snapshot
        self._held = [RecentMeans() for _ in panes]

    def snapshots(self) -> Iterator[ComparisonSnapshot]:
        """A snapshot after each frame, not of the common start; ends early, with `failure` set, when a pane breaks off.

        So a video of N frames has N pictures, as that of a single fluid has.
        """
        try:
            self._prepare()
            for number in range(1, self.frames + 1):
                self.drain()
                self._advance(number)
                snapshot = self._snapshot(number)
                self.numbers.append(snapshot.numbers())
                yield snapshot
        except (ValueError, RuntimeError) as error:  # a velocity not finite, or out of memory
            self.failure = str(error)
        except KeyboardInterrupt:
            self.failure = f"interrupted after {len(self.numbers)} frames"

    @property
    def mode(self) -> str:
        """As in ComparisonSnapshot: branches, where more than the method differs."""
        if self.race:
            return "race"
        return "together" if all(pane.variant.plain for pane in self.panes) else "branch"

    def _prepare(self) -> None:
        """Waits for compilers; for a race, finds how much computing to put into a second of video."""
        for pane in self.panes:
            pane.warm_up()
        if self.race:
            fastest = min(self.panes, key=lambda pane: pane.rehearse(REHEARSED))
            self.scale = rounded_up(fastest.rehearse(self.frames))

    def _advance(self, number: int) -> None:
        if self.race:
            advance_to(self.panes, self.clock(number))
        else:
            for pane in self.panes:
                self._step(pane)
            alive = [pane for pane in self.panes if not pane.failed]
            if not alive:
                raise ValueError(self.panes[0].method_stats.error)
            pane_trace.add_all([(pane.trace, pane.frame, pane.elapsed) for pane in alive])

    def _step(self, pane: Pane) -> None:
        """The next frame of a pane. Of branches, one that breaks off stays where it is: that is what it shows."""
        if pane.failed:
            return
        try:
            pane.step()
        except (ValueError, RuntimeError) as error:
            if self.mode != "branch":
                raise
            pane.fail(error)
            return
        pane.publish()

    def clock(self, number: int) -> float:
        """The time on every pane's clock in that frame of a race [s]."""
        return number * self.scale / RATE

    def _snapshot(self, number: int) -> ComparisonSnapshot:
        self._held = [
            pane.method_stats.means() if number % HOLD == 0 or held == RecentMeans() else held
            for pane, held in zip(self.panes, self._held)
        ]
        session = self.panes[0].session
        return ComparisonSnapshot(
            scene=session.simulation.scene,
            grid=session.simulation.grid,
            tol=session.solve.choice.tol,
            mode=self.mode,
            frames=tuple(pane.frame for pane in self.panes),
            results=tuple(pane.result(held) for pane, held in zip(self.panes, self._held)),
            computing=self.clock(number) if self.race else 0.0,
            scale=self.scale,
            about=machine_name(session),
        )


def rounded_up(value: float) -> float:
    """The next of SCALES, 1 at least: the fastest pane then flows in real time, or a little faster."""
    power = 10.0 ** max(math.floor(math.log10(max(value, 1.0))), 0)
    return next((step * power for step in SCALES if value <= step * power), 10 * power)


def machine_name(session: Session) -> str:
    """The machine in a few words."""
    if session.simulation.device.type == "cuda":
        return torch.cuda.get_device_name()
    count = os.cpu_count() or 1
    return f"{count} CPU core{'s' if count > 1 else ''}"
