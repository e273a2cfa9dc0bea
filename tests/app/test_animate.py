"""Moving pictures of recordings."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from app.animate import main


def recording(path: Path, count: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=60)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(count):
            picture = np.full((48, 64, 3), 4 * k, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_recording_becomes_a_moving_picture_of_its_length(tmp_path: Path) -> None:
    target = tmp_path / "a.webp"
    assert main([str(recording(tmp_path / "a.mp4", 40)), str(target), "--width", "32", "--fps", "15"]) == 0
    with Image.open(target) as picture:
        assert picture.size == (32, 24)
        assert picture.n_frames == 10
        picture.seek(9)
        assert np.asarray(picture.convert("L")).mean() == pytest.approx(4 * 36, abs=12)
        assert picture.info["duration"] == 67  # 4 pictures of 60 a second


def test_the_last_picture_is_a_still(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    assert main([str(recording(tmp_path / "a.mp4", 40)), str(target), "--width", "64"]) == 0
    with Image.open(target) as picture:
        assert picture.size == (64, 48)
        assert np.asarray(picture.convert("L")).mean() == pytest.approx(4 * 39, abs=2)


def test_what_cannot_be_played_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    broken = tmp_path / "b.mp4"
    broken.write_bytes(b"no video")
    for arguments in ([str(broken), str(tmp_path / "b.webp")], [str(tmp_path / "none.mp4"), str(tmp_path / "b.webp")]):
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "cannot be played" in said
    assert main([str(broken), "b.gif"]) == 2
    assert not (tmp_path / "b.webp").exists()
