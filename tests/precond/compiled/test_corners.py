"""Where the compiled engine could leave torch's: units, long boxes, slow methods."""

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from tests.precond import reference


def solved(method, system, b, **options):
    return Solver(method, system, device="cpu", fallback=(), engine="compiled").solve(system, b, **options)


@pytest.mark.parametrize("method", ["dilu", "dilu-natural", "ic0", "spai-static", "multigrid"])
def test_units_do_not_change_the_counts(method):
    rng = np.random.default_rng(0)
    beta_x, beta_y = np.zeros((20, 21)), np.zeros((21, 20))
    beta_x[:, 1:-1], beta_y[1:-1] = 10 ** rng.uniform(0, 2, (20, 19)), 10 ** rng.uniform(0, 2, (19, 20))
    b = rng.standard_normal((20, 20))
    usual = solved(method, PoissonSystem.from_faces(beta_x, beta_y), b)
    assert usual.status is Status.CONVERGED
    for unit in (1e-305, 1e-200, 1e200, 1e300):
        solution = solved(method, PoissonSystem.from_faces(unit * beta_x, unit * beta_y), b)
        assert solution.status is Status.CONVERGED
        assert abs(solution.iterations - usual.iterations) <= 1


@pytest.mark.parametrize("shape", [(2048, 1), (1, 4000)])
def test_multigrid_in_single_precision_does_not_stagnate_in_a_long_closed_box(shape):
    """The constant of the closed box, 1 / shift times its rounding, drowned the rest of the coarse correction."""
    rng = np.random.default_rng(0)
    system = PoissonSystem.from_density(900.0 ** rng.integers(0, 2, size=shape))
    b = rng.standard_normal(shape)
    solution = solved("multigrid", system, b, rtol=1e-8)
    assert solution.status is Status.CONVERGED
    assert solution.iterations < 300
    assert reference.residual(system, b, solution.x.numpy()) <= 1.05e-8


@pytest.mark.parametrize("walls", [False, True])
@pytest.mark.parametrize("open_top", [False, True])
def test_the_coarsest_inverse_is_that_of_torch_but_for_constants(walls, open_top):
    from precond.classical.multigrid import Multigrid as Plain
    from precond.compiled.multigrid import Multigrid

    rng = np.random.default_rng(1)
    solid = np.zeros((9, 11), bool)
    if walls:
        solid[4], solid[:, 5], solid[0, 0] = True, True, True
    system = PoissonSystem.from_density(1e4 ** rng.uniform(size=solid.shape), solid=solid, open_top=open_top)
    r = system.project(rng.standard_normal(solid.shape))
    found = []
    for method in (Plain(), Multigrid()):
        method.setup(system)
        out = torch.zeros_like(r)
        method.apply(r, out)
        found.append(system.project(out))
    plain, fast = found
    factor = float((plain * fast).sum() / (fast * fast).sum())  # M's scale is free
    torch.testing.assert_close(factor * fast, plain, rtol=0, atol=1e-5 * float(plain.abs().max()))


def test_multigrid_in_single_precision_is_applied_to_fields_of_any_unit():
    system, b = problems.frame("blobs", 900, 0, contrast=100)
    solver = Solver("multigrid", system, device="cpu", engine="compiled")
    usual = solver.apply(b)
    for exponent in (-900, -200, 200, 900):
        torch.testing.assert_close(solver.apply(b * 2.0**exponent), usual * 2.0**exponent, rtol=1e-12, atol=0)


def test_a_slow_method_without_kernels_is_stopped_soon(monkeypatch):
    class Interpreted:
        def setup(self, system):
            self.inverse = 1 / system.diagonal()

        def apply(self, r, out):
            torch.mul(r, self.inverse, out=out)

    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))
    precond.register("interpreted", Interpreted)
    system, b = problems.frame("filament", 1024, 0, contrast=1e3)
    solution = solved("interpreted", system, b, rtol=1e-12, should_stop=lambda: True)
    assert solution.status is Status.ITERATION_LIMIT
    assert solution.iterations <= 8
