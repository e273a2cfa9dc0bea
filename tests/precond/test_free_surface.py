"""Systems with a way out inside: p = 0 in cells of air, reaction terms, p = 0 around a box."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import spsolve

import precond
from precond import PoissonSystem, Solver, Status, problems
from precond.io import recorded_systems

METHODS = [name for name in precond.names() if precond.why_unavailable(name) is None and name != "npo"]


def blob(n, seed, shift=0.0):
    """(n, n) bool: air around some drops of liquid, which shift moves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:n, 0:n] / n
    level = np.full((n, n), -1.0)
    for _ in range(4):
        cx, cy, radius = rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.25)
        level = np.maximum(level, radius - np.hypot(x - cx - shift, y - cy))
    return level <= 0


def free_surface(n, seed, shift=0.0):
    """A liquid of density 1 in air where p = 0."""
    beta_x, beta_y = np.ones((n, n + 1)), np.ones((n + 1, n))
    beta_x[:, [0, -1]] = 0.0
    beta_y[[0, -1]] = 0.0
    system = PoissonSystem.from_faces(beta_x, beta_y, dirichlet=blob(n, seed, shift))
    return system, system.project(np.random.default_rng(seed + 9).standard_normal((n, n)))


def with_reaction(n, seed, size):
    system = PoissonSystem.from_density(problems.density("blobs", (n, n), seed, 100), solid=blob(n, seed + 1) & False)
    noise = np.random.default_rng(seed)
    system.reaction.copy_(torch.from_numpy(size * 10 ** noise.uniform(-2, 2, (n, n)) * (noise.random((n, n)) < 0.3)))
    return system, torch.from_numpy(noise.standard_normal((n, n)))


CASES = {
    "free surface": lambda: free_surface(32, 0),
    "reaction": lambda: with_reaction(24, 1, 1e-2),
    "little reaction": lambda: with_reaction(24, 2, 1e-8),
}


def test_A_is_what_the_faces_and_the_air_say():
    """By hand: two cells beside one of air, one of solid."""
    system = PoissonSystem.from_faces(
        np.array([[0.0, 2.0, 3.0, 5.0, 0.0]]), np.zeros((2, 4)), solid=np.array([[0, 0, 0, 1]]) > 0,
        dirichlet=np.array([[0, 0, 1, 0]]) > 0, reaction=np.array([[0.5, 0.0, 7.0, 7.0]]),
    )  # fmt: skip
    np.testing.assert_array_equal(system.to_scipy().toarray(), [[2.5, -2.0], [-2.0, 5.0]])
    assert system.solid.tolist() == [[False, False, True, True]]
    assert not system.singular
    np.testing.assert_array_equal(system.apply(np.ones((1, 4))).numpy(), [[0.5, 3.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reaction": -np.ones((4, 4))}, "reaction holds -1"),
        ({"reaction": np.full((4, 4), np.nan)}, "reaction holds nan"),
        ({"reaction": np.ones((3, 4))}, "shape"),
        ({"beta_x": np.array([[0.0, -1.0, 0.0, 0.0, 0.0]] * 4), "dirichlet": np.eye(4) > 0}, "beta_x holds -1"),
        ({"beta_x": np.array([[0.0, np.nan, 0.0, 0.0, 0.0]] * 4), "dirichlet": np.eye(4) > 0}, "beta_x holds nan"),
        ({"dirichlet": np.ones((3, 4), bool)}, "shape"),
    ],
)
def test_misuse_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        PoissonSystem.from_faces(**{"beta_x": np.zeros((4, 5)), "beta_y": np.zeros((5, 4)), **change})


def test_a_solid_cell_is_solid_also_where_air_was_said():
    both = np.array([[False, True, False]])
    system = PoissonSystem.from_faces(np.array([[0.0, 4.0, 4.0, 0.0]]), np.zeros((2, 3)), solid=both, dirichlet=both)
    assert not system.reaction.any()
    assert system.singular


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("case", ["free surface", "reaction"])
def test_incomplete_cholesky_is_dilu_in_natural_order(case, engine):
    """On five points they are one method: M, and not only its convergence, must know of reaction."""
    if precond.why_unavailable("ic0"):
        pytest.skip(precond.why_unavailable("ic0"))
    system, b = CASES[case]()
    dilu, ic0 = (
        Solver(name, system, device="cpu", fallback=(), engine=engine).apply(b) for name in ("dilu-natural", "ic0")
    )
    torch.testing.assert_close(dilu, ic0, rtol=1e-7, atol=1e-10 * float(ic0.abs().max()))


@pytest.mark.parametrize("method", ["jacobi", "dilu", "dilu-natural", "ic0", "spai-static", "multigrid", "hierarchy"])
def test_reaction_makes_it_easier(method):
    """A method that overlooks it takes more iterations, where fewer are due."""
    density = problems.density("blobs", (40, 40), 0, 100)
    closed = PoissonSystem.from_density(density)
    held = PoissonSystem.from_faces(closed.beta_x, closed.beta_y, reaction=2.0 * closed.diagonal())
    b = closed.project(np.random.default_rng(0).standard_normal((40, 40)))
    free, easy = (Solver(method, system, device="cpu", fallback=()).solve(system, b) for system in (closed, held))
    assert easy.status is Status.CONVERGED
    assert easy.iterations <= min(free.iterations, 14 if method == "jacobi" else 9)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_solves_it(method, case, engine):
    system, b = CASES[case]()
    b = system.project(b)
    others = ("multigrid",) if method == "htp-paper" else ()  # trained on another kind, and knows no way out
    solution = Solver(method, system, device="cpu", fallback=others, engine=engine).solve(system, b)
    assert solution.status is Status.CONVERGED
    assert solution.incompatibility <= 1e-12
    A, given = system.to_scipy(), b[~system.solid].numpy()
    found = solution.x[~system.solid].numpy()
    assert np.linalg.norm(given - A @ found) <= 1.05e-8 * np.linalg.norm(given)
    if case != "little reaction":
        expected = spsolve(A.tocsc(), given)
        np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())
    assert (solution.x[system.solid] == 0).all()


