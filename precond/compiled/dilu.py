"""Compiled: incomplete factorisations, in red-black and in natural order."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..preconditioner import CompiledForm, Preconditioner
from ..system import PoissonSystem
from .jit import kernel
from .loop import advance, coefficients, load_faces

PLAIN = 1e60  # units up to which products of some coefficients stay within float64, in whatever order they are taken
SMALLEST_PIVOT = 1e-9  # of the diagonal: a closed region's last cell has pivot 0; see classical/dilu.py


@kernel
def in_plain_units(diagonal, west, south, own):
    """Everything times a power of two if the largest diagonal is beyond PLAIN or below 1 / PLAIN: M's scale is free."""
    largest = 0.0
    for k in range(diagonal.size):
        largest = max(largest, diagonal[k])
    if largest == 0.0 or 1.0 / PLAIN < largest < PLAIN:
        return
    scale = 2.0 ** -min(max(math.floor(math.log2(largest)), -1000.0), 1000.0)
    for v in (diagonal, west, south, own):
        for k in range(v.size):
            v[k] *= scale


class Faces:
    """A's coefficients, up to a factor, and the scratch of a method, flat."""

    def __init__(self, ny: int, nx: int):
        n = ny * nx
        self.shape = ny, nx
        self.diagonal, self.west, self.south = np.zeros(n), np.zeros(n + 1), np.zeros(n + nx)
        self.own, self.pivot, self.inverse = np.zeros(n), np.zeros(n), np.zeros(n)
        self.y, self.t = np.zeros(n + 2 * nx), np.zeros(n + 2 * nx)

    def load(self, system: PoissonSystem) -> None:
        """Take over the system's present coefficients."""
        load_faces(*coefficients(system), self.diagonal, self.west, self.south)
        self.own[:] = system.reaction.numpy().reshape(-1)
        in_plain_units(self.diagonal, self.west, self.south, self.own)


# Red-black ----------------------------------------------------------------------------------------------------------


@kernel
def colours(ny, nx, black):
    """black (N,) = 1 where row + column is odd, else 0."""
    for j in range(ny):
        for i in range(nx):
            black[j * nx + i] = (i + j) % 2


@kernel
def red_black_pivots(diagonal, west, south, black, nx, inverse):
    """inverse (N,) = 1 / pivot: the diagonal on red cells; on black ones less the sum of beta^2 / e over red cells."""
    n = diagonal.size
    for k in range(n):
        d = diagonal[k]
        e = d
        if black[k] > 0.0:
            w, o, s, t = west[k], west[k + 1], south[k], south[k + nx]
            if w > 0.0:
                e -= w * w / diagonal[k - 1]
            if o > 0.0:
                e -= o * o / diagonal[k + 1]
            if s > 0.0:
                e -= s * s / diagonal[k - nx]
            if t > 0.0 and k + nx < n:  # not an open top, which is coupled to no cell
                e -= t * t / diagonal[k + nx]
        e = max(e, SMALLEST_PIVOT * d)
        inverse[k] = 1.0 / e if e > 0.0 else 0.0


@kernel
def half_sweep(v, own, colour, inverse, west, south, nx, out):
    """out = own + colour x inverse x (sum of beta times the neighbours in v), v with nx zeros before and behind."""
    n = inverse.size
    left, right = v[nx - 1 : nx - 1 + n], v[nx + 1 : nx + 1 + n]
    below, above = v[:n], v[2 * nx : 2 * nx + n]
    east, north = west[1 : n + 1], south[nx : nx + n]
    for k in range(n):
        around = west[k] * left[k] + east[k] * right[k] + south[k] * below[k] + north[k] * above[k]
        out[k] = own[k] + colour[k] * inverse[k] * around


@kernel
def red_black_solve(r, data, z):
    """z = (E + L)^-T E (E + L)^-1 r."""
    inverse, west, south, black, red, y, t = data
    n = r.size
    nx = south.size - n
    centre, middle = y[nx : nx + n], t[nx : nx + n]
    for k in range(n):
        centre[k] = inverse[k] * r[k]
    half_sweep(y, centre, black, inverse, west, south, nx, middle)
    half_sweep(t, middle, red, inverse, west, south, nx, z)


@kernel
def iterate_red_black(loop, data, count):
    """Iterations with red-black DILU."""
    for _ in range(count):
        red_black_solve(loop.r, data, loop.z)
        if not advance(loop):
            break


