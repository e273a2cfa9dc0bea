"""What makes the window pleasant: settings that come back, a grid that keeps up, the tour, notices, plots as files."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from app.cli.options import options
from app.record import plot_export
from app.render import colormaps
from app.session import grid_presets
from app.session.session import Session
from app.solving.switchable_solver import Choice, PressureSolve
from app.ui import settings
from app.ui.settings import Settings
from app.window.settings_sync import Memory
from app.window.tour import STEPS, Facts, Tour
from app.worker.notifications import KEPT, Notices
from app.worker.worker import Worker
from sim.frame import STAGES
from sim.scenes.reader import load
from tests.scenes import pool

ROOT = Path(__file__).resolve().parents[3]

# Settings ------------------------------------------------------------------------------------------------------------


def test_settings_come_back_and_the_folder_is_made(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    assert settings.load(path) == (Settings(), "")
    wanted = Settings(width=1000, side=0.3, scale=1.25, closed=("Draw",), rows=64, tol=1e-4, mirror=True, toured=True)
    assert settings.save(path, wanted) == ""
    assert settings.load(path) == (wanted, "")
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"width": "wide"}', '{"width": 5}', '{"scale": 1e9}', '{"closed": [1]}', '{"mirror": 1}',
     '{"rows": -4}', '{"radius": NaN}', '{"tol": true}', "[" * 100000, '{"side": null}'],
)  # fmt: skip
def test_a_bad_settings_file_is_left_out_with_a_sentence(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    found, sentence = settings.load(path)
    assert found == Settings()
    assert str(path) in sentence
    assert "\n" not in sentence
    assert path.read_text() == text


def test_settings_of_other_versions_are_read_as_far_as_they_are_known(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes(json.dumps({"radius": 0.1, "hologram": True}).encode())
    assert settings.load(path) == (Settings(radius=0.1), "")
    path.write_bytes(b"\xff\xfe\x00")
    assert settings.load(path)[1]


def test_settings_lie_where_the_system_wants_them(monkeypatch):
    for platform, variables, ending in (
        ("linux", {"XDG_CONFIG_HOME": "/home/me/conf"}, "/home/me/conf/estuary/settings.json"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, ".config/estuary/settings.json"),
        ("linux", {}, ".config/estuary/settings.json"),
        ("darwin", {}, "Library/Application Support/estuary/settings.json"),
        ("win32", {"APPDATA": "/me/AppData/Roaming"}, "/me/AppData/Roaming/estuary/settings.json"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert settings.place(variables).as_posix().endswith(ending)
        assert settings.place({**variables, settings.VARIABLE: "off"}) is None


def test_a_run_without_a_window_touches_no_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(settings, "load", lambda *_: pytest.fail("settings were read"))
    assert main(["--headless", "--grid", "16x16", "--frames", "1", "--precond", "jacobi"]) == 0
    assert not any(tmp_path.iterdir())


def test_a_failing_disk_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in settings.save(tmp_path / "file" / "settings.json", Settings())


@pytest.mark.parametrize(
    ("argv", "rows", "tol", "watched"),
    [
        ([], 0, 1e-6, True),
        (["--tol", "1e-8"], 0, 1e-8, True),
        (["--grid", "20x30"], 20, 1e-6, False),
        (["--no-settings"], 0, 1e-6, True),
        (["--record", "a.mp4"], 0, 1e-6, False),
        (["--frames", "9"], 0, 1e-6, False),
    ],
)
def test_only_what_the_command_line_leaves_open_is_chosen(tmp_path, monkeypatch, argv, rows, tol, watched):
    monkeypatch.setenv("DISPLAY", ":none")
    monkeypatch.chdir(tmp_path)
    made, watching = Memory(None).decide(options(argv))
    assert ((made.grid or (0,))[0], made.tol, watching) == (rows, tol, watched)
    path = tmp_path / "settings.json"
    settings.save(path, Settings(rows=48, tol=1e-3))
    made, watching = Memory(path).decide(options(argv))
    free = not {"--grid", "--record", "--frames"} & set(argv)
    assert (made.grid == (48, 64)) is free
    assert (made.tol == 1e-3) is ("--tol" not in argv and not {"--record", "--frames"} & set(argv))
    assert not watching


# The grid that keeps up ----------------------------------------------------------------------------------------------


def found(speed, scene=None):
    """The rows that are chosen on a machine that makes this many steps a second with 96 rows; all that were tried."""
    scene = scene or load("dam-break")
    first, shape, rows = grid_presets.FirstChoice(), scene.grid, []
    for _ in range(2000):
        rate = speed * (96 / shape[0]) ** 2
        preset = first.watch(scene, shape, 2, 2 / rate)
        if preset is not None:
            shape = grid_presets.grid_of(scene, preset.rows)
            rows.append(preset.rows)
    assert first.done
    return rows


@pytest.mark.parametrize("speed", [31.0, 60.0, 1000.0])
def test_a_machine_that_keeps_up_keeps_the_scene_as_it_is(speed):
    assert found(speed) == []


@pytest.mark.parametrize("speed", [29.0, 20.0, 12.0, 9.0])
def test_a_slow_machine_gets_the_finest_grid_that_holds_thirty_steps(speed):
    (rows,) = found(speed)
    assert speed * (96 / rows) ** 2 >= grid_presets.ENOUGH
    finer = [preset.rows for preset in grid_presets.PRESETS if rows < preset.rows < 96]
    assert all(speed * (96 / each) ** 2 < grid_presets.ENOUGH * grid_presets.MARGIN for each in finer)


def test_the_coarsest_grid_is_the_last_word():
    assert found(0.5) == [48]


def test_one_slow_frame_at_the_start_decides_nothing():
    first, scene = grid_presets.FirstChoice(), load("dam-break")
    assert first.watch(scene, scene.grid, 1, 20.0) is None  # kernels compile
    for _ in range(100):
        assert first.watch(scene, scene.grid, 1, 0.02) is None
    assert first.done


def test_the_worker_changes_the_grid_once_and_says_so():
    solve = PressureSolve(Choice("multigrid", 1e-6))
    live = Session(replace(pool(), grid=(96, 144)), (96, 144), solve, device="cpu")
    worker = Worker(lambda: live, solve)  # never started
    worker.first_choice = grid_presets.FirstChoice(with_tolerance=True)
    frame = live.step()
    for seconds in [9.0, 9.0] + [0.1 * len(frame.stats.solutions)] * 40:  # ten steps a second
        worker._choose_grid(live, frame, seconds)
    assert live.simulation.grid.shape == (48, 72)
    assert worker.choice.tol == grid_presets.PRESETS[0].tol
    assert worker.rows == 48
    (notice,) = worker.notices.newest_first()
    assert "10 steps/s at 96 x 144" in notice.text
    assert "48 x 72" in notice.text
    assert worker.first_choice is None


def test_reset_settings_are_those_of_a_first_run(tmp_path):
    pytest.importorskip("imgui_bundle")
    from app.ui.ui_state import Interaction

    path, state = tmp_path / "settings.json", Interaction()
    solve = PressureSolve(Choice("multigrid", 1e-6))
    worker = Worker(lambda: None, solve)
    settings.save(path, Settings(width=900, side=0.4, radius=0.1, rows=48))
    memory = Memory(path)
    state.follow(memory.settings)
    memory.note((1000, 700), 0.3, 1.0)
    memory.keep(state, worker, False)
    kept = settings.load(path)[0]
    assert (kept.width, kept.height, kept.side, kept.radius, kept.rows) == (1000, 700, 0.3, 0.1, 0)
    memory.forget()
    state.follow(memory.settings)
    memory.note((1000, 700), 0.3, 1.0)
    memory.keep(state, worker, True)
    assert settings.load(path) == (Settings(toured=True), "")


@pytest.mark.parametrize("preset", grid_presets.PRESETS)
def test_presets_fit_every_scene(preset):
    from sim.grid import Grid
    from sim.scenes.reader import names

    for name in names():
        scene = load(name)
        rows, columns = grid_presets.grid_of(scene, preset.rows)
        Grid(rows, columns)
        assert columns / rows == pytest.approx(scene.grid[1] / scene.grid[0], rel=0.12)


# Tour, notices, colours ----------------------------------------------------------------------------------------------


def test_the_tour_goes_on_when_each_thing_is_done():
    tour = Tour()
    assert tour.step is None
    tour.start()
    now = Facts(0.0, "htp", 100.0, False, False)
    for change in (
        {"time": 1.5}, {"precond": "jacobi"}, {"contrast": 250.0}, {"comparing": True, "recording": True}
    ):  # fmt: skip
        number = tour.number
        tour.look(now)
        assert tour.number == number, "a step is done before its beginning"
        now = replace(now, **change)
        ended = tour.look(now)
    assert ended
    assert tour.step is None
    assert tour.toured


def test_the_tour_can_be_skipped_ended_and_started_again():
    tour = Tour()
    tour.offered = True
    tour.end()
    assert tour.toured
    assert not tour.offered
    tour.start()
    for number in range(len(STEPS)):
        assert tour.number == number + 1
        tour.skip()
    assert tour.step is None
    tour.start()
    tour.skip()
    assert set(tour.step.sections).isdisjoint(tour.closed({"Fluid", "Files", "Pressure solver"}))
    tour.end()
    assert tour.closed({"Fluid"}) == {"Fluid"}
    assert all(len(step.sentence) < 90 and step.sentence.endswith(".") for step in STEPS)


def test_notices_are_counted_and_kept_newest_first():
    notices = Notices()
    for text in ("one", "two\nlines", "one"):
        notices.add(text)
    assert [(n.text, n.count) for n in notices.newest_first()] == [("one", 2), ("two lines", 1)]
    for k in range(2 * KEPT):
        notices.add(k)
    assert len(notices.newest_first()) == KEPT
    assert len(notices.newest_first()[0].clock) == len("14:03:20")
    notices.clear()
    assert notices.newest_first() == ()


# Full loss of one kind of cone, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
LOSSES = {
    loss: np.array(numbers).reshape(3, 3)
    for loss, numbers in {
        "none": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "red": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
        "green": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
        "blue": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
    }.items()
}


def lab(table, loss):
    """CIE L*a*b* of a colour map as seen with a loss."""
    rgb = table / 255.0
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ LOSSES[loss].T
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear.clip(0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", colormaps.ANCHORS)
def test_colour_maps_can_be_read_with_any_colour_blindness(name, loss):
    seen = lab(colormaps.table(name).astype(float), loss)
    light = seen[:, 0]
    if name == "balance":
        assert np.diff(light[:120:8]).min() > 0
        assert np.diff(light[136::8]).max() < 0
        for share in (0.0, 0.1, 0.2, 0.3):  # the same distance from the middle, on either side
            k = round(255 * share)
            assert np.linalg.norm(seen[k] - seen[255 - k]) > 15
    else:
        assert np.diff(light[::8]).min() > 0
        assert light[-1] - light[0] > 60


# Files ---------------------------------------------------------------------------------------------------------------


def shown(frames=3):
    live = Session(pool(), None, PressureSolve(Choice("multigrid", 1e-6)), device="cpu")
    for _ in range(frames):
        live.step()
    return live.snapshot()


def test_plots_are_written_with_the_numbers_shown(tmp_path):
    snapshot = shown()
    frames, residual, picture = plot_export.write(tmp_path / "new" / "plots-1", snapshot)
    rows = list(csv.DictReader(frames.open()))
    assert [int(row["frame"]) for row in rows] == [1, 2, 3]
    for row, sample in zip(rows, snapshot.samples):
        assert tuple(float(row[f"{stage}_ms"]) for stage in STAGES) == sample.ms
        assert float(row["iterations"]) == sample.iterations
    curve = [float(row["multigrid"]) for row in csv.DictReader(residual.open())]
    assert curve == [float(value) for value in snapshot.residuals]
    from PIL import Image

    with Image.open(picture) as image:
        assert image.width > 1000
        assert len(set(image.resize((64, 48)).convert("L").tobytes())) > 10
    plot_export.write(tmp_path / "empty", shown(0))


@pytest.mark.parametrize("suffix", [".npz", ".vti"])
def test_fields_of_the_last_frame_are_exported(tmp_path, suffix, capsys):
    path = tmp_path / f"fields{suffix}"
    argv = ["--headless", "--grid", "16x24", "--frames", "2", "--precond", "jacobi", "--threads", "1"]
    assert main([*argv, "--export", str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().out
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as fields:
            assert fields["density"].shape == (16, 24)
            assert fields["time"] == pytest.approx(2 / 60)
    else:
        assert 'Name="density"' in path.read_text()


def test_an_export_of_another_kind_or_of_a_comparison_is_refused(tmp_path, capsys):
    for more in (["--export", "a.txt"], ["--export", str(tmp_path / "a.npz"), "--compare", "jacobi,dilu"]):
        assert main(["--headless", "--grid", "16x16", "--frames", "1", *more]) == 2
        assert "--export" in capsys.readouterr().err
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("estuary ")


def test_every_number_and_key_is_explained():
    pytest.importorskip("imgui_bundle")
    from app.render.views import VIEWS
    from app.ui import tooltips
    from app.ui.ui_state import KEYS, MOUSE

    texts = [*tooltips.NUMBERS.values(), *tooltips.STAGES.values(), tooltips.MAPS_ARE_SAFE]
    assert set(tooltips.STAGES) == set(STAGES)
    assert all(text.endswith(".") and len(text) < 260 for text in texts)
    assert f"1 - {len(VIEWS)}" in dict(KEYS)
    source = (ROOT / "app" / "window" / "shortcuts.py").read_text()
    for key, name in {
        "Space": "space",
        "R": "r",
        "H": "h",
        "M": "m",
        "F9": "f9",
        "F12": "f12",
        "Esc": "escape",
    }.items():
        assert key in dict(KEYS)
        assert f"imgui.Key.{name}" in source
    assert {"Push", "Pour", "Move"} <= {word for name, _ in MOUSE for word in name.split(", ")}


# The window, on a display of its own ---------------------------------------------------------------------------------

WINDOW = """
import ctypes, json, os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import app.__main__
from app.cli import interactive
from app.ui import settings
from app.cli.options import options
from app.window.settings_sync import Memory
from imgui_bundle import glfw_utils, imgui
import glfw

