"""Factorised sparse approximate inverse (FSAI) on A's own pattern: no network, no triangular solve."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..stencil import Halo, Stencil, inverse
from ..system import PoissonSystem

SMALLEST_PIVOT = 1e-9  # of the diagonal: a closed region's last cell has pivot 0; see the same number in dilu.py


class SpaiStatic(Preconditioner):
    """M = G^T G with G lower triangular on A's pattern, cells in row-major order. Kolotilina and Yeremin 1993.

    Row i of G minimises |I - G L|_F for A = L L^T without knowing L: on the cell and its west and south neighbours,
    which are not coupled to each other, y = A_SS^-1 e has y_west = (beta_west / d_west) y_i, y_south likewise, and
    y_i = 1 / (d_i - beta_west^2 / d_west - beta_south^2 / d_south); the row is y / sqrt(y_i). In red-black order the
    same construction is `dilu` itself, whose triangular factor has an inverse of A's pattern.
    """

    capturable = recordable = True

    def __init__(self) -> None:
        self.A: Stencil | None = None

    def setup(self, system: PoissonSystem) -> None:
        """Compute the three coefficients of every row."""
        if self.A is None:
            self._allocate(*system.shape, system.device)
        A, e = self.A, self.y
        assert A is not None
        A.load(system.beta_x, system.beta_y, system.reaction)
        inverse(A.diagonal, out=e.centre)
        torch.mul(A.west, e.west, out=self.west)
        torch.mul(A.south, e.south, out=self.south)
        pivot = self.x.centre
        torch.addcmul(A.diagonal, A.west, self.west, value=-1, out=pivot)
        pivot.addcmul_(A.south, self.south, value=-1)
        torch.maximum(pivot, SMALLEST_PIVOT * A.diagonal, out=pivot)
        inverse(pivot, out=self.own)
        self.own.sqrt_()
        self.west.mul_(self.own)
        self.south.mul_(self.own)
        ny, nx = A.shape
        self.east[:-1] = self.west[1:]  # of G^T: what the eastern neighbour's row has for this cell
        self.north[: (ny - 1) * nx] = self.south[nx:]

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        x, y, z = self.x, self.y, out.view(-1)
        x.centre.copy_(r.view(-1))
        torch.mul(self.own, x.centre, out=y.centre)
        y.centre.addcmul_(self.west, x.west).addcmul_(self.south, x.south)
        torch.mul(self.own, y.centre, out=z)
        z.addcmul_(self.east, y.east).addcmul_(self.north, y.north)

    def _allocate(self, ny: int, nx: int, device: torch.device) -> None:
        self.A = Stencil(ny, nx, device)
        self.x, self.y = Halo(ny, nx, device), Halo(ny, nx, device)
        self.own, self.west, self.south, self.east, self.north = (torch.zeros_like(self.A.diagonal) for _ in range(5))
