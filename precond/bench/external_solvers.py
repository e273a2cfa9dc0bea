"""External solvers (SciPy, pyamg), called as their documentation says: the baseline.

scipy-jacobi   scipy.sparse.linalg.cg on the CSR matrix with a diagonal preconditioner
scipy-amg-rs   scipy.sparse.linalg.cg with one V-cycle of pyamg.ruge_stuben_solver, hierarchy built for every system

The conversion to CSR is not counted against them. In a closed box their right-hand side is projected, as ours is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from ..classical.scipy_bridge import Host, near_one
from ..solver import Solution
from ..status import Status
from ..system import PoissonSystem


@dataclass(frozen=True)
class Outside:
    """A preconditioner of SciPy's cg: prepare(A) returns the operator M; needs names the packages."""

    name: str
    prepare: Callable[[Any], Any]
    needs: tuple[str, ...]

    def why_unavailable(self) -> str | None:
        """None, or a sentence that names the missing package."""
        missing = [package for package in self.needs if not find_spec(package)]
        return f"{missing[0]} is not installed; run 'pip install {missing[0]}'." if missing else None

    def solve(
        self, system: PoissonSystem, b: torch.Tensor, rtol: float, max_iterations: int, x0: torch.Tensor | None
    ) -> Solution:
        """Solve with SciPy's own stopping test; the true residual is recomputed."""
        from scipy.sparse.linalg import cg

        host = Host()
        A = host.load(system)
        right, guess = host.gather(b), None if x0 is None else host.gather(x0)
        count = 0

        def step(_: np.ndarray) -> None:
            nonlocal count
            count += 1

        start = time.perf_counter()
        M = self.prepare(A)
        ready = time.perf_counter()
        found, info = cg(A, right, x0=guess, rtol=rtol, atol=0.0, maxiter=max_iterations, M=M, callback=step)
        done = time.perf_counter()
        x = torch.zeros(system.shape, dtype=torch.float64)
        host.scatter(found, x)
        norm = float(np.linalg.norm(right)) or 1.0
        return Solution(
            x=x.to(b.device),
            status=Status.CONVERGED if info == 0 else Status.ITERATION_LIMIT,
            iterations=count,
            residual=float(np.linalg.norm(right - A @ found)) / norm,
            incompatibility=0.0,
            preconditioner_used=self.name,
            history=np.zeros(0),
            attempts=((self.name, Status.CONVERGED if info == 0 else Status.ITERATION_LIMIT, count),),
            setup_ms=1000 * (ready - start),
            inference_ms=0.0,
            solve_ms=1000 * (done - ready),
        )


def _diagonal(A: Any) -> Any:
    import scipy.sparse

    return scipy.sparse.diags(1 / A.diagonal()).tocsr()


def _ruge_stuben(A: Any) -> Any:
    import pyamg

    return pyamg.ruge_stuben_solver(near_one(A)).aspreconditioner(cycle="V")


OUTSIDE = {
    outside.name: outside
    for outside in (
        Outside("scipy-jacobi", _diagonal, ("scipy",)),
        Outside("scipy-amg-rs", _ruge_stuben, ("scipy", "pyamg")),
    )
}
