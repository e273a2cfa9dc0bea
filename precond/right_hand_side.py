"""The right-hand side of one solve, as the loops make it ready."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RightHandSide:
    """What a solve is given: `scale` b, with a power of two as scale that brings its largest entry near 1.

    projected: scale P b (N,).  norm: its norm.  size: ||scale b|| in the fluid.  removed: ||scale (b - P b)||.
    guess: scale x0 (N,), or None.  stale: walls have moved since the regions were found that P belongs to, so that all
    of it has to be asked for again.
    """

    projected: torch.Tensor
    scale: float
    norm: float
    size: float
    removed: float
    guess: torch.Tensor | None = None
    stale: bool = False

    @classmethod
    def of(cls, projected: torch.Tensor) -> RightHandSide:
        """Of a vector (N,) that needs no preparation."""
        norm = float(projected.norm())
        return cls(projected, 1.0, norm, norm, 0.0)
