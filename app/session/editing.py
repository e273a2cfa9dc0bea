"""The part of a session that takes the brush: drawing into the scene at time zero, into the fluid later, and undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import torch

import sim
from app.session.journal import Logged
from app.session.scene_editor import DRAWN, WALLS, Drawing, with_settings
from app.session.strokes import strokes_over
from app.session.wall_drag import Grip
from sim.frame import Controls, Stroke
from sim.scenes.scene import Scene

STROKES = 64  # kept for the next step; a user drawing over a stalled solver makes no more than a second's worth
POURED = "what was poured has flowed on: press R, then it can be undone"


class Drawn(Logged):
    """What the user's hand does to a Session."""

    simulation: sim.Simulation
    drawing: Drawing
    _drawable: bool  # the simulation stands, or began, at its scene's start
    _stale: bool  # the fluid does not show the drawing yet
    _strokes: tuple[Stroke, ...]  # for the next step
    _room: int  # most of them
    _walls: np.ndarray  # where walls will be after these
    _grip: Grip

    gravity: float  # [m/s^2]
    densities: tuple[float, ...]  # [kg/m^3]
    viscosities: tuple[float, ...]  # [Pa s]
    tensions: tuple[float, ...]  # [N/m]

    @property
    def settings(self) -> Controls:
        """The present settings, without strokes."""
        return Controls(self.gravity, self.densities, (), self.viscosities, self.tensions)

    def _forget_strokes(self) -> None:
        """Forgets strokes that no frame has used, and the wall that is being dragged."""
        self._strokes, self._room = (), STROKES
        self._grip.release()

    @property
    def at_start(self) -> bool:
        """Whether what is drawn now becomes part of the scene."""
        return self._drawable and self.simulation.time == 0

    def _settle(self, finish: bool = False) -> None:
        """Shows what has been drawn at time zero; `finish`: the gesture under way ends, for the scene is needed."""
        if finish and self.at_start and self.drawing.open:
            self.drawing.finish()
            self._stale = True
        if not self._stale:
            return
        if not self.drawing.open:
            self.simulation.scene = self.drawing.scene
            self._stale = False
        fractions, solid = self.drawing.arrays
        self.simulation.solid.copy_(torch.from_numpy(solid))
        self.simulation.fill(np.cumsum(fractions, 0)[:-1].clip(0, 1))
        self.last = self.simulation.frame()
        self._walls = self.last.solid

    def stroke(self, stroke: Stroke) -> None:
        """Adds a stroke of the brush to the next frame; the oldest give way when a slow solver lets too many gather."""
        with self._input("stroke", asdict(stroke)):
            replace(self.settings, strokes=(stroke,))  # raises for a phase that does not exist
            if stroke.tool == "drag":
                self._grip.add(stroke)
            elif stroke.tool in DRAWN and self.at_start:
                self.drawing.add(stroke)
                self._stale = True
            else:
                if stroke.tool in WALLS:
                    self._walls = self.drawing.note(stroke, self._walls)
                self._strokes = (*self._strokes, stroke)[-self._room :]

    def let_go(self) -> None:
        """The mouse was released: a gesture ends; a wall that is dragged still comes to where the mouse is."""
        with self._input("let-go", {}):
            self._stale = self._stale or (self.at_start and self.drawing.open)
            self.drawing.finish()
            self._grip.finish()

    def undo(self) -> None:
        """Takes back what was drawn last: at time zero anything, later walls."""
        with self._input("undo", {}):
            if self.drawing.last is None:
                raise ValueError("there is nothing to undo")
            self._turn(self.drawing.last.tool, self.drawing.undo)

    def redo(self) -> None:
        """Brings back what was undone last."""
        with self._input("redo", {}):
            if self.drawing.next is None:
                raise ValueError("there is nothing to redo")
            self._turn(self.drawing.next.tool, self.drawing.redo)

    def _turn(self, drawn: str, turn: Callable[[], tuple[str, np.ndarray]]) -> None:
        if self.at_start:
            turn()
            self._stale = True
            return
        if drawn == "pour":
            raise ValueError(POURED)
        tool, cells = turn()
        cells = cells & (self._walls != (tool == "solid"))
        mends = tuple(strokes_over(cells, tool, self.simulation.grid.dx))
        self._walls = self._walls ^ cells
        self._strokes, self._room = (*self._strokes, *mends), self._room + len(mends)

    def discard(self) -> None:
        """Forgets strokes that no frame has used, and lets go of the wall that is being dragged where it is."""
        with self._input("discard", {}):
            self._forget_strokes()
            self.solve.renew()  # as after the frame that broke off

    @property
    def start(self) -> Scene:
        """The scene with all that was drawn at time zero, the present settings and the present grid."""
        return with_settings(self.drawing.scene, self.settings, self.simulation.grid.shape)
