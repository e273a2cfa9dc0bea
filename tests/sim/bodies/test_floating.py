"""Laws of bodies that float, sink and rise: Archimedes, Newton, added mass, conservation."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from sim import Simulation
from sim.bodies.momentum import excess
from sim.frame import Frame
from sim.kernels import pressure
from sim.scenes.reader import parse
from tests.scenes import pressure_solver

G, WATER, GAS = 9.81, 1000.0, 10.0
TANK = """
title = "Tank"
sentence = "A tank."
gravity = {gravity}
[walls]
solids = "{walls}"
left = "{walls}"
right = "{walls}"
bottom = "{walls}"
[[phases]]
name = "water"
density = 1000.0
viscosity = {viscosity}
color = "#0000ff"
[[phases]]
name = "gas"
density = {gas}
viscosity = {thin}
color = "#ffffff"
[[shapes]]
kind = "pool"
phase = "water"
height = {level}
"""
BOX = '[[bodies]]\nkind = "box"\nstart = [0.35, {low}]\nend = [0.65, {high}]\ndensity = {density}\n'
DISC = '[[bodies]]\nkind = "disc"\ncenter = [0.5, {y}]\nradius = {radius}\ndensity = {density}\n'


def tank(
    bodies: str,
    grid: tuple[int, int] = (32, 48),
    level: float = 0.5,
    gravity: float = G,
    viscosity: float = 0.0,
    gas: float = GAS,
    rtol: float = 1e-8,
) -> Simulation:
    """Water, 1 m high and as wide as the grid says, with bodies; viscous fluids stick."""
    more = {"viscosity": viscosity, "thin": viscosity / 100, "walls": "no-slip" if viscosity else "slip"}
    scene = parse("tank", TANK.format(level=level, gravity=gravity, gas=gas, **more) + bodies)
    return Simulation(scene, grid, solve=pressure_solver(rtol=rtol), device="cpu")


def frames(simulation: Simulation, count: int) -> Iterator[Frame]:
    for _ in range(count):
        yield simulation.step(1 / 60)


def height_at_rest(kind: str, density: float, area: float, water: float, width: float) -> float:
    """Of the centre of a body above the floor, by Archimedes; box 0.2 m high, water [m^2] in a tank of this width."""
    under = area * (density - GAS) / (WATER - GAS)
    level = (water + under) / width
    if kind == "box":
        return level + 0.1 - under / (area / 0.2)
    R = math.sqrt(area / math.pi)
    return level + brentq(lambda d: R * R * math.acos(d / R) - d * math.sqrt(R * R - d * d) - under, -R, R)


@pytest.mark.parametrize(
    ("kind", "density", "grid"),
    [
        ("box", 500.0, (32, 48)), ("box", 500.0, (64, 96)), ("disc", 500.0, (32, 48)), ("disc", 500.0, (64, 96)),
        ("box", 300.0, (32, 48)), ("box", 800.0, (32, 48)), ("disc", 300.0, (32, 48)), ("disc", 800.0, (32, 48)),
    ],
)  # fmt: skip
def test_a_body_comes_to_rest_as_deep_as_archimedes_says(kind: str, density: float, grid: tuple[int, int]) -> None:
    y = 0.62 - density / 5000  # a little too high
    box, disc = BOX.format(low=y - 0.1, high=y + 0.1, density=density), DISC.format(y=y, radius=0.12, density=density)
    simulation = tank(box if kind == "box" else disc, grid, viscosity=30.0, rtol=1e-6)
    water = simulation.frame().stats.volumes[0]
    heights, tilts = [], []
    for frame in frames(simulation, 240):
        (body,) = frame.stats.bodies
        assert frame.stats.volume_drift < 1e-7
        heights.append(body.centre[1])
        tilts.append(body.angle)
    size = 0.2 if kind == "box" else 0.24
    want = height_at_rest(kind, density, body.area, water, simulation.grid.width)
    assert abs(np.mean(heights[-60:]) - want) < 0.02 * size
    assert kind == "disc" or np.abs(tilts).max() < 0.02  # twice as wide as high: it stays upright
    assert abs(body.velocity[1]) < 0.02


@pytest.mark.parametrize("grid", [(32, 48), (64, 80)])
def test_the_force_on_a_submerged_body_is_the_weight_that_it_displaces(grid: tuple[int, int]) -> None:
    turned = BOX.format(low=0.25, high=0.45, density=WATER) + "angle = 25\n"
    simulation = tank(turned, grid, level=0.8)
    for frame in frames(simulation, 5):
        (body,) = frame.stats.bodies
        weight = WATER * G * body.area
        assert body.pressure_force[1] == pytest.approx(weight, rel=5e-3)  # measured 1e-9
        assert abs(body.pressure_force[0]) < 1e-5 * weight
        assert abs(body.moment) < 1e-5 * weight
    assert frame.stats.speed_max < 1e-6


@pytest.mark.parametrize("gas", [10.0, 1.0])
def test_a_heavy_body_sinks_and_stands_on_the_floor(gas: float) -> None:
    simulation = tank(BOX.format(low=0.6, high=0.75, density=4000.0), level=0.4, gas=gas, rtol=1e-6)
    highest = simulation.frame().stats.energy
    for frame in frames(simulation, 90):
        assert np.concatenate(frame.outlines).min() > 0.25 * simulation.grid.dx  # nothing tunnels
        assert frame.stats.energy < 1.001 * highest
    (body,) = frame.stats.bodies
    assert body.centre[1] - 0.075 < simulation.grid.dx
    weight = 4000.0 * G * body.area
    assert body.pressure_force[1] + body.contact_force[1] == pytest.approx(weight, rel=5e-3)


def test_the_floor_bears_what_the_water_does_not() -> None:
    simulation = tank(BOX.format(low=0.016, high=0.166, density=4000.0), level=0.7)
    (body,) = list(frames(simulation, 40))[-1].stats.bodies
    displaced = WATER * G * body.area
    assert body.pressure_force[1] == pytest.approx(displaced, rel=5e-3)
    assert body.contact_force[1] == pytest.approx(3 * displaced, rel=5e-3)


def test_a_disc_as_light_as_foam_rises_as_its_added_mass_lets_it() -> None:
    simulation = tank(DISC.format(y=0.4, radius=0.06, density=10.0), (96, 96), level=1.0)
    frame = simulation.step(1e-3)
    (body,) = frame.stats.bodies
    kick = frame.time + simulation.ahead  # for which forces have acted
    assert body.velocity[1] / kick == pytest.approx(G * (WATER - 10.0) / (WATER + 10.0), rel=0.06)  # walls are near
    for frame in frames(simulation, 60):
        assert np.isfinite(frame.u).all()
        assert np.concatenate(frame.outlines).max() < 1.0


def momentum(simulation: Simulation) -> np.ndarray:
    """Of fluid and bodies [kg/s], with the fluid's mass on faces at a body as the projection sees it."""
    mass, dx, bodies = simulation.rho, simulation.grid.dx, simulation.bodies
    assert bodies is not None
    x = ((mass[:, 1:] + mass[:, :-1]) * simulation.u[:, 1:-1]).sum()
    y = ((mass[1:] + mass[:-1]) * simulation.v[1:-1]).sum()
    of_bodies = (bodies.motion.masses * bodies.motion.values[:, 3:])[:, :2].sum(0)
    rho = bodies.rho(simulation.F, mass)
    at_bodies = excess(bodies.motion, bodies.cover, bodies._faces, rho, mass, simulation.u, simulation.v)
    return np.array([float(x), float(y)]) * 0.5 * dx * dx + at_bodies[:, :2].sum(0) + of_bodies


