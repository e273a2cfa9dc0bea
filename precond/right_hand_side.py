"""The right-hand side of one solve, as the loops make it ready."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class RightHandSide:
    """What a solve is given: `scale` b, with a power of two as scale that brings its largest entry near 1.

    projected: scale P b (N,).  norm: its norm.  size: ||scale b|| in the fluid.  removed: ||scale (b - P b)||.
    """

    projected: torch.Tensor
    scale: float
    norm: float
    size: float
    removed: float
