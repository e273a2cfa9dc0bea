"""The pressure of the fluid and the motion of bodies, in one: see sim/bodies/bodies.py for the equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from precond.system import PoissonSystem
from sim.bodies import contact
from sim.bodies.cover import Cover
from sim.bodies.motion import Motion
from sim.frame import Solution

Solve = Callable[[PoissonSystem, torch.Tensor, torch.Tensor], Solution]


class Coupling:
    """D, P and the equation for the bodies' velocities. Columns are u and v of every body, and spin but of discs."""

    def __init__(self, motion: Motion, cover: Cover, device: torch.device):
        self._motion, self._cover = motion, cover
        self._columns = [k for k in range(3 * len(motion.names)) if k % 3 < 2 or not motion.discs[k // 3]]
        shape = (len(self._columns), *cover.grid.shape)
        self.responses = torch.zeros(shape, dtype=torch.float64, device=device)  # P, from which the next solves begin
        self._D = torch.zeros_like(self.responses)
        self.contact = np.zeros((len(motion.names), 3))  # force and moment of the last kick [N/m, N]
        self.solutions: list[Solution] = []  # of A P = D

    def couple(
        self,
        solve: Solve,
        system: PoissonSystem,
        b: torch.Tensor,
        dt: float,
        walls: contact.Walls,
        launch: bool,
    ) -> None:
        """Give the bodies their velocities after dt [s] of pressure and contact; b = -div w* becomes b - D (q - q*).

        launch: bodies that the scene gives a velocity take it, whatever that takes of the fluid.
        """
        self._fill()
        H, right = self._equation(solve, system, b, dt)
        if not (np.isfinite(H).all() and np.isfinite(right).all()):
            return  # the pressure will not be finite either, and the fluid's measures say so
        motion = self._motion
        before = motion.values[:, 3:].ravel()
        fixed = np.repeat(launch & (motion.at_launch != 0).any(axis=1), 3)
        change = np.where(fixed, motion.at_launch.ravel() - before, 0.0)
        if not fixed.all():
            rest = ~fixed
            change[rest] = np.linalg.solve(H[np.ix_(rest, rest)], (right - H @ change)[rest])
        free = after = before + change
        if close := motion.contacts(walls):
            J, c = contact.conditions(close, motion.values[:, :2], motion.discs, dt)
            after = contact.nearest(free, H, J, c)
        self.contact = (H @ (after - free)).reshape(-1, 3) * motion.dx**2
        moved = torch.from_numpy((after - before)[self._columns]).to(b.device)
        b.sub_(torch.tensordot(moved, self._D, 1))
        motion.values[:, 3:] = after.reshape(-1, 3)

    def _equation(
        self, solve: Solve, system: PoissonSystem, b: torch.Tensor, dt: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """M / (dt dx^2) + D^T P (3n, 3n) and P^T b (3n,), summed row by row: the same for any number of threads."""
        D, P, columns = self._D, self.responses, self._columns
        for k in range(len(columns)):
            solution = solve(system, D[k], P[k])
            P[k].copy_(solution.x)
            self.solutions.append(solution)
        rows = P.permute(1, 2, 0)
        added = torch.bmm(D.transpose(0, 1), rows).sum(0).cpu().numpy()
        H = np.diag(self._motion.masses.ravel()) / (dt * self._motion.dx**2)
        H[np.ix_(columns, columns)] += 0.5 * (added + added.T)
        right = np.zeros(len(H))
        right[columns] = torch.bmm(b[:, None], rows).sum((0, 1)).cpu().numpy()
        return H, right

    def _fill(self) -> None:
        """D (columns, ny, nx): divergence [1/s] of w for a unit velocity of each body."""
        row, cover = 0, self._cover
        for k, (x, y, *_) in enumerate(self._motion.values):
            phi_x, phi_y = cover.phi_x[k], cover.phi_y[k]
            torch.sub(phi_x[:, 1:], phi_x[:, :-1], out=self._D[row]).div_(self._motion.dx)
            torch.sub(phi_y[1:], phi_y[:-1], out=self._D[row + 1]).div_(self._motion.dx)
            if not self._motion.discs[k]:
                torch.mul(self._D[row], (y - cover.y)[:, None], out=self._D[row + 2])
                self._D[row + 2].addcmul_(self._D[row + 1], (cover.x - x)[None])
            row += 2 + int(not self._motion.discs[k])

    def pressure_force(self, p: torch.Tensor) -> np.ndarray:
        """(n, 3): force [N/m] and moment about the centre [N] of a pressure (ny, nx) [Pa]: dx^2 D^T p."""
        force = np.zeros(3 * len(self._motion.names))
        self._fill()
        force[self._columns] = (self._D * p).sum(2).sum(1).cpu().numpy() * self._motion.dx**2
        return force.reshape(-1, 3)
