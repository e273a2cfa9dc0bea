"""The fluid's half that is written in torch, on a pretended CUDA device; Taichi's kernels get copies on the CPU."""

import pytest
import torch

from precond import Solver
from precond.classical import multigrid
from sim import Simulation
from sim.kernels import taichi_runtime


@pytest.mark.parametrize("scene", ["dam-break", "rising-bubble", "barriers"])
def test_a_step_mixes_no_devices_and_is_the_same(scene, there, monkeypatch):
    """Three frames with the viscous iteration and the pressure; a wall appears before the last."""
    monkeypatch.setattr(multigrid, "SWEEPS", multigrid.SWEEPS_ON_CUDA)
    start, frames = taichi_runtime.start, []
    for place in ("cpu", "cuda:0"):

        def start_there(device, threads, place=place):
            start("cpu", threads)
            return torch.device(place)

        monkeypatch.setattr(taichi_runtime, "start", start_there)
        solver = []

        def solve(system, b, x0, place=place, solver=solver):
            if not solver:
                solver.append(Solver("multigrid", system, device=place, fallback=(), engine="torch"))
            return solver[0].solve(system, b, rtol=1e-8, x0=x0)

        simulation = Simulation(scene, (24, 32), solve=solve)
        assert simulation.p.device == torch.device(place)
        for k in range(3):
            if k == 2:
                simulation.solid[4:8, 20:22] = True
                simulation._walls_changed()
            frame = simulation.step(1 / 60)
        frames.append((simulation.p.cpu(), simulation.u.cpu(), simulation.F.cpu(), frame.stats.step))
    for found, expected in zip(frames[1][:3], frames[0][:3]):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
    assert there.replays > 0
