"""Scenes written as toml read back the same; strokes and erased walls cover what they should."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.grid import Grid
from sim.scenes import writer
from sim.scenes.reader import SceneError, load, names, parse
from sim.scenes.scene import FloatingBody, Shape, coverage


@pytest.mark.parametrize("name", names())
def test_every_shipped_scene_survives_being_written(name: str) -> None:
    scene = load(name)
    assert replace(parse(name, writer.text_of(scene)), source=scene.source) == scene


@settings(max_examples=60)
@given(st.text(min_size=1).filter(lambda t: bool(t.strip()) and max(t) < "\ud800"))
def test_any_title_survives_being_written(title: str) -> None:
    scene = replace(load("dam-break"), title=title)
    assert parse("x", writer.text_of(scene)).title == title


def test_drawn_strokes_survive_and_a_failed_write_leaves_the_file_before(tmp_path: Path, monkeypatch) -> None:
    scene = load("dam-break")
    stroke = Shape("stroke", scene.phases[0].name, start=(0.1, 0.2), end=(0.7, 1 / 3), radius=0.05)
    walls = (*scene.solids, replace(stroke, phase=""), Shape("disc", center=(0.3, 0.25), radius=0.1, erase=True))
    drawn = replace(scene, shapes=(*scene.shapes, stroke), solids=walls)
    path = tmp_path / "mine.toml"
    writer.write(path, drawn)
    again = load(path)
    assert again.shapes == drawn.shapes
    assert again.solids == drawn.solids
    before = path.read_text()

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        writer.write(path, scene)
    monkeypatch.undo()
    assert path.read_text() == before


def test_bodies_survive_being_written() -> None:
    bodies = (
        FloatingBody("raft", Shape("box", start=(0.1, 0.2), end=(0.3, 1 / 3)), 400.0, 12.5, (0.1, -2.0), 0.5),
        FloatingBody("ball", Shape("disc", center=(0.7, 0.8), radius=0.1), 7000.0),
        FloatingBody("log", Shape("stroke", start=(0.5, 0.5), end=(0.6, 0.4), radius=0.05), 10.0),
    )
    scene = replace(load("dam-break"), bodies=bodies)
    assert parse("x", writer.text_of(scene)).bodies == bodies


def test_a_stroke_covers_a_capsule_and_a_later_eraser_opens_a_wall() -> None:
    grid = Grid(96, 128)
    stroke = Shape("stroke", start=(0.25, 0.5), end=(0.75, 0.5), radius=0.1)
    length = 0.5 * grid.width
    area = coverage(stroke, grid).sum() * grid.dx**2
    assert area == pytest.approx(2 * 0.1 * length + np.pi * 0.1**2, rel=1e-3)
    dot = Shape("stroke", start=(0.5, 0.5), end=(0.5, 0.5), radius=0.2)
    assert np.array_equal(coverage(dot, grid), coverage(Shape("disc", center=(0.5, 0.5), radius=0.2), grid))
    gap = Shape("box", start=(0.4, 0.0), end=(0.6, 1.0), erase=True)
    scene = replace(load("dam-break"), solids=(stroke, gap))
    solid = scene.solid(grid)
    assert solid[48, 40]
    assert not solid[:, 52:76].any()
    assert replace(scene, solids=(gap, stroke)).solid(grid)[48, 64]


def test_an_eraser_among_shapes_or_with_a_wrong_value_is_refused() -> None:
    head = writer.text_of(load("rising-bubble"))
    disc = 'kind = "disc"\ncenter = [0.5, 0.5]\nradius = 0.1\n'
    for text, sentence in (
        (f'[[shapes]]\nphase = "{load("rising-bubble").phases[0].name}"\nerase = true\n{disc}', "'erase' of a shape"),
        (f"[[solids]]\nerase = 1\n{disc}", "true or false"),
    ):
        with pytest.raises(SceneError, match=sentence):
            parse("x", head + text)
