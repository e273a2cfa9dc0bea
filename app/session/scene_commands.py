"""What panels ask of a session about its scene; carried out on the simulation's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.session.session import Session
from sim.grid import with_rows
from sim.scenes import reader as scene_reader
from sim.scenes import writer


def change_scene(session: Session, scene: str | Path, rows: int) -> None:
    """Loads a scene on the simulation's thread, with this number of rows; 0: its own grid."""
    found = scene_reader.load(scene)
    session.set_scene(found, with_rows(found.grid, rows) if rows else None)


def save_scene(session: Session, path: Path, notify: Callable[[str], None]) -> None:
    """Writes the scene with what was drawn at time zero. Raises OSError."""
    path.parent.mkdir(exist_ok=True)
    scene = replace(session.start, title=path.stem)
    writer.write(path, scene)
    notify(f"Saved {path}; it is now in the list of scenes")
