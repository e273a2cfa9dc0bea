"""Files of weights: read by the real safetensors library, read from it, and refused in a sentence where unfit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from precond.io import weights

TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).view(2, 3),
    "a.weight": torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),
    "steps": torch.tensor(7),
    "wide": torch.tensor([1.0, 2.0], dtype=torch.float64),
    "empty": torch.zeros(0, 4),
}
CONFIG = {"width": 16, "name": "é", "deep": False}


def written(folder: Path, **changes: object) -> Path:
    """A good file, then the given entries of its metadata replaced."""
    path = folder / "w.safetensors"
    weights.save(path, "some", CONFIG, TENSORS)
    if changes:
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        header["__metadata__"] |= changes
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return path


def refusal(path: Path, method: str = "some") -> str:
    with pytest.raises(ValueError) as caught:
        weights.load(path, method)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert str(path) in text
    return text


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype and a[k].shape == b[k].shape for k in a
    )


def test_what_is_written_is_read_back(tmp_path):
    config, tensors = weights.load(written(tmp_path), "some")
    assert config == CONFIG
    assert same(tensors, TENSORS)
    assert os.listdir(tmp_path) == ["w.safetensors"]
    tensors["b"].add_(1)  # what is read may be written to


def test_the_real_library_reads_ours(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = written(tmp_path)
    assert same(safetensors.load_file(path), TENSORS)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        assert file.metadata()["method"] == "some"


def test_we_read_the_real_library(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path, ours = tmp_path / "theirs.safetensors", written(tmp_path)
    data = ours.read_bytes()
    about = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    safetensors.save_file(TENSORS, path, about)
    import hashlib

    body = path.read_bytes()[8 + int.from_bytes(path.read_bytes()[:8], "little") :]
    safetensors.save_file(TENSORS, path, about | {"sha256": hashlib.sha256(body).hexdigest()})
    assert same(weights.load(path, "some")[1], TENSORS)
    safetensors.save_file(TENSORS, path)
    assert "written by something else" in refusal(path)


def test_unfit_files_are_refused_with_a_sentence(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.safetensors")
    assert "directory" in refusal(tmp_path)
    assert "belongs to the method 'some'" in refusal(written(tmp_path), "other")
    assert "version '0'" in refusal(written(tmp_path, version="0"))
    assert "checksum" in refusal(written(tmp_path, sha256="0" * 64))
    assert "configuration" in refusal(written(tmp_path, config="[1"))
    path = written(tmp_path)
    data = path.read_bytes()
    for size in (len(data) - 1, len(data) - 60, 300):
        path.write_bytes(data[:size])
        assert "truncated" in refusal(path)
    for other in (b"", b"PK\x03\x04" * 10, b"\x02" + bytes(7) + b"[]", b"\xff" * 64, b"\x80\x02}q\x00."):
        path.write_bytes(other)
        assert "not a safetensors file" in refusal(path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "checksum" in refusal(path)
    weights.save(path, "some", {}, {"x": torch.tensor([1.0, float("nan")])})
    assert "x holds numbers that are not finite" in refusal(path)


@pytest.mark.parametrize(
    "change",
    [
        {"data_offsets": [0, 10**9]},
        {"data_offsets": [4, 28]},
        {"data_offsets": [-24, 0]},
        {"shape": [2, 4]},
        {"shape": [-2, -3]},
        {"shape": "12"},
        {"shape": [2**62, 2**62, 6]},
        {"dtype": "F8"},
        {"dtype": None},
    ],
    ids=str,
)
def test_a_header_that_lies_is_refused(tmp_path, change):
    path = tmp_path / "w.safetensors"
    weights.save(path, "some", {}, {"b": TENSORS["b"]})
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["b"] |= change
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    assert "header" in refusal(path) or "truncated" in refusal(path)


def test_another_models_shapes_are_named():
    weights.matching(TENSORS, TENSORS, "f")
    with pytest.raises(ValueError, match=r"b is \(2, 3\) float32 there, but \(3, 2\) float32"):
        weights.matching(TENSORS, TENSORS | {"b": torch.zeros(3, 2)}, "f")
    with pytest.raises(ValueError, match=r"more is missing there, but \(1,\) float32"):
        weights.matching(TENSORS, TENSORS | {"more": torch.zeros(1)}, "f")
    with pytest.raises(ValueError, match=r"steps is \(\) int64 there, but missing"):
        weights.matching(TENSORS, {k: v for k, v in TENSORS.items() if k != "steps"}, "f")


def test_a_seed_is_a_number():
    assert weights.seed_of("random:12") == 12
    assert weights.seed_of("models/w.safetensors") is None
    for text in ("random:", "random:x", "random:-1", "random:²"):
        with pytest.raises(ValueError, match="random:SEED"):
            weights.seed_of(text)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = written(tmp_path)
    before = path.read_bytes()
    with pytest.raises(KeyError):
        weights.save(path, "some", {}, {"x": torch.zeros(2, dtype=torch.complex64)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]
