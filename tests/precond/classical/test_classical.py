"""Laws of every preconditioner: linear, symmetric, positive, and all lead to the same pressure."""

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems
from precond.classical import amg
from precond.classical.nystrom import Nystrom
from tests.precond import reference

# with laws of their own: htp-paper, which nothing keeps positive definite, and npo, which is not linear
OTHERS = ("htp-paper", "npo")
METHODS = [name for name in precond.names() if precond.why_unavailable(name) is None and name not in OTHERS]
CASES = [
    (kind, cells, contrast, solids, open_top)
    for kind in problems.KINDS
    for cells, contrast, solids, open_top in ((400, 100, False, False), (330, 1e4, True, False), (400, 100, True, True))
]

SINGLE = ("htp", "hierarchy", "polynomials", "multigrid")  # their M is in single precision, in one engine at least


def two_vectors(system, seed):
    generator = torch.Generator().manual_seed(seed)
    return [system.project(torch.randn(system.shape, generator=generator, dtype=torch.float64)) for _ in range(2)]


@pytest.mark.parametrize("method", METHODS)
def test_M_is_linear_symmetric_and_positive(method):
    for seed, (kind, cells, contrast, solids, open_top) in enumerate(CASES):
        system, _ = problems.frame(kind, cells, seed, contrast, solids, open_top)
        solver = Solver(method, system, device="cpu", fallback=())
        x, y = two_vectors(system, seed)
        Mx, My = solver.apply(x), solver.apply(y)
        scale = float(((x * Mx).sum() * (y * My).sum()).sqrt())
        size = scale if method in SINGLE else min(scale, abs(float((x * My).sum())))
        assert abs(float((x * My).sum() - (y * Mx).sum())) <= 1e-6 * size
        assert (x * Mx).sum() > 0
        assert (y * My).sum() > 0
        rounding = 5e-6 if method in SINGLE else 1e-8
        atol = rounding * float(Mx.abs().max())
        torch.testing.assert_close(solver.apply(2 * x - 3 * y), 2 * Mx - 3 * My, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 37), (37, 1), (2, 2), (3, 5), (16, 211), (13, 9)])
def test_every_shape_is_solved(method, shape):
    rng = np.random.default_rng(0)
    rho = 100 ** rng.uniform(size=shape)
    for open_top in (False, True):
        system = PoissonSystem.from_density(rho, open_top=open_top)
        b = rng.standard_normal(shape)
        solution = Solver(method, system, device="cpu", fallback=()).solve(system, b, rtol=1e-9)
        assert solution.status is Status.CONVERGED
        if system.project(b).norm() > 0:
            assert reference.residual(system, b, solution.x.numpy()) <= 1.05e-9


@pytest.mark.parametrize("open_top", [False, True])
def test_every_preconditioner_finds_the_same_pressure(open_top):
    for kind in problems.KINDS:
        system, b = problems.frame(kind, 500, 3, contrast=100, solids=True, open_top=open_top)
        found = [Solver(name, system, device="cpu", fallback=()).solve(system, b, rtol=1e-11) for name in METHODS]
        for solution in found:
            assert solution.status is Status.CONVERGED
            error = (solution.x - found[0].x).norm() / found[0].x.norm()
            assert error <= 1e-8  # rtol 1e-11 times the root of the condition number, about 1e3


BUDGETS = [  # blobs, 100:1, closed, rtol 1e-6; seeds 0 and 1
    ("jacobi", 128, 1000),  # measured 604, 605, 624
    ("dilu", 128, 520),  # measured 322, 322, 333
    ("multigrid", 64, 16),  # measured 8, 8
    ("multigrid", 128, 22),  # measured 9, 9
    ("multigrid", 512, 20),  # measured 11, 10
    ("dct", 64, 50),  # measured 42, 45
    ("dct", 128, 48),  # measured 42, 42
    ("ic0", 128, 210),  # measured 187, 187; red-black dilu needs 322
    ("amg-rs", 128, 10),  # measured 8, 8
    ("amg-sa", 128, 10),  # measured 8, 8
    ("direct", 128, 3),  # measured 1, 1
    ("nystrom-16", 64, 400),  # measured 304, 319; jacobi 304, 318
    ("nystrom", 64, 400),  # measured 307, 321
    ("nystrom-256", 64, 400),  # measured 306, 321
]


