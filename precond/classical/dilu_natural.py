"""DILU in the natural order of the cells: the textbook's form, beside the red-black one that a GPU can run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem

SMALLEST_PIVOT = 1e-9  # of the diagonal, as in dilu.py: a closed region's last cell has pivot 0 up to rounding


class DiluNatural(Preconditioner):
    """M = (E + L)^-T E (E + L)^-1 with L the strict lower triangle of A, cells in row-major order.

    Pivots by the row recurrence, which gives M^-1 the diagonal of A: e_i = a_ii - beta_w^2 / e_w - beta_s^2 / e_s,
    w and s the cells to the west and south. Barrett et al. 1994, "Templates", section 3.4.2; Saad 2003, section 10.3.
    A reference for the CPU: every cell waits for two neighbours. On a five-point grid it is IC(0), see ic0.py, which
    finds the same pivots another way.
    """

    def setup(self, system: PoissonSystem) -> None:
        """Compute the pivots row by row; hand E + L to SuperLU, which solves with it and its transpose without fill."""
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        nx = system.shape[1]
        west = system.beta_x[:, :-1].numpy(force=True)
        south = system.beta_y[:-1].numpy(force=True)
        self.pivot = row_recurrence(system.diagonal().numpy(force=True), west, south).ravel()
        n = self.pivot.size
        factor = diags(self.pivot) - diags(west.ravel()[1:], -1, shape=(n, n))
        if n > nx:
            factor = factor - diags(south.ravel()[nx:], -nx, shape=(n, n))
        self.factor: Any = splu(factor.tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        y = self.factor.solve(r.reshape(-1).numpy(force=True))
        y *= self.pivot
        out.copy_(torch.from_numpy(self.factor.solve(y, trans="T")).view(out.shape))


def row_recurrence(diagonal: np.ndarray, west: np.ndarray, south: np.ndarray) -> np.ndarray:
    """E, (ny, nx), from A's diagonal and the couplings to the west and south neighbours; 1 where the diagonal is 0."""
    smallest = np.where(diagonal > 0, SMALLEST_PIVOT * diagonal, 1.0)
    e = np.empty_like(diagonal)
    for j in range(len(diagonal)):
        rest = diagonal[j] - (south[j] ** 2 / e[j - 1] if j else 0.0)
        last = 1.0  # beyond the wall: its coupling is 0
        for i, (a, b, least) in enumerate(zip(rest.tolist(), west[j].tolist(), smallest[j].tolist(), strict=True)):
            last = e[j, i] = max(a - b * b / last, least)
    return e
