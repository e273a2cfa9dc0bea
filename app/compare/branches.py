"""Branch mode: several fluids in the window that go on in step from one moment, each with its own difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from app.compare.pane import Inputs, Pane, snapshot_of
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving import pane_trace
from app.solving.choice import Variant


class Branches:
    """Panes from the present state of a session, which itself stays where it is; a frame of each, then the next."""

    def __init__(self, session: Session, variants: Sequence[Variant]) -> None:
        """Raises ValueError, RuntimeError or MemoryError where a pane cannot be made."""
        self.panes = [Pane(session.fork(variant, remembers=True), variant) for variant in variants]
        self._inputs = Inputs(self.panes)
        self._waiting: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []  # inputs that came within a frame
        self._turn = 0  # the pane whose frame is next

    def submit(self, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Adds one of PANE_INPUTS, for every pane at the same output frame."""
        self._waiting.append((action, arguments))

    def set_tolerance(self, tol: float) -> None:
        """Sets the tolerance of the panes that have none of their own, from their next solve on."""
        for pane in self.panes:
            if not pane.variant.tol:
                pane.session.solve.choice = replace(pane.session.solve.choice, tol=tol)

    def turn(self) -> bool:
        """Makes the next frame of one pane; True when all have come to the same one, which is then shown.

        A pane that fails stays where it is. Raises ValueError for an input that the fluid refuses, and when the last
        pane has failed.
        """
        if self._turn == 0:
            for action, arguments in self._waiting:
                self._inputs.add(action, arguments)
            self._waiting = []
        pane, which = self.panes[self._turn], self._turn
        self._turn = (self._turn + 1) % len(self.panes)
        if not pane.failed:
            self._inputs.carry_out_for(which)
            try:
                pane.step()
            except (ValueError, RuntimeError) as error:
                pane.fail(error)
        if all(each.failed for each in self.panes):
            raise ValueError(self.panes[0].method_stats.error)
        if self._turn:
            return False
        for each in self.panes:
            each.publish()
        pane_trace.add_all([(each.trace, each.frame, each.elapsed) for each in self.panes if not each.failed])
        return True

    def snapshot(self, serial: int) -> Snapshot:
        """The first pane's, with the results of all panes."""
        return snapshot_of(self.panes, "branch", serial)
