"""Laws of what happens where the fluid ends: inlets, outlets, open tops, and walls that move."""

import numpy as np
import pytest
import torch

from sim import Controls, Simulation, Stroke
from sim.grid import Grid
from sim.kernels.boundary import INLET_CLOSED, Body, Boundary, body_at, can_shift, exchanged
from sim.scenes.reader import SceneError, parse
from tests.scenes import pressure_solver

BASE = """
title = "Basin"
sentence = "A basin."
grid = [32, 40]
{more}
[[phases]]
name = "water"
density = 1000.0
color = "#0000ff"
[[phases]]
name = "gas"
density = 10.0
color = "#ffffff"
[[shapes]]
kind = "pool"
phase = "water"
height = 0.4
"""
INLET = '[[inlets]]\nside = "left"\nstart = 0.5\nend = 0.75\nphase = "water"\nspeed = 0.5\n'
OUTLET = '[[outlets]]\nside = "right"\nstart = 0.0\nend = 0.25\n'
STONE = '[[solids]]\nkind = "box"\nstart = [0.3, {low}]\nend = [0.45, {high}]\n'


def basin(more: str = "", top: str = "") -> Simulation:
    """A basin of water under gas with these tables added."""
    scene = parse("basin", BASE.format(more=top) + more)
    return Simulation(scene, solve=pressure_solver(rtol=1e-10), device="cpu")


def test_an_inlet_brings_what_it_says_and_the_ledger_knows() -> None:
    simulation = basin(INLET + OUTLET)
    start = simulation.frame().stats.volumes
    for _ in range(12):
        frame = simulation.step(1 / 60)
        assert frame.stats.volume_drift < 1e-9
        assert frame.stats.divergence_max < 1e-6
    brought = 0.5 * 0.25 * frame.time  # speed times width of the inlet times time
    assert simulation.ledger[0] + simulation.ledger[1] == pytest.approx(0.0, abs=1e-9)  # as much leaves
    gone = brought - (frame.stats.volumes[0] - start[0])
    assert gone == pytest.approx(brought, rel=0.2)  # the outlet under water takes water
    assert frame.u[18, 0] == pytest.approx(0.5)
    assert frame.u[2, -1] == pytest.approx(0.5)


def test_an_open_top_lets_out_what_an_inlet_brings() -> None:
    simulation = basin(INLET, "open_top = true")
    start = simulation.frame().stats.volumes
    opened = simulation.step(1e-3).time  # the inlet opens after the first sub-step
    for _ in range(12):
        frame = simulation.step(1 / 60)
    late = frame.time - opened
    assert frame.stats.volumes[0] - start[0] == pytest.approx(0.5 * 0.25 * late, rel=0.02)
    assert frame.stats.volume_drift < 1e-9


def test_an_inlet_without_a_way_out_is_refused_or_shut() -> None:
    with pytest.raises(SceneError, match="needs a way out"):
        basin(INLET)
    with pytest.raises(SceneError, match="exclude each other"):
        basin(INLET + OUTLET, "open_top = true")
    simulation = basin(INLET + OUTLET)
    wall = Stroke("solid", 0.6, -0.1, 0.6, 1.1, 0.05)
    frame = simulation.step(1e-3, Controls(densities=(1000.0, 10.0), strokes=(wall,)))
    assert INLET_CLOSED in frame.stats.notices
    frame = simulation.step(1 / 60)
    assert frame.u[18, 0] == 0.0
    assert frame.stats.divergence_max < 1e-6


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        ('side = "left"', 'side = "west"', "west"),
        ("start = 0.5", "start = 0.9", "start < end"),
        ("speed = 0.5", "speed = -1", "positive"),
        ('phase = "water"\nspeed', 'phase = "wine"\nspeed', "wine"),
        ("speed = 0.5\n", "speed = 0.5\npressure = 1\n", "pressure"),
    ],
)
def test_openings_that_cannot_be_are_refused(old: str, new: str, needle: str) -> None:
    with pytest.raises(SceneError, match=needle):
        basin(INLET.replace(old, new) + OUTLET)


def dragged(simulation: Simulation, at: tuple[float, float], by: tuple[float, float], frames: int):
    """Drag the wall at a point [m] evenly over some frames of 1/60 s; yields every frame."""
    x, y = at
    for _ in range(frames):
        to = x + by[0] / frames, y + by[1] / frames
        controls = Controls(densities=(1000.0, 10.0), strokes=(Stroke("drag", x, y, *to, 0.01),))
        yield simulation.step(1 / 60, controls)
        x, y = to


