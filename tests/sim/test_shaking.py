"""A tank that is moved: what the fluid feels of it, in the frame of the tank."""

from __future__ import annotations

import numpy as np
import pytest

from sim import Simulation
from sim.scenes import writer
from sim.scenes.reader import SceneError, parse
from tests.scenes import pressure_solver

SCENE = """
title = "Tank"
sentence = "A tank that is moved."
gravity = 9.81
height = 1.0

[[phases]]
name = "water"
density = {water}
color = "#1f7fd1"

[[phases]]
name = "gas"
density = {gas}
color = "#f3efe6"

[[shapes]]
kind = "pool"
phase = "water"
height = 0.5

[shaking]
amplitude = {amplitude}
period = {period}
"""


def tank(n, water=1000.0, gas=10.0, amplitude=0.01, period=1.0):
    scene = parse("tank", SCENE.format(water=water, gas=gas, amplitude=amplitude, period=period))
    return Simulation(scene, (n, n), solve=pressure_solver(rtol=1e-9), device="cpu")


def test_one_density_stays_at_rest_and_the_pressure_balances_the_tank():
    """grad p = -rho (a, g), a the tank's acceleration over the last step."""
    simulation = tank(16, 700.0, 700.0, amplitude=0.3, period=0.9)
    for _ in range(7):
        frame = simulation.step(1 / 60)
        assert frame.stats.speed_max < 1e-8
    along = np.diff(frame.pressure, axis=1) * 16 / 700.0
    # the last forces acted until the velocity was half a step ahead of the positions
    end = simulation.time + simulation.ahead
    h = simulation.substep_dt
    impulse = simulation.scene.shaking.impulse(end - h, end)
    assert along == pytest.approx(impulse / h, rel=1e-3)
    assert impulse < 0  # the tank moves to the right first


def test_a_tank_at_its_own_frequency_sloshes_and_a_slower_one_does_not():
    """omega^2 = g k tanh(k h) with k = pi / L, of water under air (Lamb 1932, art. 228)."""
    k = np.pi
    own = 2 * np.pi / np.sqrt(9.81 * k * np.tanh(k * 0.5) * (1000 - 10) / (1000 + 10))
    tilt = {}
    for name, period in (("own", own), ("slow", 1.7 * own)):
        simulation, seen = tank(32, amplitude=0.002, period=period), []
        while simulation.time < 3 * own:
            frame = simulation.step(1 / 60)
            level = frame.fractions[0].sum(0) / 32
            seen.append(level[-1] - level[0])
        tilt[name] = np.abs(seen[-60:]).max()
        assert frame.stats.volume_drift < 1e-8
    assert tilt["own"] > 5 * tilt["slow"]
    # a mode that is driven at its own frequency grows by pi/2 times the forcing in a half period
    assert tilt["own"] > 0.02


def test_going_on_from_a_state_is_going_on():
    one, other = tank(16), tank(16)
    for _ in range(5):
        one.step(1 / 60)
    other.restore(one.state())
    for _ in range(4):
        a, b = one.step(1 / 60), other.step(1 / 60)
    assert np.array_equal(a.u, b.u)
    assert np.array_equal(a.fractions, b.fractions)


def test_scenes_with_shaking_are_written_as_they_are_read():
    scene = tank(16, amplitude=0.25, period=1.5).scene
    assert parse("tank", writer.text_of(scene)).shaking == scene.shaking


@pytest.mark.parametrize(("amplitude", "period", "words"), [
    (0.1, 0.0, "a period of 1e-3"), (1e9, 1.0, "an amplitude within 1e6"), (1e5, 1e-3, "accelerates by"),
    (-1e5, 1e-3, "accelerates by"),
])  # fmt: skip
def test_wrong_shaking_is_refused(amplitude, period, words):
    with pytest.raises(SceneError, match=words):
        tank(16, amplitude=amplitude, period=period)