seen, made = {}, interactive.new_window

def until(condition):
    end = time.time() + 60
    while not condition():
        assert time.time() < end, condition
        yield

def some(count=4):
    for _ in range(count):
        yield

def steps(win, worker):
    yield from until(lambda: worker.snapshot is not None and worker.snapshot.frames > 1)
    assert win.tour.offered and "not usable" in worker.notices.newest_first()[-1].text
    io = imgui.get_io()
    io.add_mouse_pos_event(200, 300); yield
    io.add_mouse_button_event(0, True); yield
    yield
    seen["pressed"] = win.canvas._mouse is not None
    io.add_focus_event(False); yield
    yield
    seen["stuck"] = win.canvas._mouse is not None or imgui.is_mouse_down(0)
    io.add_focus_event(True)
    window, before = glfw_utils.glfw_window_hello_imgui(), worker.snapshot.frames
    for size in ((700, 420), (120, 80), (20, 20), (1000, 640)):
        glfw.set_window_size(window, *size)
        yield from some()
    glfw.iconify_window(window); yield from some()
    glfw.restore_window(window)
    yield from until(lambda: worker.snapshot.frames > before + 2)
    win.start_tour(); yield from some()
    seen["marks"] = sorted(win.state.marks)
    win.tour.skip(); win.tour.skip(); win.tour.skip(); yield from some()
    seen["record"] = "record" in win.state.marks
    win.tour.end()
    win.open_files([Path("nothing.toml")])
    yield from until(lambda: any("nothing.toml" in n.text for n in worker.notices.newest_first()))
    drop = glfw.set_drop_callback(window, None)
    drop(window, 1, (ctypes.c_char_p * 1)(b"rubbish.pdf"))
    yield from until(lambda: any("rubbish.pdf" in n.text for n in worker.notices.newest_first()))
    worker.set_grid((24, 32))
    yield from until(lambda: worker.snapshot.grid.shape == (24, 32))
    yield from until(lambda: any("24 x 32" in n.text for n in worker.notices.newest_first()))
    worker.set_paused(True)
    win.panel._scene._name = "drawn"
    win.state.naming = True; yield from some()
    win.panel._scene._save()
    yield from until(lambda: Path("out/drawn.toml").exists())
    win.export_fields(".npz")
    win.export_plots()
    yield from until(lambda: Path("out/plots-1.png").exists() and Path("out/fields-1.npz").exists())
    win.state.show_help = True; yield from some()
    win.state.show_help = False
    win.state.mirror, win.state.radius = True, 0.123
    win.state.closed = {"Compare"}
    yield from some()
    win.quit()
    yield

