"""Sparse LU of A itself: the answer in one iteration, for a setup that grows faster than the number of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from .scipy_bridge import Host


class Direct(Preconditioner):
    """M = (A + pins)^-1 by SuperLU, in a symmetric minimum-degree order; runs on the CPU.

    A closed region is singular, so the diagonal of its first cell is doubled. That makes the matrix positive definite,
    and costs no accuracy: where r sums to 0 over the region, so must pin x, hence x = 0 in that cell and A x = r.
    PCG around it keeps the stopping rule and the true residual of every other method.
    """

    def __init__(self) -> None:
        self.host = Host()
        self.factors: Any = None

    def setup(self, system: PoissonSystem) -> None:
        """Factorise. Where SuperLU gives up, M turns into NaN, which PCG reports."""
        from scipy.sparse import diags
        from scipy.sparse.linalg import splu

        A = self.host.load(system)
        labels = system.topology.labels.reshape(-1).numpy(force=True)[self.host.cells]
        closed = system.topology.closed.numpy(force=True)
        regions, first = np.unique(labels, return_index=True)
        pins = np.zeros(A.shape[0])
        first = first[closed[regions]]
        pins[first] = A.diagonal()[first]
        self.factors = None
        if not A.shape[0]:
            return
        options = {"SymmetricMode": True}  # keeps the pivots on the diagonal, as Cholesky would
        try:
            pinned = (A + diags(pins)).tocsc()
            self.factors = splu(pinned, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        except (RuntimeError, MemoryError):  # exactly singular in floating point, or too large
            pass

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        right = self.host.gather(r)
        x = np.full_like(right, np.nan) if self.factors is None else self.factors.solve(right)
        self.host.scatter(x, out)
