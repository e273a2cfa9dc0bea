"""Scenes and grids: what ships is sound, and what is wrong is refused with a sentence that names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.grid import Grid
from sim.scenes import reader
from sim.scenes.reader import SceneError
from sim.scenes.scene import Shape, barrier_shapes, coverage
from tests.scenes import POOL, pool

GOOD = POOL.format(density=100.0, shape='kind = "pool"\nheight = 0.4', more="")


@pytest.mark.parametrize("name", reader.names())
def test_every_shipped_scene_has_a_sentence_and_fractions_that_sum_to_one(name: str) -> None:
    loaded = reader.load(name)
    grid = Grid(*loaded.grid, height=loaded.height)
    fractions = loaded.fractions(grid)
    assert loaded.sentence.endswith(".")
    assert fractions.shape == (len(loaded.phases), *loaded.grid)
    assert np.abs(fractions.sum(axis=0) - 1).max() < 1e-12
    brought = {opening.phase for opening in loaded.openings}  # by an inlet, later
    for k, phase in enumerate(loaded.phases):
        assert phase.name in brought or 0.01 < fractions[k].mean() < 0.98
    assert not loaded.solid(grid).all()


def test_the_five_scenes_ship() -> None:
    assert set(reader.names()) >= {"dam-break", "rising-bubble", "rayleigh-taylor", "drop-splash", "barriers"}


def test_coverage_is_the_area_of_the_shape() -> None:
    grid = Grid(48, 64)
    disc = coverage(Shape("disc", center=(0.4, 0.5), radius=0.2), grid).sum() * grid.dx**2
    assert disc == pytest.approx(np.pi * 0.04, rel=1e-4)
    box = coverage(Shape("box", start=(0.1, 0.2), end=(0.437, 0.61)), grid).sum() * grid.dx**2
    assert box == pytest.approx(0.337 * 0.41 * grid.width, rel=2e-3)


def test_barriers_depend_on_the_seed_only() -> None:
    barriers = reader.load("barriers").barriers
    assert barriers is not None
    assert barrier_shapes(barriers, 1) == barrier_shapes(barriers, 1)
    assert barrier_shapes(barriers, 1) != barrier_shapes(barriers, 2)


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        ('title = "Pool"\n', "", "'title'"),
        ("sentence =", "sentense =", "'sentense'"),
        ("density = 100.0", "density = -5.0", "-5.0"),
        ("density = 100.0", 'density = "heavy"', "'heavy'"),
        ("density = 100.0\n", "", "'density'"),
        ("density = 100.0", "densty = 100.0", "'densty'"),
        ("#0000ff", "blue", "'blue'"),
        ('kind = "pool"', 'kind = "blob"', "'blob'"),
        ("height = 0.4", "heigth = 0.4", "'heigth'"),
        ("height = 0.4", "height = nan", "nan"),
        ('phase = "liquid"', 'phase = "mercury"', "'mercury'"),
        ('name = "gas"', 'name = "liquid"', "must differ"),
        ("grid = [32, 48]", "grid = [0, 48]", "0x48"),
        ("grid = [32, 48]", "gravity = 1e308", r"1e\+308"),
        ("grid = [32, 48]", "height = 1e-200", "1e-200"),
        ("density = 100.0", "density = 1e300", r"1e\+300"),
        ("grid = [32, 48]", "grid = [32]", r"\[32\]"),
        ("grid = [32, 48]", "open_top = 3", "3"),
        ("[[phases]]", "[[phase]]", "'phases'"),
        ("title =", "title ==", "not valid toml"),
    ],
)
def test_a_wrong_scene_is_refused_with_one_sentence_that_names_the_fault(old: str, new: str, needle: str) -> None:
    assert old in GOOD
    with pytest.raises(SceneError, match=needle) as caught:
        reader.parse("pool", GOOD.replace(old, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["atlantis", "no/such/file.toml"])
def test_an_unknown_scene_is_refused_by_name(name: str) -> None:
    with pytest.raises(SceneError, match=name):
        reader.load(name)


@pytest.mark.parametrize(
    "text", ["0x0", "7x3", "100000x100000", "96", "x", "96x", "axb", "-4x32", "96x128x2", "32 x 48"]
)
def test_a_wrong_grid_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Grid.parse(text)


def test_a_grid_knows_its_geometry() -> None:
    grid = Grid.parse("96X128")
    assert (grid.shape, grid.dx, grid.width) == ((96, 128), 1 / 96, 128 / 96)


def test_a_pool_scene_of_the_tests_is_read_as_written() -> None:
    loaded = pool(250.0, more="open_top = true\ngravity = 1.5\n")
    assert (loaded.phases[0].density, loaded.open_top, loaded.gravity, loaded.grid) == (250.0, True, 1.5, (32, 48))


def test_a_byte_order_mark_as_windows_editors_write_it_is_no_part_of_the_scene(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert reader.load(path).source == GOOD


BODY = '[[bodies]]\nkind = "box"\nstart = [0.3, 0.3]\nend = [0.5, 0.5]\ndensity = 50.0\n'


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        ('"box"', '"pool"', "'pool'"),
        ("density = 50.0\n", "", "'density'"),
        ("density = 50.0", "density = -1.0", "-1.0"),
        ("density = 50.0", "density = 50.0\ncolor = 3", "'color'"),
        ("density = 50.0", "density = 50.0\nerase = true", "'erase'"),
        ("density = 50.0", "density = 50.0\nvelocity = [1.0]", "'velocity'"),
        ("end = [0.5, 0.5]", "end = [0.2, 0.5]", "start below and left"),
        ("density = 50.0\n", 'density = 50.0\nname = "a"\n' + BODY + 'name = "a"\n', "must differ"),
        (BODY, 9 * BODY, "at most 8"),
    ],
)
def test_bad_bodies_are_refused_in_one_sentence(old: str, new: str, needle: str) -> None:
    with pytest.raises(SceneError) as error:
        reader.parse("mine", GOOD + BODY.replace(old, new))
    assert needle in str(error.value)
    assert "\n" not in str(error.value)


def test_a_body_that_has_no_room_is_refused() -> None:
    from sim import Simulation
    from tests.scenes import pressure_solver

    for body, needle in (
        (BODY.replace("[0.3, 0.3]", "[0.3, -0.1]"), "out of the domain"),
        (BODY + BODY.replace("[0.3, 0.3]", "[0.31, 0.3]") + 'name = "b"\n' + 5 * "", ""),
    ):
        scene = reader.parse("mine", GOOD + body)
        if needle:
            with pytest.raises(ValueError, match=needle):
                Simulation(scene, solve=pressure_solver(), device="cpu")
        else:  # bodies that overlap are moved apart
            outlines = Simulation(scene, solve=pressure_solver(), device="cpu").frame().outlines
            assert (
                outlines[0][:, 0].max() < outlines[1][:, 0].min() or outlines[1][:, 0].max() < outlines[0][:, 0].min()
            )
