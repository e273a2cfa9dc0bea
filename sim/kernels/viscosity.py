"""The viscous step: backward Euler with the full stress tensor, stable for any viscosity and time step.

    rho_face (u - u*) / dt = div( mu (grad u + grad u^T) )

It is the minimum over all velocities u of  sum 1/2 rho_face |u - u*|^2 + dt sum mu (u_x^2 + v_y^2 + (u_y + v_x)^2 / 2),
kinetic energy of the change plus dissipation (Batty & Bridson 2008), summed over the volumes that are fluid. Hence one
symmetric positive definite system for both components, whatever rho, mu and the walls are:

    A u = rho_face u - dt div(stress) = rho_face u*

2 mu u_x and 2 mu v_y live at cell centres with the cell's mu; mu (u_y + v_x) lives at cell corners with the harmonic
mean of the mu of the corner's fluid cells. Shear stress is what continues across an interface, along x as along y: the
half cells between two faces act like resistances in series. So layers of any contrast get their exact profile, where
the arithmetic mean would let honey drag the gas beside it as if it were honey, and a phase with mu = 0 exerts no shear.
For the same reason the mu of a mixed cell should come from 1 / mu = sum of fraction / mu.

Walls. Velocities on the boundary of the domain and on faces of solid cells are prescribed. A corner with two fluid
cells side by side lies on a wall: half the volume, and the wall is dx / 2 away from the face's centre. A corner with
three has 3/4 of the volume and the plain differences. With fewer, or diagonal ones, every velocity there is prescribed.
At corners of a wall that slips there is no shear. An open top is free of stress: v is unknown, with half the mass.

Arrays in here have a margin of zeros around the grid, walls at rest: cell (j, i) is at [j + 1, i + 1], its left and
lower face and its lower left corner have the same index as the cell. All are torch, on flat planes shifted against each
other (what wraps around meets a coefficient 0): 3 times as fast as a kernel, whose launch costs as much as 20 of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import torch

from precond.device.cuda_graph import GraphCache
from precond.support.threads import limited_threads
from sim.scenes.scene import Walls

SMALLEST = 1e-280  # squares of norms below it are no longer normal numbers, and count as 0
NO_CORNER = 1e-300  # stands in for the resistance of corners without fluid, whose weight is 0


@dataclass(frozen=True)
class Outcome:
    """How a viscous step ended. Without convergence u is the last iterate, not yet as viscous as it should be."""

    iterations: int
    residual: float  # ||b - A u|| / ||b|| as the iteration knows it, b = rho_face u* and what prescribed velocities add
    converged: bool


class Plane(NamedTuple):
    """One number at each place of the padded grid, and flat views without one end: neighbours have the same index."""

    whole: torch.Tensor  # (ny + 2, nx + 2)
    west: torch.Tensor
    east: torch.Tensor
    south: torch.Tensor
    north: torch.Tensor


def plane(whole: torch.Tensor) -> Plane:
    """The views of a contiguous tensor."""
    flat, row = whole.view(-1), whole.shape[1]
    return Plane(whole, flat[:-1], flat[1:], flat[:-row], flat[row:])


class Faces:
    """Something at the u faces and the v faces: `both` (2, ny + 2, nx + 2), each alone, and without the margin."""

    def __init__(self, ny: int, nx: int, device: str | torch.device):
        self.both = torch.zeros(2, ny + 2, nx + 2, dtype=torch.float64, device=device)
        self.u, self.v = plane(self.both[0]), plane(self.both[1])
        self.grid_u, self.grid_v = self.both[0, 1:-1, 1:], self.both[1, 1:, 1:-1]  # (ny, nx + 1), (ny + 1, nx)


class Viscosity:
    """The viscous step on one grid, by conjugate gradients with Jacobi's preconditioner, started from u*.

    Sums go along each row first and then over the rows, so that results repeat bit for bit for any number of threads.
    A step has a price even where mu is 0 everywhere: leave it out when the viscosities of all phases are 0.
    """

    def __init__(
        self,
        ny: int,
        nx: int,
        dx: float,
        walls: Walls = Walls(),  # noqa: B008 - frozen
        open_top: bool = False,
        device: str | torch.device = "cpu",
        rtol: float = 1e-8,
        max_iterations: int = 2000,
    ) -> None:
        """dx [m]. rtol bounds ||b - A u|| / ||b||, ||r||^2 = sum r^2 / diagonal: light and heavy fluid count alike.

        Raises ValueError for a size, spacing, tolerance or limit that cannot be used.
        """
        if not (ny >= 1 and nx >= 1 and math.isfinite(dx) and dx > 0):
            raise ValueError(f"a grid of {ny}x{nx} cells of {dx} m cannot be; pass at least 1x1 cells and dx above 0")
        if not (0 < rtol < 1 and max_iterations >= 0):
            raise ValueError(f"rtol {rtol} must lie in 0 to 1 and max_iterations {max_iterations} be at least 0")
        self.dx, self.walls, self.open_top = dx, walls, open_top
        self.rtol, self.max_iterations = rtol, max_iterations
        self.x, self.p, self.q, self.r, self.z, self.wall, self.star = (Faces(ny, nx, device) for _ in range(7))
        # What viscosity did in the last step and in the one before, (2, 2, ny + 2, nx + 2) [m/s^2]: continued in a
        # straight line it is where the iteration begins, which then takes 13 instead of 33 steps in a lava lamp.
        self.accelerations = torch.zeros(2, 2, ny + 2, nx + 2, dtype=torch.float64, device=device)
        self.mass, self.diagonal, self.inverse = (Faces(ny, nx, device) for _ in range(3))
        self.free, self.fixed = Faces(ny, nx, device), Faces(ny, nx, device)  # 1 on unknown faces; 1 everywhere else
        self.along = Faces(ny, nx, device)  # work: dt / dx of 2 mu u_x and 2 mu v_y
        self.corner, self.weight = Faces(ny, nx, device), Faces(ny, nx, device)  # of the differences of u and of v
        planes = torch.zeros(6, ny + 2, nx + 2, dtype=torch.float64, device=device)
        self.rho, self.cell, self.resistance, self.sum, self.tau, self.turn = (plane(one) for one in planes)
        self.solid = torch.full((ny, nx), 255, dtype=torch.uint8, device=device)  # what `free` and `weight` belong to
        self.dry = torch.ones(ny, nx, dtype=torch.bool, device=device)
        self.rz, self.target = torch.zeros(2, dtype=torch.float64, device=device)  # of the iteration in torch
        self.active = torch.zeros((), dtype=torch.bool, device=device)
        self.count = torch.zeros((), dtype=torch.int64, device=device)
        self._recorded, self._blind = GraphCache(), 1  # iterations before the first look

    def step(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        rho: torch.Tensor,
        mu: torch.Tensor,
        solid: torch.Tensor,
        wall_u: torch.Tensor,
        wall_v: torch.Tensor,
        dt: float,
    ) -> Outcome:
        """Replace u, v [m/s] by the velocities after dt [s] of viscous stress; NaN and infinity leave them unchanged.

        rho [kg/m^3], above 0, and mu [Pa s], not negative: (ny, nx), ignored in solid cells;  solid: (ny, nx) uint8.
        wall_u (ny, nx + 1), wall_v (ny + 1, nx): the velocities on the boundary of the domain and on all faces of solid
        cells [m/s], written into u and v there. The walls of the domain rest along themselves.
        """
        with limited_threads(self.solid.device, self.solid.numel()):
            if not torch.equal(solid, self.solid):
                self._set_solid(solid)
            self._assemble(rho, mu, dt / self.dx**2)
            self._start(u, v, wall_u, wall_v, dt)
            outcome = self._solve()
            if math.isfinite(outcome.residual):
                u.copy_(self.x.grid_u)
                v.copy_(self.x.grid_v)
                self.accelerations[1].copy_(self.accelerations[0])
                torch.sub(self.x.both, self.star.both, out=self.accelerations[0]).div_(dt or 1.0)
            else:
                self._forget()
        return outcome

    def _forget(self) -> None:
        """Zero what no step overwrites, margins and ends: a NaN there would stay, since 0 * NaN is NaN."""
        for work in (self.x, self.along, self.tau, self.turn):
            (work.both if isinstance(work, Faces) else work.whole).zero_()
        self.accelerations.zero_()

    def apply(self, p: Faces, q: Faces) -> None:
        """q = A p for p that is 0 on prescribed faces; q is undefined in their rows."""
        self._drag(p, q)
        q.both.addcmul_(self.mass.both, p.both)

    def _drag(self, x: Faces, out: Faces) -> None:
        """out = -dt div(stress)."""
        along, tau, turn = self.along, self.tau, self.turn
        torch.sub(x.u.east, x.u.west, out=along.u.west)
        torch.sub(x.v.north, x.v.south, out=along.v.south)
        along.both.mul_(self.cell.whole)
        torch.sub(x.u.north, x.u.south, out=tau.north)
        torch.sub(x.v.east, x.v.west, out=turn.east)
        tau.whole.mul_(self.corner.u.whole).addcmul_(turn.whole, self.corner.v.whole)
        torch.sub(tau.whole, along.both, out=out.both)
        out.u.east.add_(along.u.west)
        out.v.north.add_(along.v.south)
        out.u.south.sub_(tau.north)
        out.v.west.sub_(tau.east)

    def _set_solid(self, solid: torch.Tensor) -> None:
        """Which faces are unknown, and `weight`: what 1 / (sum of resistances) is multiplied with at a corner."""
        self.solid.copy_(solid)
        self.dry.copy_(solid != 0)
        wet = torch.zeros_like(self.cell.whole)
        wet[1:-1, 1:-1] = (~self.dry).to(wet)
        cells = plane(wet)
        torch.mul(cells.west, cells.east, out=self.free.u.east)
        torch.mul(cells.south, cells.north, out=self.free.v.north)
        if self.open_top:
            self.free.v.whole[-1] = wet[-2]
        torch.sub(1.0, self.free.both, out=self.fixed.both)

        sw, se, nw, ne = wet[:-1, :-1], wet[:-1, 1:], wet[1:, :-1], wet[1:, 1:]
        count = sw + se + nw + ne
        sticks, across = torch.zeros_like(count), torch.ones_like(count)  # across: the domain's walls rest along them
        across[1:-1, 1:-1] = 2.0  # but solids are rigid: u at their surface is u within them - dx / 2 v_x
        sticks[1:-1, 1:-1] = float(self.walls.solids == "no-slip")
        sticks[0], sticks[:, 0] = float(self.walls.bottom == "no-slip"), float(self.walls.left == "no-slip")
        sticks[-1] = float(self.walls.top == "no-slip" and not self.open_top)
        sticks[:, -1] = float(self.walls.right == "no-slip")
        full, bend = count == 4, 0.75 * (count == 3)
        level, upright = (count == 2) & (sw == se), (count == 2) & (sw == nw)
        self.weight.u.whole[1:, 1:] = count * (full + sticks * (bend + 2 * level + across * upright))
        self.weight.v.whole[1:, 1:] = count * (full + sticks * (bend + across * level + 2 * upright))

    def _assemble(self, rho: torch.Tensor, mu: torch.Tensor, stiffness: float) -> None:
        """Masses, cell and corner viscosities, all but the masses times stiffness = dt / dx^2; 1 / diagonal of A."""
        inside = (slice(1, -1), slice(1, -1))
        mass, cell, corner, diagonal, ohm = self.mass, self.cell, self.corner, self.diagonal, self.resistance
        self.rho.whole[inside].copy_(rho).masked_fill_(self.dry, 0.0)
        torch.add(self.rho.west, self.rho.east, out=mass.u.east)
        torch.add(self.rho.south, self.rho.north, out=mass.v.north)
        mass.both.mul_(self.free.both).mul_(0.5)
        cell.whole[inside].copy_(mu).masked_fill_(self.dry, 0.0).mul_(2.0 * stiffness)
        torch.reciprocal(mu, out=ohm.whole[inside]).masked_fill_(self.dry, 0.0)  # infinite where mu = 0: no shear
        torch.add(ohm.west, ohm.east, out=self.turn.east)
        torch.add(self.turn.south, self.turn.north, out=self.sum.north)
        torch.div(self.weight.both, self.sum.whole.clamp_(min=NO_CORNER), out=corner.both).mul_(stiffness)
        torch.add(mass.both, self.fixed.both, out=diagonal.both).add_(cell.whole).add_(corner.both)
        diagonal.u.east.add_(cell.west)
        diagonal.v.north.add_(cell.south)
        diagonal.u.south.add_(corner.u.north)
        diagonal.v.west.add_(corner.v.east)
        torch.div(self.free.both, diagonal.both, out=self.inverse.both)

    def _start(self, u: torch.Tensor, v: torch.Tensor, wall_u: torch.Tensor, wall_v: torch.Tensor, dt: float) -> None:
        """star = u* with the walls' velocities, x a guess of u, r = b - A x, z = b = rho u* without the walls' part."""
        x, wall, star, past = self.x, self.wall, self.star, self.accelerations
        x.grid_u.copy_(u)
        x.grid_v.copy_(v)
        wall.grid_u.copy_(wall_u)
        wall.grid_v.copy_(wall_v)
        wall.both.mul_(self.fixed.both)
        torch.addcmul(wall.both, x.both, self.free.both, out=star.both)
        torch.sub(past[0], past[1], alpha=0.5, out=x.both).mul_(2 * dt).mul_(self.free.both).add_(star.both)
        self._drag(x, self.r)
        self.r.both.neg_().addcmul_(self.mass.both, star.both - x.both)
        torch.mul(self.mass.both, star.both, out=self.z.both)
        if bool(wall.both.any()):
            self._drag(wall, self.q)
            self.z.both.sub_(self.q.both)

    def _dot(self, a: Faces, b: Faces) -> torch.Tensor:
        torch.mul(a.both, b.both, out=self.along.both)
        return self.along.both.sum(2).sum()

    def _solve(self) -> Outcome:
        """Iterate from x and r; b is in z. Hestenes and Stiefel 1952."""
        loop = compiled_loop() if self.solid.device.type == "cpu" else None
        if loop is not None:
            return self._solve_compiled(loop)
        p, r, z, M = self.p, self.r, self.z, self.inverse
        torch.mul(M.both, z.both, out=p.both)
        norm = self._dot(z, p)
        torch.mul(M.both, r.both, out=p.both)
        self.rz.copy_(self._dot(r, p))
        torch.clamp(self.rtol**2 * norm, min=SMALLEST, out=self.target)
        torch.gt(self.rz, self.target, out=self.active)
        self.count.zero_()
        most, todo = self.max_iterations, self._blind
        while True:
            for _ in range(min(todo, most)):
                self._recorded(self._iteration, r.both.device)
            numbers = torch.stack((self.rz, self.target, norm, self.count, self.active.to(norm))).tolist()  # one wait
            most, todo = self.max_iterations - int(numbers[3]), 1
            if not numbers[4] or most <= 0:
                break
        now, target, size, iterations = numbers[:4]
        if r.both.device.type == "cuda":  # there a look costs more than an iteration too many
            self._blind = max(1, int(iterations))
        residual = math.sqrt(now / max(size, SMALLEST)) if now >= 0 else math.nan
        return Outcome(int(iterations), residual, now <= target and math.isfinite(residual))

    def _iteration(self) -> None:
        """One, of no effect after the target was met. Nothing here waits for the device."""
        x, p, q, r, z = self.x, self.p, self.q, self.r, self.z
        self.apply(p, q)
        alpha = torch.where(self.active, self.rz / self._dot(p, q), 0.0)
        x.both.addcmul_(p.both, alpha)
        r.both.addcmul_(q.both, alpha, value=-1)
        torch.mul(self.inverse.both, r.both, out=z.both)
        rz = self._dot(r, z)
        beta = torch.where(self.active, rz / self.rz, 0.0)  # after the end it may be 0 / 0
        torch.addcmul(z.both, p.both, beta, out=p.both)
        self.rz.copy_(rz)
        self.count += self.active
        self.active &= rz > self.target

    def _solve_compiled(self, loop: Any) -> Outcome:
        """The same in one compiled call."""
        faces = self.x, self.p, self.q, self.r, self.z, self.inverse, self.mass
        planes = self.cell.whole, self.corner.both, self.along.both, self.tau.whole
        arrays = [each.view(-1).numpy() for each in (*(face.both for face in faces), *planes)]
        row = self.cell.whole.shape[1]
        iterations, now, norm = loop.iterate(*arrays, row, self.rtol, SMALLEST, self.max_iterations)
        residual = math.sqrt(now / max(norm, SMALLEST))
        target = max(self.rtol**2 * norm, SMALLEST)
        return Outcome(iterations, residual, now <= target and math.isfinite(residual))


@cache
def compiled_loop() -> Any:
    """The compiled iteration; None without Numba."""
    try:
        return import_module("sim.kernels.viscous_loop")
    except ImportError:
        return None
