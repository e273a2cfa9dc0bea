"""Incomplete factorisation that keeps the diagonal (DILU), in red-black order so that it is whole-array operations."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..stencil import Halo, Stencil, inverse, plus_neighbours
from ..system import PoissonSystem

# A black cell whose red neighbours have no other way out has pivot 0 (a closed region of a few cells). Any positive
# pivot keeps M positive definite; this one is far above rounding and far below the pivots of a contrast of 10^6.
SMALLEST_PIVOT = 1e-9


class Dilu(Preconditioner):
    """M = (E + L)^-T E (E + L)^-1, where (E + L) E^-1 (E + L)^T has the diagonal of A; red cells come before black.

    L couples black cells to red ones. On a five-point grid this is IC(0) in the same order. Pivots: e = a on red,
    e = a - sum of beta^2 / e_red = sum of beta (1 - beta / e_red) on black. Saad 2003, sections 10.3 and 12.4.
    Solving with the factors takes each colour once: black = (r + beta red) / e, then red += beta black / e.
    """

    capturable = recordable = True
    recorded_for = "any walls"

    def __init__(self) -> None:
        self.A: Stencil | None = None

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots and the coefficients divided by them."""
        if self.A is None:
            self._allocate(*system.shape, system.device)
        A, pivot = self.A, self.pivot
        assert A is not None
        A.load(system.beta_x, system.beta_y, system.reaction)
        e = self.y
        e.centre.copy_(A.diagonal).masked_fill_(A.diagonal <= 0, 1.0)  # no division by 0 beside a closed face
        sides = (A.west, A.east, A.south, A.north)
        neighbours = (e.west, e.east, e.south, e.north)
        pivot.copy_(A.diagonal)
        for beta, red in zip(sides, neighbours, strict=True):
            # the halo's zeros: a wall's beta is 0 there, an open top's is not coupled to any cell
            ratio = torch.where(red > 0, beta / red, 0.0)
            pivot.addcmul_(self.black * beta, ratio, value=-1)
        torch.maximum(pivot, SMALLEST_PIVOT * A.diagonal, out=pivot)
        inverse(pivot, out=self.inverse_pivot)
        for beta, down, up in zip(sides, self.down, self.up, strict=True):
            torch.mul(beta, self.inverse_pivot, out=up)
            torch.mul(up, self.black, out=down)
            up.sub_(down)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        y, t = self.y, self.t
        torch.mul(r.view(-1), self.inverse_pivot, out=y.centre)
        plus_neighbours(y, self.down, t.centre)
        plus_neighbours(t, self.up, out.view(-1))

    def _allocate(self, ny: int, nx: int, device: torch.device) -> None:
        self.A = Stencil(ny, nx, device)
        self.y, self.t = Halo(ny, nx, device), Halo(ny, nx, device)
        self.pivot, self.inverse_pivot = (torch.zeros_like(self.A.diagonal) for _ in range(2))
        rows, columns = torch.arange(ny, device=device), torch.arange(nx, device=device)
        self.black = ((rows[:, None] + columns) % 2).reshape(-1).to(torch.float64)
        self.down = [torch.zeros_like(self.pivot) for _ in range(4)]  # beta / e on black cells, 0 on red
        self.up = [torch.zeros_like(self.pivot) for _ in range(4)]  # beta / e on red cells, 0 on black
