"""Files that are dropped onto the window, or named in it: states, scenes and logs."""

from __future__ import annotations

from pathlib import Path

from app.session import input_log_reader
from app.session.session import Session
from sim.scenes import reader as scene_reader

KINDS = {".npz": "state", ".toml": "scene", ".jsonl": "log"}


def open_file(session: Session, path: Path) -> str:
    """Continues with what the file holds; one sentence about it. Raises ValueError where the run stays as it is."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path.name!r} is neither a state (.npz) nor a scene (.toml) nor a log (.jsonl)")
    if kind == "state":
        session.load(path)
    elif kind == "scene":
        session.set_scene(scene_reader.load(path))
    else:
        session.follow(input_log_reader.load(path))
    return f"Opened the {kind} {path.name}" + (", which runs as logged" if kind == "log" else "")
