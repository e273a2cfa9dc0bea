"""Plain conjugate gradients."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem


class Identity(Preconditioner):
    """M = I."""

    capturable = True
    recorded_for = "any walls"

    def setup(self, system: PoissonSystem) -> None:
        """Nothing to prepare."""

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = r, shape (ny, nx), float64."""
        out.copy_(r)
