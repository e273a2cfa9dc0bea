"""A residual that rises for a long time is conjugate gradients at work: only what cannot be helped is STAGNATED."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import diags
from scipy.sparse.linalg import cg

from precond import PoissonSystem, Solver, Status, problems
from precond.pcg import PCG
from precond.torch_loop import TorchLoop
from tests.precond import reference

ENGINES = ["compiled", "torch"]


def strip():
    rho = np.ones((2, 2048))
    rho[:, 1024:] = 100.0
    system = PoissonSystem.from_density(rho)
    return system, system.project(np.random.default_rng(0).standard_normal((2, 2048)))


def anisotropic():
    system, b = problems.frame("blobs", 4096, 0, contrast=100)
    system.beta_x *= 1e-4
    return system, b


SLOW = {  # iterations of scipy.sparse.linalg.cg 1.17 with M = D^-1, to 1e-6
    "filament, 10,000:1": (lambda: problems.frame("filament", 16384, 0, contrast=1e4), 3656),
    "checker, 1,000,000:1": (lambda: problems.frame("checker", 4096, 0, contrast=1e6), 7635),
    "strip": (strip, 2522),
    "anisotropic": (anisotropic, 5518),
}


@pytest.mark.parametrize("case", SLOW)
def test_what_conjugate_gradients_solve_slowly_is_solved(case):
    make, iterations = SLOW[case]
    system, b = make()
    solution = Solver("jacobi", system, device="cpu", fallback=()).solve(system, b, rtol=1e-6, max_iterations=12_000)
    assert solution.status is Status.CONVERGED
    assert solution.iterations <= 1.15 * iterations
    assert reference.residual(system, b.numpy(), solution.x.numpy()) <= 1.05e-6


@pytest.mark.parametrize("engine", ENGINES)
def test_the_limit_does_its_own_job(engine):
    system, b = anisotropic()
    solver = Solver("jacobi", system, device="cpu", engine=engine)
    solution = solver.solve(system, b, rtol=1e-6, max_iterations=2000)
    assert (solution.status, solution.iterations) == (Status.ITERATION_LIMIT, 2000)
    assert solution.attempts == (("jacobi", Status.ITERATION_LIMIT, 2000),)


def random_case(seed):
    rng = np.random.default_rng(seed)
    shape = [(2, 400), (32, 32), (1, 300), (48, 20), (64, 64)][rng.integers(5)]
    kind = ["blobs", "checker", "filament", "spray"][rng.integers(4)]
    density = problems.density(kind, shape, seed, 10 ** rng.uniform(0, 8))
    system = PoissonSystem.from_density(density, open_top=bool(rng.integers(2)))
    if rng.random() < 0.4:
        system.beta_x *= 10 ** rng.uniform(-4, 4)
    return system, system.project(rng.standard_normal(shape))


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_nothing_stagnates_that_scipy_solves(first):
    """Strips, anisotropic faces, contrasts to 10^8. What SciPy calls solved is judged by its true residual."""
    limit, solved = 6000, 0
    for seed in range(first, first + 10):
        system, b = random_case(seed)
        A, given = system.to_scipy(), b.numpy().reshape(-1)
        x, info = cg(A, given, rtol=1e-6, maxiter=limit, M=diags(1 / A.diagonal()))
        residual, norm = np.linalg.norm(given - A @ x), np.linalg.norm(given)
        rounding = np.finfo(float).eps * np.linalg.norm(A.diagonal() * (x - x.mean())) / norm
        found = Solver("jacobi", system, device="cpu", fallback=()).solve(system, b, rtol=1e-6, max_iterations=limit)
        if info == 0 and math.hypot(residual / norm, rounding) <= 1.05e-6:
            solved += 1
            assert found.status is Status.CONVERGED, seed
        if found.status is Status.CONVERGED:
            assert reference.residual(system, b.numpy(), found.x.numpy()) <= 1.05e-6
    assert solved >= 5


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_they_are_cleaned_away_however_short_a_call_is(chunk):
    """A call does few iterations on large grids."""
    system, b = random_case(47)
    solver = Solver("multigrid", system, device="cpu", fallback=(), engine="compiled")
    solver._pcg.loop.chunk = chunk
    solution = solver.solve(system, b, rtol=1e-6)
    assert solution.status is Status.CONVERGED
    assert solution.iterations <= 30


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize("method", ["jacobi", "multigrid", "none"])
def test_blind_iterations_after_the_end_change_nothing(method, update):
    """On a device as many run as the last solve took: hundreds too many, after a good guess or a loose tolerance."""
    for seed in range(6):
        system, b = problems.frame("checker" if seed % 2 else "blobs", 400, seed, contrast=100)
        one = Solver(method, system, device="cpu", fallback=(), engine="torch", update=update)
        many = Solver(method, system, device="cpu", fallback=(), engine="torch", update=update)
        many._pcg = PCG(TorchLoop(*system.shape, many.device, chunk=512))
        for rtol in (1e-8, 1e-3):
            expected, found = one.solve(system, b, rtol=rtol), many.solve(system, b, rtol=rtol)
            assert found.status is expected.status is Status.CONVERGED
            assert found.iterations == expected.iterations
            torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-9 * float(expected.x.abs().max()))


@pytest.mark.parametrize("engine", ENGINES)
def test_constants_that_rounding_leaves_do_not_hold_up_multigrid(engine):
    """Multigrid ties down one cell of a closed box: a constant in r is then no constant in M r (3,000 iterations)."""
    system, b = random_case(47)
    assert system.singular
    solution = Solver("multigrid", system, device="cpu", fallback=(), engine=engine).solve(system, b, rtol=1e-6)
    assert solution.status is Status.CONVERGED
    assert solution.iterations <= 30


def test_a_tolerance_that_rounding_decides_is_named():
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solution = Solver("jacobi", system, device="cpu", fallback=()).solve(system, b, rtol=1e-16)
    assert solution.status is Status.STAGNATED
    assert "rounding decides" in solution.status.value
    assert torch.isfinite(solution.x).all()
