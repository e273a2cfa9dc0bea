"""Incomplete Cholesky without fill, IC(0), in the natural order of the cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem

SMALLEST_PIVOT = 1e-9  # of the diagonal: a closed region's last cell has pivot 0; see the same number in dilu.py


class Ic0(Preconditioner):
    """M = (I + L)^-T E^-1 (I + L)^-1 with A's pattern, cells in row-major order; equal to DILU in the same order.

    A reference for the CPU, not a method for a GPU: every cell waits for its west and south neighbours. It shows what
    the red-black order of `dilu` costs in iterations. Saad 2003, section 10.3; Meijerink and van der Vorst 1977.
    Pivots: e = reaction + east + north + west (1 - west / e_west) + south (1 - south / e_south), which is the diagonal
    less the squares over the pivots without the cancellation; they are found one anti-diagonal of the grid at a time.
    """

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots; store I + L as SuperLU factors, which solve with it and its transpose without fill."""
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        east = system.beta_x[:, 1:].numpy(force=True).ravel()
        north = system.beta_y[1:].numpy(force=True)
        coupled = np.where(np.arange(len(north))[:, None] < len(north) - 1, north, 0.0).ravel()  # not to an open top
        diagonal = system.diagonal().reshape(-1).numpy(force=True)
        nx = system.shape[1]
        own = system.reaction.reshape(-1).numpy(force=True)
        self.pivot = pivots(east, coupled, north.ravel() + own, diagonal, nx)
        ratio_x, ratio_y = east / self.pivot, coupled / self.pivot
        n = east.size
        lower = diags(np.ones(n)) - diags(ratio_x[: n - 1], -1, shape=(n, n))
        if n > nx:
            lower = lower - diags(ratio_y[: n - nx], -nx, shape=(n, n))
        self.factor: Any = splu(lower.tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        y = self.factor.solve(r.reshape(-1).numpy(force=True))
        y /= self.pivot
        out.copy_(torch.from_numpy(self.factor.solve(y, trans="T")).view(out.shape))


def pivots(east: np.ndarray, coupled: np.ndarray, north: np.ndarray, diagonal: np.ndarray, nx: int) -> np.ndarray:
    """E by anti-diagonals; cells without any open face get 1. north counts ways out as well, coupled does not."""
    n = east.size
    ny = n // nx
    total = np.zeros(n + nx)
    total[:n] = east + north
    smallest = np.where(diagonal > 0, SMALLEST_PIVOT * diagonal, 1.0)
    e = np.empty(n)
    for d in range(ny + nx - 1):
        first, last = max(0, d - nx + 1), min(d, ny - 1)  # rows j of the cells with i + j = d, k = d + j (nx - 1)
        step = max(nx - 1, 1)
        begin = d + first * (nx - 1)
        cells = slice(begin, begin + (last - first) * step + 1, step)
        pivot = np.maximum(total[cells], smallest[cells])
        e[cells] = pivot
        for beta, shift in ((east, 1), (coupled, nx)):
            b = beta[cells]
            total[cells.start + shift : cells.stop + shift : step] += b * (1 - b / pivot)
    return e
