"""NVIDIA AMGX through pyamgx: the preconditioners of the published comparison, tuned and as it ran them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from .scipy_bridge import Host

SHIFT = 1e-9  # relative, of A's diagonal: a closed region is singular; see the same number in amg.py

# Multicolour DILU is one application per iteration; relaxation 1, since a damped one is only a multiple of M here.
DILU = {"solver": "MULTICOLOR_DILU", "relaxation_factor": 1.0}

# One V-cycle. Jacobi with L1 weights before and after is its own adjoint and never diverges, so M is symmetric
# positive definite; AMGX's stock smoothers (coloured Gauss-Seidel, DILU) with one-sided sweeps are not symmetric.
AMG = {
    "solver": "AMG",
    "algorithm": "CLASSICAL",
    "selector": "PMIS",
    "interpolator": "D2",
    "smoother": {"scope": "smoother", "solver": "JACOBI_L1", "relaxation_factor": 1.0},
    "presweeps": 1,
    "postsweeps": 1,
    "cycle": "V",
    "max_levels": 50,
    "coarse_solver": "DENSE_LU_SOLVER",
}

_resources: dict[str, Any] = {}  # AMGX is initialised once in a process and lives as long as it


def why_unavailable() -> str | None:
    """A sentence if pyamgx or a CUDA device is missing, else None."""
    if find_spec("pyamgx") is None:
        return (
            "pyamgx is not installed; AMGX needs CUDA: build github.com/NVIDIA/AMGX, set AMGX_DIR to it, "
            "then run 'pip install git+https://github.com/shwina/pyamgx'."
        )
    if find_spec("scipy") is None:
        return "SciPy is not installed; run 'pip install scipy'."
    return None if torch.cuda.is_available() else "AMGX needs a CUDA device, and torch sees none."


class Amgx(Preconditioner):
    """M = a fixed number of iterations of an AMGX solver from zero, without a stopping test of its own.

    A is uploaded and set up anew in every setup. Vectors pass through host memory, which is how pyamgx takes NumPy
    arrays in every release: 0.1 to 0.2 ms an application that a library call inside CUDA would not pay.
    """

    options: dict[str, Any] = {}  # noqa: RUF012 - the three classes below replace it, none changes it
    max_iters: int | None = 1  # None leaves AMGX's own default, 100

    def __init__(self) -> None:
        self.host = Host()
        self.made: list[Any] = []

    def setup(self, system: PoissonSystem) -> None:
        """Upload A over the fluid cells and run AMGX's setup phase."""
        A = self.host.load(system)
        self.x = np.zeros(A.shape[0])
        if not A.shape[0]:
            return
        if not self.made:
            self._create()
        A.setdiag((1 + SHIFT) * A.diagonal())
        A = A.astype(np.float64)
        A.indptr, A.indices = A.indptr.astype(np.int32), A.indices.astype(np.int32)  # AMGX takes no 64-bit indices
        self.A.upload_CSR(A)
        self.solver.setup(self.A)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        if self.x.size:
            self.right.upload(self.host.gather(r))
            self.left.upload(self.x)  # gives the vector its size; the guess is zero whatever it holds
            self.solver.solve(self.right, self.left, zero_initial_guess=True)
            self.left.download(self.x)
        self.host.scatter(self.x, out)

    def configuration(self) -> dict[str, Any]:
        """AMGX's own dictionary, version 2."""
        limit = {} if self.max_iters is None else {"max_iters": self.max_iters}
        solver = {**self.options, **limit, "scope": "main", "monitor_residual": 0, "print_solve_stats": 0}
        return {"config_version": 2, "determinism_flag": 1, "exception_handling": 1, "solver": solver}

    def _create(self) -> None:
        import pyamgx

        if not _resources:
            pyamgx.initialize()
            plain = pyamgx.Config().create_from_dict({"config_version": 2})
            _resources.update(config=plain, resources=pyamgx.Resources().create_simple(plain))
        resources = _resources["resources"]
        self.config = pyamgx.Config().create_from_dict(self.configuration())
        self.A, self.right = pyamgx.Matrix().create(resources), pyamgx.Vector().create(resources)
        self.left, self.solver = pyamgx.Vector().create(resources), pyamgx.Solver().create(resources, self.config)
        self.made = [self.solver, self.left, self.right, self.A, self.config]  # in the order AMGX wants them destroyed

    def __del__(self) -> None:
        """AMGX frees its device memory only when told to."""
        for thing in self.made:
            thing.destroy()


class Dilu(Amgx):
    """Multicolour DILU applied once."""

    options = DILU


class DiluStock(Amgx):
    """Multicolour DILU with max_iters left at AMGX's default of 100, as arXiv 2605.13343 ran it.

    100 stationary sweeps an application: fewer iterations of PCG, each a hundred times as dear.
    """

    options = DILU
    max_iters = None


class ClassicalAmg(Amgx):
    """One V-cycle of AMGX's classical AMG."""

    options = AMG
