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

SIDES = ((1, 1.0), (1, -1.0), (0, 1.0), (0, -1.0))  # axis of the normal in an array, and on which side the wall is


@dataclass(frozen=True)
class Faces:
    """Faces of fluid cells towards walls on one side: arrays of one entry a face."""

    axis: int
    sign: float
    cell: torch.Tensor  # index of the fluid cell in the flattened grid
    wall: torch.Tensor  # of the wall cell
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
        self.faces = [self._towards(labels, axis, sign, solid.device) for axis, sign in SIDES]

    def _towards(self, labels: np.ndarray, axis: int, sign: float, device: torch.device) -> Faces:
        """Faces whose wall lies on the higher (sign 1) or lower side along the axis."""
        nx, step = labels.shape[1], np.array([axis == 0, axis == 1], dtype=int) * int(sign)
        lower, upper = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        fluid, wall = (labels[lower], labels[upper]) if sign > 0 else (labels[upper], labels[lower])
        j, i = np.nonzero((fluid == 0) & (wall != 0))
        if sign < 0:  # places in `upper`
            j, i = j + (axis == 0), i + (axis == 1)
        m, n = j + step[0], i + step[1]
        group = labels[m, n] - 1
        x, y = (i + 0.5 + 0.5 * step[1]) * self.dx, (j + 0.5 + 0.5 * step[0]) * self.dx
        cell, other = (torch.from_numpy(places).to(device) for places in (j * nx + i, m * nx + n))
        return Faces(axis, sign, cell, other, group, x - self.centre_x[group], y - self.centre_y[group])

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
        for f in self.faces:
            along = 1 - f.axis  # 0 along x, 1 along y
            pressure = taken(p, f.cell)
            if along == 1:
                pressure = pressure - f.sign * 0.5 * self.dx * gravity * taken(rho, f.cell)
            forces = np.zeros((2, len(pressure)))
            forces[along] = f.sign * pressure * self.dx
            self._add(pressed, moment, f, forces)
            if mu is not None:
                self._add(dragged, moment, f, self._viscous(f, (u, v), taken(mu, f.cell), walls))
        return tuple(
            SolidForce(
                name=f"solid {k + 1}",
                cells=int(self.cells[k]),
                centre=(float(self.centre_x[k]), float(self.centre_y[k])),
                pressure_force=(float(pressed[0, k]), float(pressed[1, k])),
                viscous_force=(float(dragged[0, k]), float(dragged[1, k])),
                moment=float(moment[k]),
            )
            for k in range(self.count)
        )

    def _viscous(
        self,
        f: Faces,
        velocity: tuple[torch.Tensor, torch.Tensor],
        mu: np.ndarray,
        walls: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> np.ndarray:
        """(2, faces) [N/m]: 2 mu du_n/dn along the normal, and shear where fluids stick."""
        along, across = 1 - f.axis, f.axis
        forces = np.zeros((2, len(mu)))
        w = velocity[along]
        forces[along] = -f.sign * 2 * mu * taken(w.diff(dim=f.axis), f.cell)
        if walls is not None:
            own = taken(means(velocity[across], along), f.cell)
            forces[across] = 2 * mu * (own - taken(means(walls[across], along), f.wall))
        return forces

    def _add(self, total: np.ndarray, moment: np.ndarray, f: Faces, forces: np.ndarray) -> None:
        for part, force in zip(total, forces):
            part += np.bincount(f.group, force, self.count)
        moment += np.bincount(f.group, f.arm_x * forces[1] - f.arm_y * forces[0], self.count)


def taken(field: torch.Tensor, places: torch.Tensor) -> np.ndarray:
    """Values of a field (ny, nx) at places of the flattened grid."""
    return np.asarray(field.reshape(-1)[places].cpu().numpy())


def means(faces: torch.Tensor, axis: int) -> torch.Tensor:
    """(ny, nx) means of the two faces of every cell along an axis of the array."""
    count = faces.shape[axis] - 1
    return 0.5 * (faces.narrow(axis, 0, count) + faces.narrow(axis, 1, count))
