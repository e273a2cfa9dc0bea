"""Recorded pressure systems: a folder with one .npz for each solve of a run, and what they were recorded from.

000000.npz, 000001.npz, ...   beta_x, beta_y, solid, reaction, open_top as in PoissonSystem, and the right-hand side b;
                              float64, bit for bit what was solved.
sequence.json                 where they come from: the fields of Origin, and for every solve dt [s] and frame, the
                              number of the output frame that it belongs to. Reading systems does not need it.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..support import argument_checks
from ..support.files import npz_fault, replacing, write_json
from ..system import PoissonSystem

ABOUT = "sequence.json"
ARRAYS = ("beta_x", "beta_y", "solid", "open_top", "b")
ADDED = "reaction"  # older files lack it: 0 everywhere
# what NumPy and zipfile raise on damaged files
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, RuntimeError, MemoryError,
    NotImplementedError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """What a sequence was recorded from."""

    scene: str
    grid: tuple[int, int]  # (ny, nx)
    precond: str  # what solved the systems while they were recorded; the flow depends on it by rounding only
    tol: float  # relative residual of those solves
    commit: str
    command: str


class Recording:
    """A sequence being written. After every `add` the folder holds a whole sequence, also when a later one fails."""

    def __init__(self, directory: Path, origin: Origin) -> None:
        """Makes the folder where it is missing. Raises OSError, and ValueError if there is anything in it."""
        directory.mkdir(exist_ok=True)
        if any(directory.iterdir()):
            raise ValueError(f"folder {str(directory)!r} is not empty; record into a new one.")
        self.directory, self._about = directory, asdict(origin)
        self._dt: list[float] = []
        self._frame: list[int] = []

    def __len__(self) -> int:
        return len(self._dt)

    def add(self, system: PoissonSystem, b: torch.Tensor, dt: float, frame: int) -> None:
        """Appends one system as its tensors are now. Raises OSError; then it is as if it had not been called."""
        file = write(self.directory, len(self), system, b)
        dts, frames = [*self._dt, dt], [*self._frame, frame]
        try:
            write_json(self.directory / ABOUT, {**self._about, "solves": len(dts), "dt": dts, "frame": frames})
        except OSError:
            file.unlink()
            raise
        self._dt, self._frame = dts, frames


def write(directory: Path, k: int, system: PoissonSystem, b: torch.Tensor) -> Path:
    """Writes system number k and its right-hand side, whole or not at all, and returns the file. Raises OSError."""
    path = directory / f"{argument_checks.count(k, 'k', 0):06d}.npz"
    arrays = {
        "beta_x": system.beta_x,
        "beta_y": system.beta_y,
        "solid": system.solid,
        "reaction": system.reaction,
        "b": argument_checks.field(b, "b", system.shape),
    }
    plain = {name: tensor.cpu().numpy() for name, tensor in arrays.items()}
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, open_top=np.array(system.open_top), **plain)
    return path


def read(file: Path) -> tuple[PoissonSystem, torch.Tensor]:
    """(system, b) of one file, on the CPU. Raises ValueError with one sentence that names the file."""
    arrays = _arrays(file)
    try:
        open_top = arrays["open_top"]
        if open_top.shape != () or open_top.dtype != np.bool_:
            raise ValueError(f"open_top has shape {open_top.shape} and dtype {open_top.dtype}; store one boolean.")
        faces = arrays["beta_x"], arrays["beta_y"], bool(open_top)
        system = PoissonSystem.from_faces(*faces, arrays["solid"], arrays.get("reaction"))
        b = argument_checks.field(arrays["b"], "b", system.shape)
        bad = ~torch.isfinite(b)
        if bad.any():
            raise ValueError(f"b holds {b[bad][0].item()}; store finite numbers.")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{str(file)!r} holds no pressure system: {error}") from None
    return system, b


def sequence(directory: Path) -> list[Path]:
    """The files of a folder in order. Raises ValueError with one sentence where the sequence is missing or has gaps."""
    if not directory.is_dir():
        raise ValueError(
            f"{str(directory)!r} is not a folder; record one with 'python -m app --headless --dump-systems DIR'."
        )
    files = {int(path.stem): path for path in directory.glob("*.npz") if re.fullmatch("[0-9]{6,}", path.stem)}
    if not files:
        raise ValueError(
            f"{str(directory)!r} holds no systems (000000.npz, 000001.npz, ...); "
            "record some with 'python -m app --headless --dump-systems DIR'."
        )
    for k in range(len(files)):
        if k not in files:
            raise ValueError(f"{str(directory)!r} lacks {k:06d}.npz; record the sequence again.")
    return [files[k] for k in range(len(files))]


def about(directory: Path) -> dict[str, Any]:
    """What sequence.json says. Raises ValueError with one sentence that names the file."""
    file = directory / ABOUT
    try:
        table = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"{str(file)!r} is missing; record the sequence again.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} cannot be read: {error}; record the sequence again.") from None
    if not isinstance(table, dict):
        raise ValueError(f"{str(file)!r} holds no table; record the sequence again.")
    return table


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (*ARRAYS, ADDED) if name in archive.files}
    except FileNotFoundError:
        raise ValueError(f"{str(file)!r} does not exist; give a file of a recorded sequence.") from None
    except UNREADABLE as error:
        raise ValueError(f"{str(file)!r} cannot be read: {npz_fault(error)}; record the sequence again.") from None
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ValueError(f"{str(file)!r} lacks {', '.join(missing)}; record the sequence again.")
    return arrays
