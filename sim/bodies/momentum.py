"""Momentum that fluid and bodies have in common cells: none is lost where the step treats them one after the other."""

from __future__ import annotations

import numpy as np
import torch

from sim.bodies.cover import Cover
from sim.bodies.motion import Motion
from sim.kernels.pressure import OpenFaces

Faces = tuple[torch.Tensor, torch.Tensor]  # (ny, nx + 1) and (ny + 1, nx)


def excess(
    motion: Motion,
    cover: Cover,
    faces: OpenFaces,
    rho: torch.Tensor,
    mass: torch.Tensor,
    u: torch.Tensor,
    v: torch.Tensor,
) -> np.ndarray:
    """Momentum (n, 3) [kg/s, kg m/s] near each body that the projection sees and transport does not.

    rho (ny, nx): density of the fluid;  mass (ny, nx): of the fluid in a cell, over dx^2. Transport has the mean mass
    of both cells on a face, the projection theta rho_face: they differ where a surface meets a body.
    """
    of_u = cover.theta_x[:, 1:-1] * (rho[:, :-1] + rho[:, 1:]) - (mass[:, :-1] + mass[:, 1:])
    of_v = cover.theta_y[1:-1] * (rho[:-1] + rho[1:]) - (mass[:-1] + mass[1:])
    of_u.mul_(u[:, 1:-1]).mul_(faces.x).mul_(0.5 * motion.dx**2)
    of_v.mul_(v[1:-1]).mul_(faces.y).mul_(0.5 * motion.dx**2)
    out = np.zeros((len(motion.names), 3))
    for k in range(len(motion.names)):
        part_u, part_v = of_u, of_v
        if len(motion.names) > 1:
            share = cover.neighbourhood[k]
            part_u, part_v = of_u * 0.5 * (share[:, 1:] + share[:, :-1]), of_v * 0.5 * (share[1:] + share[:-1])
        out[k] = total(motion, cover, k, part_u, part_v)
        out[k, 2] *= not motion.discs[k]
    return out


def total(motion: Motion, cover: Cover, k: int, u: torch.Tensor, v: torch.Tensor) -> np.ndarray:
    """(3,): sums of something on the inner faces (ny, nx - 1) and (ny - 1, nx), and its moment about body k."""
    x, y = motion.values[k, :2]
    rows, columns = u.sum(1), v.sum(0)
    turn = float((columns * (cover.x - x)).sum()) - float((rows * (cover.y - y)).sum())
    return np.array([float(rows.sum()), float(columns.sum()), turn])


def mixed_velocity(motion: Motion, cover: Cover, mass: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> Faces:
    """Mean velocity [m/s] of the masses of fluid and bodies on every face; mass as for `excess`."""
    total = mixture(motion, cover, mass)
    mean_u, mean_v = u.clone(), v.clone()
    mean_u[:, 1:-1] *= mass[:, 1:] + mass[:, :-1]
    mean_v[1:-1] *= mass[1:] + mass[:-1]
    for k, (chi, density) in enumerate(zip(cover.chi, motion.densities)):
        along, up = rigid_velocity(motion, cover, k)
        mean_u[:, 1:-1] += density * (chi[:, 1:] + chi[:, :-1]) * along
        mean_v[1:-1] += density * (chi[1:] + chi[:-1]) * up
    mean_u[:, 1:-1] /= total[:, 1:] + total[:, :-1]
    mean_v[1:-1] /= total[1:] + total[:-1]
    return mean_u, mean_v


def mixture(motion: Motion, cover: Cover, mass: torch.Tensor) -> torch.Tensor:
    """Density (ny, nx) [kg/m^3] of fluid and bodies together; mass as for `excess`."""
    return mass + torch.tensordot(torch.from_numpy(motion.densities).to(mass.device), cover.chi, 1)


def rigid_velocity(motion: Motion, cover: Cover, k: int) -> Faces:
    """Velocity of body k, extended: u (ny, 1) and v (1, nx) [m/s]."""
    x, y, _, along, up, spin = motion.values[k]
    return (along - spin * (cover.y - y))[:, None], (up + spin * (cover.x - x))[None]


def share(
    motion: Motion, cover: Cover, before: Faces, after: Faces, u: torch.Tensor, v: torch.Tensor, sticks: bool
) -> np.ndarray:
    """Share out what viscosity has made of `mixed_velocity`; returns what bodies take of it, (n, 3) [kg/s, kg m/s].

    Where fluids stick, all on a face move alike afterwards, and a body as its part of the faces does in the mean; where
    they slip, fluid and bodies change by as much as their mean.
    """
    change_u, change_v = after[0] - before[0], after[1] - before[1]
    for own, change, new in ((u, change_u, after[0]), (v, change_v, after[1])):
        own.copy_(new) if sticks else own.add_(change)
    out = np.zeros((len(motion.names), 3))
    for k, chi in enumerate(cover.chi):
        part_u, part_v = change_u, change_v
        if sticks:
            along, up = rigid_velocity(motion, cover, k)
            part_u, part_v = after[0] - along, after[1] - up
        part_u, part_v = (chi[:, 1:] + chi[:, :-1]) * part_u[:, 1:-1], (chi[1:] + chi[:-1]) * part_v[1:-1]
        out[k] = 0.5 * motion.densities[k] * motion.dx**2 * total(motion, cover, k, part_u, part_v)
    motion.values[:, 3:] += out / motion.masses
    return out
