"""Kernels that do not compile or compute nonsense are found before a solve trusts them, and the notice says so."""

import pytest
import torch

from precond import Solver, Status, engine, problems
from precond.fused import launch, trial

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forget():
    trial.trusted.clear()
    yield
    trial.trusted.clear()


def test_they_agree_here():
    assert trial.why_not(CPU) is None


def spoil(monkeypatch, name, what):
    from precond.fused import grids, loop

    def bad(kernel, *arguments, **constants):
        if kernel.__name__ == name:
            return what()
        return launch.launch(kernel, *arguments, **constants)

    for module in (grids, loop):
        monkeypatch.setattr(module, "launch", bad)


def fail():
    raise RuntimeError("PassManager::run failed\nand more")


@pytest.mark.parametrize(("what", "words"), [(fail, "PassManager::run failed"), (lambda: None, "off by")])
def test_a_loop_that_fails_is_found(what, words, monkeypatch):
    spoil(monkeypatch, "multiply", what)
    reason = trial.why_not(CPU)
    assert words in reason
    assert "more" not in reason
    monkeypatch.setattr(engine, "why_not_fused", lambda device: reason)
    assert engine.chosen("auto", torch.device("cuda")) == (
        "torch",
        f"solvers run several times slower than they could: {reason}",
    )
    with pytest.raises(ValueError, match="engine is 'compiled' but"):
        engine.chosen("compiled", torch.device("cuda"))


@pytest.mark.parametrize("what", [fail, lambda: None])
def test_a_method_that_fails_runs_in_torch_and_says_so(what, fused, monkeypatch):
    spoil(monkeypatch, "upward", what)
    system, b = problems.frame("blobs", 400, 0, contrast=10)
    solver = Solver("dilu", system, device="cpu", fallback=("jacobi",))
    for _ in range(2):
        solution = solver.solve(system, b)
        assert (solution.status, solution.preconditioner_used) == (Status.CONVERGED, "dilu")
    assert solver.notice.count("dilu runs kernel by kernel: Triton") == 1
