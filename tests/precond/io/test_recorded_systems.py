"""Laws of recorded systems: exact on the way back, whole or absent on disk, one sentence for everything damaged."""

import json

import numpy as np
import pytest
import torch

from precond import PoissonSystem, problems
from precond.io import recorded_systems
from precond.io.recorded_systems import Origin, Recording

ORIGIN = Origin("pool", (32, 32), "jacobi", 1e-6, "abc", "python -m app --headless")


@pytest.fixture
def file(tmp_path):
    """A whole recorded system with solids under an open top."""
    return recorded_systems.write(tmp_path, 0, *problems.frame("blobs", 400, 0, solids=True, open_top=True))


def damaged(file, **arrays):
    """The file's arrays with some replaced, or left out where the replacement is None."""
    with np.load(file, allow_pickle=False) as archive:
        whole = dict(archive)
    np.savez(file, **{name: array for name, array in {**whole, **arrays}.items() if array is not None})
    return file


@pytest.mark.parametrize("open_top", [False, True])
@pytest.mark.parametrize("solids", [False, True])
@pytest.mark.parametrize("cells", [1, 400, 2048])
def test_what_is_read_is_bit_for_bit_what_was_written(tmp_path, cells, solids, open_top):
    system, b = problems.frame("barrier", cells, 3, solids=solids, open_top=open_top)
    again, c = recorded_systems.read(recorded_systems.write(tmp_path, 0, system, b))
    assert again.open_top is open_top
    for name in ("beta_x", "beta_y", "solid"):
        assert torch.equal(getattr(again, name), getattr(system, name)), name
    assert torch.equal(c, b)
    assert c.dtype == torch.float64
    assert torch.equal(again.apply(b), system.apply(b))


def test_a_recording_is_whole_after_every_system(tmp_path):
    recording = Recording(tmp_path / "new", ORIGIN)
    for k in range(3):
        recording.add(*problems.frame("spray", 64, k), dt=0.5**k, frame=k // 2)
        files = recorded_systems.sequence(tmp_path / "new")
        about = recorded_systems.about(tmp_path / "new")
        assert [path.name for path in files] == [f"{n:06d}.npz" for n in range(k + 1)]
        assert about["solves"] == len(about["dt"]) == len(about["frame"]) == len(recording) == k + 1
    assert about["dt"] == [1.0, 0.5, 0.25]
    assert about["frame"] == [0, 0, 1]
    assert (about["scene"], about["grid"], about["tol"], about["commit"]) == ("pool", [32, 32], 1e-6, "abc")
    for k, path in enumerate(files):
        assert torch.equal(recorded_systems.read(path)[1], problems.frame("spray", 64, k)[1])


def test_the_tensors_may_be_rewritten_after_they_were_recorded(tmp_path):
    system, b = problems.frame("blobs", 64, 0)
    before = b.clone()
    file = recorded_systems.write(tmp_path, 0, system, b)
    b.zero_()
    assert torch.equal(recorded_systems.read(file)[1], before)


@pytest.mark.parametrize("fails", ["savez_compressed", "json"])
def test_a_failing_disk_leaves_what_was_there(tmp_path, monkeypatch, fails):
    recording = Recording(tmp_path, ORIGIN)
    system, b = problems.frame("spray", 64, 0)
    recording.add(system, b, 1.0, 0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((np, fails) if fails != "json" else (recorded_systems, "write_json")), full)
    with pytest.raises(OSError, match="No space left"):
        recording.add(system, b, 1.0, 0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(recording) == 1


def test_nothing_is_recorded_over(tmp_path):
    Recording(tmp_path, ORIGIN).add(*problems.frame("spray", 64, 0), dt=1.0, frame=0)
    with pytest.raises(ValueError, match="not empty"):
        Recording(tmp_path, ORIGIN)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for k in (1, 0, 2):
        recorded_systems.write(tmp_path, k, *problems.frame("spray", 16, k))
    (tmp_path / "notes.npz").touch()
    (tmp_path / ".000003.1.part.npz").touch()
    assert [path.stem for path in recorded_systems.sequence(tmp_path)] == ["000000", "000001", "000002"]
    (tmp_path / "000001.npz").unlink()
    with pytest.raises(ValueError, match=r"lacks 000001\.npz"):
        recorded_systems.sequence(tmp_path)


def test_a_missing_or_empty_folder_is_one_sentence_with_the_command_that_fills_it(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ValueError, match="--dump-systems") as caught:
            recorded_systems.sequence(folder)
        assert str(folder) in str(caught.value)


NAN = np.full((20, 20), np.nan)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"b": None}, "lacks b"),
        ({"open_top": None, "solid": None}, "lacks solid, open_top"),
        ({"b": np.zeros((3, 3))}, r"\(3, 3\)"),
        ({"b": NAN}, "b holds nan"),
        ({"beta_x": np.ones((20, 20))}, r"\(20, 20\)"),
        ({"beta_y": np.full((21, 20), -1.0)}, "-1.0"),
        ({"beta_x": np.full((20, 21), np.nan)}, "nan"),
        ({"beta_x": np.ones((20, 21))}, "wall"),
        ({"solid": np.zeros((20, 20))}, "solid has dtype"),
        ({"solid": np.zeros((2, 2), bool)}, r"\(2, 2\)"),
        ({"open_top": np.array(False)}, "open_top=True"),
        ({"open_top": np.array(2)}, "one boolean"),
        ({"b": np.array([{"run": "me"}], dtype=object)}, "damaged"),
        ({"b": np.array("text")}, "dtype"),
    ],
)
def test_damaged_contents_are_one_sentence_that_names_the_file(file, arrays, says):
    with pytest.raises(ValueError, match=says) as caught:
        recorded_systems.read(damaged(file, **arrays))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_archives_are_one_sentence(file, tmp_path):
    whole = file.read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"not a system", whole[: len(whole) // 2], (tmp_path / "one.npy").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="record the sequence again") as caught:
            recorded_systems.read(file)
        assert str(file) in str(caught.value)
    with pytest.raises(ValueError, match="does not exist"):
        recorded_systems.read(tmp_path / "000009.npz")


def test_a_flipped_byte_is_noticed(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(ValueError, match=file.name):
        recorded_systems.read(file)


def test_a_damaged_table_is_one_sentence(tmp_path):
    for content in ("{", "[1]", "\0"):
        (tmp_path / recorded_systems.ABOUT).write_text(content)
        with pytest.raises(ValueError, match=r"sequence\.json"):
            recorded_systems.about(tmp_path)
    (tmp_path / recorded_systems.ABOUT).unlink()
    with pytest.raises(ValueError, match="missing"):
        recorded_systems.about(tmp_path)


@pytest.mark.parametrize("name", ["dam-break", "rising-bubble"])
def test_the_shipped_sequences_are_whole_and_small(name, request):
    folder = request.config.rootpath / "assets" / "frames" / name
    files, about = recorded_systems.sequence(folder), recorded_systems.about(folder)
    assert len(files) == about["solves"] >= 24
    assert about["scene"] == name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
    for path in files[:: len(files) - 1]:
        system, b = recorded_systems.read(path)
        assert list(system.shape) == about["grid"]
        assert isinstance(system, PoissonSystem)
        assert float(system.project(b).norm()) > 0.99 * float(b.norm()) > 0  # compatible, and the fluid moves
        inner = system.beta_x[:, 1:-1]
        assert float(inner.max() / inner.min()) == pytest.approx(100, rel=1e-6)  # both phases, 100:1
    assert json.loads((folder / recorded_systems.ABOUT).read_text())["command"].startswith("python -m app --headless")
