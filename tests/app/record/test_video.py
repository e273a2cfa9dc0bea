"""Whatever becomes of the disk, the encoder or the process: a recording stays playable and the program goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from app.record.video import RATE, Recorder, poster_of

ROOT = Path(__file__).resolve().parents[3]
SIZE = (320, 240)

WRITE = """
import resource, sys
from pathlib import Path
import numpy as np
from app.record.video import Recorder
path, live, limit = Path(sys.argv[1]), sys.argv[2] == "live", int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # as a full disk: writing fails, the process goes on
noise = np.random.default_rng(0)
recorder = Recorder(path, (320, 240), live)
for k in range(400):
    recorder.add(noise.integers(0, 255, (240, 320, 3), dtype=np.uint8), k)
    recorder.drain()
    print(recorder.frames, flush=True)
    if recorder.error:
        break
print(recorder.close())
"""


def picture(k: int) -> np.ndarray:
    """Another for every k."""
    made = np.zeros((240, 320, 3), np.uint8)
    made[:, 2 * k : 2 * k + 60] = 200
    return made


@pytest.mark.parametrize("kind", ["offline", "live"])
def test_a_killed_process_leaves_a_video_that_lacks_a_second_at_most(tmp_path, kind):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older film")
    command = [sys.executable, "-c", WRITE, str(path), kind, "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 3 * RATE:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert path.read_bytes() == b"older film"
    lost = 3 * RATE - count(tmp_path / "film.part.mp4")
    assert lost <= RATE  # measured 20


def test_a_full_disk_ends_the_recording_and_keeps_what_is_there(tmp_path):
    path = tmp_path / "film.mp4"
    command = [sys.executable, "-c", WRITE, str(path), "offline", "2000000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sentence = done.stdout.splitlines()[-1]
    assert "ended early" in sentence
    frames = count(path)
    assert f"Recorded {frames} frames" in sentence
    assert 10 < frames < 400
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_vanishes_ends_the_recording_with_a_sentence(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    recorder = Recorder(folder / "film.mp4", SIZE, live=False)
    for k in range(100):
        if k == 50:
            recorder.drain()
            shutil.rmtree(folder)
        recorder.add(picture(k), k)
    sentence = recorder.close()
    assert "could not be written" in sentence
    assert str(folder) in sentence
    assert "\n" not in sentence


def test_an_encoder_that_breaks_keeps_the_pictures_before(tmp_path):
    recorder = Recorder(tmp_path / "film.mp4", SIZE, live=False)
    for k in range(40):
        recorder.add(picture(k), k)
    recorder.add(np.zeros((48, 64, 4, 2), np.uint8), 40)  # what no encoder takes
    for k in range(41, 90):  # nobody waits for ever
        recorder.add(picture(k % 80), k)
    sentence = recorder.close()
    assert "ended early" in sentence
    assert "Recorded 40 frames" in sentence
    assert count(tmp_path / "film.mp4") == 40
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_live_recording_says_how_many_pictures_it_dropped(tmp_path):
    recorder = Recorder(tmp_path / "film.mp4", (1920, 1080), live=True)
    for k in range(60):  # far faster than anyone encodes
        recorder.add(np.full((1080, 1920, 3), k, np.uint8), k)
    sentence = recorder.close()
    assert recorder.dropped > 0
    assert f"{recorder.dropped} dropped" in sentence
    assert count(tmp_path / "film.mp4") == 60 - recorder.dropped


def test_a_finished_video_starts_with_an_index(tmp_path):
    recorder = Recorder(tmp_path / "film.mp4", SIZE, live=False)
    for k in range(70):
        recorder.add(picture(k), k)
    recorder.close()
    data = (tmp_path / "film.mp4").read_bytes()
    assert b"moof" not in data
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert film.streams.video[0].average_rate == RATE
        assert film.duration / av.time_base == pytest.approx(70 / RATE, abs=0.02)


@pytest.mark.egl
def test_a_comparison_whose_folder_vanishes_ends_with_one_sentence(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    script = (
        "import shutil, sys; from app.compare import comparison; advance = comparison.Comparison._advance\n"
        "def vanish(self, number):\n"
        f"    if number == 2: shutil.rmtree({str(folder)!r})\n"
        "    advance(self, number)\n"
        "comparison.Comparison._advance = vanish\n"
        "from app.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    argv = ["--headless", "--grid", "16x16", "--frames", "4", "--compare", "jacobi,dilu"]
    command = [sys.executable, "-c", script, *argv, "--record", str(folder / "film.mp4")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if "cannot be opened" in done.stderr or "imgui-bundle" in done.stderr:
        pytest.skip("no EGL here")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert str(folder) in done.stderr


def test_the_poster_stands_beside_the_video():
    assert poster_of(Path("out/film.mp4")) == Path("out/film.png")


def count(path: Path) -> int:
    """Pictures that can be decoded."""
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))
