"""Records a run without a display: the window is drawn off screen, every frame into the video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.record.video import Recorder
from app.session.session import Session
from app.window import toolkit
from app.worker.view_model import ViewModel
from sim.frame import Frame

WARM_UP = 3  # pictures in which the docked layout settles


def record(session: Session, frames: Iterator[Frame], path: Path) -> str:
    """Draws the window once for every frame that `frames` simulates. Returns why it ended early, or an empty text."""
    toolkit.prepare_toolkit(offscreen=True)
    from app.window.window import Window

    view = ViewModel(session.solve)
    view.publish(session.snapshot())
    window, recorder = Window(view, offscreen=True), Recorder(path, toolkit.SIZE, live=False)
    waits = iter(range(WARM_UP))

    def advance() -> None:
        if next(waits, None) is not None:
            return
        window.recorder = recorder
        if recorder.error or next(frames, None) is None:
            window.recorder = None
            window.quit()
        view.publish(session.snapshot())

    window.before_frame = advance
    try:
        toolkit.start(window.params(toolkit.SIZE))
    finally:
        print(recorder.close())
    return recorder.error
