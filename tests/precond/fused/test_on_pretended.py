"""Kernels in Triton on a pretended CUDA device: recorded with everything else, run by Triton's interpreter."""

import warnings

import pytest
import torch

from precond import PoissonSystem, Solver, Status, problems
from precond.classical import multigrid
from precond.fused.launch import launch
from tests.precond.device.pretended import pretended

triton = pytest.importorskip("triton")
tl = triton.language


@triton.jit
def _add(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(x + at, tl.load(x + at, mask=at < n) + tl.load(y + at, mask=at < n), mask=at < n)


def test_a_kernel_is_captured_without_effect_and_replayed():
    with pretended() as device:
        x, y = (torch.full((5,), value, dtype=torch.float64, device="cuda") for value in (1.0, 2.0))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y.mul_(2)
            launch(_add, 1, x, y, 5, BLOCK=8)
        assert x.tolist() == [1] * 5
        graph.replay()
        graph.replay()
        assert x.tolist() == [1 + 4 + 8] * 5
        launch(_add, 1, x, y, 5, BLOCK=8)
        assert x.tolist() == [21] * 5
        assert not device.faults


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize("name", ["jacobi", "dilu", "multigrid", "hierarchy", "htp"])
def test_captured_fused_solves_agree_with_the_cpu(name, update, monkeypatch):
    monkeypatch.setattr(multigrid, "SWEEPS", multigrid.SWEEPS_ON_CUDA)
    system, b = problems.frame("blobs", 144, 0, contrast=100, solids=True)
    with pretended() as device, warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # not NumPy's in the interpreter, which divide 0 by 0 as CUDA would
        there = PoissonSystem.empty(*system.shape, device="cuda")
        there.copy_from(system)
        fused = Solver(name, there, device="cuda", fallback=(), update=update, engine="compiled")
        plain = Solver(name, system, device="cpu", fallback=(), update=update, engine="torch")
        for _ in range(4):
            found, expected = fused.solve(there, b.cuda()), plain.solve(system, b)
            assert found.status is expected.status is Status.CONVERGED
            assert abs(found.iterations - expected.iterations) <= 1 + 0.02 * expected.iterations
            torch.testing.assert_close(found.x.cpu(), expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()))
            for each in (system, there):
                each.beta_x.mul_(1.1)
        assert device.replays > 0
        assert not device.faults
        assert fused.notice == ""
