"""Saved states: one .npz with the arrays and texts that Simulation.state() gives. Never unpickles."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.solving.choice import TOL_MIN, Choice
from precond.support.files import npz_fault, replacing
from sim.grid import Grid
from sim.scenes import reader as scene_reader
from sim.scenes.scene import Scene

# what NumPy, zipfile and json raise on damaged files
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class SavedState:
    """A state as read from a file, with its scene and grid."""

    file: str
    scene: Scene
    grid: Grid
    arrays: Mapping[str, np.ndarray]  # as Simulation.state() gave them
    choice: Choice | None = None  # what it was solved with, where the file says it


def save(path: Path, arrays: Mapping[str, np.ndarray], choice: Choice) -> None:
    """Writes the state whole or not at all. Raises OSError."""
    arrays = {**arrays, "choice": np.array(json.dumps({"precond": choice.precond, "tol": choice.tol}))}
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: Path) -> SavedState:
    """Reads a state. Raises ValueError with one sentence that names the file."""
    name = f"state file {str(path)!r}"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise ValueError(f"{name} does not exist") from None
    except UNREADABLE as error:
        raise ValueError(f"{name} cannot be read: {npz_fault(error)}") from None
    if "about" not in arrays or "scene" not in arrays:
        raise ValueError(f"{name} was not written by this program: save one with --save-state")
    try:
        about = json.loads(str(arrays["about"]))
        scene = scene_reader.parse(str(about["scene"]), str(arrays["scene"]))
        ny, nx = about["grid"]
        return SavedState(str(path), scene, Grid(ny, nx, scene.height), arrays, choice_of(arrays))
    except UNREADABLE as error:
        raise ValueError(f"{name} is incomplete: {one_line(error)}") from None


def choice_of(arrays: Mapping[str, np.ndarray]) -> Choice | None:
    """The method, whether it is known here or not, and the tolerance; None where the file does not say them."""
    try:
        said = json.loads(str(arrays["choice"]))
        name, tol = str(said["precond"]), float(said["tol"])
    except (KeyError, TypeError, ValueError):
        return None
    return Choice(name, tol) if TOL_MIN <= tol < 1 else None


def one_line(error: BaseException) -> str:
    """The error's text in one line, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
