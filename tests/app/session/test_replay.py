"""Logs of a run: whatever the user did is written with its frame, and a replay of it is the same run, bit for bit."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from app.session import input_log, input_log_reader, state_file
from app.session.input_log import InputLog
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Stroke
from sim.scenes.reader import load, parse

ROOT = Path(__file__).resolve().parents[3]
GRID = (32, 32)
THREE = """
title = "Three"
sentence = "Three liquids and a stone."
grid = [32, 32]
height = 10.0
[[phases]]
name = "water"
density = 1000.0
color = "#2456c8"
viscosity = 0.5
[[phases]]
name = "oil"
density = 700.0
color = "#e0a52a"
[[phases]]
name = "air"
density = 10.0
color = "#eef2f7"
[[shapes]]
kind = "pool"
phase = "water"
height = 0.3
[[shapes]]
kind = "disc"
phase = "oil"
center = [0.3, 0.6]
radius = 0.15
[[solids]]
kind = "disc"
center = [0.6, 0.6]
radius = 0.1
[[tensions]]
between = ["water", "oil"]
value = 3.0
"""


def logged(path, scene=None, **more):
    """A session that writes a log."""
    scene = scene or parse("three", THREE)
    return Session(scene, GRID, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu", log=InputLog(path), **more)


def replayed(path):
    """The run that a log tells of, done again."""
    found = input_log_reader.load(path)
    start = found.start
    solve = SwitchableSolver(start.choice, start.device, start.weights)
    place = start.scene, start.grid.shape
    more = {"device": start.device, "seed": start.seed, "threads": start.threads, "saved": start.state}
    running = Session(*place, solve, **more, replay=found)
    while running.replaying:
        running.step()
    return running


def assert_same(one, two):
    assert one.frames == two.frames
    for name in ("F", "u", "v", "p", "solid"):
        mine, other = (getattr(session.simulation, name).numpy() for session in (one, two))
        assert np.array_equal(mine, other), name
    assert one.simulation.time == two.simulation.time
    assert one.settings == two.settings


def everything(live):
    """All that a user can do, frame by frame."""
    live.step()
    live.set_gravity(4.0)
    live.stroke(Stroke("push", 1.0, 1.0, 1.7, 1.3, 1.0))
    live.step()
    live.stroke(Stroke("pour", 5.0, 8.0, 6.0, 8.0, 0.8, 1))
    live.set_viscosities((2.0, 0.25, 0.0))
    live.set_densities((900.0, 500.0, 3.0))
    live.step()
    live.solve.choice = Choice("jacobi", 1e-5)
    live.step()
    for k in range(4):
        live.stroke(Stroke("drag", 6 + k / 4, 6.0, 6 + (k + 1) / 4, 6.0, 0.5))
    live.step()
    live.let_go()
    live.set_tensions((0.0, 2.0, 1 / 3))
    live.set_color(1, (0.25, 0.5, 0.75))
    live.step()
    live.reset()
    live.stroke(Stroke("solid", 2.0, 5.0, 3.0, 5.0, 0.6))
    live.undo()
    live.redo()
    live.step()
    live.undo()
    live.step()
    live.set_grid((24, 24))
    live.step()
    live.stroke(Stroke("erase", 2.0, 5.0, 2.5, 5.0, 0.6))
    live.step()
    live.set_scene(load("rising-bubble"), (32, 48))
    live.step()
    live.set_gravity(-1.5)
    live.step()
    live.reset()  # after the last frame
    live.close_log()


def test_a_replay_equals_the_live_run_bit_for_bit(tmp_path):
    file, again = tmp_path / "run.jsonl", tmp_path / "again.jsonl"
    live = logged(file, seed=7)
    everything(live)
    repeated = replayed(file)
    assert_same(live, repeated)
    assert "bit for bit" in repeated.journal.replay.verdict()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line.get("do", "start") for line in lines} == {"start", "end", "discard", *input_log_reader.COMMANDS} - {
        "discard",
        "load",
        "rewind",  # see test_timeline.py
        "body-densities",  # see test_bodies.py
    }
    assert [line["frame"] for line in lines[1:]] == sorted(line["frame"] for line in lines[1:])
    # a log of the replay tells the same
    found = input_log_reader.load(file)
    solve, more = SwitchableSolver(found.start.choice), {"device": "cpu", "seed": 7}
    twice = Session(found.start.scene, GRID, solve, **more, log=InputLog(again), replay=found)
    while twice.replaying:
        twice.step()
    twice.close_log()
    assert sorted(again.read_text().splitlines()[1:]) == sorted(file.read_text().splitlines()[1:])


def test_a_replay_without_one_of_its_inputs_differs(tmp_path):
    file = tmp_path / "run.jsonl"
    everything(logged(file))
    lines = file.read_text().splitlines(keepends=True)
    assert '"do": "scene"' in lines[-4]
    file.write_text("".join([*lines[:-4], *lines[-3:]]))
    assert "differs" in replayed(file).journal.replay.verdict()


def test_a_switch_within_a_frame_is_logged_with_its_solve(tmp_path):
    live = logged(tmp_path / "run.jsonl")
    live.set_gravity(300.0)  # many sub-steps
    solve = live.solve

    def switching(system, b, x0):
        if live.frames == 2 and len(solve.used) == 2:
            solve.choice = Choice("dilu", 1e-4)  # as the window's thread may at any moment
        return solve(system, b, x0)

    live.simulation.solve = switching
    for _ in range(4):
        live.step()
    live.close_log()
    lines = map(json.loads, live.journal.log.path.read_text().splitlines()[1:])
    chosen = [line for line in lines if line["do"] == "choose"]
    assert chosen == [{"frame": 2, "do": "choose", "solve": 2, "precond": "dilu", "tol": 1e-4}]
    assert_same(live, replayed(live.journal.log.path))


def test_a_frame_that_breaks_off_leaves_no_strokes_behind(tmp_path, monkeypatch):
    live = logged(tmp_path / "run.jsonl")
    live.step()
    live.stroke(Stroke("pour", 5.0, 8.0, 6.0, 8.0, 0.8, 1))
    live.stroke(Stroke("drag", 6.0, 6.0, 9.0, 6.0, 0.5))
    with monkeypatch.context() as patch:
        patch.setattr(live.simulation, "step", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
        with pytest.raises(RuntimeError):
            live.step()
    live.stroke(Stroke("push", 2.0, 2.0, 3.0, 2.0, 0.8))
    live.step()
    live.close_log()
    assert_same(live, replayed(live.journal.log.path))


def test_a_run_continued_from_a_state_is_replayed_from_that_state(tmp_path):
    first = logged(tmp_path / "first.jsonl")
    first.step()
    file = tmp_path / "state.npz"
    first.save(file)
    live = logged(tmp_path / "run.jsonl", saved=state_file.load(file))
    live.step()
    live.load(file)
    live.set_gravity(1.0)
    live.step()
    live.close_log()
    assert_same(live, replayed(live.journal.log.path))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (file, live.journal.log.path):
        path.rename(moved / path.name)
    assert_same(live, replayed(moved / live.journal.log.path.name))
    (moved / file.name).write_bytes(b"another")
    with pytest.raises(ValueError, match="has changed"):
        input_log_reader.load(moved / live.journal.log.path.name)
    (moved / file.name).unlink()
    with pytest.raises(ValueError, match="is missing"):
        input_log_reader.load(moved / live.journal.log.path.name)


def test_a_crash_loses_nothing_but_a_line_that_was_half_written(tmp_path):
    live = logged(tmp_path / "run.jsonl")
    for gravity in (1.0, 2.0, 3.0):
        live.set_gravity(gravity)
        live.step()
    with live.journal.log.path.open("a") as file:
        file.write('{"frame": 3, "do": "gra')
    repeated = replayed(live.journal.log.path)
    assert_same(live, repeated)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_log_and_not_the_run(tmp_path):
    live = logged(tmp_path / "run.jsonl")
    live.journal.log._file.close()
    live.journal.log._file = open("/dev/full", "w")  # noqa: SIM115
    live.set_gravity(1.0)
    live.step()
    assert "No space left" in live.journal.log.error
    live.close_log()


def test_settings_are_checked_kept_over_a_reset_and_shown(tmp_path):
    live = logged(tmp_path / "run.jsonl")
    assert live.settings.viscosities == (0.5, 0.0, 0.0)
    assert live.settings.tensions == (3.0, 0.0, 0.0)
    live.set_viscosities((1.0, 2.0, 3.0))
    live.set_tensions((4.0, 5.0, 6.0))
    assert live.step().stats.limit
    assert live.simulation.controls.viscosities == (1.0, 2.0, 3.0)
    live.reset()
    shown = live.snapshot()
    assert (shown.settings.viscosities, shown.settings.tensions) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    before = live.settings
    for wrong in (
        lambda: live.set_viscosities((1.0, -2.0, 3.0)),
        lambda: live.set_viscosities((1.0, 2.0)),
        lambda: live.set_tensions((1.0,)),
        lambda: live.set_densities((1.0, 1.0)),
        lambda: live.set_gravity(float("nan")),
        lambda: live.stroke(Stroke("pour", 1.0, 1.0, 1.0, 1.0, 1.0, 3)),
    ):
        with pytest.raises(ValueError):
            wrong()
    assert live.settings == before
    assert len(live.journal.log.path.read_text().splitlines()) == 4
    live.close_log()


def test_during_a_replay_only_the_log_decides(tmp_path):
    file = tmp_path / "run.jsonl"
    everything(logged(file))
    found = input_log_reader.load(file)
    running = Session(found.start.scene, GRID, SwitchableSolver(found.start.choice), device="cpu", replay=found)
    with pytest.raises(ValueError, match="during a replay"):
        running.reset()
    while running.replaying:
        running.step()
    running.set_gravity(2.0)
    assert running.settings.gravity == 2.0


POINT = {"x0": 0, "y0": 0, "x1": 0, "y1": 0, "radius": 1, "phase": 0}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The first line of a log."""
    file = tmp_path_factory.mktemp("log") / "run.jsonl"
    logged(file).close_log()
    return json.loads(file.read_text().splitlines()[0])


