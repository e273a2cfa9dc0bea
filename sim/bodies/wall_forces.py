"""Force and moment of the fluid on every connected group of wall cells.

    F = sum over the faces towards fluid of (-p n + mu (grad u + grad u^T) n) dx,      n pointing into the fluid

p is that of the last solve, continued from the cell's centre to the face by the weight of the half cell between them:
beside a wall at rest dp/dn = rho g . n, so a fluid at rest presses exactly as much as it weighs. The shear is that of
the fluid half a cell away, 0 where walls slip. Where a surface meets a wall its tension is not counted: the force at
the contact line follows from an angle of contact, which the fluid does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from sim.frame import SolidForce


@dataclass(frozen=True)
class Faces:
    """Faces between fluid and wall cells with their normal along one axis: arrays of one entry a face.

    Places are indices into flattened fields: of cells (ny, nx), or of the velocities along and across the normal.
    """

    along: int  # 0: the normal is along x; 1: along y
    sign: np.ndarray  # 1 where the wall lies on the higher side, -1 on the lower
    cell: np.ndarray  # the fluid cell
    ends: tuple[np.ndarray, np.ndarray]  # velocities along the normal on both sides of the fluid cell
    beside: tuple[np.ndarray, np.ndarray]  # across it, of the fluid cell
    wall: tuple[np.ndarray, np.ndarray]  # across it, of the wall cell
    group: np.ndarray
    arm_x: np.ndarray  # from the group's centre to the face [m]
    arm_y: np.ndarray


class WallForces:
    """The faces of some walls, and the forces on them for any state of the fluid."""

    def __init__(self, solid: torch.Tensor, dx: float):
        """solid: (ny, nx) bool; dx [m]."""
        labels, self.count = ndimage.label(solid.cpu().numpy())
        self.dx = dx
        j, i = np.nonzero(labels)
        group = labels[j, i] - 1
        self.cells = np.bincount(group, minlength=self.count)
        self.centre_x = np.bincount(group, (i + 0.5) * dx, self.count) / self.cells
        self.centre_y = np.bincount(group, (j + 0.5) * dx, self.count) / self.cells
        self.faces = [self._across(labels, along) for along in (0, 1)]

    def _across(self, labels: np.ndarray, along: int) -> Faces:
        """Faces whose normal is along x (0) or y (1)."""
        nx = labels.shape[1]
        step = np.array([along, 1 - along])  # rows and columns to the next cell
        first, second = (labels[:, :-1], labels[:, 1:]) if along == 0 else (labels[:-1], labels[1:])
        low = np.stack(np.nonzero((first == 0) != (second == 0)))  # (2, faces): the cell on the lower side
        sign = np.where(first[tuple(low)] == 0, 1.0, -1.0)
        high = low + step[:, None]
        fluid, wall = np.where(sign > 0, low, high), np.where(sign > 0, high, low)
        group = labels[tuple(wall)] - 1
        x, y = ((high[1 - axis] + 0.5 * (axis != along)) * self.dx for axis in (0, 1))

        def place(cell: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
            """Both faces of cells along an axis, in u or v."""
            j, i = cell
            return (j * (nx + 1) + i, j * (nx + 1) + i + 1) if axis == 0 else (j * nx + i, (j + 1) * nx + i)

        arms = x - self.centre_x[group], y - self.centre_y[group]
        places = place(fluid, along), place(fluid, 1 - along), place(wall, 1 - along)
        return Faces(along, sign, fluid[0] * nx + fluid[1], *places, group, *arms)

    def on_all(
        self,
        p: torch.Tensor,
        rho: torch.Tensor,
        gravity: float,
        u: torch.Tensor,
        v: torch.Tensor,
        mu: torch.Tensor | None,
        walls: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> tuple[SolidForce, ...]:
        """Forces for p [Pa], rho [kg/m^3], mu [Pa s] (None: no fluid is viscous), all (ny, nx), and u, v [m/s].

        walls: velocities prescribed on the faces of walls, like u and v, where fluids stick to them; None: they slip.
        """
        pressed, dragged, moment = np.zeros((2, self.count)), np.zeros((2, self.count)), np.zeros(self.count)
        at_cells, weight, velocity = flat(p), flat(rho), (flat(u), flat(v))
        for f in self.faces:
            pressure = at_cells[f.cell]
            if f.along == 1:
                pressure = pressure - f.sign * (0.5 * self.dx * gravity) * weight[f.cell]
            forces = np.zeros((2, len(pressure)))
            forces[f.along] = f.sign * pressure * self.dx
            self._add(pressed, moment, f, forces)
            if mu is not None:
                still = None if walls is None else (flat(walls[0]), flat(walls[1]))
                self._add(dragged, moment, f, viscous(f, velocity, flat(mu)[f.cell], still))
        rows = zip(self.cells.tolist(), self.centre_x.tolist(), self.centre_y.tolist())
        (force_x, force_y), (drag_x, drag_y), turn = pressed.tolist(), dragged.tolist(), moment.tolist()
        return tuple(
            SolidForce(f"solid {k + 1}", cells, (x, y), (force_x[k], force_y[k]), (drag_x[k], drag_y[k]), turn[k])
            for k, (cells, x, y) in enumerate(rows)
        )

    def _add(self, total: np.ndarray, moment: np.ndarray, f: Faces, forces: np.ndarray) -> None:
        for part, force in zip(total, forces):
            part += np.bincount(f.group, force, self.count)
        moment += np.bincount(f.group, f.arm_x * forces[1] - f.arm_y * forces[0], self.count)


def viscous(
    f: Faces,
    velocity: tuple[np.ndarray, np.ndarray],
    mu: np.ndarray,
    walls: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    """(2, faces) [N/m]: 2 mu du_n/dn along the normal, and shear where fluids stick."""
    forces = np.zeros((2, len(mu)))
    normal, across = velocity[f.along], 1 - f.along
    forces[f.along] = -2 * f.sign * mu * (normal[f.ends[1]] - normal[f.ends[0]])
    if walls is not None:
        own, still = velocity[across], walls[across]
        forces[across] = mu * (own[f.beside[0]] + own[f.beside[1]] - still[f.wall[0]] - still[f.wall[1]])
    return forces


def flat(field: torch.Tensor) -> np.ndarray:
    """The values in one row, not copied where they lie in this memory."""
    return np.asarray(field.reshape(-1).cpu().numpy())
