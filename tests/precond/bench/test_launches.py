"""`--launches` counts what a device would start, and says what that means."""

import json

import pytest
import torch

from precond import Solver, problems
from precond.bench import launches
from precond.bench.__main__ import main
from precond.bench.launches import Row
from precond.device import cuda_graph

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows():
    return {row.method: row for row in launches.rows(("jacobi", "htp"), (256,), CPU) if row.kernels == "torch"}


def test_the_plain_iteration_of_jacobi_is_counted_operation_by_operation(rows):
    """M 1; P 3; r.z; beta, p 2; A p from 5; p.q; sound 3; last, alpha 3; x, r 2; r.r; slot, history; count; active."""
    row = rows["jacobi"]
    assert 25 <= row.iteration <= 33
    assert 4 <= row.setup <= 10
    assert row.network == 0


def test_the_network_is_counted_apart(rows):
    assert rows["htp"].network > 50
    assert rows["htp"].setup > rows["jacobi"].setup


def test_a_solve_does_little_outside_of_its_recordings(rows):
    for row in rows.values():
        assert 1 <= row.waits <= 4
        assert 1 <= row.operations <= 16


def test_an_operation_and_a_wait_that_are_planted_are_counted(monkeypatch):
    """Of the counting itself."""
    before = launches.counts("jacobi", 64, "torch", CPU, 0, 1.0)
    real = Solver._set_up

    def slower(self, name, local):
        float(local.beta_x.sum())
        return real(self, name, local)

    monkeypatch.setattr(Solver, "_set_up", slower)
    after = launches.counts("jacobi", 64, "torch", CPU, 0, 1.0)
    assert (after.operations, after.waits) == (before.operations + 2, before.waits + 1)
    assert (after.setup, after.iteration, after.around) == (before.setup, before.iteration, before.around)


def test_predicted_time_is_two_microseconds_a_kernel():
    row = Row("htp", 1024, "torch", 100, 50, 10, 20, 5, 2, 7.5)
    assert row.predicted_ms == pytest.approx(2e-3 * (100 + 50 + 75 + 20 + 5))


def test_counting_leaves_nothing_behind():
    assert not cuda_graph.possible(CPU)
    system, b = problems.frame("blobs", 64, 0)
    assert Solver("multigrid", system, device="cpu", engine="torch").solve(system, b).iterations > 0


def test_both_kinds_of_kernels_stand_side_by_side(tmp_path, capsys):
    pytest.importorskip("triton", reason="needs Triton")
    assert main(["--launches", "--methods", "jacobi", "--sizes", "64", "--json", str(tmp_path / "l.json")]) == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("jacobi"))
    assert line.count(" / ") == 7
    plain, fused = json.loads((tmp_path / "l.json").read_text())["launches"]
    assert (plain["kernels"], fused["kernels"]) == ("torch", "fused")
    assert fused["predicted_ms"] <= plain["predicted_ms"]


def test_methods_of_other_libraries_have_no_kernels_to_count(capsys):
    assert main(["--launches", "--methods", "scipy-jacobi"]) == 2
    assert "--launches" in capsys.readouterr().err
