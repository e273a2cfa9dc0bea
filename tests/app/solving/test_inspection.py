"""Error and residual of the newest solve: those of the real solve, iteration by iteration, and of no consequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import splu

from app.compare.branches import Branches
from app.session.input_log import check_sum
from app.session.session import Session
from app.solving.choice import SWEEPS, Choice, Variant
from app.solving.inspection import NEWEST, InspectedFrame
from app.solving.switchable_solver import SwitchableSolver
from sim.scenes.reader import load


def session(method="multigrid", scene="dam-break", grid=(32, 48), **more):
    return Session(load(scene), grid, SwitchableSolver(Choice(method, 1e-6)), device="cpu", **more)


def exact(system, b):
    """The solution by sparse LU, one cell of each closed region held, then made free of constants."""
    fluid = ~system.solid.numpy()
    A, right = system.to_scipy().tocsc(), system.project(b).numpy()[fluid]
    if system.singular:
        A = A.tolil()
        A[0, 0] *= 2
        A = A.tocsc()
    x = np.zeros(fluid.shape)
    x[fluid] = splu(A).solve(right)
    return system.project(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("scene", ["dam-break", "drop-splash"])
def test_error_and_residual_are_those_of_the_solve(scene):
    run = session("jacobi", scene)
    for _ in range(4):
        run.step()
    run.inspect(NEWEST)
    run.step()
    shown, simulation, solution = run.last, run.simulation, run.last.stats.solutions[-1]
    assert isinstance(shown, InspectedFrame)
    size = float(simulation.system.project(simulation.b).norm())
    assert np.linalg.norm(shown.residual) / size == pytest.approx(solution.residual, rel=1e-6)
    x = simulation.system.project(solution.x).numpy()
    expected = x - exact(simulation.system, simulation.b)
    assert np.abs(shown.error - expected).max() < 1e-6 * np.abs(expected).max() + 1e-10 * np.abs(x).max()
    for count in (0, 1, 7, solution.iterations - 1):
        run.inspect(count)
        assert run.last.iteration == count
        left = np.linalg.norm(run.last.residual) / size
        if count:
            assert left == pytest.approx(solution.history[count - 1], rel=1e-3)
        assert left > solution.residual
    run.inspect(10_000)
    assert np.array_equal(run.last.error, shown.error)  # there are no more
    run.inspect(None)
    assert not hasattr(run.step(), "error")


def test_looking_changes_nothing():
    plain, looked = session("htp"), session("htp")
    looked.inspect(3)
    for _ in range(12):
        one, other = plain.step(), looked.step()
        assert check_sum(one) == check_sum(other)
        assert [s.iterations for s in one.stats.solutions] == [s.iterations for s in other.stats.solutions]


def test_smooth_error_survives_sweeps_and_dies_under_multigrid():
    run = session(grid=(48, 64))
    run.inspect(NEWEST)
    for _ in range(3):
        run.step()
    branches = Branches(run, (Variant("multigrid"), Variant(SWEEPS, iterations=20)))
    while not branches.turn():
        pass
    by_multigrid, by_sweeps = (pane.frame for pane in branches.panes)
    assert smoothness(by_sweeps.error) > 0.9  # nearly all that is left of it varies over more than eight cells
    assert np.abs(by_multigrid.error).max() < 1e-4 * np.abs(by_sweeps.error).max()


def smoothness(field):
    """The share of the square norm that means of 8 x 8 cells hold."""
    ny, nx = field.shape
    means = field.reshape(ny // 8, 8, nx // 8, 8).mean((1, 3))
    return 64 * (means**2).sum() / (field**2).sum()


def test_before_the_first_solve_there_is_nothing_to_show():
    run = session()
    run.inspect(NEWEST)
    assert not isinstance(run.last, InspectedFrame)
    run.step()
    assert isinstance(run.last, InspectedFrame)
    run.reset()
    assert not isinstance(run.last, InspectedFrame)
