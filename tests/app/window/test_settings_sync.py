"""What the window keeps from one run to the next, and a window that is used roughly, on a display of its own."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.cli.interactive import decide
from app.cli.options import options
from app.session import grid_presets
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.ui import settings
from app.ui.settings import Settings
from app.window.settings_sync import SettingsSync
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from sim.scenes.reader import load
from tests.scenes import pool

ROOT = Path(__file__).resolve().parents[3]


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
    made, watching = decide(options(argv), SettingsSync(None))
    assert ((made.grid or (0,))[0], made.tol, watching) == (rows, tol, watched)
    path = tmp_path / "settings.json"
    settings.save(path, Settings(rows=48, tol=1e-3))
    made, watching = decide(options(argv), SettingsSync(path))
    free = not {"--grid", "--record", "--frames"} & set(argv)
    assert (made.grid == (48, 64)) is free
    assert (made.tol == 1e-3) is ("--tol" not in argv and not {"--record", "--frames"} & set(argv))
    assert not watching


def test_the_worker_changes_the_grid_once_and_says_so():
    solve = SwitchableSolver(Choice("multigrid", 1e-6))
    live = Session(replace(pool(), grid=(96, 144)), (96, 144), solve, device="cpu")
    view = ViewModel(solve)
    worker = Worker(lambda: live, solve, view)  # never started
    view.automatic_grid = grid_presets.AutomaticGrid()
    frame = live.step()
    for seconds in [9.0, 9.0] + [0.1] * 40:  # a sixth of real time
        worker._choose_grid(live, frame, seconds)
    assert live.simulation.grid.shape == (48, 72)
    assert view.choice.tol == 1e-6, "a grid changes nothing but the grid"
    assert view.rows == 48
    (notice,) = view.notices.newest_first()
    assert "17 % of real time at 96 x 144" in notice.text
    assert "48 x 72" in notice.text
    for seconds in [9.0, 9.0] + [0.012] * 400:  # it holds: the grid is settled
        worker._choose_grid(live, frame, seconds)
    assert view.automatic_grid.settled
    view.choose(Choice("jacobi", 1e-6))
    for seconds in [9.0, 9.0] + [0.0015] * 700:
        worker._choose_grid(live, frame, seconds)
    assert live.simulation.grid.shape == (48, 72), "a scene that runs is left alone"
    assert view.rows == 48, "advice is not the user's choice"
    assert "would suit it" in view.notices.newest_first()[0].text


def test_reset_settings_are_those_of_a_first_run(tmp_path):
    pytest.importorskip("imgui_bundle")
    from app.ui.ui_state import UiState

    path, state = tmp_path / "settings.json", UiState()
    solve = SwitchableSolver(Choice("multigrid", 1e-6))
    view = ViewModel(solve)
    settings.save(path, Settings(width=900, side=0.4, radius=0.1, rows=48))
    kept_settings = SettingsSync(path)
    state.follow(kept_settings.settings)
    kept_settings.note((1000, 700), 0.3, 1.0)
    kept_settings.keep(state, view, False)
    kept = settings.load(path)[0]
    assert (kept.width, kept.height, kept.side, kept.radius, kept.rows) == (1000, 700, 0.3, 0.1, 0)
    kept_settings.forget()
    state.follow(kept_settings.settings)
    kept_settings.note((1000, 700), 0.3, 1.0)
    kept_settings.keep(state, view, True)
    assert settings.load(path) == (Settings(toured=True), "")


# The window, on a display of its own ----------------------------------------------------------------------------------

WINDOW = """
import ctypes, json, os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import app.__main__
from app.cli import interactive
from app.ui import settings
from app.cli.options import options
from app.window.settings_sync import SettingsSync
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

def steps(win, view):
    yield from until(lambda: view.snapshot is not None and view.snapshot.frames > 1)
    assert win.tour.offered and "not valid" in view.notices.newest_first()[-1].text
    io = imgui.get_io()
    io.add_mouse_pos_event(200, 300); yield
    io.add_mouse_button_event(0, True); yield
    yield
    seen["pressed"] = win.viewport.brush.pressed
    io.add_focus_event(False); yield
    yield
    seen["stuck"] = win.viewport.brush.pressed or imgui.is_mouse_down(0)
    io.add_focus_event(True)
    window, before = glfw_utils.glfw_window_hello_imgui(), view.snapshot.frames
    for size in ((700, 420), (120, 80), (20, 20), (1000, 640)):
        glfw.set_window_size(window, *size)
        yield from some()
    glfw.iconify_window(window); yield from some()
    glfw.restore_window(window)
    yield from until(lambda: view.snapshot.frames > before + 2)
    win.start_tour(); yield from some()
    seen["marks"] = sorted(win.state.marks)
    win.tour.skip(); win.tour.skip(); win.tour.skip(); yield from some()
    seen["record"] = "record" in win.state.marks
    win.tour.end()
    win.open_files([Path("nothing.toml")])
    yield from until(lambda: any("nothing.toml" in n.text for n in view.notices.newest_first()))
    drop = glfw.set_drop_callback(window, None)
    drop(window, 1, (ctypes.c_char_p * 1)(b"rubbish.pdf"))
    yield from until(lambda: any("rubbish.pdf" in n.text for n in view.notices.newest_first()))
    view.set_grid((24, 32))
    yield from until(lambda: view.snapshot.grid.shape == (24, 32))
    yield from until(lambda: any("24 x 32" in n.text for n in view.notices.newest_first()))
    view.set_paused(True)
    win.panel.save_scene.name = "drawn"
    win.state.naming = True; yield from some()
    win.panel.save_scene.save()
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

def keep(view, offscreen):
    win = made(view, offscreen)
    plan = steps(win, view)
    win.before_frame = lambda: next(plan, None)
    return win

interactive.new_window = keep
path = Path("conf/settings.json")
path.parent.mkdir()
path.write_text("{")
seen["code"] = interactive.run(options(["--grid", "32x48", "--precond", "jacobi"]), SettingsSync(path))
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