@pytest.mark.parametrize(("method", "n", "budget"), BUDGETS)
def test_iterations_stay_within_budget(method, n, budget):
    if method not in METHODS:
        pytest.skip(precond.why_unavailable(method))
    for seed in (0, 1):
        system, b = problems.frame("blobs", n * n, seed, contrast=100)
        solution = Solver(method, system, device="cpu", fallback=()).solve(system, b, rtol=1e-6)
        assert solution.status is Status.CONVERGED
        assert solution.iterations <= budget


def test_multigrid_does_not_notice_scale_or_units():
    rho = problems.density("blobs", (48, 40), 0, 100)
    b = np.random.default_rng(0).standard_normal(rho.shape)
    counts = set()
    for dx, dt, unit in ((1.0, 1.0, 1.0), (1e-3, 1e-4, 1000.0), (1e5, 3e7, 1e-9)):
        system = PoissonSystem.from_density(unit * rho, dx=dx, dt=dt)
        counts.add(Solver("multigrid", system, device="cpu").solve(system, unit * b).iterations)
    assert len(counts) == 1


def test_dilu_is_the_incomplete_cholesky_of_the_red_black_order():
    """M^-1 = (E + L) E^-1 (E + L)^T, built densely in red-black order, has A's diagonal and A's entries where L has."""
    system, _ = problems.frame("checker", 42, 0, contrast=100, open_top=True, solids=False)
    system = PoissonSystem.from_density(problems.density("checker", (6, 7), 0, 100), open_top=True)
    A = system.to_scipy().toarray()
    rows, columns = np.indices((6, 7))
    order = np.argsort((rows + columns).ravel() % 2, kind="stable")
    B = A[np.ix_(order, order)]
    L, n = np.zeros_like(B), len(B)
    for i in range(n):  # IC(0), row by row
        for j in range(i + 1):
            if B[i, j]:
                rest = B[i, j] - L[i, :j] @ L[j, :j]
                L[i, j] = np.sqrt(rest) if i == j else rest / L[j, j]
    M = np.zeros_like(A)
    M[np.ix_(order, order)] = np.linalg.inv(L @ L.T)
    r = np.random.default_rng(0).standard_normal((6, 7))
    z = Solver("dilu", system, device="cpu").apply(r).numpy()
    np.testing.assert_allclose(z.ravel(), M @ r.ravel(), rtol=1e-11)


def test_jacobi_divides_by_the_diagonal():
    system, r = problems.frame("barrier", 64, 0, open_top=True)
    z = Solver("jacobi", system, device="cpu").apply(r)
    torch.testing.assert_close(z, r / system.diagonal())


@pytest.mark.parametrize("method", ["amg-rs", "amg-sa"])
@pytest.mark.parametrize("open_top", [False, True])
def test_amg_needs_the_iterations_of_pyamg_called_directly(method, open_top):
    pyamg = pytest.importorskip("pyamg")
    from scipy.sparse.linalg import cg

    build = {"amg-rs": pyamg.ruge_stuben_solver, "amg-sa": pyamg.smoothed_aggregation_solver}[method]
    for kind in ("blobs", "barrier", "spray"):
        system, b = problems.frame(kind, 4096, 1, contrast=100, solids=open_top, open_top=open_top)
        right = system.project(b)[~system.solid].numpy()
        A, steps = system.to_scipy(), []
        with amg.same_random_numbers():
            M = build(A).aspreconditioner()
        _, info = cg(A, right, rtol=1e-6, M=M, callback=steps.append)
        assert info == 0
        solution = Solver(method, system, device="cpu", fallback=()).solve(system, b, rtol=1e-6)
        assert abs(solution.iterations - len(steps)) <= 1  # measured 0


