"""What the window's buttons write into a folder, and what they read from it; most on the simulation's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.record import plot_export
from app.record.video import free_name
from app.session.open_file import open_file
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.worker.worker import Worker
from sim import export


def save_into(session: Session, folder: Path, say: Callable[[str], None]) -> None:
    """Saves the session's state under the next free name."""
    folder.mkdir(exist_ok=True)
    path = free_name(folder, "state", ".npz")
    session.save(path)
    say(f"saved {path}")


def export_into(session: Session, folder: Path, suffix: str, say: Callable[[str], None]) -> None:
    """Writes the newest frame's fields under the next free name."""
    folder.mkdir(exist_ok=True)
    path = free_name(folder, "fields", suffix)
    export.write(path, session.last, session.simulation.scene)
    say(f"saved {path}")


def plots_into(folder: Path, snapshot: Snapshot, say: Callable[[str], None]) -> None:
    """Writes the plots under the next free name. For a thread of its own."""
    try:
        paths = plot_export.write(free_name(folder, "plots", ".png").with_suffix(""), snapshot)
        say(f"saved {', '.join(map(str, paths))}")
    except OSError as error:
        say(f"plots could not be written to {folder}: {error.strerror or error}")


def open_into(session: Session, path: Path, worker: Worker) -> None:
    """Opens a file on the simulation's thread, and lets it run."""
    worker.say(open_file(session, path))
    if session.replaying:
        worker.set_paused(False)


def load_newest(session: Session, folder: Path, say: Callable[[str], None]) -> None:
    """Continues from the newest state of the folder. Raises ValueError where there is none."""
    found = sorted(folder.glob("state-*.npz"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ValueError(f"there is no saved state in {folder}")
    session.load(found[-1])
    say(f"loaded {found[-1]}")
