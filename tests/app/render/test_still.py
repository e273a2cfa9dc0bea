"""Pictures of the fluid alone: sizes, averaging, a gas that is left out."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.grid import Grid

ROOT = Path(__file__).resolve().parents[3]

DRAW = """
import json, sys
import numpy as np
from app.window import toolkit
toolkit.prepare_toolkit(offscreen=True)
from app.window import context
context.make_current()
from app.render.look import Look, StillOptions
from app.render.region import Region
from app.render.still import Still
from app.render.views import VIEWS, Range
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.reader import load
grid, scene = Grid(24, 32), load("dam-break")
y, x = np.mgrid[0:24, 0:32]
pool = (y < 10).astype(float)
none = np.zeros(grid.shape, bool)
u, v = np.zeros((24, 33)), np.zeros((25, 32))
frame = Frame(0.0, 0.0, 1, np.stack([pool, 1 - pool]), 1 + pool, u, v, pool, none, None)
still, result = Still(), {}
def draw(*arguments, **keywords):
    return still.picture(frame, scene, grid, VIEWS[0], Range(0.0, 1.0), StillOptions(*arguments, **keywords))
wide = draw((600, 240))
result["wide"] = [wide.shape, wide[0, 0].tolist(), wide[200, 300].tolist(), wide[20, 300].tolist()]
tall = draw((320, 600))
result["tall"] = [tall.shape, tall[0, 0].tolist(), tall[380, 160].tolist(), tall[200, 160].tolist()]
fine = draw((320, 240), supersample=3)
coarse = draw((320, 240))
result["fine"] = [fine.shape, float((np.abs(fine.astype(int) - coarse).max(-1) > 30).mean())]
clear = draw((600, 240), transparent=True).astype(int)
result["clear"] = [clear.shape, clear[0, 0].tolist(), clear[200, 300].tolist(), clear[20, 300].tolist()]
color, opacity = clear[:, 140:460, :3], clear[:, 140:460, 3:] / 255
over = color * opacity + 255 * np.array(scene.phases[1].color) * (1 - opacity)
result["over"] = float(np.abs(over - coarse).max())
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def drawn():
    pytest.importorskip("imgui_bundle")
    done = subprocess.run([sys.executable, "-c", DRAW], cwd=ROOT, capture_output=True, text=True, timeout=90)
    if done.returncode != 0 and "EGL" in done.stderr:
        pytest.skip("no EGL here")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.egl
def test_the_fluid_keeps_its_aspect_in_the_middle_of_the_ground(drawn):
    for name, size in (("wide", [240, 600, 3]), ("tall", [600, 320, 3])):
        check_placed(drawn[name], size)


def check_placed(found, size):
    shape, corner, water, gas = found
    assert shape == size
    assert corner == [237, 235, 230]
    assert np.abs(np.array(water) - [31, 127, 209]).max() <= 3
    assert np.abs(np.array(gas) - [243, 239, 230]).max() <= 3


@pytest.mark.egl
def test_averaging_changes_edges_alone(drawn):
    shape, changed = drawn["fine"]
    assert shape == [240, 320, 3]
    assert changed < 0.02


@pytest.mark.egl
def test_without_its_gas_a_picture_lies_over_any_ground(drawn):
    shape, corner, water, gas = drawn["clear"]
    assert shape == [240, 600, 4]
    assert corner[3] == 0
    assert gas[3] <= 3
    assert water[3] == 255
    assert np.abs(np.array(water[:3]) - [31, 127, 209]).max() <= 3
    assert drawn["over"] <= 6, "over the gas's own colour it must look as ever"


@given(width=st.integers(16, 8192), height=st.integers(16, 8192), nx=st.integers(16, 2048), ny=st.integers(16, 2048))
def test_the_inscribed_size_fits_and_touches(width, height, nx, ny):
    pytest.importorskip("imgui_bundle")
    from app.window import toolkit

    toolkit.prepare_toolkit(offscreen=True)
    from app.render.still import inscribed

    w, h = inscribed((width, height), Grid(ny, nx))
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert w == width or h >= height - height * ny / nx / 2 - 1
    if min(w, h) > 50:
        assert abs(w / h * ny / nx - 1) < 0.03