@pytest.mark.parametrize("method", ["amg-rs", "amg-sa"])
def test_amg_is_not_ruined_by_solids_in_a_closed_box(method):
    pytest.importorskip("pyamg")
    system, b = problems.frame("barrier", 4096, 0, contrast=100, solids=True)
    solution = Solver(method, system, device="cpu", fallback=()).solve(system, b, rtol=1e-6)
    assert solution.iterations <= 20  # pyamg called directly, without the shift: amg-sa more than 30,000


def test_amg_leaves_the_random_numbers_of_others_alone():
    pytest.importorskip("pyamg")
    system, b = problems.frame("blobs", 400, 0)
    state = np.random.get_state()[1:3]  # noqa: NPY002
    Solver("amg-sa", system, device="cpu").solve(system, b)
    np.testing.assert_equal(np.random.get_state()[1:3], state)  # noqa: NPY002


@pytest.mark.parametrize("open_top", [False, True])
@pytest.mark.parametrize("shape", [(1, 5), (7, 1), (13, 24), (64, 40), (65, 30), (40, 81)])
def test_dct_inverts_a_box_of_one_density(shape, open_top):
    rho = np.full(shape, 3.0)
    system = PoissonSystem.from_density(rho, dx=0.1, open_top=open_top)
    b = system.project(np.random.default_rng(0).standard_normal(shape))
    z = Solver("dct", system, device="cpu").apply(b)
    torch.testing.assert_close(system.apply(z), b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("open_top", [False, True])
def test_dct_is_the_same_by_products_and_by_fast_transforms(monkeypatch, open_top):
    system, r = problems.frame("blobs", 48 * 48, 0, solids=True, open_top=open_top)
    by_products = Solver("dct", system, device="cpu").apply(r)
    monkeypatch.setattr("precond.classical.dct.MATRICES", 1)
    solver = Solver("dct", system, device="cpu")
    torch.testing.assert_close(solver.apply(r), by_products, rtol=1e-10, atol=1e-12 * float(by_products.abs().max()))


def test_dct_follows_a_top_that_opens():
    closed, b = problems.frame("blobs", 400, 0)
    opened, _ = problems.frame("blobs", 400, 0, open_top=True)
    solver = Solver("dct", closed, device="cpu")
    solver.solve(closed, b)
    assert torch.equal(solver.solve(opened, b).x, Solver("dct", opened, device="cpu").solve(opened, b).x)


@pytest.mark.parametrize("solids", [False, True])
@pytest.mark.parametrize("open_top", [False, True])
def test_direct_inverts_every_region(solids, open_top):
    pytest.importorskip("scipy")
    solid = np.zeros((20, 17), dtype=bool)
    if solids:
        solid[:, 8], solid[11], solid[3:6, 2] = True, True, True  # four chambers
    rho = problems.density("checker", solid.shape, 0, 100)
    system = PoissonSystem.from_density(rho, solid=solid, open_top=open_top)
    b = system.project(np.random.default_rng(0).standard_normal(solid.shape))
    z = Solver("direct", system, device="cpu").apply(b)
    z[system.solid] = 0.0
    torch.testing.assert_close(system.apply(z), b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("open_top", [False, True])
def test_ic0_is_the_incomplete_cholesky_of_the_natural_order(open_top):
    """M^-1 = L L^T, built densely, entry by entry, on A's pattern."""
    pytest.importorskip("scipy")
    solid = np.zeros((6, 7), dtype=bool)
    solid[2, 3] = solid[5, 0] = True
    system = PoissonSystem.from_density(problems.density("checker", (6, 7), 0, 100), open_top=True, solid=solid)
    if not open_top:
        system.beta_y[-1, 2:] = 0.0  # still one way out, so that no pivot is 0
    assert not system.singular
    fluid = ~solid.ravel()
    A = system.to_scipy().toarray()
    L = np.zeros_like(A)
    for i in range(len(A)):
        for j in range(i + 1):
            if A[i, j]:
                rest = A[i, j] - L[i, :j] @ L[j, :j]
                L[i, j] = np.sqrt(rest) if i == j else rest / L[j, j]
    r = np.where(solid, 0.0, np.random.default_rng(0).standard_normal((6, 7)))
    z = Solver("ic0", system, device="cpu").apply(r).numpy()
    np.testing.assert_allclose(z.ravel()[fluid], np.linalg.solve(L @ L.T, r.ravel()[fluid]), rtol=1e-10)


@pytest.mark.parametrize("open_top", [False, True])
@pytest.mark.parametrize("kind", ["checker", "barrier"])
def test_dilu_in_natural_order_is_ic0(kind, open_top):
    """On a five-point grid they are one method; the two files find the pivots and store the factors differently."""
    pytest.importorskip("scipy")
    system, b = problems.frame(kind, 900, 2, contrast=1000, solids=True, open_top=open_top)
    dilu, ic0 = (Solver(name, system, device="cpu", fallback=()) for name in ("dilu-natural", "ic0"))
    torch.testing.assert_close(dilu.apply(b), ic0.apply(b), rtol=1e-7, atol=1e-10 * float(ic0.apply(b).abs().max()))
    assert abs(dilu.solve(system, b).iterations - ic0.solve(system, b).iterations) <= 1


def test_dilu_in_natural_order_keeps_the_diagonal_of_A():
    """(E + L) E^-1 (E + L)^T has A's diagonal and A's entries where L has some: what the name says."""
    pytest.importorskip("scipy")
    system = PoissonSystem.from_density(problems.density("checker", (6, 7), 0, 100), open_top=True)
    A = system.to_scipy().toarray()
    solver = Solver("dilu-natural", system, device="cpu")
    M = np.stack([solver.apply(unit.reshape(6, 7)).numpy().ravel() for unit in np.eye(42)])
    inverse = np.linalg.inv(M)
    on_pattern = A != 0
    np.testing.assert_allclose(inverse[on_pattern], A[on_pattern], rtol=1e-10)
    assert np.abs(inverse[~on_pattern]).max() > 1e-3  # not A itself


@pytest.mark.parametrize(("name", "rank"), [("nystrom-16", 16), ("nystrom", 64), ("nystrom-256", 256)])
def test_nystrom_has_the_rank_of_its_name(name, rank):
    """M differs from Jacobi by a matrix of one rank less: the smallest direction found is left as it is."""
    system = PoissonSystem.from_density(problems.density("blobs", (20, 60), 0, 100), open_top=True)
    M = precond.registry.entry(name).factory()
    M.setup(system)
    change, jacobi = torch.eye(1200, dtype=torch.float64)[: rank + 40], 1 / system.diagonal().view(-1)
    for row in change:
        z = torch.empty(20, 60, dtype=torch.float64)
        M.apply(row.view(20, 60), z)
        row.copy_(z.view(-1) - jacobi * row)
    assert torch.linalg.matrix_rank(change, rtol=1e-10) == rank - 1


def test_nystrom_is_its_formula():
    """S^-1 M S^-1 = I - V V^T + lambda_k V Lambda^-1 V^T, with V Lambda V^T = Y (Omega^T Y)^-1 Y^T built densely."""
    system = PoissonSystem.from_density(problems.density("blobs", (8, 8), 0, 100), open_top=True)
    M = precond.registry.entry("nystrom").factory()
    M.setup(system)
    root = np.sqrt(system.diagonal().numpy().ravel())
    scaled = system.to_scipy().toarray() / np.outer(root, root)
    Omega = M.probe.numpy().T
    assert Omega.shape == (64, 16)  # a quarter of the cells at most
    Y = scaled @ Omega
    values, V = np.linalg.eigh(Y @ np.linalg.solve(Omega.T @ Y, Y.T))
    values, V = values[-16:], V[:, -16:]
    expected = np.eye(64) + V @ np.diag(values[0] / values - 1) @ V.T
    found = []
    for unit in torch.eye(64, dtype=torch.float64):
        z = torch.empty(8, 8, dtype=torch.float64)
        M.apply((unit * torch.from_numpy(root)).view(8, 8), z)
        found.append(z.numpy().ravel() * root)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert values[-1] > 1.2 * values[0]  # else the test could not tell


def test_nystrom_refuses_a_rank_that_is_none():
    with pytest.raises(ValueError, match="rank is 0"):
        Nystrom(rank=0)
