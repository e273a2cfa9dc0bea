"""One thread or several: the same fluid bit for bit; and the command that times it."""

import json
from contextlib import nullcontext

import numpy as np
import pytest

from sim import Controls, Simulation, Stroke, simulation, timing
from sim.kernels import plic, viscosity
from tests.scenes import pressure_solver


def few_steps(scene: str) -> tuple[np.ndarray, ...]:
    simulation = Simulation(scene, (24, 32), solve=pressure_solver())
    height = simulation.grid.height
    push = Stroke("push", 0.4 * height, 0.3 * height, 0.5 * height, 0.35 * height, 0.1 * height)
    densities = simulation.controls.densities
    controls = Controls(9.81, densities, (push,), (0.1,) * len(densities), simulation.controls.tensions)
    for _ in range(3):
        frame = simulation.step(1 / 60, controls)
    return frame.fractions, frame.u, frame.v, frame.pressure


@pytest.mark.parametrize("scene", ["barriers", "emulsion"])
def test_kernels_on_several_threads_give_the_same_bits(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = few_steps(scene)
    for module in (simulation, viscosity):  # but not in the pressure solver, whose sums are its own affair
        monkeypatch.setattr(module, "limited_threads", lambda device, cells: nullcontext())
    monkeypatch.setattr(plic, "is_small", lambda device, cells: False)
    for a, b in zip(alone, few_steps(scene)):
        assert np.array_equal(a, b)


def test_a_step_leaves_the_number_of_threads_as_it_was() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        few_steps("dam-break")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_command_times_every_part_of_a_step(tmp_path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(timing, "FIRST", 1)
    monkeypatch.setattr(timing, "FRAMES", 2)
    out = tmp_path / "t.json"
    assert timing.main(["rising-bubble", "--sizes", "16,24", "--json", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [(row["scene"], row["phases"], row["rows"]) for row in rows] == [
        ("rising-bubble", 2, 16),
        ("rising-bubble", 2, 24),
    ]
    for row in rows:
        assert 0 < row["advect_ms"] + row["assemble_ms"] + row["project_ms"] <= row["step_ms"]
        assert row["solve_ms"] > 0
    assert "16x16" in capsys.readouterr().out


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture) -> None:
    assert timing.main(["teapot"]) == 2
    assert "teapot" in capsys.readouterr().err
    assert timing.main(["--sizes", "8"]) == 2
