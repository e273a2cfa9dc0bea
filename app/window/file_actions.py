"""What the window's buttons write into a folder and read from it; most of it on the simulation's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.record import plot_export
from app.record.video import free_name
from app.session.open_file import open_file
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.worker.view_model import ViewModel
from sim import export


def save_into(session: Session, folder: Path, notify: Callable[[str], None]) -> None:
    """Saves the session's state under the next free name."""
    folder.mkdir(exist_ok=True)
    path = free_name(folder, "state", ".npz")
    session.save(path)
    notify(f"Saved {path}")


def export_into(session: Session, folder: Path, suffix: str, notify: Callable[[str], None]) -> None:
    """Writes the newest frame's fields under the next free name."""
    folder.mkdir(exist_ok=True)
    path = free_name(folder, "fields", suffix)
    export.write(path, session.last, session.simulation.scene)
    notify(f"Saved {path}")


def plots_into(folder: Path, snapshot: Snapshot, notify: Callable[[str], None]) -> None:
    """Writes the plots under the next free name. For a thread of its own."""
    try:
        paths = plot_export.write(free_name(folder, "plots", ".png").with_suffix(""), snapshot)
        notify(f"Saved {', '.join(map(str, paths))}")
    except OSError as error:
        notify(f"Plots could not be written to {folder}: {error.strerror or error}")


def open_into(session: Session, path: Path, view: ViewModel) -> None:
    """Opens a file, and starts the replay where it is a log."""
    view.notify(open_file(session, path))
    if session.replaying:
        view.set_paused(False)