def keep(worker, offscreen):
    win = made(worker, offscreen)
    plan = steps(win, worker)
    win.before_frame = lambda: next(plan, None)
    return win

interactive.new_window = keep
path = Path("conf/settings.json")
path.parent.mkdir()
path.write_text("{")
seen["code"] = interactive.run(options(["--grid", "32x48", "--precond", "jacobi"]), Memory(path))
seen["settings"] = json.loads(path.read_text())
print(json.dumps(seen))
"""


@pytest.mark.window
@pytest.mark.slow
def test_the_window_keeps_its_head(tmp_path, display):
    pytest.importorskip("imgui_bundle")
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-c", WINDOW, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170)
    if "cannot be opened" in done.stderr:
        pytest.skip("this display has no OpenGL")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["code"] == 0
    assert seen["pressed"]
    assert not seen["stuck"]
    assert {"clock", "preconditioner", "compare"} <= set(seen["marks"])
    assert seen["record"]
    kept = seen["settings"]
    assert set(kept) == set(asdict(Settings()))
    assert kept["mirror"]
    assert kept["radius"] == 0.123
    assert kept["toured"]
    assert (kept["width"], kept["height"], kept["closed"]) == (1000, 640, ["Compare"])
    assert load(tmp_path / "out" / "drawn.toml").grid == (24, 32)
