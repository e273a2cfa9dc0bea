"""The fused loop of conjugate gradients against torch's operations."""

import numpy as np
import pytest
import torch

from precond import PoissonSystem, Solver, Status, problems

pytestmark = pytest.mark.usefixtures("fused")


def both(name, system, b, **options):
    """(fused, plain) solutions."""
    chosen = {key: options.pop(key) for key in ("update",) if key in options}
    solvers = [Solver(name, system, device="cpu", fallback=(), engine=engine, **chosen) for engine in ("auto", "torch")]
    assert [solver.engine for solver in solvers] == ["fused", "torch"]
    return [solver.solve(system, b, **options) for solver in solvers]


def assert_same(found, expected):
    assert found.status is expected.status
    assert abs(found.iterations - expected.iterations) <= 1 + 0.02 * expected.iterations
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()) + 1e-300)
    few = min(len(found.history), len(expected.history), 10) - 1  # the last entry is the true residual
    np.testing.assert_allclose(found.history[:few], expected.history[:few], rtol=1e-8)


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize("walls", ["box", "open top", "solids", "two closed regions"])
@pytest.mark.parametrize("shape", [(13, 29), (1, 40), (37, 3)])
def test_it_takes_the_steps_of_the_plain_one(shape, walls, update):
    density = problems.density("blobs", shape, 0, 100)
    solid = np.zeros(shape, bool)
    if walls == "solids":
        solid[shape[0] // 2 :, shape[1] // 3] = shape[0] > 1
    elif walls == "two closed regions":
        solid[:, shape[1] // 2] = True
    system = PoissonSystem.from_density(density, solid=solid, open_top=walls == "open top")
    b = system.project(np.random.default_rng(0).standard_normal(shape))
    assert_same(*both("jacobi", system, b, update=update, rtol=1e-4))


def test_a_guess_a_limit_and_a_second_system_are_as_in_the_plain_one():
    system, b = problems.frame("filament", 400, 0, contrast=100)
    solvers = [Solver("jacobi", system, device="cpu", fallback=(), engine=engine) for engine in ("auto", "torch")]
    x0 = None
    for limit in (5000, 7, 5000):
        found, expected = (solver.solve(system, b, x0=x0, max_iterations=limit) for solver in solvers)
        assert_same(found, expected)
        assert found.history.shape == (found.iterations,)
        system.beta_x *= 1.1
        x0 = expected.x


def test_more_iterations_than_numbers_that_are_kept():
    """The history is a ring of ROOM; an open strip needs more."""
    system = PoissonSystem.from_density(problems.density("blobs", (1, 600), 0, 1000))
    b = system.project(np.random.default_rng(1).standard_normal((1, 600)))
    found, expected = both("none", system, b, max_iterations=530)
    assert found.status is expected.status is Status.ITERATION_LIMIT
    assert len(found.history) == 530
    np.testing.assert_allclose(found.history[:60], expected.history[:60], rtol=1e-6)  # later rounding has its way
    np.testing.assert_allclose(np.log(found.history), np.log(expected.history), atol=3)


@pytest.mark.parametrize(("factor", "status"), [(-1.0, Status.INDEFINITE), (np.nan, Status.NOT_FINITE)])
def test_a_defective_preconditioner_is_named(factor, status, monkeypatch):
    from precond import registry

    class Defective:
        def setup(self, system):
            self.weight = factor / system.diagonal()

        def apply(self, r, out):
            torch.mul(self.weight, r, out=out)

    monkeypatch.setitem(registry._entries, "defective", registry.Entry(Defective))
    system, b = problems.frame("blobs", 256, 0, contrast=100)
    for solution in both("defective", system, b):
        assert (solution.status, solution.iterations) == (status, 0)
        assert torch.isfinite(solution.x).all()
