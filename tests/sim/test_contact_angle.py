"""Contact angles: a drop comes to rest as the circular cap whose angle the scene says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from sim import Simulation
from sim.scenes import writer
from sim.scenes.reader import SceneError, parse
from tests.scenes import pressure_solver

SCENE = """
title = "Drop"
sentence = "A drop on a wall."
gravity = 0.0

[[phases]]
name = "water"
density = 100.0
viscosity = 4.0
color = "#1f7fd1"

[[phases]]
name = "gas"
density = 1.0
viscosity = 0.4
color = "#f3efe6"

[[tensions]]
between = ["water", "gas"]
value = 2.0

[[contact_angles]]
between = {between}
angle = {angle}

[[shapes]]
kind = "disc"
phase = "water"
center = {center}
radius = 0.25
"""
CENTERS = {"bottom": [0.5, 0.0], "left": [0.0, 0.5], "top": [0.5, 1.0]}


def at_rest(angle, n, wall="bottom", between=("water", "gas"), center=None, more="", seconds=4.0):
    """Fractions of the drop once it is at rest, the wall below."""
    text = SCENE.format(angle=angle, center=center or CENTERS[wall], between=list(between))
    scene = parse("drop", text + more)
    simulation = Simulation(scene, (n, n), solve=pressure_solver(rtol=1e-6), device="cpu")
    while simulation.time < seconds:
        frame = simulation.step(0.02)
    assert frame.stats.volume_drift < 1e-6
    assert frame.stats.speed_max < 0.01
    drop = frame.fractions[0] * ~frame.solid
    return {"bottom": drop, "left": drop.T, "top": drop[::-1]}[wall]


def angle_of(drop):
    """Degrees, of the circular cap that has the drop's area and height."""
    n = len(drop)
    area, height = drop.sum() / n**2, drop.sum(0).max() / n

    def excess(t):
        return (t - np.sin(t) * np.cos(t)) / (1 - np.cos(t)) ** 2 - area / height**2

    return np.degrees(brentq(excess, np.radians(5), np.radians(179)))


@pytest.mark.parametrize(("angle", "n", "wall"), [
    (60.0, 24, "bottom"), (120.0, 24, "bottom"), (60.0, 32, "left"), (120.0, 32, "top"), (135.0, 32, "left"),
])  # fmt: skip
def test_a_drop_keeps_the_angle_of_its_scene(angle, n, wall):
    assert angle_of(at_rest(angle, n, wall)) == pytest.approx(angle, abs=3.0)  # measured 2.5 at 135, 1.5 at 120


def test_the_angle_is_measured_through_the_first_of_the_two():
    assert angle_of(at_rest(60.0, 24, between=("gas", "water"))) == pytest.approx(120.0, abs=3.0)


def test_walls_within_the_domain_count_too():
    floor = '[[solids]]\nkind = "box"\nstart = [0.0, 0.0]\nend = [1.0, 0.25]\n'
    drop = at_rest(120.0, 32, center=[0.5, 0.25], more=floor)[8:]
    padded = np.zeros((32, 32))
    padded[: len(drop)] = drop
    assert angle_of(padded) == pytest.approx(120.0, abs=3.0)


def test_of_three_phases_each_pair_has_its_own_angle():
    oil = '[[phases]]\nname = "oil"\ndensity = 90.0\nviscosity = 1.0\ncolor = "#f0c040"\n'
    third = SCENE.replace('[[phases]]\nname = "gas"', oil + '\n[[phases]]\nname = "gas"')
    more = (
        '[[tensions]]\nbetween = ["oil", "gas"]\nvalue = 2.0\n[[tensions]]\nbetween = ["water", "oil"]\nvalue = 1.0\n'
    )
    more += '[[contact_angles]]\nbetween = ["oil", "gas"]\nangle = 120.0\n'
    of_oil = third.replace('phase = "water"', 'phase = "oil"')
    scene = parse("oil", of_oil.format(angle=60.0, center=[0.5, 0.0], between=["water", "gas"]) + more)
    cot = scene.wetting()
    assert cot[0, 2] == pytest.approx(1 / np.tan(np.radians(60)))
    assert cot[1, 2] == pytest.approx(1 / np.tan(np.radians(120)))
    assert cot[0, 1] == 0


def test_90_degrees_are_what_there_is_without_an_angle():
    scene = parse("drop", SCENE.format(angle=90.0, center=[0.5, 0.0], between=["water", "gas"]))
    assert scene.wetting() is None


def test_scenes_with_angles_are_written_as_they_are_read():
    scene = parse("drop", SCENE.format(angle=75.0, center=[0.5, 0.0], between=["water", "gas"]))
    again = parse("drop", writer.text_of(scene))
    assert again.contact_angles == scene.contact_angles
    assert again.contact_angles[0].angle == 75.0


def test_a_scene_whose_tension_was_switched_off_is_saved_without_its_angle():
    from app.session.scene_editor import with_settings
    from sim.frame import Controls

    scene = parse("drop", SCENE.format(angle=75.0, center=[0.5, 0.0], between=["water", "gas"]))
    off = with_settings(scene, Controls(0.0, (100.0, 1.0), (), (4.0, 0.4), (0.0,)), (24, 24))
    assert parse("drop", off.source).contact_angles == ()


@pytest.mark.parametrize(("old", "new", "words"), [
    ("angle = 60", "angle = 10", "must lie in"),
    ('between = ["water", "gas"]\nangle', 'between = ["water", "oil"]\nangle', "key 'between' of a contact angle"),
    ('[[tensions]]\nbetween = ["water", "gas"]\nvalue = 2.0\n', "", "needs a surface tension of the two"),
])  # fmt: skip
def test_wrong_angles_are_refused(old, new, words):
    text = SCENE.format(angle=60, center=[0.5, 0.0], between=["water", "gas"]).replace("'", '"')
    assert old in text
    with pytest.raises(SceneError, match=words) as refusal:
        parse("drop", text.replace(old, new))
    assert "\n" not in str(refusal.value)
