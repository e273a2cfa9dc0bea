"""Laws that hold at every density ratio: no energy from nothing, no speed that nothing drives, no clock that stops."""

import math

import numpy as np
import pytest

from sim import Frame, Simulation
from sim.simulation import NotFiniteError
from tests.scenes import pool, pressure_solver

RATIOS = (1.0, 10.0, 1e3, 33_000.0, 1e5, 1e6)
FALL = math.sqrt(2 * 9.81)  # [m/s], through the whole tank
SCENES = {
    "dam-break": 'kind = "box"\nstart = [0.0, 0.0]\nend = [0.3, 0.55]',
    "drop": """kind = "pool"
height = 0.2
[[shapes]]
phase = "liquid"
kind = "disc"
center = [0.5, 0.7]
radius = 0.15
""",
    "rising-bubble": """kind = "pool"
height = 0.8
[[shapes]]
phase = "gas"
kind = "disc"
center = [0.5, 0.3]
radius = 0.15
""",
}
OBSTACLES = """[[solids]]
kind = "box"
start = [0.5, 0.0]
end = [0.62, 0.25]
[[solids]]
kind = "disc"
center = [0.8, 0.6]
radius = 0.08
"""


def speeds(frame: Frame) -> tuple[float, float]:
    """Largest speed [m/s] in cells of liquid, and anywhere."""
    u, v = np.maximum(abs(frame.u[:, 1:]), abs(frame.u[:, :-1])), np.maximum(abs(frame.v[1:]), abs(frame.v[:-1]))
    speed = np.hypot(u, v)
    return float((speed * (frame.fractions[0] >= 0.99)).max()), float(speed.max())


def check_one_second(simulation: Simulation) -> None:
    """Every bound, in every frame."""
    at_rest = simulation.frame().stats.energy
    for _ in range(60):
        frame = simulation.step(1 / 60)
        liquid, anywhere = speeds(frame)
        assert liquid <= 3 * FALL
        assert anywhere <= 5 * FALL  # gas that is squeezed out; measured 3.2, in the drop at 1,000,000:1
        assert frame.stats.energy <= 1.005 * at_rest  # measured 1.0009; 1.006 without leapfrog
        assert frame.stats.volume_drift < 1e-6
        assert not frame.stats.notices


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", SCENES)
def test_no_energy_and_no_speed_come_from_nothing(name: str, ratio: float) -> None:
    check_one_second(Simulation(pool(ratio, SCENES[name]), (48, 48), solve=pressure_solver(rtol=1e-6), device="cpu"))


@pytest.mark.parametrize("ratio", [100.0, 1e6])
def test_nor_around_obstacles_below_an_open_top(ratio: float) -> None:
    scene = pool(ratio, SCENES["dam-break"], more="open_top = true\n" + OBSTACLES)
    check_one_second(Simulation(scene, (40, 56), solve=pressure_solver(rtol=1e-6), device="cpu"))


def test_gas_too_light_to_matter_does_not_matter() -> None:
    """Beyond 10,000:1 the liquid moves as if there were no gas."""
    ends = []
    for ratio in (1e4, 1e6):
        simulation = Simulation(pool(ratio, SCENES["drop"]), (48, 48), solve=pressure_solver(), device="cpu")
        ends.append([simulation.step(1 / 60) for _ in range(14)][-1].fractions[0])  # until the drop touches
    assert np.abs(ends[0] - ends[1]).mean() < 1e-3  # measured 3.5e-4; 5.9e-3 from 100:1 to 1,000,000:1


def test_a_velocity_that_no_step_can_follow_is_one_clear_error() -> None:
    simulation = Simulation(pool(1.0), solve=pressure_solver(), device="cpu")
    simulation.u[5, 5] = 1e153
    with pytest.raises(NotFiniteError, match="too large for any step"):
        simulation.step(1 / 60)