@pytest.mark.parametrize(("method", "most"), [("multigrid", 12), ("htp", 10), ("hierarchy", 12)])
def test_a_moving_liquid_in_air_takes_few_iterations(method, most):
    solver = None
    for k in range(4):
        system, b = free_surface(128, 5, 0.02 * k)
        solver = solver or Solver(method, system, device="cpu", fallback=())
        solution = solver.solve(system, b, rtol=1e-6)
        assert solution.status is Status.CONVERGED
        assert solution.iterations <= most


def test_a_surface_that_closes_and_opens_is_followed():
    """The same solver on a box with and without a way out, which is no change of faces or solids."""
    density = problems.density("blobs", (24, 24), 0, 100)
    b = torch.from_numpy(np.random.default_rng(0).standard_normal((24, 24)))
    system = PoissonSystem.from_density(density)
    solvers = [Solver(name, system, device="cpu", fallback=()) for name in ("jacobi", "multigrid", "hierarchy", "dct")]
    for out in (0.0, 1e-2, 0.0):
        system.reaction.fill_(0.0)
        system.reaction[3, 4] = out
        assert system.singular == (out == 0.0)
        for solver in solvers:
            solution = solver.solve(system, b)
            assert solution.status is Status.CONVERGED
            right = system.project(b).numpy()
            assert np.linalg.norm(right - system.apply(solution.x).numpy()) <= 1.05e-8 * np.linalg.norm(right)


def test_recorded_systems_keep_it_and_older_files_have_none(tmp_path):
    system, b = free_surface(16, 3)
    again, right = recorded_systems.read(recorded_systems.write(tmp_path, 0, system, b))
    assert torch.equal(again.reaction, system.reaction)
    assert torch.equal(right, b)
    with np.load(tmp_path / "000000.npz") as archive:
        np.savez(tmp_path / "000001.npz", **{k: archive[k] for k in archive.files if k != "reaction"})
    assert (recorded_systems.read(tmp_path / "000001.npz")[0].reaction == 0).all()
