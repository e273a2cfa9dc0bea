"""Systems from MatrixMarket files: what SciPy writes comes back; what is no pressure system is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import mmwrite
from scipy.sparse import csr_matrix, diags

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
        (grid_matrix({(5, 5): 7.0}), "row 5 sums to 3"),
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
