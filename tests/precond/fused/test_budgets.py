"""Kernels that a solve starts on CUDA, at 16,384 cells: what decides there how long it takes."""

import pytest

from precond import Solver, problems
from precond.classical import multigrid
from precond.device.launch_count import counted


@pytest.mark.parametrize(("method", "setup", "iteration"), [("jacobi", 4, 5), ("dilu", 4, 8), ("multigrid", 30, 30)])
def test_kernels_of_a_set_up_and_of_an_iteration(method, setup, iteration, fused, monkeypatch):
    monkeypatch.setattr(multigrid, "SWEEPS", multigrid.SWEEPS_ON_CUDA)
    system, b = problems.frame("barrier", 16384, 0)
    solver = Solver(method, system, device="cpu", fallback=())
    solver.solve(system, b, max_iterations=1)
    with counted() as launches:
        solver._methods[method].setup(system)
    assert 1 <= launches.total <= setup
    with counted() as launches:
        solver._pcg.loop._iteration()
    assert 4 <= launches.total <= iteration
