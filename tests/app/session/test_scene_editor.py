"""Drawing a scene: what is drawn at time zero is in the file, can be undone, and comes back; walls later too."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.session import input_log_reader, state_file
from app.session.input_log import InputLog
from app.session.open_file import open_file
from app.session.scene_editor import SceneEditor
from app.session.session import Session
from app.session.strokes import cells_in, coverage_near, mirrored, roughly_near, straightened, strokes_over
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Stroke
from sim.grid import Grid
from sim.scenes import writer
from sim.scenes.reader import load, parse
from sim.scenes.scene import Barriers, Shape, coverage
from tests.scenes import pool

GRID = (32, 48)


def session(scene=None, **more):
    return Session(scene or pool(), GRID, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu", **more)


def way(tool, radius=0.08, phase=0, bend=0.1, count=24):
    """A gesture of the mouse, piece by piece; a press without a movement first."""
    t = np.linspace(0, 1, count)
    points = list(zip((0.3 + 0.9 * t).tolist(), (0.5 + bend * np.sin(6 * t)).tolist()))
    return [Stroke(tool, *a, *b, radius, phase) for a, b in pairwise([points[0], *points])]


def draw(running, strokes):
    for stroke in strokes:
        running.stroke(stroke)
    running.let_go()
    running.snapshot()


def walls(running):
    return running.last.solid.copy()


@pytest.mark.parametrize("grid", [(32, 48), (70, 40)])
def test_a_saved_drawing_reopens_as_it_was_seen(tmp_path, grid):
    live = Session(pool(), grid, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")
    draw(live, way("pour", phase=0))
    draw(live, way("solid", bend=-0.2, radius=0.1))
    draw(live, [Stroke("erase", 0.4, 0.2, 0.9, 0.8, 0.06)])
    live.set_densities((300.0, 2.0))
    live.set_gravity(-1.5)
    live.set_viscosities((0.5, 0.0))
    live.set_tensions((0.25,))
    path = tmp_path / "mine.toml"
    writer.write(path, live.start)
    again = load(path)
    assert again.grid == grid
    assert again.gravity == -1.5
    assert [(p.density, p.viscosity) for p in again.phases] == [(300.0, 0.5), (2.0, 0.0)]
    assert again.tension_of_pairs() == (0.25,)
    assert {shape.erase for shape in again.solids} == {True, False}
    opened = Session(again, None, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")
    assert np.array_equal(opened.last.solid, live.last.solid)
    assert live.last.solid.any()
    fluid = ~live.last.solid
    assert np.abs(opened.last.fractions - live.last.fractions)[:, fluid].max() < 2e-3  # of the capsule's sampling
    assert live.last.stats.volumes[0] > pool().fractions(Grid(*grid))[0].sum() * live.simulation.grid.dx**2


def test_what_is_seen_while_drawing_differs_little_from_what_is_kept():
    live = session()
    for stroke in way("solid"):
        live.stroke(stroke)
    live.snapshot()
    before = walls(live)
    live.let_go()
    live.snapshot()
    assert before.sum() > 20
    assert (before ^ walls(live)).sum() <= 2


def test_a_gesture_is_kept_as_few_capsules():
    live = session()
    draw(live, way("pour", bend=0.0, count=60))
    assert len(live.start.shapes) == 2
    draw(live, way("pour", bend=0.1, count=60))
    assert 3 < len(live.start.shapes) < 24
    points = [(float(x), float(np.sin(x))) for x in np.linspace(0, 6, 200)]
    kept = straightened(points, 0.01)
    assert len(kept) < 40
    assert np.abs(np.interp([p[0] for p in points], *zip(*kept)) - [p[1] for p in points]).max() < 0.015


def test_undo_and_redo_at_time_zero_give_back_every_step():
    live = session()
    seen = [live.last]
    for strokes in (way("solid"), way("pour", bend=0.2), way("erase", radius=0.04)):
        draw(live, strokes)
        seen.append(live.last)
    for frame in reversed(seen[:-1]):
        live.undo()
        live.snapshot()
        assert np.array_equal(live.last.solid, frame.solid)
        assert np.array_equal(live.last.fractions, frame.fractions)
    assert live.start.shapes == pool().shapes
    with pytest.raises(ValueError, match="Nothing to undo"):
        live.undo()
    for frame in seen[1:]:
        live.redo()
        live.snapshot()
        assert np.array_equal(live.last.fractions, frame.fractions)
    with pytest.raises(ValueError, match="Nothing to redo"):
        live.redo()
    live.undo()
    draw(live, way("solid", bend=0.3))
    assert live.snapshot().gestures == (3, 0), "a new gesture ends what could be redone"


def test_reset_keeps_what_belongs_to_the_scene_and_drops_what_came_later():
    live = session()
    draw(live, way("solid"))
    start = walls(live)
    live.step()
    live.stroke(Stroke("solid", 0.2, 0.8, 0.2, 0.8, 0.1))
    live.let_go()
    live.step()
    assert (walls(live) & ~start).any()
    live.reset()
    assert np.array_equal(walls(live), start)
    assert live.snapshot().gestures == (1, 0)
    assert len(live.start.solids) == len(live.editing.scene_editor.scene.solids) > 0


def test_walls_are_undone_in_a_running_fluid_cell_by_cell():
    stone = '[[solids]]\nkind = "box"\nstart = [0.2, 0.5]\nend = [0.3, 0.65]'
    live = session(replace(pool(), solids=parse("x", writer.text_of(pool()) + stone).solids))
    live.step()
    before = walls(live)
    assert before.any()
    for stroke in way("solid", radius=0.12):  # over the stone, of which nothing may be lost
        live.stroke(stroke)
    live.let_go()
    live.step()
    drawn = walls(live)
    assert drawn.sum() > before.sum() + 50
    live.undo()
    live.step()
    assert np.array_equal(walls(live), before)
    live.redo()
    live.step()
    assert np.array_equal(walls(live), drawn)
    for stroke in way("erase", radius=0.05):
        live.stroke(stroke)
    live.let_go()
    live.undo()  # before any frame has used the strokes
    live.step()
    assert np.array_equal(walls(live), drawn)
    assert live.last.stats.volume_drift < 1e-5


def test_a_wall_of_the_scene_is_undone_later_too_and_is_gone_after_a_reset():
    live = session()
    draw(live, way("solid"))
    live.step()
    live.undo()
    live.step()
    assert not walls(live).any()
    live.reset()
    assert not walls(live).any()
    draw(live, way("pour", bend=0.3))
    live.step()
    with pytest.raises(ValueError, match="at time zero"):
        live.undo()
    assert live.snapshot().gestures == (1, 0)


def test_what_is_poured_later_is_not_in_the_scene():
    live = session()
    live.step()
    assert not live.snapshot().at_start
    live.stroke(Stroke("pour", 0.5, 0.8, 0.6, 0.8, 0.1, 0))
    live.let_go()
    live.step()
    assert live.start.shapes == pool().shapes
    assert live.snapshot().gestures == (0, 0)


def test_another_size_keeps_drawing_and_settings():
    live = session()
    draw(live, way("solid"))
    live.set_gravity(3.0)
    live.step()
    live.set_grid((48, 72))
    assert live.last.fractions.shape[1:] == (48, 72)
    assert live.last.time == 0
    assert live.settings.gravity == 3.0
    assert walls(live).sum() == pytest.approx(live.editing.scene_editor.arrays[1].sum())
    assert walls(live).any()
    live.undo()
    live.snapshot()
    assert not walls(live).any()


def test_drawing_is_logged_and_replayed_bit_for_bit(tmp_path):
    file = tmp_path / "run.jsonl"
    live = session(log=InputLog(file))
    draw(live, way("solid"))
    draw(live, way("pour", bend=0.2))
    live.undo()
    live.redo()
    live.step()
    live.stroke(Stroke("solid", 0.2, 0.8, 0.3, 0.8, 0.1))
    live.let_go()
    live.step()
    live.undo()
    live.step()
    live.set_grid((40, 60))
    live.step()
    live.close_log()
    assert {"undo", "redo", "grid"} <= {json.loads(line).get("do") for line in file.read_text().splitlines()}
    other = session()
    assert "as logged" in open_file(other, file)
    while other.replaying:
        other.step()
    assert "bit for bit" in other.journal.replay.verdict()
    assert np.array_equal(other.last.fractions, live.last.fractions)
    assert other.editing.scene_editor.counts == live.editing.scene_editor.counts


def test_a_state_saved_after_drawing_holds_the_drawn_scene(tmp_path):
    live = session()
    draw(live, way("solid"))
    path = tmp_path / "state.npz"
    live.save(path)
    other = session()
    other.load(path)
    assert np.array_equal(walls(other), walls(live))
    other.reset()
    assert np.array_equal(walls(other), walls(live))


def test_random_barriers_stay_under_what_is_drawn_over_them():
    scene = replace(pool(), shapes=(), barriers=Barriers("liquid", seed=3))
    grid = Grid(*GRID)
    editor = SceneEditor(scene, grid, seed=2)
    for stroke in way("pour", phase=1, radius=0.2):
        editor.add(stroke)
    editor.finish()
    assert np.allclose(editor.scene.fractions(grid, 2), editor.arrays[0], atol=2e-3)


def test_a_mirrored_stroke_covers_the_mirror_image():
    grid = Grid(*GRID)
    stroke = Stroke("solid", 0.2, 0.3, 0.6, 0.7, 0.1)
    assert np.array_equal(cells_in(mirrored(stroke, grid.width), grid), cells_in(stroke, grid)[:, ::-1])
    twice = mirrored(mirrored(stroke, 2.0), 2.0)
    assert (twice.x0, twice.x1) == pytest.approx((stroke.x0, stroke.x1))


@pytest.mark.parametrize(
    "ends", [(0.1, 0.2, 0.9, 0.7), (-0.3, 1.2, 0.2, 0.9), (0.5, 0.5, 0.5, 0.5), (2.0, 2.0, 3.0, 2.0)]
)
def test_coverage_near_a_stroke_is_its_coverage(ends):
    grid = Grid(40, 24)
    shape = Shape("stroke", "x", start=ends[:2], end=ends[2:], radius=0.1)
    whole = np.zeros(grid.shape)
    place, part = coverage_near(shape, grid)
    whole[place] = part
    exact = coverage(shape, grid)
    assert np.abs(whole - exact).max() < 5e-3
    place, part = roughly_near(shape, grid)
    whole[place] = part
    assert np.abs(whole - exact).max() < 0.25


def test_strokes_over_cells_touch_these_cells_alone():
    grid = Grid(*GRID)
    cells = np.random.default_rng(0).random(grid.shape) < 0.4
    touched = np.zeros(grid.shape, dtype=bool)
    for stroke in strokes_over(cells, "erase", grid.dx):
        touched |= cells_in(stroke, grid)
    assert np.array_equal(touched, cells)


def test_files_are_opened_by_their_kind_and_bad_ones_leave_the_fluid(tmp_path):
    live = session()
    live.step()
    before = live.last
    for name, content, words in (
        ("a.pdf", b"x", "neither a state"),
        ("a.npz", b"PK not a zip", "a.npz"),
        ("a.toml", b"title = ", "toml"),
        ("a.jsonl", b"{}\n", "a.jsonl"),
        ("none.toml", None, "none.toml"),
        ("a.jsonl", b"\xff\xfe\n\n", "a.jsonl"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=words.replace(".", r"\.")):
            open_file(live, path)
        assert live.last is before
    scene = tmp_path / "mine.toml"
    writer.write(scene, replace(pool(), title="Mine", grid=(16, 24)))
    assert "scene mine.toml" in open_file(live, scene)
    assert live.last.fractions.shape[1:] == (16, 24)
    live.step()
    live.save(tmp_path / "s.npz")
    other = session()
    assert "state s.npz" in open_file(other, tmp_path / "s.npz")
    assert other.last.time == live.last.time
    assert not other.editing.at_start


def test_a_log_is_not_opened_by_a_run_that_writes_one(tmp_path):
    file = tmp_path / "run.jsonl"
    live = session(log=InputLog(file))
    live.step()
    live.close_log()
    writing = session(log=InputLog(tmp_path / "other.jsonl"))
    with pytest.raises(ValueError, match="while this run writes a log"):
        open_file(writing, file)
    assert input_log_reader.load(file).frames == 1
    other = session()
    other.step()
    open_file(other, file)
    with pytest.raises(ValueError, match="during a replay"):
        open_file(other, file)


def test_a_colour_stays_with_scene_state_log_and_reset_and_changes_no_step(tmp_path):
    log = tmp_path / "run.jsonl"
    live, plain = session(log=InputLog(log)), session()
    draw(live, way("pour"))
    draw(plain, way("pour"))
    color = (1.0, 0.5, 0.25)
    live.set_color(0, color)
    seen = live.simulation.scene.phases[0].color
    assert np.abs(np.array(seen) - color).max() < 1 / 255
    assert live.snapshot().scene.phases[0].color == seen
    for _ in range(3):
        np.testing.assert_array_equal(live.step().fractions, plain.step().fractions)
    live.save(tmp_path / "state.npz")
    assert state_file.load(tmp_path / "state.npz").scene.phases[0].color == seen
    assert live.start.phases[0].color == seen
    assert parse("again", live.start.source).phases[0].color == seen
    live.reset()
    assert live.snapshot().scene.phases[0].color == seen
    live.set_grid((24, 36))
    assert live.snapshot().scene.phases[0].color == seen
    live.close_log()
    replay = input_log_reader.load(log)
    again = session(replay=replay)
    while again.replaying:
        again.step()
    assert again.simulation.scene.phases[0].color == seen
    for bad in ((7, color), (0, (2.0, 0.0, 0.0)), (-1, color)):
        with pytest.raises(ValueError, match=r"phase|colour"):
            plain.set_color(*bad)
    text = log.read_text().replace('"color": [1.0, 0.5, 0.25]', '"color": [1.0, 0.5, 7]')
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(ValueError, match="color"):
        input_log_reader.load(tmp_path / "bad.jsonl")
