"""DILU in red-black order: two kernels to set it up and two to apply it."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from ..classical import dilu
from ..stencil import Stencil
from ..system import PoissonSystem
from . import grids
from .grids import black, coupled, inverse

SMALLEST_PIVOT = tl.constexpr(dilu.SMALLEST_PIVOT)


class Dilu(dilu.Dilu):
    """As classical.dilu.Dilu."""

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots."""
        if self.A is None:
            ny, nx = system.shape
            self.A = Stencil(ny, nx, system.device)
            self.inverse_pivot, self.half = (torch.zeros_like(self.A.diagonal) for _ in range(2))
        A = self.A
        grids.load(A, system)
        grids.over(A.n, pivots, A.diagonal, A.faces_x, A.faces_y, self.inverse_pivot, A.n, A.shape[1])

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        A = self.A
        assert A is not None
        size = A.n, A.shape[1]
        grids.over(A.n, downward, r, self.inverse_pivot, A.faces_x, A.faces_y, self.half, *size)
        grids.over(A.n, upward, self.half, self.inverse_pivot, A.faces_x, A.faces_y, out, *size)


@triton.jit
def share(face, diagonal, k, mask):
    """face^2 / e_red for the red cells k beside a black one, 0 beyond the grid; face / e first, as face^2 may be 0."""
    e = tl.load(diagonal + k, mask=mask, other=0.0)
    e = tl.where(e > 0.0, e, 1.0)
    return tl.where(mask, face * (face / e), 0.0)


@triton.jit
def pivots(diagonal, faces_x, faces_y, inverse_pivot, n, nx, BLOCK: tl.constexpr):
    """1 / e with e = a on red cells, a - sum of face^2 / e_red on black ones."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    a = tl.load(diagonal + k, mask=cell, other=0.0)
    west, east = tl.load(faces_x + k, mask=cell, other=0.0), tl.load(faces_x + k + 1, mask=cell, other=0.0)
    south, north = tl.load(faces_y + k, mask=cell, other=0.0), tl.load(faces_y + k + nx, mask=cell, other=0.0)
    taken = share(west, diagonal, k - 1, cell & (k >= 1)) + share(east, diagonal, k + 1, k + 1 < n)
    taken += share(south, diagonal, k - nx, cell & (k >= nx)) + share(north, diagonal, k + nx, k + nx < n)
    e = tl.where(black(k, nx), a - taken, a)
    tl.store(inverse_pivot + k, inverse(tl.maximum(e, SMALLEST_PIVOT * a)), mask=cell)


@triton.jit
def downward(r, inverse_pivot, faces_x, faces_y, half, n, nx, BLOCK: tl.constexpr):
    """half = r / e on red cells, (r + sum of face r / e over red neighbours) / e on black ones."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    dark = cell & black(k, nx)
    total = tl.load(r + k, mask=cell, other=0.0) + coupled(faces_x, faces_y, r, inverse_pivot, k, n, nx, dark)
    tl.store(half + k, total * tl.load(inverse_pivot + k, mask=cell, other=0.0), mask=cell)


@triton.jit
def upward(half, inverse_pivot, faces_x, faces_y, out, n, nx, BLOCK: tl.constexpr):
    """out = half on black cells, half + (sum of face half over black neighbours) / e on red ones."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    bright = cell & (black(k, nx) == 0)
    west = tl.load(half + k - 1, mask=bright & (k >= 1), other=0.0)
    east = tl.load(half + k + 1, mask=bright & (k + 1 < n), other=0.0)
    south = tl.load(half + k - nx, mask=bright & (k >= nx), other=0.0)
    north = tl.load(half + k + nx, mask=bright & (k + nx < n), other=0.0)
    total = tl.load(faces_x + k, mask=bright, other=0.0) * west
    total += tl.load(faces_x + k + 1, mask=bright, other=0.0) * east
    total += tl.load(faces_y + k, mask=bright, other=0.0) * south
    total += tl.load(faces_y + k + nx, mask=bright, other=0.0) * north
    total *= tl.load(inverse_pivot + k, mask=cell, other=0.0)
    tl.store(out + k, tl.load(half + k, mask=cell, other=0.0) + total, mask=cell)
