"""Diagonal scaling, set up in one kernel."""

from __future__ import annotations

import torch

from ..classical import jacobi
from ..system import PoissonSystem
from . import grids


class Jacobi(jacobi.Jacobi):
    """As classical.jacobi.Jacobi."""

    def setup(self, system: PoissonSystem) -> None:
        """Invert the diagonal."""
        ny, nx = system.shape
        if self.inverse_diagonal.shape != (ny, nx):
            self.inverse_diagonal = torch.empty((ny, nx), dtype=torch.float64, device=system.device)
        given = system.beta_x, system.beta_y, system.reaction, system.solid.view(torch.uint8)
        grids.over(ny * nx, grids.inverse_diagonal, *given, self.inverse_diagonal, ny * nx, nx)
