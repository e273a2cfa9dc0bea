"""Recordings that are no videos hold the pictures they were given, at their rate."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from app.record.animation import EVERY, Animation, Sequence, sink_for
from app.record.video import RATE, Recorder


def levels(count, channels=3):
    return [np.full((20, 30, channels), 40 + 20 * k, np.uint8) for k in range(count)]


@pytest.mark.parametrize("ending", [".webp", ".gif"])
def test_an_animation_plays_in_real_time(tmp_path, ending):
    path = tmp_path / f"film{ending}"
    sink = Animation(path)
    for index, picture in enumerate(levels(3 * EVERY + 1)):
        sink.add(picture, index)
    assert "4 pictures, 20 a second" in sink.close()
    with Image.open(path) as film:
        pictures, durations = [], []
        for each in ImageSequence.Iterator(film):
            pictures.append(np.asarray(each.convert("RGB")))
            durations.append(each.info["duration"])
    assert durations == [1000 * EVERY / RATE] * 4
    for k, picture in enumerate(pictures):
        assert abs(int(picture[10, 15, 0]) - (40 + 20 * k * EVERY)) <= 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_holds_every_picture_with_its_opacity(tmp_path):
    sink = sink_for(tmp_path / "frames", (30, 20))
    assert isinstance(sink, Sequence)
    for index, picture in enumerate(levels(3, channels=4)):
        sink.add(picture, index)
    assert "3 pictures" in sink.close()
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png"]
    with Image.open(tmp_path / "frames" / "00001.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getpixel((3, 3)) == (60, 60, 60, 60)


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    sink = Sequence(tmp_path / "taken")
    sink.add(levels(1)[0], 0)
    assert "taken" in sink.close()
    lost = Animation(tmp_path / "gone" / "film.webp")
    for index in range(2 * EVERY):
        lost.add(levels(1)[0], index)
    sentence = lost.close()
    assert "ended early" in sentence
    assert "\n" not in sentence


def test_a_video_is_still_a_video(tmp_path):
    sink = sink_for(tmp_path / "film.mp4", (64, 48))
    assert isinstance(sink, Recorder)
    sink.close()
