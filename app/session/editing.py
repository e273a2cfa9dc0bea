"""The brush on a simulation: it draws into the scene at time zero, into the fluid later; undo and redo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

import sim
from app.session.scene_editor import DRAWN, WALLS, Gesture, SceneEditor
from app.session.strokes import strokes_over
from app.session.wall_drag import WallDrag
from sim.frame import Controls, Frame, Stroke

STROKES = 64  # kept for the next step; a user drawing over a stalled solver makes no more than a second's worth
POURED = "Pours can be undone only at time zero; press R to reset first"


class Editing:
    """Everything drawn on one simulation; strokes for the fluid wait here for its next frame."""

    def __init__(
        self, simulation: sim.Simulation, solid: np.ndarray, editor: SceneEditor | None = None, drawable: bool = True
    ) -> None:
        """solid: where walls are.  drawable: the simulation stands at its scene's start, not at a saved state."""
        self._simulation, self._walls, self._drawable = simulation, solid, drawable
        self.scene_editor = editor or SceneEditor(simulation.scene, simulation.grid, simulation.seed)
        self._stale = self.scene_editor.counts[0] > 0  # the fluid does not show the drawing yet
        self._strokes: tuple[Stroke, ...] = ()  # for the next step
        self._room = STROKES  # most of them
        self.wall_drag = WallDrag()

    @property
    def at_start(self) -> bool:
        """Whether what is drawn now becomes part of the scene."""
        return self._drawable and self._simulation.time == 0

    def settle(self, finish: bool = False) -> Frame | None:
        """Puts what was drawn at time zero into the simulation and returns its frame, None where there was nothing.

        finish: ends a gesture that is under way, because the scene is needed.
        """
        if finish and self.at_start and self.scene_editor.open:
            self.scene_editor.finish()
            self._stale = True
        if not self._stale:
            return None
        if not self.scene_editor.open:
            self._simulation.scene = self.scene_editor.scene
            self._stale = False
        fractions, solid = self.scene_editor.arrays
        self._simulation.solid.copy_(torch.from_numpy(solid))
        self._simulation.fill(np.cumsum(fractions, 0)[:-1].clip(0, 1))
        frame = self._simulation.frame()
        self._walls = frame.solid
        return frame

    def stroke(self, stroke: Stroke, settings: Controls) -> None:
        """Adds a stroke; the oldest are dropped when a slow solver lets too many gather. Raises ValueError."""
        replace(settings, strokes=(stroke,))  # raises for a phase that does not exist
        if stroke.tool == "drag":
            self.wall_drag.add(stroke)
        elif stroke.tool in DRAWN and self.at_start:
            self.scene_editor.add(stroke)
            self._stale = True
        else:
            if stroke.tool in WALLS:
                self._walls = self.scene_editor.note(stroke, self._walls)
            self._strokes = (*self._strokes, stroke)[-self._room :]

    def let_go(self) -> None:
        """Ends a gesture; a wall that is dragged still moves to where the mouse is."""
        self._stale = self._stale or (self.at_start and self.scene_editor.open)
        self.scene_editor.finish()
        self.wall_drag.finish()

    def undo(self) -> None:
        """Takes back what was drawn last: at time zero anything, later walls. Raises ValueError."""
        if self.scene_editor.last is None:
            raise ValueError("Nothing to undo")
        self._move(self.scene_editor.last.tool, self.scene_editor.undo)

    def redo(self) -> None:
        """Brings back what was undone last. Raises ValueError."""
        if self.scene_editor.next is None:
            raise ValueError("Nothing to redo")
        self._move(self.scene_editor.next.tool, self.scene_editor.redo)

    def _move(self, drawn: str, move: Callable[[], tuple[str, np.ndarray]]) -> None:
        if self.at_start:
            move()
            self._stale = True
            return
        if drawn == "pour":
            raise ValueError(POURED)
        tool, cells = move()
        cells = cells & (self._walls != (tool == "solid"))
        mends = tuple(strokes_over(cells, tool, self._simulation.grid.dx))
        self._walls = self._walls ^ cells
        self._strokes, self._room = (*self._strokes, *mends), self._room + len(mends)

    def discard(self) -> None:
        """Forgets strokes that no frame has used, and lets go of a wall that is being dragged."""
        self._strokes, self._room = (), STROKES
        self.wall_drag.release()

    def go_back(self, solid: np.ndarray, done: tuple[Gesture, ...]) -> None:
        """Follows the fluid to another moment, with these walls, by which these gestures had been drawn."""
        self.scene_editor.go_back(done)
        self._simulation.scene = self.scene_editor.scene
        self.discard()
        self._stale, self._walls = False, solid

    def take_strokes(self, solid: np.ndarray) -> tuple[Stroke, ...]:
        """The strokes of the next frame, once."""
        strokes = (*self._strokes, *self.wall_drag.pull(solid, self._simulation.grid.dx))
        self._strokes, self._room = (), STROKES
        return strokes

    def end_frame(self, frame: Frame, share: float) -> None:
        """Follows the walls in a frame that simulated `share` of its time."""
        self.wall_drag.follow(frame.solid, self._simulation.grid.dx, share)
        self._walls = frame.solid