@pytest.mark.parametrize(
    ("line", "offending"),
    [
        ("not json", "line 2 is not json"),
        ("[1, 2]", "not a table"),
        ("[" * 100_000, "line 2"),
        ({"frame": 0, "do": "__import__"}, "__import__"),
        ({"frame": 0, "do": "save", "path": "/tmp/x"}, "save"),
        ({"frame": 0}, "do"),
        ({"frame": -1, "do": "reset"}, "frame"),
        ({"frame": 0.5, "do": "reset"}, "frame"),
        ({"frame": True, "do": "reset"}, "frame"),
        ({"do": "reset"}, "frame"),
        ({"frame": 0, "do": "reset", "hard": True}, "hard"),
        ({"frame": 0, "do": "gravity"}, "value"),
        ({"frame": 0, "do": "gravity", "value": "9.81"}, "9.81"),
        ('{"frame": 0, "do": "gravity", "value": NaN}', "value"),
        ('{"frame": 0, "do": "gravity", "value": 1' + "0" * 400 + "}", "line 2"),
        ({"frame": 0, "do": "gravity", "value": 1e9}, "1000000000.0"),
        ({"frame": 0, "do": "densities", "values": [1.0, 2.0]}, "2 densities"),
        ({"frame": 0, "do": "densities", "values": [1.0, 2.0, -3.0]}, "-3.0"),
        ({"frame": 0, "do": "densities", "values": "abc"}, "list"),
        ({"frame": 0, "do": "viscosities", "values": [1.0]}, "viscosity"),
        ({"frame": 0, "do": "tensions", "values": [1.0] * 1000}, "list"),
        ({"frame": 0, "do": "stroke", "tool": "nuke", **POINT}, "nuke"),
        ({"frame": 0, "do": "stroke", "tool": "pour", **POINT, "phase": 3}, "3"),
        ({"frame": 0, "do": "stroke", "tool": "pour", **POINT, "radius": 0}, "radius"),
        ({"frame": 0, "do": "choose", "solve": 0, "precond": "magic", "tol": 1e-6}, "magic"),
        ({"frame": 0, "do": "choose", "solve": 0, "precond": "jacobi", "tol": 2}, "tol"),
        ({"frame": 0, "do": "scene", "name": "x", "source": "title = 3", "grid": [32, 32]}, "scene 'x'"),
        ({"frame": 0, "do": "scene", "name": "x", "source": THREE, "grid": [3, 32]}, "3x32"),
        ({"frame": 0, "do": "load", "file": "/nowhere/state.npz", "sha256": "0"}, "/nowhere/state.npz"),
        ({"frame": 0, "do": "load", "file": 3, "sha256": "0"}, "file"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_lines_are_refused_in_one_sentence(start, tmp_path, capsys, line, offending):
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps(start) + "\n" + (line if isinstance(line, str) else json.dumps(line)) + "\n")
    assert main(["--headless", "--replay", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(file) in error
    assert offending in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("change", "offending"),
    [
        ({"log": 99}, "99"),
        ({"device": "abacus"}, "abacus"),
        ({"precond": "magic"}, "magic"),
        ({"tol": -1}, "tol"),
        ({"seed": -1}, "seed"),
        ({"threads": "many"}, "threads"),
        ({"weights": 5}, "weights"),
        ({"grid": [1, 2, 3]}, "grid"),
        ({"scene": "dam-break"}, "scene"),
        ({"settings": {"gravity": 1}}, "settings"),
        ({"state": "x"}, "state"),
        ({"more": 1}, "more"),
    ],
    ids=str,
)
def test_bad_starts_are_refused_in_one_sentence(start, tmp_path, capsys, change, offending):
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps({**start, **change}) + "\n")
    assert main(["--headless", "--replay", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert offending in error


def test_files_that_are_no_logs_are_refused_in_one_sentence(tmp_path, capsys):
    empty, binary = tmp_path / "empty.jsonl", tmp_path / "binary.jsonl"
    empty.touch()
    binary.write_bytes(b"\xff\xfe\x00" * 9)
    for file in (empty, binary, tmp_path / "missing.jsonl", tmp_path, ROOT / "README.md"):
        assert main(["--headless", "--replay", str(file)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert str(file) in error


def test_the_log_decides_where_and_how_a_replay_starts(start, tmp_path, capsys):
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps(start) + "\n")
    for more in (
        ["--scene", "dam-break"], ["--grid", "32x32"], ["--state", "a.npz"], ["--seed", "1"], ["--tol", "1e-3"],
        ["--log", str(file)],
    ):  # fmt: skip
        assert main(["--headless", "--replay", str(file), *more]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert more[0] in error
    assert main(["--headless", "--log", str(tmp_path / "log.txt")]) == 2
    assert "log.txt" in capsys.readouterr().err


def test_the_options_log_and_replay_a_run(tmp_path, capsys):
    file, one, two = (tmp_path / name for name in ("run.jsonl", "one.npz", "two.npz"))
    run = ["--headless", "--grid", "32x32", "--frames", "5", "--precond", "jacobi,multigrid", "--log", str(file)]
    assert main([*run, "--save-state", str(one)]) == 0
    capsys.readouterr()
    numbers = tmp_path / "numbers.json"
    assert main(["--headless", "--replay", str(file), "--save-state", str(two), "--json", str(numbers)]) == 0
    assert "bit for bit" in capsys.readouterr().out
    first, second = state_file.load(one), state_file.load(two)
    for name in ("F", "u", "v", "p"):
        assert np.array_equal(first.arrays[name], second.arrays[name]), name
    panes = json.loads(numbers.read_text())["panes"]
    assert [(pane["precond"], pane["frames"]) for pane in panes if pane["frames"]] == [("jacobi", 3), ("multigrid", 2)]
    other = ["--headless", "--replay", str(file), "--precond", "dilu", "--json", str(numbers)]
    assert main(other) == 0
    assert "bit for bit" not in capsys.readouterr().out
    assert [pane["precond"] for pane in json.loads(numbers.read_text())["panes"]] == ["dilu"]


LIVE = """
import sys, time
from pathlib import Path
from app.session.input_log import InputLog
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from sim.frame import Stroke
from sim.scenes.reader import load

solve, made = SwitchableSolver(Choice("jacobi", 1e-6)), []

def opened():
    made.append(Session(load("drop-splash"), (32, 32), solve, device="cpu", log=InputLog(Path(sys.argv[1]))))
    return made[0]

view = ViewModel(solve)
worker = Worker(opened, solve, view)
worker.start()
end = time.monotonic() + 60
while view.snapshot is None or view.snapshot.frames < 3:
    assert time.monotonic() < end and not view.fatal_error, view.fatal_error
    time.sleep(0.01)
for k in range(60):
    view.submit(Session.stroke, Stroke("drag" if k % 20 < 10 else "push", 0.3 + k / 9, 2, 0.3 + (k + 1) / 9, 2, 0.5))
    time.sleep(0.007)
    if k % 16 == 5:
        view.choose(Choice(("multigrid", "dilu", "jacobi")[k % 3], 10.0 ** -(4 + k % 4)))
    if k % 13 == 7:
        view.submit(Session.set_gravity, 1.0 + k)
    if k == 40:
        view.submit(Session.reset)
view.set_paused(True)
time.sleep(0.2)
view.submit(Session.save, Path(sys.argv[2]))
while not Path(sys.argv[2]).is_file():
    assert time.monotonic() < end
    time.sleep(0.01)
worker.close()
made[0].close_log()
"""


def test_what_the_worker_did_live_is_replayed_bit_for_bit(tmp_path):
    file, saved = tmp_path / "run.jsonl", tmp_path / "state.npz"
    command = [sys.executable, "-c", LIVE, str(file), str(saved)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    repeated = replayed(file)
    assert "bit for bit" in repeated.journal.replay.verdict()
    live = state_file.load(saved)
    for name in ("F", "u", "v", "p", "solid"):
        assert np.array_equal(getattr(repeated.simulation, name).numpy(), live.arrays[name]), name
    commands = {json.loads(line).get("do") for line in file.read_text().splitlines()}
    assert commands >= {"stroke", "gravity", "reset", "choose"}


REPLAYING = """
import sys, time
from pathlib import Path
from app.session import input_log_reader
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.worker.view_model import ViewModel
from app.worker.worker import Worker

found = input_log_reader.load(Path(sys.argv[1]))
solve = SwitchableSolver(found.start.choice)
view = ViewModel(solve, paused=True)
worker = Worker(lambda: Session(found.start.scene, (32, 32), solve, device="cpu", replay=found), solve, view)

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end and worker.is_alive(), (view.fatal_error, view.notice)
        time.sleep(0.005)

worker.start()
until(lambda: view.snapshot is not None)
view.submit(Session.reset)
until(lambda: view.notice is not None and "during a replay" in view.notice.text)
view.choose(Choice("dilu", 1e-3))
assert view.choice == found.start.choice
view.set_paused(False)
until(lambda: view.paused)
assert view.snapshot.frames == found.frames
assert "The replay has ended" in view.notice.text and "bit for bit" in view.notice.text, view.notice.text
view.submit(Session.set_gravity, 2.0)
view.set_paused(False)
until(lambda: view.snapshot.frames > found.frames + 1 and view.snapshot.settings.gravity == 2.0)
worker.close()
"""


def test_in_the_window_a_replay_runs_undisturbed_and_pauses_at_its_end(tmp_path):
    file = tmp_path / "run.jsonl"
    everything(logged(file))
    command = [sys.executable, "-c", REPLAYING, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


def test_check_sums_tell_bits_apart(tmp_path):
    live = logged(tmp_path / "run.jsonl")
    frame = live.step()
    u = frame.u.copy()
    u[3, 3] = np.nextafter(u[3, 3], 1.0)
    assert (
        input_log.check_sum(replace(frame, u=u))
        != input_log.check_sum(frame)
        == input_log.check_sum(replace(frame, u=frame.u.copy()))
    )
    live.close_log()


def test_a_run_whose_method_was_chosen_by_measurement_is_replayed_by_what_was_taken(tmp_path, capsys):
    common = ["--headless", "--grid", "32x32"]
    log, state = tmp_path / "auto.jsonl", tmp_path / "auto.npz"
    assert main([*common, "--precond", "auto", "--frames", "6", "--log", str(log), "--save-state", str(state)]) == 0
    assert "auto" not in log.read_text().replace("auto.", "")
    capsys.readouterr()
    assert main(["--headless", "--replay", str(log)]) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert state_file.load(state).choice.precond != "auto"


def test_weights_go_with_a_method_that_is_chosen_by_measurement(tmp_path, capsys):
    assert main(["--headless", "--grid", "32x32", "--precond", "auto", "--weights", "random:1", "--frames", "2"]) == 0
    assert main(["--headless", "--precond", "jacobi", "--weights", "random:1", "--frames", "2"]) == 2


def test_a_log_with_a_byte_order_mark_is_read(tmp_path):
    logged(tmp_path / "run.jsonl").close_log()
    plain = (tmp_path / "run.jsonl").read_text(encoding="utf-8")
    (tmp_path / "marked.jsonl").write_text(plain, encoding="utf-8-sig")
    assert input_log_reader.load(tmp_path / "marked.jsonl").start == input_log_reader.load(tmp_path / "run.jsonl").start
