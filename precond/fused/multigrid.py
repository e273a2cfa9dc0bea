"""The V-cycle of multigrid in four kernels a level."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from ..classical import multigrid
from . import grids
from .grids import around, black, coupled, inverse


class Level(multigrid.Level):
    """One grid; `r` holds the inverse of its diagonal."""

    def load(self) -> None:
        """Load the operator."""
        grids.load_faces(self.A, self.beta_x, self.beta_y, self.reaction)

    def prepare(self) -> None:
        """Load the operator and invert its diagonal."""
        self.load()
        grids.over(self.A.n, inverted, self.A.diagonal, self.r, self.A.n)

    def coarsen(self, fine: multigrid.Level) -> None:
        """Coarse face coefficients, and reaction, from the finer level's."""
        (ny, nx), (fy, fx) = self.shape, fine.factors
        faces = fine.beta_x, fine.beta_y, fine.reaction, self.beta_x, self.beta_y, self.reaction
        grids.over((ny + 1) * (nx + 1), coarsen, *faces, ny, nx, FY=fy, FX=fx)


class Multigrid(multigrid.Multigrid):
    """As classical.multigrid.Multigrid."""

    def level(self, ny: int, nx: int, device: torch.device) -> Level:
        """A grid of this method."""
        return Level(ny, nx, device)

    def _cycle(self, k: int) -> None:
        """levels[k].x = V-cycle applied to levels[k].b."""
        level = self.levels[k]
        if k == len(self.levels) - 1:
            torch.mv(self.inverse, level.b, out=level.x.centre)
            return
        coarse = self.levels[k + 1]
        nx, (fy, fx) = level.shape[1], level.factors
        A, x, n = level.A, level.x.buffer, level.A.n
        faces = A.faces_x, A.faces_y
        grids.over(n, from_zero, level.b, level.r, *faces, x, n, nx)
        for _ in range(self.sweeps - 1):
            for colour in (0, 1):
                grids.over(n, sweep, level.b, level.r, *faces, x, n, nx, COLOUR=colour)
        m = coarse.A.n
        grids.over(m, restrict, level.b, A.diagonal, *faces, x, coarse.b, m, coarse.shape[1], FY=fy, FX=fx)
        self._cycle(k + 1)
        grids.over(n, corrected, level.b, level.r, *faces, x, coarse.x.buffer, n, nx, coarse.shape[1], FY=fy, FX=fx)
        grids.over(n, sweep, level.b, level.r, *faces, x, n, nx, COLOUR=0)
        for _ in range(self.sweeps - 1):
            for colour in (1, 0):
                grids.over(n, sweep, level.b, level.r, *faces, x, n, nx, COLOUR=colour)


@triton.jit
def inverted(diagonal, out, n, BLOCK: tl.constexpr):
    """out = 1 / diagonal or 0."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + k, inverse(tl.load(diagonal + k, mask=k < n, other=0.0)), mask=k < n)


@triton.jit
def coarsen(
    fine_x, fine_y, fine_own, coarse_x, coarse_y, coarse_own, ny, nx,
    FY: tl.constexpr, FX: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Coarse faces: sums of the fine ones on them, halved across coarsened directions; coarse grid (ny, nx).

    Reaction (own) is summed over aggregates.
    """
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    j, i = k // (nx + 1), k % (nx + 1)
    across, along = j < ny, (j <= ny) & (i < nx)
    width = FX * nx  # of the fine grid
    x = tl.load(fine_x + FY * j * (width + 1) + FX * i, mask=across, other=0.0)
    if FY == 2:
        x += tl.load(fine_x + (FY * j + 1) * (width + 1) + FX * i, mask=across, other=0.0)
    y = tl.load(fine_y + FY * j * width + FX * i, mask=along, other=0.0)
    if FX == 2:
        y += tl.load(fine_y + FY * j * width + FX * i + 1, mask=along, other=0.0)
    tl.store(coarse_x + j * (nx + 1) + i, x / FX, mask=across)
    tl.store(coarse_y + j * nx + i, y / FY, mask=along)
    cell = along & (j < ny)
    own = tl.zeros((BLOCK,), tl.float64)
    for b in tl.static_range(FY):
        for a in tl.static_range(FX):
            own += tl.load(fine_own + (FY * j + b) * width + FX * i + a, mask=cell, other=0.0)
    tl.store(coarse_own + j * nx + i, own, mask=cell)


