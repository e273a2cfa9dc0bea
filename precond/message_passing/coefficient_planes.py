"""The diagonal-scaled operator A^ = D^-1/2 A D^-1/2 of a batch of systems, as planes of coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from ..system import PoissonSystem

SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))  # (rows, columns) to the west, east, south and north neighbour


def shifted(x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """y[..., j, i] = x[..., j + rows, i + columns], 0 beyond the grid; for steps of at most one."""
    ny, nx = x.shape[-2:]
    wide = pad(x, (1, 1, 1, 1))
    return wide[..., 1 + rows : 1 + rows + ny, 1 + columns : 1 + columns + nx]


@dataclass(frozen=True)
class Planes:
    """A^ x = x - sum over the four sides of coupling * (x across that side), and the features that networks get of it.

    couplings: (B, 4, ny, nx) beta / sqrt(d_i d_j) towards west, east, south, north, in [0, 1]; 0 where there is none.
    root:      (B, 1, ny, nx) d^-1/2, 0 where a cell has no open face and in solids.
    leak:      (B, 1, ny, nx) the part of d that is an open boundary's.
    ratios:    (B, 4, ny, nx) log(d_j / d_i) across every coupling, 0 where there is none.
    None but root depends on the scale of A.
    """

    couplings: torch.Tensor
    root: torch.Tensor
    leak: torch.Tensor
    ratios: torch.Tensor

    def to(self, dtype: torch.dtype) -> Planes:
        """The same in another precision."""
        return Planes(*(plane.to(dtype) for plane in (self.couplings, self.root, self.leak, self.ratios)))

    @property
    def alive(self) -> torch.Tensor:
        """(B, 1, ny, nx) bool: cells that have an equation."""
        return self.root > 0

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """A^ x for x (B, c, ny, nx)."""
        y = x
        for k, side in enumerate(SIDES):
            y = y - self.couplings[:, k : k + 1] * shifted(x, *side)
        return y * self.alive

    def constant(self) -> torch.Tensor:
        """(B, 1, ny, nx) the constant pressure in scaled variables, d^1/2, of norm 1."""
        c = torch.where(self.alive, 1 / self.root.clamp(min=1e-300), 0.0)
        return c / c.flatten(1).norm(dim=1).clamp(min=1e-30)[:, None, None, None]


def planes(systems: Sequence[PoissonSystem], dtype: torch.dtype = torch.float32) -> Planes:
    """The planes of systems of one shape. Computed in float64, since A may be of any scale, then rounded."""
    x = torch.stack([system.beta_x for system in systems])
    y = torch.stack([system.beta_y for system in systems])
    d = torch.stack([system.diagonal() for system in systems])
    solid = torch.stack([system.solid for system in systems])
    d = torch.where(solid, 0.0, d)
    root = torch.where(d > 0, d.clamp(min=1e-300).rsqrt(), 0.0)
    north = pad(y[:, 1:-1], (0, 0, 0, 1))  # not an open top's, which couples to no cell
    faces = torch.stack((x[..., :-1], x[..., 1:], pad(y[:, 1:-1], (0, 0, 1, 0)), north), 1)
    across = torch.stack([shifted(root, *side) for side in SIDES], 1)
    couplings = faces * root[:, None] * across
    inside = faces.sum(1)
    leak = torch.where(d > 0, (d - inside).clamp(min=0.0) / d.clamp(min=1e-300), 0.0)
    both = (couplings > 0) & (root[:, None] > 0)
    ratios = torch.where(both, 2 * (root[:, None].clamp(min=1e-300) / across.clamp(min=1e-300)).log(), 0.0)
    return Planes(couplings, root[:, None], leak[:, None], ratios).to(dtype)
