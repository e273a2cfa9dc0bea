"""The log of a run: how it started, then every input with the output frame at which it took effect.

One line of json each; `input_log_reader.py` reads it. Time is counted in output frames, so that neither the speed of
the machine nor a pause matters.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from app import __version__
from app.session.state_file import SavedState
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Controls, Frame, settings_table
from sim.grid import Grid
from sim.scenes.scene import Scene

VERSION = 1
MARK_EVERY = 60  # output frames between two check sums of the fluid


class InputLog:
    """Writes line by line, each flushed before the run goes on. A full disk ends the log, never the run."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.path, self.error = path, ""
        self._file = path.open("w", encoding="utf-8")

    def write(self, entry: Mapping[str, Any]) -> None:
        """Adds a line."""
        if self._file.closed:
            return
        try:
            self._file.write(json.dumps(entry, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            self.error = f"the log {str(self.path)!r} ends early: {error.strerror or error}"
            self._close()

    def close(self) -> None:
        """Closes the file."""
        self._close()

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # what could not be flushed
            self.error = self.error or f"the log {str(self.path)!r} ends early: {error.strerror or error}"


def start_line(
    scene: Scene,
    grid: Grid,
    device: str,
    solve: SwitchableSolver,
    settings: Controls,
    seed: int,
    threads: int | None,
    saved: SavedState | None,
) -> dict[str, Any]:
    """The first line: all that decides how the run starts."""
    return {
        "log": VERSION,
        "estuary": __version__,
        "scene": {"name": scene.name, "source": scene.source},
        "grid": grid.shape,
        "seed": seed,
        "device": device,
        "threads": threads,
        "weights": solve.weights,
        **asdict(solve.resolved),
        "settings": settings_table(settings),
        "state": None if saved is None else file_entry(Path(saved.file)),
    }


def file_entry(path: Path) -> dict[str, str]:
    """How a log names a state file, with its digest. Raises ValueError."""
    try:
        return {"file": str(path.absolute()), "sha256": digest(path)}
    except OSError as error:
        raise ValueError(f"state file {str(path)!r} cannot be read: {error.strerror or error}") from None


def check_sum(frame: Frame) -> str:
    """CRC-32 of everything in the frame that the next one follows from, 8 hexadecimal digits."""
    value = 0
    for array in (frame.fractions, frame.u, frame.v, frame.pressure, frame.solid):
        value = zlib.crc32(array.tobytes(), value)
    for body in frame.stats.bodies:
        value = zlib.crc32(np.array([*body.centre, body.angle, *body.velocity, body.spin]).tobytes(), value)
    return f"{value:08x}"


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
