"""Algebraic multigrid by pyamg, with pyamg's own default settings, made safe for closed regions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from .scipy_bridge import Host, near_one

# One symmetric Gauss-Seidel sweep before and after: equal to its own adjoint, so that M is symmetric.
SMOOTHER = ("gauss_seidel", {"sweep": "symmetric"})

# Where a closed region has shrunk to one point its coarse coefficient is rounding, and dividing by it ruins M (1e21 was
# seen beside 1). This relative shift of A's diagonal is far above rounding and below any open mode.
SHIFT = 1e-9

# The coarsest level: what is singular up to rounding is left out. pyamg's own cut lets rounding pass now and then.
COARSEST = ("pinv", {"rtol": 1e-12})


def why_unavailable() -> str | None:
    """A sentence if pyamg is missing, else None."""
    return None if find_spec("pyamg") else "pyamg is not installed; run 'pip install pyamg'."


class Amg(Preconditioner):
    """M = one V-cycle, what pyamg calls aspreconditioner(); the hierarchy is built anew in every setup, on the CPU."""

    method = ""  # the name of pyamg's function, set by the two classes below

    def __init__(self) -> None:
        self.host = Host()
        self.cycle: Any = None

    def setup(self, system: PoissonSystem) -> None:
        """Build the hierarchy of A over the fluid cells."""
        import pyamg

        A = near_one(self.host.load(system))
        self.cycle = None
        if not A.shape[0]:
            return
        A.setdiag((1 + SHIFT) * A.diagonal())
        build = getattr(pyamg, self.method)
        with same_random_numbers():
            hierarchy = build(A, presmoother=SMOOTHER, postsmoother=SMOOTHER, coarse_solver=COARSEST)
        self.cycle = hierarchy.aspreconditioner(cycle="V")

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        right = self.host.gather(r)
        self.host.scatter(right if self.cycle is None else self.cycle.matvec(right), out)


class RugeStuben(Amg):
    """Classical AMG: coarse points picked by strength of connection, threshold 0.25. Ruge and Stueben 1987."""

    method = "ruge_stuben_solver"


class SmoothedAggregation(Amg):
    """Aggregates whose constants are smoothed by one damped Jacobi sweep. Vanek, Mandel and Brezina 1996."""

    method = "smoothed_aggregation_solver"


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """pyamg estimates spectral radii from NumPy's global random numbers: begin at the same one, then put them back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
