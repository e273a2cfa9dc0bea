"""What can be seen of the hierarchy, and the command that draws it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from precond import Solver, problems
from precond.bench import htp_figures
from precond.htp import tile_inspection
from precond.htp.hierarchy import COARSEST, FUNCTIONS
from precond.htp.layout import SIDE, Layout
from precond.io import weights as files

CPU = torch.device("cpu")
PICTURES = {
    f"{name}.{kind}" for name in ("partition", "functions", "spectrum", "convergence") for kind in ("png", "svg")
}


@pytest.mark.parametrize("shape", [(96, 128), (46, 45), (5, 100), (8, 8), (64, 8)])
def test_edges_lie_where_numbers_of_blocks_change(shape):
    ny, nx = shape
    layout = Layout(*shape, FUNCTIONS, COARSEST, CPU)
    of_tile = layout.place.view(ny, nx) // SIDE**2  # the members of a group have consecutive numbers
    for level, (rows, columns) in enumerate(tile_inspection.edges(ny, nx)):
        members = layout.count // (layout.blocks[level][0] * layout.blocks[level][1])
        block = of_tile // members
        assert rows == tuple(r for r in range(1, ny) if (block[r] != block[r - 1]).any())
        assert columns == tuple(c for c in range(1, nx) if (block[:, c] != block[:, c - 1]).any())


def test_a_tile_has_the_functions_of_its_cells():
    system, b = problems.frame("barrier", 2048, 1)
    ny, nx = system.shape
    solver = Solver("hierarchy", system)
    picked = tile_inspection.tile_at(ny, nx, 20, 17)
    assert picked.row <= 20 < picked.row + SIDE
    assert picked.column <= 17 < picked.column + SIDE
    assert tile_inspection.with_functions(picked, solver.preconditioner).functions is None, "before the first solve"
    solver.solve(system, b)
    functions = tile_inspection.with_functions(picked, solver.preconditioner).functions
    assert functions.shape == (FUNCTIONS, SIDE, SIDE)
    assert np.abs(np.abs(functions).max(axis=(1, 2)) - 1).max() < 1e-6
    assert np.ptp(functions[0]) < 1e-4, "function 0 is the constant"
    M = solver.preconditioner
    cell = int(M.constants.layout.place[20 * nx + 17])
    root, scaled = M.functions_of(cell // SIDE**2)
    p = scaled[3] / root
    here = functions[3, 20 - picked.row, 17 - picked.column]
    assert abs(p[cell % SIDE**2] / np.abs(p).max() - here) < 1e-5


def test_solids_have_no_functions_and_other_methods_none_at_all():
    rho = torch.ones((24, 24), dtype=torch.float64)
    solid = torch.zeros((24, 24), dtype=torch.bool)
    solid[:8, :8], solid[8:12, 8] = True, True
    from precond import PoissonSystem

    system = PoissonSystem.from_density(rho, solid=solid)
    for name, known in (("hierarchy", True), ("jacobi", False)):
        solver = Solver(name, system)
        solver.apply(torch.ones((24, 24)))
        rock, cut = (
            tile_inspection.with_functions(tile_inspection.tile_at(24, 24, k, k), solver.preconditioner).functions
            for k in (3, 9)
        )
        assert (rock is not None) == (cut is not None) == known
        if known:
            assert np.isnan(rock).all()
            assert np.isnan(cut).sum() == FUNCTIONS * 4


def test_eigenvalues_are_those_of_M_A():
    system, _ = problems.frame("barrier", 64, 0)
    A = np.stack([system.apply(unit.view(8, 8)).view(-1).numpy() for unit in torch.eye(64, dtype=torch.float64)])
    plain = htp_figures.eigenvalues(Solver("none", system, fallback=()), system)
    assert np.allclose(plain, np.linalg.eigvalsh(A)[1:], rtol=1e-10)
    exact = htp_figures.eigenvalues(Solver("direct", system, fallback=()), system)
    assert np.allclose(exact, 1, rtol=1e-9)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Small frames, and a folder of weights with nothing in it."""
    monkeypatch.setattr(htp_figures, "SPECTRUM", ("barrier", 256, 0))
    monkeypatch.setattr(htp_figures, "CONVERGENCE", ("barrier", 1024, 0))
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(files, "models_dir", lambda: tmp_path / "models")
    return tmp_path


def test_the_command_draws_every_picture_and_the_same_one_twice(small, capsys):
    folders = [small / "one" / "new", small / "two"]
    for folder in folders:
        assert htp_figures.main(["--out", str(folder), "--weights", "random:1"]) == 0
        assert {path.name for path in folder.iterdir()} == PICTURES
    for one, two in itertools.pairwise(folders):
        for name in PICTURES:
            same = [path.read_bytes().replace(str(path.parent).encode(), b"") for path in (one / name, two / name)]
            assert name.endswith("png") or same[0] == same[1], name
    printed = capsys.readouterr().out
    assert "htp-paper is left out: " in printed
    for name in ("spectrum.svg", "convergence.svg"):
        text = (folders[0] / name).read_text()
        for method in ("jacobi", "dilu", "multigrid", "hierarchy", "htp"):
            assert f">{method}  " in text or f">{method} " in text, (name, method)
        assert "htp-paper" not in text


def test_without_weights_htp_is_left_out_of_every_picture(small, capsys):
    assert htp_figures.main(["--out", str(small)]) == 0
    assert "htp is left out: " in capsys.readouterr().out
    assert "network" not in (small / "functions.svg").read_text()
    assert ">htp " not in (small / "convergence.svg").read_text()


@pytest.mark.parametrize(
    ("argv", "offending"),
    [
        (["--weights", "/nowhere/a.safetensors"], "/nowhere/a.safetensors"),
        (["--weights", "random:x"], "random:x"),
        (["--out", ""], "''"),
        (["--out", "FILE"], "FILE"),
        (["--flux"], "--flux"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(argv, offending, small, monkeypatch, capsys):
    monkeypatch.chdir(small)
    (small / "FILE").write_text("precious")
    assert htp_figures.main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("precond.htp.explain: ")
    assert offending in error
    assert (small / "FILE").read_text() == "precious"
