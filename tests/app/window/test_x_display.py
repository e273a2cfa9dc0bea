"""The program as a user meets it: a real X window under a virtual display, keys and mouse from outside the process.

What happened is read from the files that the program writes: the log of inputs, the numbers, the settings.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.render.views import VIEWS
from app.ui.settings import Settings, save

ROOT = Path(__file__).resolve().parents[3]
START, PATIENCE = 180.0, 30.0  # [s] that the program may take to run, and to obey
OPTIONS = "--scene dam-break --grid 24x32 --precond jacobi --log run.jsonl --json numbers.json"
VIEW = 3  # its key is one higher


class Desk:
    """Mouse and keyboard of a display, and the program on it."""

    def __init__(self, folder: Path, number: str) -> None:
        self.folder, self.settings = folder, folder / "config" / "estuary" / "settings.json"
        self.environment = {**os.environ, "DISPLAY": number, "PYTHONPATH": str(ROOT)}
        self.environment |= {"XDG_CONFIG_HOME": str(folder / "config"), "WAYLAND_DISPLAY": "as-on-its-desktops"}
        self.environment.pop("ESTUARY_SETTINGS", None)
        save(self.settings, Settings(toured=True, width=800, height=560))
        command = [sys.executable, "-m", "app", *OPTIONS.split()]
        with (folder / "errors").open("w") as errors:
            self.program = subprocess.Popen(command, cwd=folder, env=self.environment, stderr=errors)

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text()

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if "cannot be opened" in self.errors:
                pytest.skip("this display has no OpenGL")
            assert self.program.poll() is None, self.errors
            assert time.monotonic() < end, f"waited in vain: {self.log()[-3:]} {self.errors}"
            time.sleep(0.05)

    def do(self, *words: Any) -> str:
        """One or several commands of xdotool."""
        done = subprocess.run(["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def log(self, kind: str = "") -> list[dict[str, Any]]:
        """Lines of the log, all or those of one kind."""
        path = self.folder / "run.jsonl"
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [line for line in lines if kind in ("", line.get("do"))]

    def drag(self, x: int, y: int, far: int) -> None:
        """To the right by so many pixels, with the left button held."""
        self.do("mousemove", x, y, "sleep", 0.2, "mousedown", 1, "sleep", 0.2)
        for step in range(1, 6):
            self.do("mousemove", x + far * step // 5, y, "sleep", 0.1)
        self.do("mouseup", 1)

    def runs(self) -> bool:
        """Starts the scene over; whether frames had been made by then, as the log tells."""
        self.do("key", "r", "sleep", 0.2)
        return any(reset["frame"] > 1 for reset in self.log("reset"))


@pytest.fixture
def desk(tmp_path, display):
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    pytest.importorskip("imgui_bundle")
    made = Desk(tmp_path, display)
    yield made
    if made.program.poll() is None:
        made.program.kill()
    made.program.wait()


@pytest.mark.window
@pytest.mark.slow
def test_a_window_obeys_mouse_and_keys(desk):
    desk.until(lambda: desk.do("search", "--onlyvisible", "--name", "Estuary"), START)
    window = desk.do("search", "--onlyvisible", "--name", "Estuary").split()[0]
    desk.do("windowfocus", window)
    desk.until(lambda: desk.log(), START)
    desk.until(desk.runs, START)
    desk.do("key", "space")
    time.sleep(0.5)

    before = len(desk.log("stroke"))
    desk.drag(300, 420, 150)
    desk.until(lambda: len(desk.log("stroke")) > before)
    time.sleep(1.0)
    first = desk.log("stroke")[before:]
    desk.drag(300, 300, 150)
    desk.until(lambda: len(desk.log("stroke")) > before + len(first))
    time.sleep(1.0)
    strokes = desk.log("stroke")[before:]
    assert len({stroke["frame"] for stroke in strokes}) == 1, "it is not paused"
    low, high = strokes[0], strokes[len(first)]
    assert strokes[0]["tool"] == "push"
    assert high["y0"] > low["y0"] > 0, "the row 0 is the bottom, and the mouse was first lower"
    assert high["x0"] == pytest.approx(low["x0"], abs=0.01)
    far = [sum(s["x1"] - s["x0"] for s in part) for part in (first, strokes[len(first) :])]
    assert far[0] > 0.1
    assert far[0] == pytest.approx(far[1], rel=0.05)

    desk.do("key", VIEW + 1, "sleep", 0.3)
    desk.do("key", "Escape", "sleep", 0.3, "key", "Escape")
    desk.program.wait(PATIENCE)
    assert desk.program.returncode == 0
    assert "Traceback" not in desk.errors
    assert json.loads(desk.settings.read_text())["view"] == VIEWS[VIEW].name
    numbers = json.loads((desk.folder / "numbers.json").read_text())
    assert numbers["frames"] == strokes[0]["frame"]
    assert numbers["failures"] == 0
