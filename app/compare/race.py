"""Race mode: several fluids in the window, each as fast as its own solver allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.compare.pane import Inputs, Pane, furthest_behind, snapshot_of
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving.choice import Choice, Variant

PANE_INPUTS = frozenset({
    Session.stroke, Session.let_go, Session.discard, Session.set_gravity, Session.set_densities,
    Session.set_viscosities, Session.set_tensions, Session.set_body_densities, Session.set_color, Session.inspect,
})  # fmt: skip
"""What goes to every pane; all else is done to the session that the race began with."""


class Race:
    """Panes that start from the present state of a session, which itself stays where it is."""

    def __init__(self, session: Session, methods: tuple[str, ...]) -> None:
        """Raises ValueError, RuntimeError or MemoryError where a pane cannot be made."""
        self.panes = [Pane(session.fork(Variant(name))) for name in methods]
        for pane in self.panes:
            pane.warm_up()
        self._inputs = Inputs(self.panes)
        self._serial = 0

    def submit(self, action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Adds one of PANE_INPUTS, for every pane at the same output frame."""
        self._inputs.add(action, arguments)

    def set_tolerance(self, tol: float) -> None:
        """Sets the tolerance of every pane, from its next solve on."""
        for pane in self.panes:
            pane.session.solve.choice = Choice(pane.precond, tol)

    def turn(self) -> bool:
        """Makes a frame of the pane whose own clock is furthest behind; a pane whose solve fails leaves the race.

        Returns True: there is something new to show.

        Raises ValueError for an input that the fluid refuses, and when the last pane has left.
        """
        pane = furthest_behind(self.panes)
        if pane.failed:
            raise ValueError(self.panes[0].method_stats.error)
        self._inputs.carry_out_for(self.panes.index(pane))
        try:
            pane.step()
        except (ValueError, RuntimeError) as error:
            pane.fail(error)
            return True
        pane.publish()
        return True

    def snapshot(self, serial: int) -> Snapshot:
        """The first pane's, with the results of all panes."""
        return snapshot_of(self.panes, "race", serial)
