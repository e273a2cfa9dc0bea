"""Grids: those that keep up with the machine, those of a scene's aspect, those that a user types."""

from dataclasses import replace

import pytest

from app.session import grid_presets
from sim.grid import LARGEST, SMALLEST, Grid, with_rows
from sim.scenes.reader import load, names
from tests.scenes import pool


def found(speed, scene=None):
    """The rows that are chosen on a machine that makes this many steps a second with 96 rows; all that were tried."""
    scene = scene or load("dam-break")
    first, shape, rows = grid_presets.AutomaticGrid(), scene.grid, []
    for _ in range(2000):
        rate = speed * (96 / shape[0]) ** 2
        preset = first.watch(scene, shape, 2, 2 / rate)
        if preset is not None:
            shape = with_rows(scene.grid, preset.rows)
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
    first, scene = grid_presets.AutomaticGrid(), load("dam-break")
    assert first.watch(scene, scene.grid, 1, 20.0) is None  # kernels compile
    for _ in range(100):
        assert first.watch(scene, scene.grid, 1, 0.02) is None
    assert first.done


@pytest.mark.parametrize("rows", [16, 24, *(preset.rows for preset in grid_presets.PRESETS), 1000])
def test_grids_have_the_aspect_of_their_scene_to_half_a_cell(rows):
    for name in names():
        scene = load(name)
        found = Grid(*with_rows(scene.grid, rows))
        assert abs(found.nx - found.ny * scene.grid[1] / scene.grid[0]) <= 0.5
        assert found.ny == rows or SMALLEST in found.shape


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
