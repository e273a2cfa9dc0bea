"""A recording of the fluid alone in a window: its size, its colours, and the fluid's own time."""

import os
import subprocess
import sys

import av
import pytest

from tests.app.window.unseen import ROOT

OPEN = """
import sys
import app.__main__
from tests.app.window.unseen import open_unseen
if __name__ == "__main__":
    options = ["--scene", "dam-break", "--grid", "24x32", "--precond", "multigrid", "--frames", "40"]
    counts = []
    def prepare(window, view, params):
        before = params.callbacks.before_exit
        def leaving():
            counts.append(view.snapshot.frames)
            before()
        params.callbacks.before_exit = leaving
    code = open_unseen([*options, "--record", sys.argv[1], "--size", "320x240"], prepare)
    print("frames", counts[0])
    sys.exit(code)
"""


@pytest.mark.egl
@pytest.mark.slow
def test_a_window_records_the_fluid_alone_in_its_own_time(tmp_path):
    pytest.importorskip("imgui_bundle")
    script, path = tmp_path / "script.py", tmp_path / "live.mp4"
    script.write_text(OPEN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(variable, None)
    command = [sys.executable, str(script), str(path)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    if "cannot be opened" in done.stderr:
        pytest.skip("no OpenGL without a display here")
    assert done.returncode == 0, done.stdout + done.stderr
    made = int(done.stdout.split("frames ")[-1])
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (320, 240)
        shown = round(60 * stream.duration * stream.time_base)
        pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    # some frames pass before the window is there; time zero has a picture, and the last one lasts as the one before
    assert 0.6 * made <= shown <= made + 3
    water, gas = pictures[-1][200, 40], pictures[-1][20, 300]
    assert abs(water - [31, 127, 209]).max() < 8
    assert abs(gas - [243, 239, 230]).max() < 8
