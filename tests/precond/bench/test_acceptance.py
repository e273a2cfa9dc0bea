"""The acceptance: it runs to its end on a CPU and where little is installed, and says what failed."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from precond import Solver
from precond.bench.acceptance import apart, checks, run, times
from precond.bench.acceptance.extent import Extent, Report
from precond.classical.jacobi import Jacobi
from tests.precond.device.pretended import pretended

ROOT = Path(__file__).resolve().parents[3]
TINY = Extent(
    torch.device("cpu"), methods=("jacobi", "multigrid", "htp"), rivals=("multigrid", "htp"), cells=100, frames=2,
    sizes=(64, 144), in_loop=3, recordings=3, repeats=2, counted=(64,), interpreted=36, tests=("tests/test_wheel.py",),
)  # fmt: skip
ON_A_DEVICE = (
    "what is here", "every method, recorded", "many recordings", "network on and off", "iterations between two looks",
    "a denser top", "kernels counted", "in the loop", "fused or plain", "the published protocol",
)  # fmt: skip
WITHOUT = ("taichi", "numba", "imgui_bundle", "matplotlib", "glfw", "OpenGL", "av", "pyamg", "PIL", "rich", "triton")


def test_every_part_runs_on_a_cpu_and_nothing_fails():
    parts = {name: part for name, part in run.PARTS.items() if part not in (apart.fluid, apart.tests)}
    results = run.run(parts, TINY)
    assert results["failed"] == []
    assert all(part["lines"] for part in results["parts"])
    json.dumps(results)
    assert run.page(results).endswith("Nothing failed.")


@pytest.mark.parametrize("name", ON_A_DEVICE)
def test_a_part_runs_on_a_device(name, monkeypatch):
    """Where it is pretended: none of its lines is run for the first time on a real one."""
    extent = dataclasses.replace(TINY, device=torch.device("cuda", 0), interpreted=0, recordings=40)
    monkeypatch.setattr(checks, "KERNELS_ON_CUDA", ("torch",))
    monkeypatch.setattr(Extent, "engine", "torch")  # kernels in Triton are tried in tests/precond/fused
    monkeypatch.setattr("precond.engine.why_not_fused", lambda device: None)
    monkeypatch.setattr("precond.bench.launches.kernels_here", lambda device: ("torch",))
    with pretended() as device:
        results = run.run({name: run.PARTS[name]}, extent)
        assert results["failed"] == []
        assert device.current.cuda_stream == 0
        planted = [fault for fault in device.faults if "checks.py" in fault]
        assert device.faults == planted  # what was to be refused


def test_a_part_that_raises_is_reported_and_the_rest_goes_on():
    def raises(extent):
        raise RuntimeError("CUDA error: an illegal memory access\nand more")

    def fails(extent):
        report = Report()
        report.say("looked")
        report.check(False, "is not so")
        return report

    results = run.run({"one": raises, "two": fails, "three": lambda extent: Report(["fine"])}, TINY)
    assert results["failed"] == ["one: RuntimeError: CUDA error: an illegal memory access", "two: is not so"]
    assert [part["lines"][-1:] for part in results["parts"]][1:] == [["looked"], ["fine"]]
    assert "in raises" in results["parts"][0]["data"]["traceback"]
    assert run.page(results).splitlines()[-3] == "2 failures:"


def test_a_part_that_no_time_is_left_for_has_failed():
    results = run.run({"one": lambda extent: Report()}, dataclasses.replace(TINY, limit_s=-1.0))
    assert results["failed"] == ["one: not begun: -1 s were over"]


@pytest.mark.parametrize("failing", [False, True])
def test_the_exit_code_and_the_files_say_it_too(failing, tmp_path, monkeypatch, capsys):
    report = Report(["a line"], ["broken"] if failing else [])
    monkeypatch.setattr(run, "PARTS", {"one": lambda extent: report})
    file = tmp_path / "acceptance.json"
    assert run.main(TINY.device, ["--suite", "acceptance"], file, lambda name: None) == int(failing)
    assert json.loads(file.read_text())["failed"] == (["one: broken"] if failing else [])
    text = file.with_suffix(".txt").read_text()
    assert text in capsys.readouterr().out
    assert ("broken" in text.splitlines()[-1]) == failing


def test_a_method_that_cannot_be_recorded_or_is_wrong_fails(monkeypatch):
    """Of the checks themselves."""
    real = Solver.solve

    def other(self, *given, **named):
        found = real(self, *given, **named)
        found.x.mul_(1.01 if self._pcg.loop.graph is not None else 1.0)
        return found

    monkeypatch.setattr(Solver, "solve", other)
    failures = checks.methods(dataclasses.replace(TINY, methods=("jacobi",))).failures
    assert failures == ["jacobi (torch): x differs by 1.0e-02"]


def test_a_refused_recording_fails(monkeypatch):
    real = Jacobi.apply

    def waiting(self, r, out):
        real(self, r, out)
        float(out.sum())

    monkeypatch.setattr(Jacobi, "apply", waiting)
    with pretended():
        extent = dataclasses.replace(TINY, device=torch.device("cuda", 0), methods=("jacobi",))
        monkeypatch.setattr(checks, "KERNELS_ON_CUDA", ("torch",))
        failures = checks.methods(extent).failures
    assert any("refused to be recorded" in sentence for sentence in failures)


def test_where_only_torch_numpy_and_scipy_are_the_first_parts_run():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({WITHOUT!r}))
import torch
from precond.bench.options import options
from precond.bench.acceptance import run
from precond.bench.acceptance.extent import Extent
assert options(["--suite", "acceptance", "--device", "cpu"]).suite == "acceptance"
own = ("jacobi", "htp")
extent = Extent(torch.device("cpu"), methods=own, rivals=own, cells=64, sizes=(64,), frames=1, in_loop=2, recordings=2,
                repeats=1, counted=(64,))
results = run.run(dict(list(run.PARTS.items())[:-1]), extent)
print(run.page(results))
sys.exit(len(results["failed"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Triton is not here." in done.stdout
    assert "Taichi is not here." in done.stdout


def test_tests_have_a_limit_of_their_own(tmp_path):
    (tmp_path / "test_slow.py").write_text("import time\ndef test_slow():\n    time.sleep(60)\n")
    (tmp_path / "test_bad.py").write_text("def test_bad():\n    assert 0\n")
    late = apart.tests(dataclasses.replace(TINY, tests=(str(tmp_path / "test_slow.py"),), tests_s=5))
    assert late.failures == ["not done in 5 s"]
    bad = apart.tests(dataclasses.replace(TINY, tests=(str(tmp_path / "test_bad.py"),), tests_s=60))
    assert len(bad.failures) == 1
    assert "1 failed" in bad.failures[0]


def test_the_fluid_runs_in_a_process_of_its_own():
    pytest.importorskip("taichi")
    report = apart.fluid(dataclasses.replace(TINY, fluid_frames=1, writes=20))
    assert report.failures == []
    assert "0 wrong" in report.lines[0]
    report = Report()
    apart._compare(report, [1.0, 1.1], [1.0, 1.0])
    assert len(report.failures) == 1


def test_bars_are_looked_at_on_a_device_alone():
    row = {"total_ms": 1.0, "solve_ms": 1.0, "iterations_mean": 100.0}
    report = Report()
    times._bar(report, 1024, 0.7, row, {**row, "total_ms": 2.0}, row)
    assert report.failures == ["1,024 cells: htp takes 1.00 ms, more than 0.7"]
