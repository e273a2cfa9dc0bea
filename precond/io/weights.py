"""Trained weights as safetensors files: 8 bytes with the header's length, a JSON header, raw tensors. Nothing runs.

Besides the tensors a file says, in "__metadata__", which version of this layout and which method it belongs to, the
method's configuration, and the SHA-256 of its tensor bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..support.files import replacing

VERSION = "1"
HEADER_MAX = 10_000_000  # bytes; the format's own limit is 100 MB, and a header of ours has a few thousand
DTYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "U8": torch.uint8}
CODES = {dtype: code for code, dtype in DTYPES.items()}


def models_dir() -> Path:
    """The folder of the weights that come with the program."""
    return Path(__file__).resolve().parents[2] / "models"


def seed_of(source: str) -> int | None:
    """K of "random:K", None for a path. ValueError if K is no number."""
    if not source.startswith("random:"):
        return None
    if not re.fullmatch(r"random:\d{1,9}", source, flags=re.ASCII):
        raise ValueError(f"weights is {source!r}; pass a file, or random:SEED with a whole number.")
    return int(source.removeprefix("random:"))


def save(path: Path, method: str, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Writes the file whole or not at all. Raises OSError."""
    header: dict[str, Any] = {}
    body = bytearray()
    for name, tensor in sorted(tensors.items()):
        data = tensor.detach().cpu().contiguous().reshape(-1).numpy().tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        body += data
    header["__metadata__"] = {
        "version": VERSION,
        "method": method,
        "config": json.dumps(config, sort_keys=True),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors begin on a multiple of 8 bytes
    with replacing(Path(path)) as part, part.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + body)
        file.flush()
        os.fsync(file.fileno())


def load(path: str | Path, method: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """(configuration, tensors) of a file of that method. ValueError with one sentence if it is anything else."""
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(f"The weights {str(path)!r} cannot be read: {getattr(error, 'strerror', error)}.") from None
    try:
        return _parse(data, method)
    except Unusable as reason:
        raise ValueError(f"The weights {str(path)!r} cannot be used: {reason}.") from None


def matching(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: object) -> None:
    """Compare names, shapes and types with the model's own. ValueError that names the first difference."""
    for name in sorted(expected.keys() | tensors.keys()):
        found, wanted = _said(tensors.get(name)), _said(expected.get(name))
        if found != wanted:
            raise ValueError(
                f"The weights {str(path)!r} cannot be used: {name} is {found} there, "
                f"but {wanted} in the model of its configuration."
            )


class Unusable(Exception):
    """What is wrong with a file, as the end of a sentence."""


def _parse(data: bytes, method: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    header, body = _header(data)
    about = header.pop("__metadata__", None)
    if not isinstance(about, dict) or not {"version", "method", "config", "sha256"} <= about.keys():
        raise Unusable("its header does not say what it belongs to, so it was written by something else")
    if about["version"] != VERSION:
        raise Unusable(f"it has version {about['version']!r}, this program reads version {VERSION!r}")
    if about["method"] != method:
        raise Unusable(f"it belongs to the method {about['method']!r}, not to {method!r}")
    places = _places(header)
    if sum(last - first for _, _, first, last in places.values()) > len(body):
        raise Unusable("it is truncated")
    if hashlib.sha256(body).hexdigest() != about["sha256"]:
        raise Unusable("its tensors do not match their checksum, so it is damaged")
    tensors = {}
    for name, (dtype, shape, first, last) in places.items():
        tensor = tensors[name] = torch.empty(shape, dtype=dtype)
        tensor.view(-1).numpy().view(np.uint8)[:] = np.frombuffer(body[first:last], dtype=np.uint8)
        if dtype.is_floating_point and not bool(torch.isfinite(tensor).all()):
            raise Unusable(f"{name} holds numbers that are not finite")
    try:
        config = json.loads(about["config"])
    except (ValueError, TypeError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise Unusable("its configuration is not readable")
    return config, tensors


def _header(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= size <= HEADER_MAX or data[8:9] != b"{":
        raise Unusable("it is not a safetensors file")
    if 8 + size > len(data):
        raise Unusable("it is truncated")
    try:
        header = json.loads(data[8 : 8 + size].decode())
    except (ValueError, RecursionError):
        raise Unusable("it is not a safetensors file") from None
    return header, data[8 + size :]


def _places(header: Mapping[str, Any]) -> dict[str, tuple[torch.dtype, list[int], int, int]]:
    """Type, shape and bytes of every tensor, checked: sizes match shapes, and tensors follow one another."""
    places, at = {}, 0
    try:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            dtype, shape, (first, last) = DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            whole = all(type(number) is int and number >= 0 for number in (*shape, first, last))
            if not whole or first != at or last - first != torch.Size(shape).numel() * dtype.itemsize:
                raise Unusable(f"the entry of {name} in its header contradicts itself")
            places[name], at = (dtype, shape, first, last), last
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError):
        raise Unusable("its header is not one of this kind of file") from None
    return places


def _said(tensor: torch.Tensor | None) -> str:
    return "missing" if tensor is None else f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
