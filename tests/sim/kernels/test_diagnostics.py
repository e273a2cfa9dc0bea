"""Numbers of a moment do not depend on how many threads count them."""

import pytest
import torch

from sim import Simulation
from sim.kernels import diagnostics
from tests.scenes import pressure_solver


@pytest.mark.parametrize("parts", [2, 3, 16, 100])
def test_parts_of_rows_add_up_to_rows(parts):
    simulation = Simulation("three-liquids", (24, 37), solve=pressure_solver(), device="cpu")
    for _ in range(3):
        simulation.step(1 / 60)
    fields = simulation.F, simulation.rho, simulation._wall, simulation.u, simulation.v
    table = torch.zeros(24 * parts, simulation._rows.shape[1], dtype=torch.float64)
    gravity = simulation.controls.gravity
    one = diagnostics.survey(simulation._plan, *fields, simulation._rows, simulation.grid.dx, gravity)
    many = diagnostics.survey(simulation._plan, *fields, table, simulation.grid.dx, gravity)
    assert one.speed > 0
    for name, value in vars(one).items():
        assert getattr(many, name) == pytest.approx(value, rel=1e-12)


def test_a_device_with_many_threads_gets_many_lines():
    assert diagnostics.lines(96, torch.device("cpu")) == 96
    assert diagnostics.lines(96, torch.device("cuda")) >= 1000