@pytest.mark.parametrize(("density", "level"), [(500.0, 1.0), (5000.0, 1.0), (500.0, 0.45), (5000.0, 0.45)])
def test_only_walls_and_gravity_change_momentum(density: float, level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    thrown = BOX.format(low=0.42, high=0.52, density=density) + "angle = 30\nvelocity = [0.8, 0.3]\nspin = 2.0\n"
    simulation = tank(thrown, (48, 48), level=level, gravity=0.5)
    impulse = np.zeros(2)
    kicks: list[float] = []
    kick, correct = simulation._kick, pressure.correct

    def noted(h: float) -> float:
        kicks.append(kick(h))
        return kicks[-1]

    def add(u: torch.Tensor, v: torch.Tensor, p: torch.Tensor, *rest) -> None:
        correct(u, v, p, *rest)
        sides = (p[:, 0] - p[:, -1]).sum(), (p[0] - p[-1]).sum()
        floor = 0.5 * (simulation.rho[0] + simulation.rho[-1]).sum() * simulation.grid.dx**2  # half cells at walls
        total = float((simulation.rho.sum()) * simulation.grid.dx**2 - floor)
        assert simulation.bodies is not None
        total += float(simulation.bodies.motion.masses[:, 0].sum())
        impulse[:] += kicks[-1] * (np.array([float(side) for side in sides]) * simulation.grid.dx - [0, 0.5 * total])

    monkeypatch.setattr(simulation, "_kick", noted)
    monkeypatch.setattr(pressure, "correct", add)
    simulation.step(1e-3)  # launched
    start, before = momentum(simulation), impulse.copy()
    size = np.abs(start).max()
    for _ in frames(simulation, 30):
        error = momentum(simulation) - start - (impulse - before)
        assert np.abs(error).max() < 0.01 * size
    assert np.abs(impulse - before).max() > 0.1 * size  # and they did change it


def test_bodies_push_each_other_and_none_enters_another() -> None:
    simulation = tank(
        BOX.format(low=0.1, high=0.2, density=2000.0)
        + DISC.format(y=0.4, radius=0.1, density=3000.0)
        + 'velocity = [0.0, -2.0]\n[[bodies]]\nkind = "stroke"\nstart = [0.4, 0.62]\nend = [0.6, 0.7]\nradius = 0.05\n'
        "density = 100.0\n",
        level=0.3,
        rtol=1e-6,
    )
    first = simulation.frame().stats.energy + 0.5 * 3000.0 * math.pi * 0.01 * 4.0
    for frame in frames(simulation, 60):
        box, disc, _ = frame.stats.bodies
        assert frame.stats.energy < first
        assert frame.stats.volume_drift < 1e-7
        assert disc.centre[1] - box.centre[1] > 0.1 + 0.05  # the disc lies on the box
        corners = np.concatenate(frame.outlines)
        assert corners.min() > 0
        assert corners[:, 0].max() < simulation.grid.width
    assert box.contact_force[1] > 0
    assert disc.contact_force[1] > 0
    assert len(frame.stats.body_solutions) == 8 * frame.substeps  # a disc's spin moves no fluid
    assert len(frame.stats.solutions) == frame.substeps


def test_a_run_continues_bit_for_bit_with_its_bodies() -> None:
    box, disc = BOX.format(low=0.5, high=0.7, density=300.0), DISC.format(y=0.2, radius=0.08, density=50.0)
    one = tank(f"{box}angle = 20\n{disc}", viscosity=1.0, rtol=1e-6)
    for _ in frames(one, 6):
        pass
    other = Simulation.from_state(one.state(), solve=pressure_solver(rtol=1e-6), device="cpu")
    for a, b in zip(frames(one, 6), frames(other, 6)):
        for name in ("fractions", "u", "v", "pressure", "solid"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
        assert a.stats.bodies == b.stats.bodies
    lacking = {key: value for key, value in one.state().items() if key != "responses"}
    with pytest.raises(ValueError, match="responses"):
        other.restore(lacking)


def test_a_step_that_breaks_off_leaves_the_bodies_where_they_were() -> None:
    simulation = tank(BOX.format(low=0.5, high=0.7, density=300.0))
    simulation.step(1 / 60)
    before, solve = simulation.frame(), simulation.solve

    def refuse(*_):
        raise ValueError("enough")

    simulation.solve = refuse
    with pytest.raises(ValueError, match="enough"):
        simulation.step(1 / 60)
    after = simulation.frame()
    assert after.stats.bodies[0].centre == before.stats.bodies[0].centre
    assert np.array_equal(after.u, before.u)
    assert np.array_equal(after.fractions, before.fractions)
    simulation.solve = solve
    simulation.step(1 / 60)


def test_a_body_can_be_made_heavier_while_it_floats() -> None:
    simulation = tank(BOX.format(low=0.4, high=0.6, density=500.0), rtol=1e-6)
    controls = replace(simulation.controls, body_densities=(3000.0,))
    for _ in range(60):
        (body,) = simulation.step(1 / 60, controls).stats.bodies
    assert body.density == 3000.0
    assert body.centre[1] < 0.2
    with pytest.raises(ValueError, match="2 densities for 1 bodies"):
        simulation.step(1 / 60, replace(controls, body_densities=(1.0, 2.0)))
    with pytest.raises(ValueError, match="density"):
        replace(controls, body_densities=(-1.0,))
