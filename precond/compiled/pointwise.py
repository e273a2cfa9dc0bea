"""Compiled: plain conjugate gradients and Jacobi."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..preconditioner import CompiledForm, Preconditioner
from ..system import PoissonSystem
from .jit import kernel
from .loop import FLEXIBLE, LAST, MEAN, PROJECTION, WIDTH, advance, coefficients, step


@kernel
def iterate_identity(loop, data, count):
    """Iterations with z = r."""
    for _ in range(count):
        loop.z[:] = loop.r
        if not advance(loop):
            break


class Identity(Preconditioner):
    """M = I; see classical/identity.py."""

    def setup(self, system: PoissonSystem) -> None:
        """Nothing to prepare."""

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = r, shape (ny, nx), float64."""
        out.copy_(r)

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_identity, ())


@kernel
def invert_diagonal(beta_x, beta_y, reaction, solid, out):
    """out (N,) = 1 / (sum of a cell's coefficients), 0 where it has none; 1 in solids."""
    ny, nx = solid.shape
    for j in range(ny):
        row, here, above, own = beta_x[j], beta_y[j], beta_y[j + 1], reaction[j]
        o, stone = out[j * nx : j * nx + nx], solid[j]
        for i in range(nx):
            d = row[i] + row[i + 1] + here[i] + above[i] + own[i]
            o[i] = 1.0 if stone[i] else (1.0 / d if d > 0.0 else 0.0)


@kernel
def scaled_sums(r, scale):
    """sum z, z . r and sum r with z = scale r."""
    total, inner, other = 0.0, 0.0, 0.0
    for k in range(r.size):
        z = scale[k] * r[k]
        total += z
        inner += z * r[k]
        other += r[k]
    return total, inner, other


@kernel
def scaled_direction(r, scale, shift, beta, p):
    """p = scale r - shift + beta p."""
    for k in range(r.size):
        p[k] = scale[k] * r[k] - shift + beta * p[k]


@kernel
def multiply(r, scale, out):
    """out = scale r."""
    for k in range(r.size):
        out[k] = scale[k] * r[k]


@kernel
def iterate_jacobi(loop, data, count):
    """Iterations with z = D^-1 r, which is never written where one mean is all there is to project."""
    (scale,) = data
    r, scalars, width = loop.r, loop.scalars, loop.numbers[WIDTH]
    p = loop.p[width : width + r.size]
    if loop.numbers[PROJECTION] == MEAN and loop.numbers[FLEXIBLE] == 0:
        for _ in range(count):
            total, rz, other = scaled_sums(r, scale)
            shift = total * loop.weight[0]
            rz -= shift * other
            beta = rz / scalars[LAST] if scalars[LAST] < math.inf else 0.0
            scaled_direction(r, scale, shift, beta, p)
            if not step(loop, rz):
                break
        return
    for _ in range(count):
        multiply(r, scale, loop.z)
        if not advance(loop):
            break


class Jacobi(Preconditioner):
    """M = D^-1; see classical/jacobi.py."""

    def __init__(self) -> None:
        self.scale = np.zeros(0)

    def setup(self, system: PoissonSystem) -> None:
        """Invert the diagonal."""
        if self.scale.size != system.solid.numel():
            self.scale = np.zeros(system.solid.numel())
        invert_diagonal(*coefficients(system), system.solid.numpy(), self.scale)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = D^-1 r, shape (ny, nx), float64."""
        multiply(r.reshape(-1).numpy(), self.scale, out.view(-1).numpy())

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_jacobi, (self.scale,))
