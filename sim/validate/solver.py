"""The pressure solver of a validation case."""

from __future__ import annotations

import torch

import precond
from sim.simulation import Solve


def pressure_solver(method: str, tol: float) -> Solve:
    """solve(system, b, x0) of one simulation."""
    solvers: list[precond.Solver] = []

    def solve(system: precond.PoissonSystem, b: torch.Tensor, x0: torch.Tensor) -> precond.Solution:
        if not solvers:
            solvers.append(precond.Solver(method, system))
        return solvers[0].solve(system, b, rtol=tol, x0=x0)

    return solve
