"""What is known about the fluid at one moment, from one pass over the cells."""

from dataclasses import dataclass

import taichi as ti
import torch

from sim.kernels.advect import crowding
from sim.kernels.plic import Array2, Array3, Mask2, Plan

NUMBERS = 6  # of a row besides the volumes
PARTS_ON_CUDA = 16  # of a row of cells


@dataclass(frozen=True)
class Survey:
    """Numbers of the fields of one moment."""

    rate: float  # max |u|_1 / dx, crowded cells counted higher (see advect.crowding) [1/s]
    volumes: list[float]  # of the phases [m^2]
    divergence: float  # max |div u| [1/s]
    speed: float  # max |u| [m/s]
    kinetic: float  # [J/m]
    potential: float  # [J/m]


def lines(ny: int, device: torch.device) -> int:
    """Of the table that a survey fills: a thread each, of which a CUDA device has thousands."""
    return ny * (PARTS_ON_CUDA if device.type == "cuda" else 1)


def differences(nested: list[float]) -> list[float]:
    """Numbers of the single phases from those of the nested ones, the last of which is all fluid."""
    return [upper - lower for lower, upper in zip([0.0, *nested], nested)]


@ti.kernel
def tabulate(plan: ti.template(), F: Array3, rho: Array2, solid: Mask2, u: Array2, v: Array2, rows: Array2, dx: ti.f64):
    """One line of numbers for each row of cells, or for each of equally many parts of every row, as rows has lines.

    They are to be reduced in a fixed order: atomics would not repeat bit for bit.
    rows[k] = (max |u|_1 times `crowding` [m/s], max |div u| [1/s], max speed [m/s], volume of all fluid [m^2],
               kinetic energy [J/m], potential energy / g [kg], then the volume of every nested fraction [m^2])
    """
    ny, nx = rho.shape[0], rho.shape[1]
    cell = dx * dx
    parts = rows.shape[0] // ny
    ti.loop_config(serialize=plan.serial)
    for line in range(rows.shape[0]):
        j, part = line // parts, line % parts
        courant, divergence_max, fastest, fluid, kinetic, potential = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        nested = ti.Vector.zero(ti.f64, plan.count)
        for i in range(part * nx // parts, (part + 1) * nx // parts):
            if solid[j, i] == 0:
                w, e, s, n = u[j, i], u[j, i + 1], v[j, i], v[j + 1, i]
                sum_of_axes = ti.max(ti.abs(w), ti.abs(e)) + ti.max(ti.abs(s), ti.abs(n))
                courant = ti.max(courant, sum_of_axes * crowding(plan, F, j, i))
                divergence_max = ti.max(divergence_max, ti.abs(e - w + n - s))
                square = 0.5 * (w * w + e * e + s * s + n * n)
                fastest = ti.max(fastest, square)
                fluid += 1.0
                kinetic += 0.5 * rho[j, i] * square
                potential += rho[j, i] * (j + 0.5) * dx
                for k in ti.static(range(plan.count)):
                    nested[k] += cell * F[k, j, i]
        rows[line, 0], rows[line, 1], rows[line, 2] = courant, divergence_max / dx, ti.sqrt(fastest)
        for k in ti.static(range(plan.count)):
            rows[line, NUMBERS + k] = nested[k]
        rows[line, 3], rows[line, 4], rows[line, 5] = fluid * cell, kinetic * cell, potential * cell


def kinetic_energy(rho: torch.Tensor, u: torch.Tensor, v: torch.Tensor, solid: torch.Tensor | None, dx: float) -> float:
    """Kinetic energy [J/m] of all cells that are not solid, None standing for no such cells; `survey` has the same."""
    square, square_v = u * u, v * v
    total = (square[:, :-1] + square[:, 1:]).add_(square_v[:-1]).add_(square_v[1:]).mul_(rho)
    if solid is not None:
        total.masked_fill_(solid, 0.0)
    return 0.25 * dx * dx * float(total.sum(1).sum())  # in a fixed order for any number of threads


def survey(
    plan: Plan,
    F: torch.Tensor,
    rho: torch.Tensor,
    wall: torch.Tensor,
    u: torch.Tensor,
    v: torch.Tensor,
    rows: torch.Tensor,
    dx: float,
    gravity: float,
) -> Survey:
    """The numbers of these fields, not finite where the velocity is not; rows (lines(ny), NUMBERS + K) is scratch."""
    tabulate(plan, F, rho, wall, u, v, rows, dx)
    largest, total = rows.amax(0).tolist(), rows.sum(0).tolist()
    return Survey(
        rate=largest[0] / dx,
        volumes=differences([*total[NUMBERS:], total[3]]),
        divergence=largest[1],
        speed=largest[2],
        kinetic=total[4],
        potential=abs(gravity) * total[5],
    )
