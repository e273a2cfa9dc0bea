"""The time line: what is kept of a run, and that going on from any of it is going on as before."""

from pathlib import Path

import numpy as np
import pytest

from app.session import input_log_reader
from app.session.input_log import InputLog, check_sum
from app.session.session import Session
from app.session.timeline import DENSE, Moment, Timeline
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.ui.settings import BUDGET
from sim.frame import Controls, Stats, Stroke
from sim.scenes.reader import load

MIB = 1 << 20
NOTHING = Stats(0, (), {}, 0.0, 0.0, 0.0, (), 0.0, 0.0)


def session(method="multigrid", grid=(32, 48), budget=64 * MIB, scene="dam-break", **more):
    solve = SwitchableSolver(Choice(method, 1e-6), "cpu")
    return Session(load(scene), grid, solve, device="cpu", timeline=budget, **more)


def moment(number, size=1000, **arrays):
    return Moment(number, number / 60, {"u": np.full(size, float(number)), **arrays}, Controls(), NOTHING)


@pytest.mark.parametrize(
    ("method", "scene"),
    [("multigrid", "dam-break"), ("htp", "floating-box"), ("spai", "dam-break"), ("jacobi", "sloshing-tank")],
)
def test_going_on_from_any_moment_equals_the_uninterrupted_run(method, scene):
    run = session(method, scene=scene)
    frames = [run.step() for _ in range(24)]
    for number in (17, 3, 0):
        run.rewind(run.timeline.numbers[number])
        assert run.last.time == (frames[number - 1].time if number else 0.0)
        for expected in frames[number:]:
            again = run.step()
            assert check_sum(again) == check_sum(expected)
            assert [s.iterations for s in again.stats.solutions] == [s.iterations for s in expected.stats.solutions]
        assert len(run.timeline) == 25  # what lay ahead was forgotten, and made again


def test_every_moment_is_shown_as_it_was():
    run = session("htp", scene="drop-splash")
    frames = [run.last] + [run.step() for _ in range(12)]
    for number in (12, 0, 7, 8, 3):
        run.rewind(number)
        shown, was = run.snapshot(), frames[number]
        for name in ("fractions", "density", "u", "v", "pressure", "solid"):
            assert np.array_equal(getattr(shown.frame, name), getattr(was, name))
        assert shown.frame.stats.volumes == was.stats.volumes
        assert [s.iterations for s in shown.frame.stats.solutions] == [s.iterations for s in was.stats.solutions]
        assert shown.timeline.present == number
        assert shown.timeline.numbers.tolist() == list(range(13))  # scrubbing forgets nothing


def test_settings_and_walls_go_back_and_method_and_tolerance_stay():
    run = session()
    for _ in range(3):
        run.step()
    settings = run.settings
    run.set_densities((500.0, 20.0))
    run.set_gravity(3.0)
    run.stroke(Stroke("solid", 8.0, 2.0, 9.0, 2.0, 0.5))
    run.step()
    walls = run.last.solid
    run.let_go()
    run.solve.choice = Choice("jacobi", 1e-4)
    run.rewind(3)
    assert run.settings == settings
    assert run.simulation.controls.gravity == settings.gravity
    assert not run.last.solid.any()
    assert run.solve.choice == Choice("jacobi", 1e-4)
    with pytest.raises(ValueError, match="Nothing to undo"):
        run.undo()
    run.rewind(4)
    assert np.array_equal(run.last.solid, walls)
    run.undo()  # the wall that was drawn by then
    run.step()
    assert not run.last.solid.any()


def test_the_start_may_be_drawn_into_again():
    run = session()
    start = run.last
    run.step()
    run.rewind(0)
    assert run.snapshot().at_start
    run.stroke(Stroke("pour", 9.0, 5.0, 10.0, 5.0, 1.0, 0))
    run.let_go()
    run.step()
    run.rewind(0)
    assert run.last.stats.volumes[0] > start.stats.volumes[0]  # the drop that was drawn
    assert run.timeline.numbers == (0, 2)


def test_a_wall_that_was_undone_is_there_again_at_the_start():
    run = session()
    run.stroke(Stroke("solid", 9.0, 5.0, 9.0, 5.0, 0.8))
    run.let_go()
    run.step()
    walls, scene = run.last.solid, run.simulation.scene
    run.rewind(0)
    run.undo()
    run.step()
    assert not run.last.solid.any()
    assert run.simulation.scene != scene
    run.set_timeline_budget(0)
    assert len(run.timeline) == 0
    again = session()
    again.stroke(Stroke("solid", 9.0, 5.0, 9.0, 5.0, 0.8))
    again.let_go()
    again.step()
    again.undo()
    again.step()
    again.rewind(0)
    again.stroke(Stroke("pour", 12.0, 8.0, 12.0, 8.0, 0.5, 0))
    again.let_go()
    again.step()
    assert np.array_equal(again.last.solid, walls)


