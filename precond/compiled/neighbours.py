"""Compiled: approximate inverses that reach a cell's neighbours, FSAI on A's pattern and the learned one."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..preconditioner import CompiledForm, Preconditioner
from ..system import PoissonSystem
from .dilu import SMALLEST_PIVOT, Faces
from .jit import kernel
from .loop import advance

# FSAI ---------------------------------------------------------------------------------------------------------------


@kernel
def fsai_rows(diagonal, west, south, nx, own, to_west, to_south):
    """The three coefficients of every row of G; see classical/fsai.py."""
    for k in range(diagonal.size):
        d, w, s = diagonal[k], west[k], south[k]
        a = w / diagonal[k - 1] if w > 0.0 else 0.0
        c = s / diagonal[k - nx] if s > 0.0 and k >= nx else 0.0
        pivot = max(d - w * a - s * c, SMALLEST_PIVOT * d)
        root = math.sqrt(1.0 / pivot) if pivot > 0.0 else 0.0
        own[k], to_west[k], to_south[k] = root, root * a, root * c


@kernel
def fsai_product(r, data, z):
    """z = G^T G r."""
    own, to_west, to_south, x, y = data
    n = r.size
    nx = to_south.size - n
    centre = x[nx : nx + n]
    centre[:] = r
    left, below, out = x[nx - 1 : nx - 1 + n], x[:n], y[:n]
    for k in range(n):
        out[k] = own[k] * centre[k] + to_west[k] * left[k] + to_south[k] * below[k]
    right, above, of_right, of_above = y[1 : n + 1], y[nx : nx + n], to_west[1 : n + 1], to_south[nx : nx + n]
    for k in range(n):
        z[k] = own[k] * out[k] + of_right[k] * right[k] + of_above[k] * above[k]


@kernel
def iterate_fsai(loop, data, count):
    """Iterations with FSAI."""
    for _ in range(count):
        fsai_product(loop.r, data, loop.z)
        if not advance(loop):
            break


class SpaiStatic(Preconditioner):
    """See classical/fsai.py."""

    def __init__(self) -> None:
        self.faces: Faces | None = None

    def setup(self, system: PoissonSystem) -> None:
        """Compute the coefficients."""
        if self.faces is None:
            n, nx = system.solid.numel(), system.shape[1]
            self.faces = Faces(*system.shape)
            self.to_west, self.to_south = np.zeros(n + 1), np.zeros(n + nx)
        f = self.faces
        f.load(system)
        fsai_rows(f.diagonal, f.west, f.south, system.shape[1], f.pivot, self.to_west, self.to_south)
        self.data = (f.pivot, self.to_west, self.to_south, f.y, f.t)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        fsai_product(r.reshape(-1).numpy(), self.data, out.view(-1).numpy())

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_fsai, self.data)


# The learned sparse inverse -----------------------------------------------------------------------------------------


@kernel
def plus_neighbours(v, west, east, south, north, nx, out):
    """out = v + its four neighbours, each with its weights; v with nx zeros before and behind."""
    n = west.size
    centre, left, right = v[nx : nx + n], v[nx - 1 : nx - 1 + n], v[nx + 1 : nx + 1 + n]
    below, above = v[:n], v[2 * nx : 2 * nx + n]
    for k in range(n):
        out[k] = centre[k] + west[k] * left[k] + east[k] * right[k] + south[k] * below[k] + north[k] * above[k]


@kernel
def iterate_learned(loop, data, count):
    """Iterations with scale (I + N) (I + N)^T scale + shift; see spai/method.py."""
    scale, shift, towards, back, y, t = data
    r, z, n = loop.r, loop.z, loop.r.size
    nx = (y.size - n) // 2
    inner, middle = y[nx : nx + n], t[nx : nx + n]
    for _ in range(count):
        for k in range(n):
            inner[k] = scale[k] * r[k]
        plus_neighbours(y, back[0], back[1], back[2], back[3], nx, middle)
        plus_neighbours(t, towards[0], towards[1], towards[2], towards[3], nx, z)
        for k in range(n):
            z[k] = z[k] * scale[k] + shift[k] * r[k]
        if not advance(loop):
            break
