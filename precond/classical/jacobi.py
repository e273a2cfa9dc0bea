"""Diagonal scaling."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..stencil import inverse
from ..system import PoissonSystem


class Jacobi(Preconditioner):
    """M = D^-1 with D the diagonal of A; 0 where a cell has no open face."""

    capturable = recordable = True
    recorded_for = "any walls"

    def __init__(self) -> None:
        self.inverse_diagonal = torch.empty(0)

    def setup(self, system: PoissonSystem) -> None:
        """Invert the diagonal."""
        diagonal = system.diagonal()
        if self.inverse_diagonal.shape != diagonal.shape:
            self.inverse_diagonal = torch.empty_like(diagonal)
        inverse(diagonal, out=self.inverse_diagonal)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = D^-1 r, shape (ny, nx), float64."""
        torch.mul(r, self.inverse_diagonal, out=out)