def test_strokes_that_no_frame_has_used_are_forgotten():
    run = session()
    run.step()
    expected = check_sum(run.step())
    run.stroke(Stroke("push", 2.0, 1.0, 4.0, 1.0, 1.0))
    run.rewind(1)
    assert check_sum(run.step()) == expected


def test_reset_and_another_scene_begin_a_new_line():
    run = session()
    run.step()
    run.reset()
    assert len(run.timeline) == 0
    run.step()
    assert run.timeline.numbers == (1, 2)
    run.set_scene(load("drop-splash"), (32, 32))
    assert len(run.timeline) == 0
    with pytest.raises(ValueError, match="frame 2 is not on the time line any more"):
        run.rewind(2)


@pytest.mark.parametrize("budget", [0, 64 * MIB])
def test_a_replay_goes_back_as_the_logged_run_did(tmp_path: Path, budget):
    path = tmp_path / "run.jsonl"
    run = session(log=InputLog(path), scene="drop-splash", grid=(32, 32))
    for number in range(12):
        if number == 4:
            run.stroke(Stroke("solid", 0.2, 0.2, 0.4, 0.2, 0.05))
        run.step()
    run.rewind(3)
    run.stroke(Stroke("push", 0.2, 0.3, 0.5, 0.4, 0.1))
    for _ in range(6):
        run.step()
    run.rewind(run.timeline.numbers[-2])
    run.step()
    run.close_log()
    found = input_log_reader.load(path)
    again = session(replay=found, budget=budget, scene="drop-splash", grid=(32, 32))
    while again.replaying:
        again.step()
    assert found.differs is None
    assert found.compared > 0
    assert check_sum(again.last) == check_sum(run.last)
    if not budget:
        assert set(again.timeline.numbers) <= found.rewinds  # memory for nothing else


def test_a_log_cannot_go_back_to_what_was_not_made_yet(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    run = session(log=InputLog(path))
    run.step()
    run.rewind(0)
    run.close_log()
    path.write_text(path.read_text().replace('"to": 0', '"to": 7'))
    with pytest.raises(ValueError, match="key 'to' goes back to frame 7, but only 1 were made by then"):
        input_log_reader.load(path)


def test_300_frames_fit_into_the_default_budget():
    run = session("htp", (96, 128), budget=BUDGET * MIB)
    for _ in range(3):
        run.step()
    held = run.timeline.used
    run.step()
    assert 300 * (run.timeline.used - held) < BUDGET * MIB


# The line by itself ----------------------------------------------------------------------------------------------


def test_what_does_not_change_is_kept_once():
    line, wall = Timeline(MIB), np.arange(1000.0)
    for number in range(5):
        line.keep(moment(number, wall=wall.copy()))
    assert line.used == 8000 * 6
    assert np.array_equal(line.find(4).arrays["wall"], wall)
    line.go_to(line.find(0))
    line.keep(moment(7, wall=-wall))
    assert line.numbers == (0, 7)
    assert line.used == 8000 * 4
    line.keep(moment(8, wall=wall * np.where(wall == 0, 1.0, -1.0)))  # 0.0 instead of -0.0
    assert line.used == 8000 * 6


def test_within_its_budget_the_line_thins_out_with_age():
    line = Timeline(8000 * 600)
    for number in range(5000):
        line.keep(moment(number))
        assert line.used <= line.budget
    numbers = np.array(line.numbers)
    assert numbers[0] == 0  # the start stays in reach
    assert (np.diff(numbers[numbers >= 5000 - DENSE]) == 1).all()
    ages, gaps = 4999 - numbers[1:], np.diff(numbers)
    assert (gaps <= 4 + ages / 25).all()  # 300 moments for 4,700 frames: ln(4,700 / 300) / 300 is 1 / 109
    line.set_budget(8000 * 100)
    assert line.used <= line.budget
    assert line.numbers[-1] == 4999


def test_the_present_moment_and_those_of_a_replay_stay():
    line = Timeline(8000 * 20, pinned=(3, 11))
    for number in range(100):
        line.keep(moment(number))
    assert {3, 11, 99} <= set(line.numbers)
    line.go_to(line.find(11))
    line.set_budget(0)
    assert line.numbers == (3, 11)


def test_places_along_the_line():
    line = Timeline(MIB)
    for number in (10, 11, 12, 20):
        line.keep(moment(number))
    line.go_to(line.find(12))
    view = line.view
    assert view.present == 12
    assert [view.nearest(share) for share in (-1.0, 0.0, 0.21, 0.8, 1.0, 7.0)] == [10, 10, 12, 20, 20, 20]
    assert view.share_of(12) == 0.2
    assert view.time_of(20) == 20 / 60