class Dilu(Preconditioner):
    """See classical/dilu.py."""

    def __init__(self) -> None:
        self.faces: Faces | None = None

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots."""
        if self.faces is None:
            self.faces = Faces(*system.shape)
            self.black = np.zeros(system.solid.numel())
            colours(*system.shape, self.black)
            self.red = 1.0 - self.black
        f = self.faces
        f.load(system)
        red_black_pivots(f.diagonal, f.west, f.south, self.black, system.shape[1], f.inverse)
        self.data = (f.inverse, f.west, f.south, self.black, self.red, f.y, f.t)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        red_black_solve(r.reshape(-1).numpy(), self.data, out.view(-1).numpy())

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_red_black, self.data)


# Natural order ------------------------------------------------------------------------------------------------------


@kernel
def natural_pivots(diagonal, west, south, own, nx, pivot):
    """DILU: e = a - west^2 / e_west - south^2 / e_south; 1 where a is 0."""
    for k in range(diagonal.size):
        d = diagonal[k]
        e = d
        if south[k] > 0.0 and k >= nx:
            e -= south[k] ** 2 / pivot[k - nx]
        if west[k] > 0.0:
            e -= west[k] ** 2 / pivot[k - 1]
        pivot[k] = max(e, SMALLEST_PIVOT * d) if d > 0.0 else 1.0


@kernel
def cholesky_pivots(diagonal, west, south, own, nx, pivot):
    """IC(0): the same pivots without cancellation, e = reaction + east + north + sum of b (1 - b / e) before."""
    for k in range(diagonal.size):
        d = diagonal[k]
        e = own[k] + west[k + 1] + south[k + nx]
        if west[k] > 0.0:
            e += west[k] * (1.0 - west[k] / pivot[k - 1])
        if south[k] > 0.0 and k >= nx:
            e += south[k] * (1.0 - south[k] / pivot[k - nx])
        pivot[k] = max(e, SMALLEST_PIVOT * d) if d > 0.0 else 1.0


@kernel
def natural_solve(r, data, z):
    """z = (E + L)^-T E (E + L)^-1 r, row by row up and down again."""
    inverse, west, south, y, t = data
    n = r.size
    nx = south.size - n
    ny = n // nx
    scratch = t[:nx]
    for j in range(ny):
        a = j * nx
        e, s, row, below, here = inverse[a : a + nx], south[a : a + nx], r[a : a + nx], y[a : a + nx], y[a + nx :]
        for i in range(nx):
            scratch[i] = e[i] * (row[i] + s[i] * below[i])  # the row below; zeros under the first
        last = 0.0
        w = west[a : a + nx]
        for i in range(nx):
            last = scratch[i] + e[i] * w[i] * last
            here[i] = last
    for j in range(ny - 1, -1, -1):
        a = j * nx
        e, here, out = inverse[a : a + nx], y[a + nx : a + 2 * nx], z[a : a + nx]
        if j < ny - 1:
            s, above = south[a + nx : a + 2 * nx], z[a + nx : a + 2 * nx]
            for i in range(nx):
                scratch[i] = here[i] + e[i] * s[i] * above[i]
        else:
            for i in range(nx):
                scratch[i] = here[i]
        last = 0.0
        for i in range(nx - 1, -1, -1):
            last = scratch[i] + e[i] * west[a + i + 1] * last
            out[i] = last


@kernel
def iterate_natural(loop, data, count):
    """Iterations with DILU in natural order."""
    for _ in range(count):
        natural_solve(loop.r, data, loop.z)
        if not advance(loop):
            break


class DiluNatural(Preconditioner):
    """See classical/dilu_natural.py."""

    pivots = staticmethod(natural_pivots)

    def __init__(self) -> None:
        self.faces: Faces | None = None

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots."""
        if self.faces is None:
            self.faces = Faces(*system.shape)
        f = self.faces
        f.load(system)
        self.pivots(f.diagonal, f.west, f.south, f.own, system.shape[1], f.pivot)
        np.divide(1.0, f.pivot, out=f.inverse)
        self.data = (f.inverse, f.west, f.south, f.y, f.t)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        natural_solve(r.reshape(-1).numpy(), self.data, out.view(-1).numpy())

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_natural, self.data)


class Ic0(DiluNatural):
    """See classical/ic0.py."""

    pivots = staticmethod(cholesky_pivots)
