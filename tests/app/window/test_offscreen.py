"""The process that draws a headless recording."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

KILL_IT = """
import os, signal, sys, threading, time
import app.__main__
from app.window import offscreen

inner = offscreen.Pictures.show
shown = []

def show(self, snapshot):
    shown.append(snapshot)
    if len(shown) == 6:
        os.kill(self._process.pid, signal.SIGKILL)
    return inner(self, snapshot)

if __name__ == "__main__":
    offscreen.Pictures.show = show
    sys.exit(app.__main__.main(["--headless", "--grid", "24x32", "--precond", "jacobi", "--frames", "60",
                                "--record", sys.argv[1]]))
"""


@pytest.mark.egl
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_whose_pictures_cannot_be_drawn_any_more_ends_with_a_sentence(tmp_path):
    pytest.importorskip("imgui_bundle")
    script = tmp_path / "script.py"
    script.write_text(KILL_IT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(tmp_path / "film.mp4")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    if "OpenGL" in done.stderr:
        pytest.skip("no OpenGL without a display here")
    assert done.returncode == 1, done.stderr
    assert f"ended by {signal.SIGKILL.name}" in done.stderr
    assert "Traceback" not in done.stderr
