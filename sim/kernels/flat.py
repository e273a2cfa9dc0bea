"""Fields of different shapes as planes of one size in one tensor, and loops over them that become vector instructions.

A plane has (ny + 5) x (nx + 5) places: the cells or faces of the grid, of which there may be one more than cells each
way, and a margin of HALO around them. Cell (j, i) and the faces on its left and below have the same place, counted by a
single index: a step along x is 1, along y the width of a plane. So one function serves both axes, and the margin holds
what lies beyond the sides, so that no loop asks where it is.

A launch from Python costs 10 us and 10 us more for each tensor; one tensor for everything keeps it short. A compiler
may not reorder what is read and what is written where it cannot see that they differ, and the places of arrays are read
anew after every write: `fill` therefore computes a short line first and writes it afterwards. Its first loop then runs
at 1 ns a place where the plain one takes 3 to 6.
"""

import taichi as ti
import torch

HALO = 2  # places around the grid: as far as the limited upwind value looks
BLOCK = 64  # places that are computed before they are written


def planes(count: int, ny: int, nx: int, device: torch.device) -> torch.Tensor:
    """(count, ny + 5, nx + 5) zeros."""
    return torch.zeros(count, ny + 2 * HALO + 1, nx + 2 * HALO + 1, dtype=torch.float64, device=device)


def within(planes: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """View of the planes without their margin."""
    return planes[..., HALO : HALO + rows, HALO : HALO + columns]


@ti.func
def place(j: ti.i32, i: ti.i32, nx: ti.i32) -> ti.i32:
    """Index of the cell (j, i) in a plane of the grid with nx columns."""
    return (j + HALO) * (nx + 2 * HALO + 1) + i + HALO


@ti.func
def fill(
    serial: ti.template(),
    work: ti.template(),
    out: ti.i32,
    first: ti.i32,
    rows: ti.i32,
    columns: ti.i32,
    width: ti.i32,
    value: ti.template(),
    given: ti.template(),
):
    """work[out + x] = value(work, x, given) at the places x of so many rows and columns from the place `first` on.

    `value` may read work[out + x] itself, but no other place of that plane.
    """
    ti.loop_config(serialize=serial)
    for j in range(rows):
        line = ti.Vector.zero(ti.f64, BLOCK)
        for block in range((columns + BLOCK - 1) // BLOCK):
            start, count = first + j * width + block * BLOCK, ti.min(BLOCK, columns - block * BLOCK)
            for l in range(count):
                line[l] = value(work, start + l, given)
            for l in range(count):
                work[out + start + l] = line[l]
