"""The benchmark command: every method through one function, failures counted, results whole, misuse refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import precond
from precond import problems, registry
from precond.bench import htp_paper_protocol, report, runner
from precond.bench.__main__ import main
from precond.io import recorded_systems
from precond.status import Status
from precond.support.provenance import commit

ROOT = Path(__file__).resolve().parents[3]
KEYS = {
    "method", "kind", "cells", "frames", "failures", "iterations_mean", "iterations_std",
    "setup_ms", "inference_ms", "solve_ms", "total_ms", "residual_max",
}  # fmt: skip
CPU = torch.device("cpu")


def bench(*arguments: str) -> dict:
    """The JSON of a run."""
    path = Path(arguments[-1])
    assert main(list(arguments)) == 0
    return json.loads(path.read_text())


def test_rows_have_the_documented_keys_and_agree_with_the_solver(tmp_path, capsys):
    results = bench("--sizes", "256,1024", "--methods", "jacobi,multigrid", "--kind", "blobs,spray", "--frames", "3",
                    "--device", "cpu", "--seed", "5", "--json", str(tmp_path / "r.json"))  # fmt: skip
    rows = results["rows"]
    assert len(rows) == 8
    assert all(set(row) >= KEYS for row in rows)
    assert results["commit"] == commit()
    assert results["machine"]["device"] == "cpu"
    for row in rows:
        counts = []
        for seed in (5, 6, 7):
            system, b = problems.frame(row["kind"], row["cells"], seed)
            counts.append(precond.Solver(row["method"], system, device="cpu").solve(system, b).iterations)
        assert row["iterations_mean"] == pytest.approx(np.mean(counts))
        assert row["iterations_std"] == pytest.approx(np.std(counts, ddof=1))
        assert row["failures"] == 0
        assert row["frames"] == 3
        assert row["residual_max"] <= 1e-8
        stages = row["setup_ms"] + row["inference_ms"] + row["solve_ms"]
        assert 0 < row["total_ms_low"] <= row["total_ms"] <= row["total_ms_high"]
        assert stages <= 1.5 * row["total_ms_high"]
    text = capsys.readouterr().out
    assert all(word in text for word in ("jacobi", "multigrid", "1,024", "spray"))
    curves = {(c["method"], c["kind"], c["cells"]): c["residuals"] for c in results["curves"]}
    assert len(curves) == 8
    assert all(curve[0] == 1 and curve[-1] <= 1e-8 for curve in curves.values())


def test_a_failed_frame_enters_the_mean_with_its_cap(tmp_path, capsys):
    results = bench("--sizes", "1024", "--methods", "jacobi,multigrid", "--frames", "2", "--device", "cpu",
                    "--max-iterations", "20", "--json", str(tmp_path / "r.json"))  # fmt: skip
    jacobi, multigrid = results["rows"]
    assert (jacobi["failures"], jacobi["iterations_mean"]) == (2, 20.0)
    assert jacobi["statuses"] == {"ITERATION_LIMIT": 2}
    assert jacobi["residual_max"] > 1e-3
    assert multigrid["failures"] == 0
    assert multigrid["iterations_mean"] < 20


class Raising:
    """A rival whose library raises instead of reporting."""

    def setup(self, system):
        raise RuntimeError("no such device")

    def apply(self, r, out):
        raise NotImplementedError


class Negated:
    """M = -I."""

    def setup(self, system):
        pass

    def apply(self, r, out):
        torch.neg(r, out=out)


def test_methods_that_raise_or_are_indefinite_are_counted_and_never_replaced(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))
    precond.register("raising", Raising)
    precond.register("negated", Negated)
    results = bench("--sizes", "256", "--methods", "raising,negated", "--frames", "2", "--device", "cpu",
                    "--json", str(tmp_path / "r.json"))  # fmt: skip
    raising, negated = results["rows"]
    assert (raising["failures"], raising["statuses"], raising["residual_max"]) == (2, {"RAISED": 2}, None)
    assert "no such device" in capsys.readouterr().out
    assert (negated["failures"], negated["statuses"]) == (2, {"INDEFINITE": 2})


def test_outside_solvers_solve_the_same_systems(tmp_path):
    pytest.importorskip("pyamg")
    group = runner.generated("blobs", 1024, 2, 0, (100, 100), CPU)
    runs = runner.run_methods(("jacobi", "scipy-jacobi", "amg-rs", "scipy-amg-rs"), group, 1e-6, CPU, 5000)
    for ours, theirs in (("jacobi", "scipy-jacobi"), ("amg-rs", "scipy-amg-rs")):
        for a, b in zip(runs[ours], runs[theirs]):
            assert abs(a.iterations - b.iterations) <= 1 + 0.01 * b.iterations
            assert b.residual <= 1.01e-6
    rows = [report.row(method, group, outcome, "single-shot") for method, outcome in runs.items()]
    sentences = report.ratios(rows)
    assert any("per iteration of SciPy's cg" in sentence for sentence in sentences)
    assert any(sentence.startswith("blobs, 1,024 cells: amg-rs takes") for sentence in sentences)


# Published in arXiv 2605.13343, table 1: Jacobi's mean and standard deviation over 20 frames of 1,024 to 16,384 cells.
JACOBI = {1024: (325, 83), 2048: (429, 112)}


@pytest.mark.parametrize("cells", JACOBI)
def test_the_published_protocol_gives_the_published_iterations(cells):
    group = htp_paper_protocol.group(cells, 20, 0, CPU)
    runs = htp_paper_protocol.run_methods(("jacobi",), group, CPU, None)["jacobi"]
    row = report.row("jacobi", group, runs, "paper")
    mean, deviation = JACOBI[cells]
    assert abs(row["iterations_mean"] - mean) <= deviation
    assert row["failures"] == 0
    assert (row["published_iterations"], row["published_std"]) == (mean, deviation)
    assert row["residual_max"] > 1e-8  # the recursive residual is not the true one there
    assert "yes" in report.table([row])
    far = row | {"iterations_mean": mean + 1.1 * deviation}
    assert "NO" in report.table([far])


def test_the_published_matrix_is_scaled_and_rounded():
    group = htp_paper_protocol.group(1024, 1, 3, CPU)
    system, b = group.cases[0].assemble(), group.cases[0].b
    rho = problems.density("barrier", (32, 32), 3)
    harmonic = (rho[:, :-1] + rho[:, 1:]) / (2 * rho[:, :-1] * rho[:, 1:])
    inner = system.beta_x[:, 1:-1].numpy()
    ratio = inner / harmonic
    assert ratio.max() / ratio.min() - 1 < 3e-7
    assert np.array_equal(inner, inner.astype(np.float32))
    stored = system.diagonal().numpy()
    assert np.array_equal(stored, stored.astype(np.float32))
    exact = (system.beta_x[:, :-1] + system.beta_x[:, 1:] + system.beta_y[:-1] + system.beta_y[1:]).numpy()
    assert not np.array_equal(stored, exact)
    np.testing.assert_allclose(stored, exact, rtol=3e-7)
    assert 2 * stored.max() == pytest.approx(1, rel=1e-6)
    assert float(b.norm()) == pytest.approx(1)
    assert abs(float(b.sum())) > 1e-3  # not projected


def write_sequence(folder: Path, solves: int = 4) -> None:
    folder.mkdir()
    for k in range(solves):
        system, b = problems.frame("blobs", 400, 0, contrast=100)
        noise = torch.from_numpy(np.random.default_rng(k).standard_normal(b.shape))
        recorded_systems.write(folder, k, system, system.project(b + 1e-3 * noise))


def test_a_replayed_sequence_starts_warm_and_counts_all_but_the_first(tmp_path, capsys):
    write_sequence(tmp_path / "flow")
    warm = bench("--in-loop", str(tmp_path / "flow"), "--methods", "jacobi,multigrid", "--device", "cpu",
                 "--json", str(tmp_path / "w.json"))  # fmt: skip
    cold = bench("--systems", str(tmp_path / "flow"), "--methods", "jacobi,multigrid", "--device", "cpu",
                 "--json", str(tmp_path / "c.json"))  # fmt: skip
    assert (warm["protocol"], cold["protocol"]) == ("in-loop", "systems")
    for a, b in zip(warm["rows"], cold["rows"]):
        assert (a["frames"], b["frames"]) == (3, 4)
        assert a["cells"] == b["cells"] == 400
        assert a["iterations_mean"] < 0.9 * b["iterations_mean"]


def test_in_loop_times_are_means_and_cold_times_medians():
    runs = [runner.Run(Status.CONVERGED, 5, 1e-9, 1.0, 0.0, t, t) for t in (100.0, 1.0, 2.0, 6.0)]
    warm, cold = (runner.Group("x", 4, (), warm) for warm in (True, False))
    assert report.row("m", warm, runs, "in-loop")["total_ms"] == pytest.approx(3.0)
    assert report.row("m", cold, runs, "single-shot")["total_ms"] == pytest.approx(4.0)


@given(residuals=st.lists(st.one_of(st.just(math.nan), st.floats(0, 1, allow_subnormal=False)), min_size=1, max_size=5))
@settings(max_examples=50)
def test_the_worst_residual_is_not_hidden_by_nan(residuals):
    runs = [runner.Run(Status.CONVERGED, 1, value, 0, 0, 0, 0) for value in residuals]
    expected = None if any(map(math.isnan, residuals)) else max(residuals)
    assert report.worst_residual(runs) == expected


REFUSED = [
    (["--sizes", "10x10"], "whole number"),
    (["--sizes", "0"], "out of range"),
    (["--methods", "nonesuch"], "unknown"),
    (["--kind", "foam"], "unknown"),
    (["--contrast", "100,5"], "range"),
    (["--contrast", "-3"], "positive"),
    (["--rtol", "2"], "out of reach"),
    (["--rtol", "nan"], "positive"),
    (["--frames", "0"], "out of range"),
    (["--paper", "--suite", "kinds"], "exclude"),
    (["--paper", "--methods", "multigrid"], "no row"),
    (["--paper", "--rtol", "1e-6"], "tolerance of --paper"),
    (["--suite", "nonesuch"], "unknown"),
    (["--systems", "nonesuch"], "folder"),
    (["--weights", "nonesuch.safetensors", "--methods", "jacobi"], "has no effect"),
    (["--json", "nonesuch/x.json"], "does not exist"),
    (["--device", "tpu"], "unknown"),
    (["--in-loop", "no-such-scene"], "could not be recorded"),
    (["--fast"], "unrecognized"),
]


@pytest.mark.parametrize(
    ("arguments", "word"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_misuse_is_one_sentence_and_exit_code(arguments, word, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) in (1, 2)
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("precond.bench: ")
    assert word in text


def test_a_damaged_recording_is_refused(tmp_path, capsys):
    write_sequence(tmp_path / "flow", 2)
    (tmp_path / "flow" / "000001.npz").write_bytes(b"not a file")
    assert main(["--in-loop", str(tmp_path / "flow")]) == 2
    assert "000001.npz" in capsys.readouterr().err


def test_the_command_runs_without_the_simulation_or_a_window():
    code = (
        "import sys; sys.modules['taichi'] = sys.modules['imgui_bundle'] = sys.modules['rich'] = None; "
        "from precond.bench.__main__ import main; "
        "sys.exit(main(['--sizes', '256', '--methods', 'multigrid', '--frames', '1', '--device', 'cpu']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "multigrid" in done.stdout
