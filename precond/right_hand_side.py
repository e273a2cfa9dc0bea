"""What is asked of one solve, and its right-hand side as the loops make it ready."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .system import PoissonSystem


@dataclass(frozen=True)
class Task:
    """Solve source for b (ny, nx), from x0 (ny, nx) or None, both float64 and on any device, to rtol or atol."""

    source: PoissonSystem
    b: torch.Tensor
    x0: torch.Tensor | None
    rtol: float
    atol: float


@dataclass(frozen=True)
class RightHandSide:
    """What a solve is given: `scale` b, with a power of two as scale that brings its largest entry near 1.

    projected: scale P b (N,).  norm: its norm.  size: ||scale b|| in the fluid.  removed: ||scale (b - P b)||.
    guess: scale x0 (N,), or None.
    """

    projected: torch.Tensor
    scale: float
    norm: float
    size: float
    removed: float
    guess: torch.Tensor | None = None

    @classmethod
    def of(cls, projected: torch.Tensor) -> RightHandSide:
        """Of a vector (N,) that needs no preparation."""
        norm = float(projected.norm())
        return cls(projected, 1.0, norm, norm, 0.0)