@triton.jit
def from_zero(b, weight, faces_x, faces_y, x, n, nx, BLOCK: tl.constexpr):
    """A red and a black half sweep from x = 0: x = b / d on red cells, then on black ones."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    dark = cell & black(k, nx)
    total = tl.load(b + k, mask=cell, other=0.0) + coupled(faces_x, faces_y, b, weight, k, n, nx, dark)
    tl.store(x + nx + k, total * tl.load(weight + k, mask=cell, other=0.0), mask=cell)


@triton.jit
def sweep(b, weight, faces_x, faces_y, x, n, nx, COLOUR: tl.constexpr, BLOCK: tl.constexpr):
    """Every cell of the colour, whose neighbours have the other one, takes the value that solves its equation."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    own = (k < n) & ((k // nx + k % nx) % 2 == COLOUR)
    total = tl.load(b + k, mask=own, other=0.0) + around(faces_x, faces_y, x, k, nx, own)
    tl.store(x + nx + k, total * tl.load(weight + k, mask=own, other=0.0), mask=own)


@triton.jit
def restrict(
    b, diagonal, faces_x, faces_y, x, out, m, coarse_nx, FY: tl.constexpr, FX: tl.constexpr, BLOCK: tl.constexpr
):
    """out = sums of b - A x over aggregates, one coarse cell each."""
    c = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell, nx = c < m, FX * coarse_nx
    total = tl.zeros((BLOCK,), tl.float64)
    for y in tl.static_range(FY):
        for z in tl.static_range(FX):
            k = (FY * (c // coarse_nx) + y) * nx + FX * (c % coarse_nx) + z
            own = tl.load(diagonal + k, mask=cell, other=0.0) * tl.load(x + nx + k, mask=cell, other=0.0)
            total += tl.load(b + k, mask=cell, other=0.0) - own + around(faces_x, faces_y, x, k, nx, cell)
    tl.store(out + c, total, mask=cell)


@triton.jit
def with_correction(x, coarse_x, k, nx, coarse_nx, mask, FY: tl.constexpr, FX: tl.constexpr):
    """x + P e at cells k, 0 where masked; x and e with margins of a row."""
    parent = (k // nx // FY) * coarse_nx + k % nx // FX
    e = tl.load(coarse_x + coarse_nx + parent, mask=mask, other=0.0)
    return tl.load(x + nx + k, mask=mask, other=0.0) + e


@triton.jit
def corrected(
    b, weight, faces_x, faces_y, x, coarse_x, n, nx, coarse_nx,
    FY: tl.constexpr, FX: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """A black half sweep on x + P e. Red cells are not written: the red half sweep that follows replaces them."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    own = (k < n) & black(k, nx)
    total = tl.load(b + k, mask=own, other=0.0)
    west = with_correction(x, coarse_x, k - 1, nx, coarse_nx, own & (k >= 1), FY, FX)
    total += tl.load(faces_x + k, mask=own, other=0.0) * west
    east = with_correction(x, coarse_x, k + 1, nx, coarse_nx, own & (k + 1 < n), FY, FX)
    total += tl.load(faces_x + k + 1, mask=own, other=0.0) * east
    south = with_correction(x, coarse_x, k - nx, nx, coarse_nx, own & (k >= nx), FY, FX)
    total += tl.load(faces_y + k, mask=own, other=0.0) * south
    north = with_correction(x, coarse_x, k + nx, nx, coarse_nx, own & (k + nx < n), FY, FX)
    total += tl.load(faces_y + k + nx, mask=own, other=0.0) * north
    tl.store(x + nx + k, total * tl.load(weight + k, mask=own, other=0.0), mask=own)
