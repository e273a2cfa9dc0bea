"""What the user's hand and eye need: walls that stay in the grip, sliders that reach zero, sentences about the step."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.panels import step_summary
from app.session.session import Session
from app.session.wall_drag import FASTEST, WallDrag
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import LIMITS, Stroke
from tests.scenes import pool

STONE = '[[solids]]\nkind = "box"\nstart = [0.2, 0.5]\nend = [0.3, 0.65]'


def session(more=""):
    scene = replace(pool(), gravity=0.5, solids=pool(more=more).solids)
    return Session(scene, (32, 48), SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")


def middle(running):
    """(x, y) of the walls' centre in cells."""
    rows, columns = np.nonzero(running.last.solid)
    return columns.mean(), rows.mean()


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_fast_mouse_does_not_lose_the_wall(pieces):
    running = session(STONE)
    count = running.last.solid.sum()
    x, y = middle(running)
    dx = running.simulation.grid.dx
    for k in range(pieces):  # 24 cells and back up again within one frame's time
        a, b = (0.375 + 0.75 * share / pieces for share in (k, k + 1))
        running.stroke(Stroke("drag", a, 0.58, b, 0.58, 0.05))
    before = x
    for _ in range(12):
        running.step()
        assert middle(running)[0] - before <= FASTEST + 1e-9
        before = middle(running)[0]
    assert abs(before - x - 0.75 / dx) <= 1
    assert middle(running)[1] == y
    assert running.last.solid.sum() == count


def test_only_a_wall_under_the_mouse_is_dragged():
    running = session(STONE)
    before = running.last.solid
    running.stroke(Stroke("drag", 1.2, 0.8, 0.375, 0.58, 0.05))
    running.stroke(Stroke("drag", 0.375, 0.58, 0.6, 0.58, 0.05))  # passes over the wall without a press
    running.step()
    running.step()
    assert np.array_equal(running.last.solid, before)


def test_a_wall_stops_at_another_and_follows_again_when_the_mouse_comes_back():
    running = session(STONE + '\n[[solids]]\nkind = "box"\nstart = [0.6, 0.4]\nend = [0.65, 0.8]')
    places = [0.375, 0.6, 0.9, 1.3]
    for a, b in pairwise(places):
        running.stroke(Stroke("drag", a, 0.58, b, 0.58, 0.05))
    for _ in range(10):
        running.step()
    j, i = np.nonzero(running.last.solid[:, :29])
    assert i.max() == 27, "one cell is left, or the two walls would be one"
    running.stroke(Stroke("drag", 1.3, 0.58, 0.5, 0.7, 0.05))
    for _ in range(10):
        running.step()
    j, i = np.nonzero(running.last.solid[:, :29])
    assert i.max() < 22
    assert j.min() > 16


def test_a_wall_slides_along_what_blocks_its_way():
    grip, solid = WallDrag(), np.zeros((16, 16), bool)
    solid[0:3, 2:5] = True  # on the floor
    grip.add(Stroke("drag", 3.5, 1.5, 5.5, -2.0, 1.0))
    (stroke,) = grip.pull(solid, 1.0)
    assert stroke.x1 > stroke.x0
    assert stroke.y1 == stroke.y0


def test_a_wall_arrives_where_the_mouse_was_released_and_stays_there():
    running = session(STONE)
    x, _ = middle(running)
    running.stroke(Stroke("drag", 0.375, 0.58, 0.875, 0.58, 0.05))
    running.let_go()
    for _ in range(8):
        running.step()
    assert abs(middle(running)[0] - x - 16) <= 1
    assert running.editing.wall_drag.pull(running.last.solid, running.simulation.grid.dx) == ()
    assert running.editing.wall_drag._hold is None


def test_the_time_step_is_told_in_words():
    running = session()
    assert step_summary.time_step(running.last) == "no step yet"
    frame = running.step()
    told = {}
    for limit in LIMITS:
        stats = replace(frame.stats, limit=limit)
        told[limit] = step_summary.time_step(replace(frame, substeps=8, dt=0.0168, stats=stats))
    assert told["courant"] == "8 sub-steps of 2.1 ms, limited by the flow (CFL)"
    assert "capillary" in told["capillary"]
    assert "gravity" in told["gravity"]
    assert len(set(told.values())) == len(LIMITS)
    whole = replace(frame, substeps=1, dt=1 / 60, stats=replace(frame.stats, limit="frame"))
    assert step_summary.time_step(whole) == "1 sub-step of 16.7 ms, the whole frame"
    assert step_summary.slow_clock(frame) == ""
    slow = step_summary.slow_clock(replace(frame, dt=0.004, stats=replace(frame.stats, slowed=0.012)))
    assert "25 %" in slow


def test_sliders_reach_zero_and_give_back_the_value_they_show():
    pytest.importorskip("imgui_bundle")
    from app.panels import fluid
    from app.ui import log_slider

    for scale in (fluid.DENSITY, fluid.VISCOSITY, fluid.TENSION):
        for value in (scale.low, 0.01, 1.0, 72.0, 1000.0, scale.high):
            assert scale.value(scale.place(max(value, scale.low))) == pytest.approx(max(value, scale.low), rel=0.02)
        assert scale.value(1.0) == scale.high
        assert scale.value(0.0) == (0.0 if scale.zero else scale.low)
        assert scale.place(0.0) == 0.0
        assert scale.place(1e12) == 1.0
    assert fluid.VISCOSITY.zero
    assert fluid.TENSION.zero
    assert [log_slider.short(value) for value in (0.0, 1e-4, 0.072, 12.5, 1000.0)] == [
        "0",
        "1e-04",
        "0.072",
        "12.5",
        "1,000",
    ]
