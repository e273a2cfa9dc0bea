"""Laws of three and more phases: fractions, volumes, momentum, and that the order of equal phases does not matter."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sim import Controls, Simulation, Stroke
from sim.kernels import taichi_runtime
from sim.kernels.transport import Transport
from sim.scenes.reader import SceneError, load, names, parse
from tests.scenes import pressure_solver

LAYERS = """
title = "Layers"
sentence = "Several liquids."
grid = [{ny}, {nx}]
height = 10.0
"""
PHASE = """
[[phases]]
name = "{name}"
density = {density}
viscosity = {viscosity}
color = "#808080"
"""
SHAPE = """
[[shapes]]
phase = "{phase}"
{shape}
"""
DROP = 'kind = "disc"\ncenter = [0.45, 0.7]\nradius = 0.17'
COLUMN = 'kind = "box"\nstart = [0.0, 0.0]\nend = [0.3, 0.6]'


def scene(phases: dict[str, tuple[float, float]], shapes: list[tuple[str, str]], grid=(32, 40), more: str = ""):
    """Phases of name: (density, viscosity) and shapes of (phase, toml)."""
    text = LAYERS.format(ny=grid[0], nx=grid[1]) + more
    for name, (density, viscosity) in phases.items():
        text += PHASE.format(name=name, density=density, viscosity=viscosity)
    for phase, shape in shapes:
        text += SHAPE.format(phase=phase, shape=shape)
    return parse("layers", text)


FOUR = {"syrup": (1400.0, 50.0), "water": (1000.0, 0.1), "oil": (800.0, 5.0), "gas": (14.0, 0.0)}
SHAPES = [("water", 'kind = "pool"\nheight = 0.3'), ("oil", COLUMN), ("syrup", DROP)]


def test_four_phases_keep_their_volumes_and_their_sum() -> None:
    simulation = Simulation(scene(FOUR, SHAPES), solve=pressure_solver(rtol=1e-10), device="cpu")
    start = simulation.frame()
    assert min(start.stats.volumes) > 0
    for _ in range(40):
        frame = simulation.step(1 / 60)
        assert frame.fractions.min() >= 0.0
        assert np.abs(frame.fractions.sum(0) - 1).max() < 1e-12
        assert frame.stats.volume_drift < 1e-9
        assert not frame.stats.notices
    moved = np.abs(frame.fractions - start.fractions).mean((1, 2))
    assert moved.min() > 1e-3  # all four have flowed


def test_a_crowd_of_phases_never_turns_negative_by_transport_alone() -> None:
    """Random fractions of five phases in every cell, random divergence-free flow: nothing is clipped, to round-off."""
    taichi_runtime.start("cpu")
    random, n, count = np.random.default_rng(3), 24, 4
    f = random.dirichlet(np.full(count + 1, 0.4), size=(n, n)).transpose(2, 0, 1)
    F = torch.from_numpy(np.cumsum(f, 0)[:-1].clip(0, 1)).contiguous()
    psi = np.zeros((n + 1, n + 1))
    psi[1:-1, 1:-1] = random.normal(size=(n - 1, n - 1))
    u, v = torch.from_numpy(-np.diff(psi, axis=0)).contiguous(), torch.from_numpy(np.diff(psi, axis=1)).contiguous()
    largest = np.diff(
        np.pad(F.numpy(), ((1, 1), (0, 0), (0, 0)), constant_values=((0, 1), (0, 0), (0, 0))), axis=0
    ).max(0)
    across = (torch.maximum(u[:, 1:].abs(), u[:, :-1].abs()) + torch.maximum(v[1:].abs(), v[:-1].abs())).numpy()
    dt_dx = 0.98 * float((np.minimum(largest, 0.5) / across).min())

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    before = F.sum((1, 2))
    Transport(F).volume(0, F, u, v, torch.zeros(n, n, dtype=torch.uint8), zeros(count, 4, n), dt_dx)
    assert float((F.sum((1, 2)) - before).abs().max()) < 1e-11  # clipping would show here


def test_what_is_not_there_does_not_matter() -> None:
    """Phases of which a scene holds nothing change nothing but the rounding of sums."""
    two = {"water": (1000.0, 0.1), "gas": (10.0, 0.0)}
    more = {"syrup": (1400.0, 50.0), **{k: two[k] for k in ("water",)}, "oil": (800.0, 5.0), "gas": two["gas"]}
    frames = []
    for phases in (two, more):
        simulation = Simulation(scene(phases, [("water", COLUMN)]), solve=pressure_solver(), device="cpu")
        for _ in range(10):
            frame = simulation.step(1 / 60)
        frames.append(frame)
    for name in ("u", "v", "pressure", "density"):
        assert np.allclose(getattr(frames[0], name), getattr(frames[1], name), rtol=0, atol=1e-9), name
    assert np.allclose(frames[0].fractions[0], frames[1].fractions[1], rtol=0, atol=1e-9)


def test_a_liquid_split_in_two_flows_as_one() -> None:
    """Two phases of the same density and viscosity move together as one of them would alone."""
    one = scene({"water": (1000.0, 0.1), "gas": (10.0, 0.0)}, [("water", COLUMN), ("water", DROP)])
    two = scene(
        {"water": (1000.0, 0.1), "wine": (1000.0, 0.1), "gas": (10.0, 0.0)}, [("water", COLUMN), ("wine", DROP)]
    )
    frames = []
    for given in (one, two):
        simulation = Simulation(given, solve=pressure_solver(rtol=1e-10), device="cpu")
        for _ in range(20):
            frame = simulation.step(1 / 60)
        frames.append(frame)
    difference = np.abs(frames[0].fractions[0] - frames[1].fractions[:2].sum(0)).mean()
    assert difference < 2e-3  # of where the two meet, planes are shared; measured 2e-4


def test_pouring_and_erasing_know_every_phase() -> None:
    simulation = Simulation(scene(FOUR, SHAPES), solve=pressure_solver(rtol=1e-10), device="cpu")
    volume = simulation.frame().stats.volumes
    for phase in range(4):
        stroke = Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, phase=phase)
        frame = simulation.step(1e-3, Controls(densities=tuple(d for d, _ in FOUR.values()), strokes=(stroke,)))
        assert frame.fractions[phase, 25, 25] == pytest.approx(1.0, abs=1e-6)
        assert frame.stats.volume_drift < 1e-9
    assert frame.stats.volumes[3] == pytest.approx(volume[3], rel=0.02)  # gas again in the end, but for edges


@pytest.mark.parametrize("name", ["three-liquids", "sinking-blob", "lava-lamp", "pour", "emulsion"])
def test_every_many_phase_scene_flows_without_loss(name: str) -> None:
    given = load(name)
    simulation = Simulation(
        given, (48, round(48 * given.grid[1] / given.grid[0])), solve=pressure_solver(), device="cpu"
    )
    for _ in range(12):
        frame = simulation.step(1 / 60)
        assert not frame.stats.notices, frame.stats.notices
    assert frame.stats.volume_drift < 1e-6
    assert np.abs(frame.fractions.sum(0) - 1).max() < 1e-12
    assert frame.stats.speed_max > 1e-4
    assert len(given.phases) >= 3


def test_there_are_scenes_of_many_phases() -> None:
    assert sum(len(load(name).phases) > 2 for name in names()) >= 5


def test_too_many_phases_are_refused() -> None:
    phases = {f"p{k}": (1000.0 - k, 0.0) for k in range(9)}
    with pytest.raises(SceneError, match="2 to 8 phases, not 9"):
        scene(phases, [])


@pytest.mark.parametrize(
    ("controls", "needle"),
    [
        ({"viscosities": (1.0,)}, "1 values of viscosity"),
        ({"viscosities": (1.0, -2.0)}, "-2.0"),
        ({"tensions": (1.0, 2.0)}, "2 values of surface tension"),
        ({"tensions": (float("nan"),)}, "nan"),
    ],
)
def test_controls_that_do_not_fit_are_refused(controls, needle) -> None:
    with pytest.raises(ValueError, match=needle):
        Controls(**controls)


def test_viscosity_and_tension_slow_and_round_what_flows() -> None:
    """More viscosity, less speed; with surface tension a box of liquid becomes rounder. Both by the controls alone."""
    liquid = scene({"liquid": (1000.0, 0.0), "gas": (10.0, 0.0)}, [("liquid", COLUMN)])
    speeds = []
    for viscosity in (0.0, 1e4, 1e5):
        simulation = Simulation(liquid, solve=pressure_solver(), device="cpu")
        controls = Controls(densities=(1000.0, 10.0), viscosities=(viscosity, 0.0))
        for _ in range(15):
            frame = simulation.step(1 / 60, controls)
        speeds.append(float(np.sqrt((frame.u[:, 1:] ** 2 * frame.density).mean())))
    assert all(a > 1.2 * b for a, b in pairwise(speeds)), speeds
    box = scene(
        {"liquid": (1000.0, 10.0), "gas": (10.0, 1.0)},
        [("liquid", 'kind = "box"\nstart = [0.3, 0.3]\nend = [0.7, 0.7]')],
    )
    simulation = Simulation(box, solve=pressure_solver(), device="cpu")
    controls = Controls(0.0, (1000.0, 10.0), (), (10.0, 1.0), (2000.0,))
    energies = [simulation.step(0.02, controls).stats.energy for _ in range(30)]
    assert simulation.frame().stats.speed_max > 0.1
    assert max(energies) < energies[0] * 1.01
    assert simulation.step(0.2, controls).stats.limit == "capillary"
