"""Laws of the force that a fluid exerts on walls."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sim import Simulation, Stroke
from sim.bodies.wall_forces import WallForces
from tests.scenes import pool, pressure_solver

G, DENSITY = 9.81, 100.0
STONES = (
    '[[solids]]\nkind = "box"\nstart = [0.2, 0.2]\nend = [0.4, 0.45]\n'
    '[[solids]]\nkind = "disc"\ncenter = [0.7, 0.3]\nradius = 0.13\n'
)


def deep(solids: str, grid: tuple[int, int]) -> Simulation:
    """A pool that fills most of the domain."""
    scene = pool(DENSITY, 'kind = "pool"\nheight = 0.8\n' + solids)
    return Simulation(scene, grid, solve=pressure_solver(), device="cpu")


@pytest.mark.parametrize("grid", [(32, 48), (64, 80)])
def test_the_force_on_a_stone_at_rest_is_the_weight_that_it_displaces(grid: tuple[int, int]) -> None:
    simulation = deep(STONES, grid)
    first = simulation.step(1 / 60)
    width, height = simulation.grid.width, simulation.grid.height
    stroke = Stroke("solid", 0.5 * width, 0.6 * height, 0.52 * width, 0.63 * height, 0.08 * height)
    for frame in (first, simulation.step(1 / 60, replace(simulation.controls, strokes=(stroke,)))):
        for solid in frame.stats.solids:
            weight = DENSITY * G * solid.cells * simulation.grid.dx**2
            assert solid.pressure_force[1] == pytest.approx(weight, rel=5e-3)  # measured 1e-9
            assert abs(solid.pressure_force[0]) < 1e-6 * weight
            assert abs(solid.moment) < 1e-6 * weight
            assert solid.viscous_force == (0.0, 0.0)
    assert [solid.name for solid in frame.stats.solids] == ["solid 1", "solid 2", "solid 3"]


def test_without_walls_there_are_no_forces() -> None:
    assert deep("", (32, 48)).step(1 / 60).stats.solids == ()


def plate() -> tuple[WallForces, torch.Tensor]:
    """Cells 4 .. 7 by 6 .. 15 are wall, dx = 0.5 m; and a field of zeros."""
    solid = torch.zeros(12, 20, dtype=torch.bool)
    solid[4:8, 6:16] = True
    return WallForces(solid, 0.5), torch.zeros(12, 20, dtype=torch.float64)


def test_a_push_beside_the_middle_turns() -> None:
    forces, zero = plate()
    p = zero.clone()
    p[6:8, 16] = 3.0  # on the upper half of the right side, 1 m long, 0.5 m above the middle
    (on,) = forces.on_all(p, zero, 0.0, torch.zeros(12, 21), torch.zeros(13, 20), None, None)
    assert on.centre == pytest.approx((5.5, 3.0))
    assert on.cells == 40
    assert on.pressure_force == pytest.approx((-3.0, 0.0))
    assert on.moment == pytest.approx(0.5 * 3.0)


@pytest.mark.parametrize("sticks", [True, False])
def test_shear_drags_a_plate_that_fluid_sticks_to(sticks: bool) -> None:
    forces, zero = plate()
    above = np.clip((np.arange(12) + 0.5) * 0.5 - 4.0, 0, None)  # u = 2 y / s above the plate
    u = torch.from_numpy(2.0 * above)[:, None].expand(12, 21).contiguous()
    v = torch.zeros(13, 20, dtype=torch.float64)
    walls = (torch.zeros_like(u), torch.zeros_like(v)) if sticks else None
    (on,) = forces.on_all(zero, zero, 0.0, u, v, zero + 7.0, walls)
    assert on.viscous_force == pytest.approx((7.0 * 2.0 * 5.0 if sticks else 0.0, 0.0))  # mu du/dy times its length
    assert on.moment == pytest.approx(-1.0 * on.viscous_force[0])  # it acts a metre above the middle
