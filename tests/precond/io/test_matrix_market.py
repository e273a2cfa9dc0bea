"""Systems from MatrixMarket files: what SciPy writes comes back; what is no pressure system is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import mmwrite
from scipy.sparse import csr_matrix, diags, identity, kron
from scipy.sparse.linalg import spsolve

import precond
from precond.bench.__main__ import main
from precond.io import matrix_market


def full_matrix(system: precond.PoissonSystem) -> csr_matrix:
    """A over all cells, solid ones as identity rows."""
    n = system.solid.numel()
    columns = [system.apply(torch.eye(n, dtype=torch.float64)[k].view(system.shape)).reshape(-1) for k in range(n)]
    return csr_matrix(torch.stack(columns, 1).numpy())


@pytest.mark.parametrize(("solids", "open_top"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_system_comes_back(tmp_path: Path, solids: bool, open_top: bool) -> None:
    system, b = precond.problems.frame("blobs", 240, 3, solids=solids, open_top=open_top)
    mmwrite(tmp_path / "a.mtx", full_matrix(system), symmetry="symmetric", precision=17)
    mmwrite(tmp_path / "a_b.mtx", b.reshape(-1, 1).numpy(), precision=17)
    again, right = matrix_market.read(tmp_path / "a.mtx")
    assert again.shape == system.shape
    assert torch.equal(again.solid, system.solid)
    for ours, theirs in ((again.beta_x, system.beta_x), (again.beta_y, system.beta_y)):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12 * float(theirs.max()))
    assert torch.allclose(right, b.masked_fill(system.solid, 0.0))
    solution = precond.Solver("multigrid", again).solve(again, right)
    assert solution.status is precond.Status.CONVERGED


def test_the_benchmark_takes_a_folder_of_them(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for seed in range(2):
        system, _ = precond.problems.frame("barrier", 256, seed)
        mmwrite(tmp_path / f"m{seed}.mtx", full_matrix(system), symmetry="symmetric")
    assert main(["--systems", str(tmp_path), "--methods", "jacobi,multigrid"]) == 0
    assert "multigrid" in capsys.readouterr().out


def grid_matrix(change: dict[tuple[int, int], float]) -> csr_matrix:
    """4 x 4 cells, all coefficients 1, then symmetric changes to single entries."""
    ones = torch.ones
    x, y = torch.zeros(4, 5), torch.zeros(5, 4)
    x[:, 1:-1], y[1:-1] = ones(4, 3), ones(3, 4)
    A = full_matrix(precond.PoissonSystem.from_faces(x.double(), y.double())).tolil()
    for (i, j), value in change.items():
        A[i, j] = A[j, i] = value
    return A.tocsr()


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (grid_matrix({(0, 2): -1.0}), "places on"),
        (grid_matrix({(3, 4): -1.0}), "places on"),
        (grid_matrix({(0, 1): 1.0}), "at most 0"),
        (csr_matrix((0, 0)), "the matrix is empty"),
        (grid_matrix({(5, 5): 1.0}), "row 5 sums to -3"),
        (grid_matrix({(0, 0): np.nan}), "NaN"),
        (diags([1.0, 1.0], [0, 1], shape=(4, 4)), "not symmetric"),
        (csr_matrix(np.ones((2, 3))), "square"),
    ],
)
def test_what_is_no_pressure_system_is_refused(tmp_path: Path, matrix: csr_matrix, sentence: str) -> None:
    mmwrite(tmp_path / "a.mtx", matrix, symmetry="general")
    with pytest.raises(ValueError, match="no pressure system") as refused:
        matrix_market.read(tmp_path / "a.mtx")
    assert sentence in str(refused.value)
    assert "a.mtx" in str(refused.value)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mtx").write_bytes(b"%%MatrixMarket matrix\n\xff\xfe")
    for name in ("a.mtx", "missing.mtx"):
        with pytest.raises(ValueError, match="no pressure system"):
            matrix_market.read(tmp_path / name)
    mmwrite(tmp_path / "a.mtx", grid_matrix({}))
    mmwrite(tmp_path / "a_b.mtx", np.ones((7, 1)))
    with pytest.raises(ValueError, match="has 7 numbers; write 16"):
        matrix_market.read(tmp_path / "a.mtx")


def laplace(ny: int, nx: int) -> csr_matrix:
    """-Laplace with p = 0 all around, as every gallery makes it."""
    T = [diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n)) for n in (ny, nx)]
    return csr_matrix(kron(T[0], identity(nx)) + kron(identity(ny), T[1]))


@pytest.mark.parametrize("ending", [".mtx", ".mtx.gz"])
def test_the_first_matrix_that_people_bring(tmp_path: Path, ending: str) -> None:
    A, b = laplace(12, 17), np.random.default_rng(0).standard_normal((12 * 17, 1))
    for name, what in (("a", A), ("a_b", b)):
        mmwrite(tmp_path / f"{name}.mtx", what, precision=17)
        if ending.endswith(".gz"):
            (tmp_path / f"{name}.mtx.gz").write_bytes(gzip.compress((tmp_path / f"{name}.mtx").read_bytes()))
            (tmp_path / f"{name}.mtx").unlink()
    assert [path.name for path in matrix_market.files_in(tmp_path)] == [f"a{ending}"]
    system, right = matrix_market.read(tmp_path / f"a{ending}")
    assert (system.shape, system.open_top, system.singular) == ((12, 17), False, False)
    np.testing.assert_array_equal(system.to_scipy().toarray(), A.toarray())
    np.testing.assert_allclose(right.numpy().reshape(-1, 1), b, rtol=1e-15)
    x = precond.Solver("multigrid", system, device="cpu").solve(system, right, rtol=1e-12).x
    np.testing.assert_allclose(x.numpy().ravel(), spsolve(A, b.ravel()), atol=1e-9)


@pytest.mark.parametrize("shape", [(9, 14), (14, 9), (7, 7), (2, 11), (1, 20), (20, 1), (2, 2)])
def test_a_grid_in_any_order_is_found(tmp_path: Path, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    system = precond.PoissonSystem.from_density(10 ** rng.uniform(0, 2, shape), open_top=True)
    A, order = full_matrix(system), rng.permutation(system.solid.numel())
    b = rng.standard_normal(order.size)
    mmwrite(tmp_path / "a.mtx", A[order][:, order], precision=17)
    mmwrite(tmp_path / "a_b.mtx", b[order][:, None], precision=17)
    again, right = matrix_market.read(tmp_path / "a.mtx")
    assert sorted(again.shape) == sorted(shape)
    found = precond.Solver("direct", again, device="cpu").solve(again, right, rtol=1e-12).x
    expected = spsolve(A.tocsc(), b)
    np.testing.assert_allclose(np.sort(found.numpy().ravel()), np.sort(expected), atol=1e-9)


def test_an_order_without_its_grid_is_refused(tmp_path: Path) -> None:
    A = laplace(6, 6).tolil()
    for k in range(6, 12):  # a closed wall: nothing tells how its two sides lie to each other
        A[k, k + 6] = A[k + 6, k] = 0.0
    order = np.random.default_rng(0).permutation(36)
    mmwrite(tmp_path / "a.mtx", A.tocsr()[order][:, order])
    with pytest.raises(ValueError, match="number the cells row by row"):
        matrix_market.read(tmp_path / "a.mtx")


def test_coefficients_of_any_size_are_handed_on_quietly(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    if precond.why_unavailable("amg-rs"):
        pytest.skip(precond.why_unavailable("amg-rs"))
    mmwrite(tmp_path / "a.mtx", 1e30 * laplace(20, 20))
    system, right = matrix_market.read(tmp_path / "a.mtx")
    for method in ("amg-rs", "amg-sa"):
        solution = precond.Solver(method, system, device="cpu", fallback=()).solve(system, right)
        assert solution.status is precond.Status.CONVERGED
        assert solution.iterations <= 20
    assert not [w for w in recwarn if "denominator" in str(w.message).lower()]


def test_a_small_reaction_is_kept_and_few_digits_are_none(tmp_path: Path) -> None:
    closed = grid_matrix({})
    mmwrite(tmp_path / "a.mtx", closed + 1e-10 * identity(16), precision=17)
    system, _ = matrix_market.read(tmp_path / "a.mtx")
    assert not system.singular
    np.testing.assert_allclose(system.reaction.numpy(), 1e-10, rtol=1e-5)
    rounded = closed.tolil()
    rounded[0, 0] += 1e-11
    rounded[5, 5] -= 1e-11
    mmwrite(tmp_path / "b.mtx", rounded.tocsr(), precision=17)
    assert matrix_market.read(tmp_path / "b.mtx")[0].singular
