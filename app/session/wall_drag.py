"""A wall that is dragged with the mouse, from one output frame to the next."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from sim.frame import Stroke
from sim.kernels.boundary import body_at, can_shift

FASTEST = 4.0  # cells a frame, both directions together: 17 sub-steps on 32 x 32; a faster mouse is caught up with
SHARES = (1.0, 0.5, 0.25, 0.125)  # of a way that is blocked, to come close to the obstacle


class WallDrag:
    """Combines drag strokes into one stroke per frame, from where the wall is, not from where the mouse was.

    So a wall is not lost when the mouse is fast, when the clock runs slow, or when something is in the way.
    """

    def __init__(self) -> None:
        self.release()

    def release(self) -> None:
        """Lets go of the wall."""
        self._hold: tuple[float, float] | None = None  # the point of the wall that was gripped, where it is now [m]
        self._mouse: tuple[float, float] | None = None
        self._radius, self._finishing = 0.0, False
        self._way = (0.0, 0.0)  # of the frame under way [m]
        self._cells = np.zeros((0, 0), dtype=bool)

    def add(self, stroke: Stroke) -> None:
        """Adds a piece of the mouse's path; one that does not start where the last one ended is a new press."""
        if (stroke.x0, stroke.y0) != self._mouse or self._finishing:
            self._hold, self._finishing = (stroke.x0, stroke.y0), False
        self._mouse, self._radius = (stroke.x1, stroke.y1), stroke.radius

    def finish(self) -> None:
        """The mouse was released: the wall still moves to where it was, if nothing is in the way."""
        self._finishing = True

    def pull(self, solid: np.ndarray, dx: float) -> tuple[Stroke, ...]:
        """The stroke of the next frame, which moves the wall as far as it can go."""
        self._way = (0.0, 0.0)
        if self._hold is None:
            return ()
        x, y = self._hold
        cells = body_at(solid, math.floor(y / dx), math.floor(x / dx))
        if cells is not None:
            self._cells = cells
            self._way = self._free_way(solid, dx)
        if cells is None or (self._finishing and self._way == (0.0, 0.0)):
            self._hold = None
        if self._way == (0.0, 0.0):
            return ()
        return (Stroke("drag", x, y, x + self._way[0], y + self._way[1], self._radius),)

    def follow(self, solid: np.ndarray, dx: float, share: float) -> None:
        """Finds where the wall is after a frame that simulated `share` of its time."""
        if self._hold is None or self._way == (0.0, 0.0):
            return
        for part in (*SHARES, 0.0):
            way = share * part * self._way[0], share * part * self._way[1]
            moved = np.roll(self._cells, self._shift(way, dx), (0, 1))
            if solid[moved].all():
                self._hold = self._hold[0] + way[0], self._hold[1] + way[1]
                return

    def _free_way(self, solid: np.ndarray, dx: float) -> tuple[float, float]:
        """The displacement towards the mouse [m]; along an obstacle, or up to it, where the straight way is blocked."""
        assert self._hold is not None
        assert self._mouse is not None
        x, y = self._mouse[0] - self._hold[0], self._mouse[1] - self._hold[1]
        length = abs(x) + abs(y)
        if length > FASTEST * dx:
            x, y = x * FASTEST * dx / length, y * FASTEST * dx / length
        others = ndimage.binary_dilation(solid & ~self._cells)  # walls that touched would be one wall from then on
        best = (0.0, 0.0)
        for u, v in ((x, y), (x, 0.0), (0.0, y)):
            for share in SHARES:
                way = share * u, share * v
                if can_shift(others | self._cells, self._cells, *self._shift(way, dx)):
                    best = max(best, way, key=lambda w: math.hypot(*w))
                    break
        return best

    def _shift(self, way: tuple[float, float], dx: float) -> tuple[int, int]:
        """(rows, columns) that a displacement from the present hold crosses."""
        assert self._hold is not None
        (x, y), (u, v) = self._hold, way
        return math.floor((y + v) / dx) - math.floor(y / dx), math.floor((x + u) / dx) - math.floor(x / dx)
