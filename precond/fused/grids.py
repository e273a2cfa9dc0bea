"""Kernels on cells of a grid and their four neighbours: loading A, Jacobi, DILU, and the sweeps of multigrid.

Cells are flat and row-major, cell k in row k // nx. A is given as in stencil.Stencil: diagonal (n,), faces_x (n + 1,)
between cells k - 1 and k, faces_y (n + nx,) between cells k - nx and k; a face on a wall is 0, also where k - 1 is the
last cell of the row below. Red cells are those of even row + column.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from ..stencil import Stencil
from ..system import PoissonSystem
from .launch import launch

BLOCK = 1024


def over(n: int, kernel: Any, *arguments: Any, **constants: Any) -> None:
    """Start a kernel whose programs share out n cells."""
    launch(kernel, triton.cdiv(n, BLOCK), *arguments, BLOCK=BLOCK, num_warps=8, **constants)


def load(A: Stencil, system: PoissonSystem) -> None:
    """`Stencil.load` in one kernel."""
    load_faces(A, system.beta_x, system.beta_y, system.reaction)


def load_faces(A: Stencil, beta_x: torch.Tensor, beta_y: torch.Tensor, reaction: torch.Tensor) -> None:
    """The same from faces (ny, nx + 1), (ny + 1, nx) and reaction (ny, nx)."""
    nx = A.shape[1]
    over(A.n + nx, loading, beta_x, beta_y, reaction, A.diagonal, A.faces_x, A.faces_y, A.n, nx)


@triton.jit
def loading(beta_x, beta_y, reaction, diagonal, faces_x, faces_y, n, nx, BLOCK: tl.constexpr):
    """Faces of a grid as flat ones, and the diagonal, their sum and the reaction."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    west = tl.load(beta_x + k + k // nx, mask=cell, other=0.0)
    east = tl.load(beta_x + k + k // nx + 1, mask=cell, other=0.0)
    south = tl.load(beta_y + k, mask=k < n + nx, other=0.0)
    north = tl.load(beta_y + k + nx, mask=cell, other=0.0)
    tl.store(faces_x + k, west, mask=cell)  # the last one, n, is never written: a wall
    tl.store(faces_y + k, south, mask=k < n + nx)
    own = tl.load(reaction + k, mask=cell, other=0.0)
    tl.store(diagonal + k, west + east + south + north + own, mask=cell)


@triton.jit
def inverse(d):
    """1 / d where d > 0, else 0."""
    return tl.where(d > 0.0, 1.0 / tl.where(d > 0.0, d, 1.0), 0.0)


@triton.jit
def inverse_diagonal(beta_x, beta_y, reaction, solid, out, n, nx, BLOCK: tl.constexpr):
    """out = 1 / diagonal of A, 1 in solids, 0 in cells without an open face."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    cell = k < n
    d = tl.load(beta_x + k + k // nx, mask=cell, other=0.0) + tl.load(beta_x + k + k // nx + 1, mask=cell, other=0.0)
    d += tl.load(beta_y + k, mask=cell, other=0.0) + tl.load(beta_y + k + nx, mask=cell, other=0.0)
    d += tl.load(reaction + k, mask=cell, other=0.0)
    d = tl.where(tl.load(solid + k, mask=cell, other=1) != 0, 1.0, d)
    tl.store(out + k, inverse(d), mask=cell)


@triton.jit
def black(k, nx):
    """Whether a cell is black."""
    return (k // nx + k % nx) % 2 == 1


@triton.jit
def coupled(faces_x, faces_y, v, weight, k, n, nx, mask):
    """The sum over the four neighbours of face * weight * v, for vectors without margins."""
    west = tl.load(faces_x + k, mask=mask, other=0.0) * scaled(v, weight, k - 1, mask & (k >= 1))
    east = tl.load(faces_x + k + 1, mask=mask, other=0.0) * scaled(v, weight, k + 1, mask & (k + 1 < n))
    south = tl.load(faces_y + k, mask=mask, other=0.0) * scaled(v, weight, k - nx, mask & (k >= nx))
    north = tl.load(faces_y + k + nx, mask=mask, other=0.0) * scaled(v, weight, k + nx, mask & (k + nx < n))
    return west + east + south + north


@triton.jit
def scaled(v, weight, k, mask):
    """weight v at cells k, 0 where masked."""
    return tl.load(weight + k, mask=mask, other=0.0) * tl.load(v + k, mask=mask, other=0.0)


@triton.jit
def around(faces_x, faces_y, x, k, nx, mask):
    """The sum over the four neighbours of face * x, for x with nx zeros before and behind."""
    at = x + nx + k
    west = tl.load(faces_x + k, mask=mask, other=0.0) * tl.load(at - 1, mask=mask, other=0.0)
    east = tl.load(faces_x + k + 1, mask=mask, other=0.0) * tl.load(at + 1, mask=mask, other=0.0)
    south = tl.load(faces_y + k, mask=mask, other=0.0) * tl.load(at - nx, mask=mask, other=0.0)
    north = tl.load(faces_y + k + nx, mask=mask, other=0.0) * tl.load(at + nx, mask=mask, other=0.0)
    return west + east + south + north
