"""Velocities prescribed where the fluid ends: inlets, outlets and the walls that the user moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from sim.grid import Grid
from sim.scenes.scene import Opening, Scene

INLET_CLOSED = "Inlet closed: its region has no outlet"


@dataclass(frozen=True)
class Body:
    """Cells of wall that move together, (ny, nx) bool, and their velocity [m/s]."""

    cells: np.ndarray
    u: float
    v: float


@dataclass(frozen=True)
class Drag:
    """A wall on its way with the mouse: its cells (ny, nx), where the mouse was at the start of the step, velocity."""

    cells: np.ndarray
    x: float  # [m]
    y: float
    u: float  # [m/s]
    v: float

    def cells_passed(self, start: float, end: float, dx: float) -> tuple[int, int]:
        """(rows, columns) that the mouse moves on between two times since the start of the step [s]."""
        rows, columns = (
            math.floor((at + speed * end) / dx) - math.floor((at + speed * start) / dx)
            for at, speed in ((self.y, self.v), (self.x, self.u))
        )
        return rows, columns


def body_at(solid: np.ndarray, j: int, i: int) -> np.ndarray | None:
    """The connected cells of wall around (j, i), None where there is no wall."""
    if not (0 <= j < solid.shape[0] and 0 <= i < solid.shape[1] and solid[j, i]):
        return None
    labels, _ = ndimage.label(solid)
    return np.asarray(labels == labels[j, i])


def can_shift(solid: np.ndarray, cells: np.ndarray, rows: int, columns: int) -> bool:
    """Whether the cells may move so far: inside the domain, into no other wall."""
    j, i = np.nonzero(cells)
    j, i = j + rows, i + columns
    if j.min() < 0 or i.min() < 0 or j.max() >= solid.shape[0] or i.max() >= solid.shape[1]:
        return False
    return not (solid & ~cells)[j, i].any()


Places = tuple[np.ndarray, ...]  # (j, i)


def exchanged(cells: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, Places, Places]:
    """Cells of a wall after a shift, and the places that it covers and uncovers, as many of both, line by line."""
    moved = np.roll(cells, (rows, columns), (0, 1))
    covered, uncovered = (
        np.nonzero(part.T)[::-1] if rows else np.nonzero(part) for part in (moved & ~cells, cells & ~moved)
    )
    return moved, covered, uncovered


class Boundary:
    """wall_u (ny, nx + 1) and wall_v (ny + 1, nx) [m/s] for the faces of walls, and what enters from outside.

    enter (K, 4, longer side): nested fractions beyond the left, right, bottom and top side.
    Everywhere else walls rest and the last phase waits outside. In a region without an open top the sum of all that is
    prescribed is kept 0, since an incompressible fluid cannot answer to anything else.
    """

    def __init__(self, scene: Scene, grid: Grid, device: torch.device):
        ny, nx = grid.shape
        bodies = int(bool(scene.bodies))  # are phase 0 of the nested fractions, and never outside
        count = len(scene.phases) - 1 + bodies
        self.scene, self.grid = scene, grid
        self.wall_u = torch.zeros((ny, nx + 1), dtype=torch.float64, device=device)
        self.wall_v = torch.zeros((ny + 1, nx), dtype=torch.float64, device=device)
        self.enter = torch.zeros((count, 4, max(ny, nx)), dtype=torch.float64, device=device)
        self.notices: tuple[str, ...] = ()
        self.moving = False
        for opening in scene.openings:
            if opening.phase:
                side = ("left", "right", "bottom", "top").index(opening.side)
                self.enter[scene.phase_index(opening.phase) + bodies :, side, self._part(opening)] = 1.0

    def _part(self, opening: Opening) -> slice:
        """The cells along its side that an opening covers."""
        cells = self.grid.ny if opening.side in ("left", "right") else self.grid.nx
        return slice(round(opening.start * cells), max(round(opening.end * cells), round(opening.start * cells) + 1))

    def update(self, solid: np.ndarray, body: Body | None = None) -> bool:
        """Prescribe velocities around the present walls (ny, nx), the body among them.

        Returns whether the fluid can give way to the body; if not, the body counts as resting.
        """
        wall_u, wall_v = np.zeros(tuple(self.wall_u.shape)), np.zeros(tuple(self.wall_v.shape))
        regions, count = ndimage.label(~solid)
        moves = body is not None and (body.u, body.v) != (0.0, 0.0) and not self._blocked(regions, count, body)
        if moves:
            assert body is not None
            wall_u[:, :-1][body.cells] = wall_u[:, 1:][body.cells] = body.u
            wall_v[:-1][body.cells] = wall_v[1:][body.cells] = body.v
        self.notices = ()
        if self.scene.openings:
            self._open(regions, count, wall_u, wall_v)
        self.wall_u.copy_(torch.from_numpy(wall_u))
        self.wall_v.copy_(torch.from_numpy(wall_v))
        self.moving = moves
        return moves

    def _blocked(self, regions: np.ndarray, count: int, body: Body) -> bool:
        """Whether some closed region would have to change its volume: the body's faces towards it do not cancel."""
        padded = np.pad(regions * ~body.cells, 1)
        cells = np.pad(body.cells, 1)
        closed = [k for k in range(1, count + 1) if not (self.scene.open_top and (regions[-1] == k).any())]
        for axis, speed in ((1, body.u), (0, body.v)):
            ahead, behind = np.roll(padded, -1, axis)[cells], np.roll(padded, 1, axis)[cells]
            net = np.bincount(ahead, minlength=count + 1) - np.bincount(behind, minlength=count + 1)
            if speed != 0.0 and any(net[k] for k in closed):
                return True
        return False

    def _open(self, regions: np.ndarray, count: int, wall_u: np.ndarray, wall_v: np.ndarray) -> None:
        """Let the inlets flow, and the outlets of every region take what its inlets bring."""
        places = []  # (opening, faces of its side as a view, sign of inflow, region of the cell behind every face)
        for opening in self.scene.openings:
            part = self._part(opening)
            faces, cells, sign = {
                "left": (wall_u[:, 0], regions[:, 0], 1.0),
                "right": (wall_u[:, -1], regions[:, -1], -1.0),
                "bottom": (wall_v[0], regions[0], 1.0),
                "top": (wall_v[-1], regions[-1], -1.0),
            }[opening.side]
            places.append((opening, faces[part], sign, cells[part]))
        for region in range(1, count + 1):
            here = [(o, faces, sign, cells == region) for o, faces, sign, cells in places if (cells == region).any()]
            brought = sum(o.speed * where.sum() for o, _, _, where in here)
            width = sum(where.sum() for o, _, _, where in here if not o.phase)
            is_open = self.scene.open_top and bool((regions[-1] == region).any())
            if brought and not width and not is_open:
                self.notices = (INLET_CLOSED,)
                continue
            for o, faces, sign, where in here:
                faces[where] = sign * (o.speed if o.phase else -brought / width)
