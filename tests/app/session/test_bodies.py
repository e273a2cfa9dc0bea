"""Sessions of scenes with bodies: logged, replayed, saved, and written as scenes."""

import json
from dataclasses import replace

import pytest

from app.cli.outputs import forces
from app.session import input_log_reader
from app.session.input_log import InputLog
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.scenes.reader import load, parse


def opened(scene, **more):
    return Session(scene, (32, 48), SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu", **more)


def test_a_run_with_bodies_is_replayed_bit_for_bit(tmp_path):
    file = tmp_path / "run.jsonl"
    live = opened(load("floating-box"), log=InputLog(file))
    live.step()
    live.set_body_densities((2000.0,))
    with pytest.raises(ValueError, match="2 densities are given for 1 bodies"):
        live.set_body_densities((1.0, 2.0))
    for _ in range(3):
        live.step()
    live.close_log()
    found = input_log_reader.load(file)
    again = opened(found.start.scene, replay=found)
    while again.replaying:
        again.step()
    assert again.last.stats.bodies == live.last.stats.bodies
    assert live.last.stats.bodies[0].density == 2000.0
    assert "bit for bit" in again.journal.replay.verdict()
    text = file.read_text().replace("[2000.0]", "[2000.0, 1.0]")
    file.write_text(text)
    with pytest.raises(ValueError, match="2 densities are given for 1 bodies"):
        input_log_reader.load(file)


def test_a_saved_run_goes_on_and_its_scene_keeps_densities(tmp_path):
    live = opened(load("floating-box"))
    live.step()
    live.set_body_densities((700.0,))
    assert parse("again", live.start.source).bodies == (replace(load("floating-box").bodies[0], density=700.0),)
    live.save(tmp_path / "state.npz")
    settings = live.settings
    other = opened(load("dam-break"))
    other.load(tmp_path / "state.npz")
    assert other.settings == replace(settings, body_densities=(400.0,))  # those of the last step
    other.set_body_densities((700.0,))
    assert other.step().stats.bodies == live.step().stats.bodies


def test_going_back_in_time_takes_the_bodies_along():
    live = opened(load("floating-box"), timeline=1 << 26)
    first = [live.step().stats.bodies for _ in range(4)]
    live.rewind(2)
    assert live.last.stats.bodies == first[1]
    assert [live.step().stats.bodies for _ in range(2)] == first[2:]


def test_the_json_lists_bodies_and_solids_where_there_are_any():
    live = opened(load("floating-box"))
    table = json.loads(json.dumps(forces(live.step())))
    assert table["solids"] == []
    (body,) = table["bodies"]
    assert body["name"] == "box"
    assert body["pressure_force"][1] > 0
    assert forces(opened(load("dam-break")).step()) == {}
