"""Grids: those that keep up with the machine, those of a scene's aspect, those that a user types."""

from dataclasses import replace

import pytest

from app.session import grid_presets
from sim.grid import LARGEST, SMALLEST, Grid, with_rows
from sim.scenes.reader import load, names
from tests.scenes import pool


def found(share, rows=96, method="htp", first=None):
    """The rows that are chosen on a machine that reaches this share of real time on 96 rows; all that were tried."""
    first, shape, tried = first or grid_presets.AutomaticGrid(), (rows, rows), []
    for _ in range(3000):
        seconds = (shape[0] / 96) ** grid_presets.GROWTH / share / 60
        preset = first.watch(shape, 1 / 60, seconds, 1.0, method)
        if preset is not None:
            tried.append(preset.rows)
            if not first.settled:
                shape = (preset.rows, preset.rows)
    assert first.settled
    return tried


@pytest.mark.parametrize("share", [1.01 * grid_presets.NEARLY, 1.0, 4.0])
def test_a_machine_that_keeps_up_keeps_the_scene_as_it_is(share):
    assert found(share) == []


@pytest.mark.parametrize("share", [0.94, 0.8, 0.6, 0.4])
def test_a_slow_machine_gets_the_finest_grid_that_holds_real_time(share):
    (rows,) = found(share)
    wanted = grid_presets.MARGIN
    assert share * (96 / rows) ** grid_presets.GROWTH >= wanted
    finer = [preset.rows for preset in grid_presets.PRESETS if rows < preset.rows < 96]
    assert all(share * (96 / each) ** grid_presets.GROWTH < wanted for each in finer)


@pytest.mark.parametrize(("share", "rows"), [(7.2, 160), (24.0, 256), (7.1, None)])
def test_a_fast_machine_gets_a_finer_grid(share, rows):
    assert found(share) == ([rows] if rows else [])


def test_the_coarsest_grid_is_the_last_word():
    assert found(0.01) == [48]


def test_a_fluid_that_becomes_faster_later_is_given_a_coarser_grid_then():
    first, ratios = grid_presets.AutomaticGrid(), [1.5] * 200 + [0.7] * 200
    found = [first.watch((96, 128), 1 / 60, 1 / 60 / ratio, 1.0, "htp") for ratio in ratios]
    assert [preset.rows for preset in found[:200] if preset] == []
    assert next(preset.rows for preset in found if preset) == 64


def test_another_solver_is_measured_anew_but_a_running_scene_is_left_alone():
    first = grid_presets.AutomaticGrid()
    assert found(2.0, method="multigrid", first=first) == []
    assert found(0.5, method="jacobi", first=first) == [64], "said once, and not taken"
    assert found(0.5, method="jacobi", first=first) == []
    assert found(1.0, method="multigrid", first=first) == []


def test_half_of_real_time_is_enough_where_that_is_asked_for():
    first = grid_presets.AutomaticGrid()
    assert all(first.watch((96, 96), 1 / 60, 1 / 60 / 0.8, 0.5, "htp") is None for _ in range(2000))
    assert first.settled


def test_slow_frames_at_the_start_decide_nothing():
    first = grid_presets.AutomaticGrid()
    for _ in range(grid_presets.IGNORED):
        assert first.watch((96, 96), 1 / 60, 20.0, 1.0, "htp") is None  # kernels compile
    for _ in range(300 * grid_presets.HELD):
        assert first.watch((96, 96), 1 / 60, 0.005, 1.0, "htp") is None
    assert first.settled


@pytest.mark.parametrize("rows", [16, 24, *(preset.rows for preset in grid_presets.PRESETS), 1000])
def test_grids_have_the_aspect_of_their_scene_to_half_a_cell(rows):
    for name in names():
        scene = load(name)
        found = Grid(*with_rows(scene.grid, rows))
        assert abs(found.nx - found.ny * scene.grid[1] / scene.grid[0]) <= 0.5
        assert found.ny == rows or SMALLEST in found.shape or LARGEST in found.shape


@pytest.mark.parametrize("grid", [(16, 2048), (2048, 16), (17, 1000)])
def test_grids_of_long_scenes_stay_in_range(grid):
    scene = replace(pool(), grid=grid)
    for rows in (16, 300, 2048):
        found = with_rows(scene.grid, rows)
        assert all(SMALLEST <= side <= LARGEST for side in found)


@pytest.mark.parametrize(("text", "shape"), [("80x120", (80, 120)), (" 64 x 64 ", (64, 64)), ("64×96", (64, 96))])
def test_sizes_are_read_as_they_are_typed(text, shape):
    assert grid_presets.parsed(text) == shape


@pytest.mark.parametrize("text", ["", "8x8", "64", "x64", "4096x64", "-64x64"])
def test_sizes_out_of_reach_are_refused(text):
    with pytest.raises(ValueError, match="NYxNX"):
        grid_presets.parsed(text)
