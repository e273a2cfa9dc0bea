"""Rigid bodies in the fluid: cut cells by volume, coupled to the pressure exactly, for any density.

The fluid has its own velocity on every face of which bodies leave a share theta > 0, each body b three numbers
q = (U, V, spin) about its centroid. Through a face flows w = theta u + sum of phi_b (velocity of b there), and

    div w = 0,   theta rho (u - u*) = -theta dt grad p,   M_b (q_b - q_b*) = dt dx^2 D_b^T p + contact,

where D_b q_b is the divergence that a body's motion contributes: the stationary point of the kinetic energy of fluid
and bodies under div w = 0 (Batty, Bertails & Bridson 2007; as finite volumes, Ng, Min & Gibou 2009). theta is a share
of the staggered volume: a fluid at rest presses with the weight of the exact area, and what bodies gain in momentum
the fluid loses, to round-off. beta = theta dt / (rho_face dx^2): the five-point matrix of every other step.

Without p there is an equation for the 3n numbers alone (Gibou & Min 2012 add the same term to the matrix):

    (M / (dt dx^2) + D^T P) (q - q*) = P^T b,   A P = D,   b = -div w*,   then   A p = b - D (q - q*).

D^T P is the added mass. It stands on the left, so that a body as light as a bubble is stable. P is solved for column by
column, from the last step's. Contact changes q in the metric of the same matrix: see sim/bodies/contact.py.

Phases. w is free of divergence everywhere and rigid within bodies, so the transport of kernels/advect.py carries all
phases by it, the bodies as phase 0 of the nested fractions (of density 0: its mass is not the fluid's momentum). Then
bodies move, and fraction 0 becomes their exact share again: see kernels/rigid.follow. No phase gains or loses volume,
and momentum that this misplaces goes to the body nearby.

Viscosity acts on the mean velocity of the masses in a face, bodies as a very viscous phase, after which they are made
rigid (Carlson, Mucha & Turk 2004): conservative and stable, first order in dx and dt.

Left out: surface tension does not pull at a body where a surface meets it, and contact is without friction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from precond.system import PoissonSystem
from sim.bodies import contact, momentum
from sim.bodies.coupling import Coupling, Solve
from sim.bodies.cover import Cover
from sim.bodies.motion import Motion
from sim.frame import BodyState, Solution
from sim.grid import Grid
from sim.kernels import rigid
from sim.kernels.diagnostics import Survey
from sim.kernels.pressure import OpenFaces
from sim.scenes.scene import Scene

STIFF = 100.0  # times the most viscous fluid: bodies in the viscous step, where fluids stick to them
EMPTY = 1e-6  # of the lightest fluid: density up to which a face has none
SHUT = 1e-9  # of a cell: less room for fluid has no composition


class Bodies:
    """The bodies of a scene on a grid."""

    def __init__(self, scene: Scene, grid: Grid, device: torch.device):
        """Raises ValueError for a body outside of the domain."""
        ny, nx = grid.shape
        self.grid, self.sticks = grid, scene.walls.solids == "no-slip"

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self.motion = Motion(scene, grid)
        self.cover = Cover(len(scene.bodies), grid, device)
        self.coupling = Coupling(self.motion, self.cover, device)
        self.carrier = zeros(ny, nx + 1), zeros(ny + 1, nx)  # w [m/s]
        self.beta = zeros(ny, nx + 1), zeros(ny + 1, nx)  # dt / (rho_face dx^2), without theta
        self._lacking = torch.zeros(ny * nx, dtype=torch.int32, device=device)  # scratch
        self._drag = np.zeros((len(scene.bodies), 3))  # viscous force and moment of the last kick [N/m, N]

    # Where they are --------------------------------------------------------------------------------------------------

    def reset(self, solid: torch.Tensor) -> None:
        """Back to time zero, moved apart where they are closer than contact allows; walls inside of them vanish.

        solid: (ny, nx) bool. Raises ValueError where there is no room for them.
        """
        self.motion.reset()
        self.coupling.responses.zero_()
        self.cover.place(self.motion.outlines)
        solid.logical_and_(~self.cover.near())
        self._walls = contact.Walls(solid.cpu().numpy(), self.grid)
        self.motion.move_apart(self._walls)
        self.go_back(self.motion.values)

    def go_back(self, values: np.ndarray) -> None:
        """To another moment of the same run, or of a continued one; values: see Motion."""
        self.motion.values = values
        self.coupling.contact[:] = self._drag[:] = 0.0
        self.cover.place(self.motion.outlines)

    def set_walls(self, solid: torch.Tensor, faces: OpenFaces) -> None:
        """After walls, (ny, nx) bool, have changed; faces: those that they leave open."""
        self._walls, self._faces = contact.Walls(solid.cpu().numpy(), self.grid), faces
        self.cover.open_faces(faces)

    def set_densities(self, densities: tuple[float, ...]) -> None:
        """[kg/m^3], empty for those of the scene."""
        self.motion.densities = np.array(densities) if densities else self.motion.of_scene

    @contextmanager
    def moving(
        self,
        h: float,
        F: torch.Tensor,
        mass: torch.Tensor,
        u: torch.Tensor,
        v: torch.Tensor,
        wall: torch.Tensor,
        weigh: Callable[[], None],
    ) -> Iterator[None]:
        """Around the transport of F, u and v by `carrier`: bodies advance by h [s], and fraction 0 follows.

        weigh: computes mass (ny, nx), of the fluid in a cell over dx^2, from F. Momentum that is then in another place
        than where the projection looks for it goes to the bodies.
        """
        before = momentum.excess(self.motion, self.cover, self._faces, self.rho(F, mass), mass, u, v)
        yield
        weigh()
        carried = mass.clone()
        self.motion.advance(h)
        self.cover.place(self.motion.outlines)
        self.cover.open_faces(self._faces)
        rigid.follow(F, wall, self.cover.total, self._lacking, *self.cover.box)
        weigh()
        after = momentum.excess(self.motion, self.cover, self._faces, self.rho(F, mass), carried, u, v)
        self.motion.values[:, 3:] += (before - after) / self.motion.masses

    def fill(self, nested: torch.Tensor, F: torch.Tensor) -> None:
        """F (K + 1, ny, nx) of bodies and, around them, nested fractions (K, ny, nx) of the phases."""
        F[0].copy_(self.cover.total)
        torch.mul(nested, 1 - F[0], out=F[1:]).add_(F[0])

    def relative(self, F: torch.Tensor) -> torch.Tensor:
        """Nested fractions (K, ny, nx) of the phases in what bodies leave of each cell; 0 where they leave nothing."""
        room = 1 - F[0]
        return ((F[1:] - F[0]) / room.clamp(min=SHUT)).masked_fill_(room < SHUT, 0.0).clamp_(0, 1)

    # How they move ---------------------------------------------------------------------------------------------------

    def rho(self, F: torch.Tensor, mass: torch.Tensor) -> torch.Tensor:
        """Density (ny, nx) [kg/m^3] of the fluid alone; mass (ny, nx): of the fluid in a cell, over dx^2.

        Within bodies that of the row's neighbours, else of those above and below: layers at rest stay in balance.
        """
        room = 1 - F[0]
        known = room > EMPTY
        mass, room = torch.where(known, mass, 0.0), torch.where(known, room, 0.0)
        rho = torch.where(known, mass / room, 0.0)
        for dim in (1, 0):
            of_mass, of_room = (
                torch.nn.functional.pad(field, (1, 1, 0, 0) if dim else (0, 0, 1, 1)) for field in (mass, room)
            )
            n = rho.shape[dim]
            near_mass, near_room = (f.narrow(dim, 0, n) + f.narrow(dim, 2, n) for f in (of_mass, of_room))
            rho = torch.where((rho == 0) & (near_room > 0), near_mass / near_room, rho)
        return torch.where(rho == 0, mass.sum(1).sum() / room.sum(1).sum(), rho)

    def accelerate(self, u: float, v: float) -> None:
        """Add a velocity [m/s] to that of every body."""
        self.motion.values[:, 3:5] += u, v

    def carry(self, u: torch.Tensor, v: torch.Tensor) -> None:
        """w from the fluid's velocity and the bodies'; on faces that are theirs alone u and v become the bodies'."""
        cover, motion, (w_u, w_v) = self.cover, self.motion, self.carrier
        torch.mul(cover.theta_x, u, out=w_u)
        torch.mul(cover.theta_y, v, out=w_v)
        for k, (x, y, _, along, up, spin) in enumerate(motion.values):
            spin = 0.0 if motion.discs[k] else spin
            w_u.addcmul_(cover.phi_x[k], (along - spin * (cover.y - y))[:, None])
            w_v.addcmul_(cover.phi_y[k], (up + spin * (cover.x - x))[None])
        torch.where(cover.theta_x == 0, w_u, u, out=u)
        torch.where(cover.theta_y == 0, w_v, v, out=v)

    def close_faces(self, system: PoissonSystem, wall: torch.Tensor) -> None:
        """The system's coefficients, theta beta, and its cells without unknown; wall (ny, nx) bool."""
        torch.mul(self.cover.theta_x, self.beta[0], out=system.beta_x)
        torch.mul(self.cover.theta_y, self.beta[1], out=system.beta_y)
        faces = system.beta_x[:, 1:] + system.beta_x[:, :-1] + system.beta_y[1:] + system.beta_y[:-1]
        torch.logical_or(wall, faces == 0, out=system.solid)

    def couple(self, solve: Solve, system: PoissonSystem, b: torch.Tensor, dt: float, launch: bool) -> None:
        """See Coupling.couple."""
        self.coupling.couple(solve, system, b, dt, self._walls, launch)

    def mixture(self, mass: torch.Tensor) -> torch.Tensor:
        """See `momentum.mixture`."""
        return momentum.mixture(self.motion, self.cover, mass)

    def mixed_velocity(self, mass: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> momentum.Faces:
        """See `momentum.mixed_velocity`."""
        return momentum.mixed_velocity(self.motion, self.cover, mass, u, v)

    def share(self, after: momentum.Faces, mass: torch.Tensor, u: torch.Tensor, v: torch.Tensor, dt: float) -> None:
        """See `momentum.share`; after: what viscosity has made of `mixed_velocity` in dt [s]."""
        before = self.mixed_velocity(mass, u, v)
        self._drag = momentum.share(self.motion, self.cover, before, after, u, v, self.sticks) / dt

    # What is published -----------------------------------------------------------------------------------------------

    def added(self, survey: Survey, gravity: float) -> Survey:
        """A survey of the fluid whose first phase is the bodies, with their energy but without their volume."""
        kinetic, potential = survey.kinetic + self.motion.kinetic, survey.potential + self.motion.potential(gravity)
        rate = max(survey.rate, self.motion.rate)
        return replace(survey, volumes=survey.volumes[1:], kinetic=kinetic, potential=potential, rate=rate)

    def taken(self) -> tuple[Solution, ...]:
        """The solutions of A P = D since this was last asked for."""
        solutions, self.coupling.solutions = tuple(self.coupling.solutions), []
        return solutions

    def states(self, p: torch.Tensor) -> tuple[BodyState, ...]:
        """Where the bodies are and what acts on them; p (ny, nx): the pressure of the last kick [Pa]."""
        forces = np.stack([self.coupling.pressure_force(p), self._drag, self.coupling.contact])
        moments = forces.sum(0)[:, 2].tolist()
        pressed, dragged, touched = forces.tolist()
        return tuple(
            BodyState(
                name=name,
                density=float(self.motion.densities[k]),
                area=float(self.motion.areas[k]),
                centre=(x, y),
                angle=angle,
                velocity=(u, v),
                spin=spin,
                pressure_force=(pressed[k][0], pressed[k][1]),
                viscous_force=(dragged[k][0], dragged[k][1]),
                contact_force=(touched[k][0], touched[k][1]),
                moment=moments[k],
            )
            for k, (name, (x, y, angle, u, v, spin)) in enumerate(zip(self.motion.names, self.motion.values.tolist()))
        )