@pytest.mark.parametrize("by", [(0.3, 0.0), (0.0, -0.12), (-0.2, 0.15)])
def test_a_dragged_stone_pushes_the_fluid_and_nothing_is_lost(by: tuple[float, float]) -> None:
    simulation = basin(STONE.format(low=0.3, high=0.5))
    start, before = simulation.frame(), np.argwhere(simulation.solid.numpy())
    for frame in dragged(simulation, (0.46, 0.4), by, 20):
        assert frame.stats.volume_drift < 1e-9
        assert frame.stats.divergence_max < 1e-6
        assert np.abs(frame.fractions.sum(0) - 1).max() < 1e-12
        assert not frame.stats.notices
    after = np.argwhere(simulation.solid.numpy())
    assert len(after) == len(before)
    moved = (after - before).mean(0) / 32
    assert moved == pytest.approx((by[1], by[0]), abs=1 / 32)
    water = frame.stats.volumes[0] / start.stats.volumes[0]
    assert water == pytest.approx(1.0, abs=0.02)
    assert 0.1 < frame.stats.speed_max < 20


def test_a_stone_that_moves_carries_the_fluid_before_it_at_its_speed() -> None:
    simulation = basin(STONE.format(low=0.05, high=0.25))
    (frame,) = dragged(simulation, (0.46, 0.15), (0.02, 0.0), 1)
    right = int(np.nonzero(simulation.solid.numpy()[4])[0].max())
    assert frame.u[4, right + 1] == pytest.approx(0.02 * 60)
    assert frame.stats.divergence_max < 1e-6
    frame = simulation.step(1 / 60)
    assert frame.u[4, right + 1] == 0.0  # let go


def test_a_stone_stops_at_walls_and_can_be_lifted_off_the_ground() -> None:
    simulation = basin(STONE.format(low=0.0, high=0.2))
    for frame in dragged(simulation, (0.46, 0.1), (0.0, -0.5), 10):  # into the ground
        assert not frame.stats.notices
    assert simulation.solid.numpy()[0].any()
    for frame in dragged(simulation, (0.46, 0.1), (0.0, 0.3), 20):
        assert frame.stats.volume_drift < 1e-9
    assert np.argwhere(simulation.solid.numpy())[:, 0].min() == pytest.approx(0.3 * 32, abs=1.01)
    for _ in dragged(simulation, (0.46, 0.4), (5.0, 0.0), 40):  # against the right side
        pass
    solid = simulation.solid.numpy()
    assert solid.sum() == 6 * 6 or solid.any()
    assert np.isfinite(simulation.frame().u).all()


def test_dragging_nothing_changes_nothing() -> None:
    one, two = basin(), basin()
    one.step(1 / 60, Controls(densities=(1000.0, 10.0), strokes=(Stroke("drag", 0.5, 0.5, 0.6, 0.5, 0.01),)))
    two.step(1 / 60)
    assert torch.equal(one.u, two.u)
    assert torch.equal(one.F, two.F)


def test_a_run_with_dragging_continues_bit_for_bit_from_a_saved_state() -> None:
    """Velocities of a moving wall live in the fields alone; no memory beside them."""
    simulation = basin(STONE.format(low=0.3, high=0.5))
    list(dragged(simulation, (0.46, 0.4), (0.1, 0.05), 5))
    again = Simulation.from_state(simulation.state(), solve=pressure_solver(rtol=1e-10), device="cpu")
    frames = [list(dragged(s, (0.56, 0.45), (0.1, 0.0), 5))[-1] for s in (simulation, again)]
    assert np.array_equal(frames[0].u, frames[1].u)
    assert np.array_equal(frames[0].fractions, frames[1].fractions)


def test_prescribed_velocities_of_a_closed_region_always_cancel() -> None:
    """A body that only fits between walls cannot push: the sum of what it prescribes would not be 0."""
    scene = parse("basin", BASE.format(more=""))
    grid = Grid(32, 40)
    boundary = Boundary(scene, grid, torch.device("cpu"))
    solid = np.zeros((32, 40), dtype=bool)
    solid[:, 20:24] = True  # from floor to ceiling: two closed chambers
    piston = body_at(solid, 5, 21)
    assert piston is not None
    assert piston.sum() == solid.sum()
    assert not boundary.update(solid, Body(piston, 1.0, 0.0))
    assert not boundary.wall_u.any()
    solid[10:] = False
    free = body_at(solid, 5, 21)
    assert boundary.update(solid, Body(free, 1.0, 0.0))
    assert float(boundary.wall_u.max()) == 1.0
    assert not boundary.update(solid, Body(free, 0.0, 1.0))  # nothing can flow in below it


def test_shifts_exchange_as_many_cells_as_they_cover() -> None:
    cells = np.zeros((12, 12), dtype=bool)
    cells[3:6, 3:8] = True
    for rows, columns in ((0, 1), (1, 0), (-1, 1)):
        moved, covered, uncovered = exchanged(cells, rows, columns)
        assert moved.sum() == cells.sum()
        assert len(covered[0]) == len(uncovered[0])
        assert moved[covered].all()
        assert not cells[covered].any()
        assert cells[uncovered].all()
        assert not moved[uncovered].any()
        if not rows:
            assert np.array_equal(covered[0], uncovered[0])  # line by line
    assert can_shift(cells, cells, 0, 4)
    assert not can_shift(cells, cells, 0, 5)
    assert body_at(cells, 0, 0) is None
