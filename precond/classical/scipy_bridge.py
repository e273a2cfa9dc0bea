"""The way to and from libraries that know NumPy and SciPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..support.units import power_of_two_over
from ..system import PoissonSystem

if TYPE_CHECKING:
    import scipy.sparse


class Host:
    """The cells that have an equation, as one NumPy vector: fluid with at least one open face, in row-major order."""

    def __init__(self) -> None:
        self.cells = np.zeros(0, dtype=np.int64)

    def load(self, system: PoissonSystem) -> scipy.sparse.csr_matrix:
        """A over these cells. Its diagonal is positive; it may have no rows at all."""
        fluid = ~system.solid.reshape(-1).numpy(force=True)
        equation = fluid & (system.diagonal().reshape(-1).numpy(force=True) > 0)
        self.cells = np.flatnonzero(equation)
        self.padded = np.zeros(fluid.size)
        A = system.to_scipy()
        if self.cells.size == A.shape[0]:
            return A
        kept = np.flatnonzero(equation[fluid])
        return A[kept][:, kept]

    def gather(self, r: torch.Tensor) -> np.ndarray:
        """The values of r (ny, nx) in these cells."""
        return r.reshape(-1).numpy(force=True)[self.cells]

    def scatter(self, x: np.ndarray, out: torch.Tensor) -> None:
        """out (ny, nx) = x in these cells, 0 elsewhere."""
        self.padded[self.cells] = x
        out.copy_(torch.from_numpy(self.padded).view(out.shape))


def near_one(A: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """A scaled by a power of two so that its largest entry is near 1: pyamg warns of 1e30 once for every row."""
    largest = float(abs(A).max()) if A.nnz else 0.0
    return A * power_of_two_over(largest)
