"""Records a run without a display: the window is drawn off screen, every frame into the video.

Drawing and encoding are done in a process of their own, beside the simulation, which makes the next frames meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.record.animation import sink_for
from app.record.video import Recorder
from app.render.look import StillOptions
from app.render.views import VIEWS, Range
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.window import toolkit
from app.worker.messages import Channel
from app.worker.processes import end, ended_by, ignore_signals, launch
from app.worker.remote import Selection
from app.worker.view_model import ViewModel
from precond.support.command_line import Refusal
from sim.frame import Frame

WARM_UP = 3  # pictures in which the docked layout settles
PATIENCE = 120.0  # [s] for the last pictures to be encoded


def record(session: Session, frames: Iterator[Frame], path: Path, options: StillOptions | None = None) -> str:
    """Draws the window, or with options the fluid alone, once for every frame that `frames` simulates.

    Returns why it ended early, or an empty text.
    """
    toolkit.prepare_toolkit(offscreen=True)  # refuses here and now what cannot be had
    pictures = Pictures(session.snapshot(), session.solve.weights, path, options)
    try:
        for _ in frames:
            if not pictures.show(session.snapshot()):
                break
    finally:
        error = pictures.close()
    return error


class Pictures:
    """The process that draws and encodes, seen from the simulation's."""

    def __init__(self, first: Snapshot, weights: str | None, path: Path, options: StillOptions | None) -> None:
        """first: what is drawn until the first frame."""
        self._process, self._channel = launch(draw, "pictures", None, first.choice, weights, path, options)
        self._ending: list[Any] = []
        self._listener = threading.Thread(target=self._listen, name="pictures", daemon=True)
        self._listener.start()
        self.show(first)

    def show(self, snapshot: Snapshot) -> bool:
        """Hands a snapshot over, and waits while too many are on their way. False once no more are wanted."""
        if self._ending:
            return False
        try:
            self._channel.send_arrays("snapshot", snapshot)
        except OSError:
            return False
        return True

    def close(self) -> str:
        """Waits for the video to be complete; says what became of it and returns why it ended early. Raises Refusal."""
        with contextlib.suppress(OSError):
            self._channel.send("close")
        self._listener.join(PATIENCE)
        end(self._process)
        if not self._ending:
            return f"the process that draws the pictures ended {ended_by(self._process.exitcode)}"
        said, error, refusal = self._ending[0]
        if refusal is not None:
            raise Refusal(*refusal)
        print(said)
        return str(error)

    def _listen(self) -> None:
        """Takes back slots of shared memory, until the process has its last word."""
        with contextlib.suppress(EOFError, OSError):
            self._ending.append(self._channel.receive())


def draw(ends: tuple[Any, ...], choice: Any, weights: str | None, path: Path, options: StillOptions | None) -> None:
    """The process: draws every snapshot that comes and encodes it."""
    ignore_signals()  # whoever simulates decides when it ends
    channel = Channel(ends, None)
    try:
        if options is None:
            said, error, refusal = (*drawn(channel, Selection(choice, weights), path), None)
        else:
            said, error, refusal = (*fluid_drawn(channel, path, options), None)
    except Refusal as refused:
        said, error, refusal = "", "", (str(refused), refused.code)
    except Exception as trouble:  # whatever it is, the process that simulates says it
        said, error, refusal = "", f"the pictures ended early: {trouble or type(trouble).__name__}", None
    with contextlib.suppress(OSError):
        channel.send(said, error, refusal)


def drawn(channel: Channel, selection: Selection, path: Path) -> tuple[str, str]:
    """Draws until "close" comes: a sentence about the video, and why it ended early."""
    toolkit.prepare_toolkit(offscreen=True)
    from app.window.window import Window

    view = ViewModel(selection)
    window, recorder = Window(view, offscreen=True), Recorder(path, toolkit.SIZE, live=False)
    waits = iter(range(WARM_UP))
    view.publish(channel.receive()[1])

    def advance() -> None:
        if next(waits, None) is not None:
            return
        window.capture.recorder, window.capture.every_picture = recorder, True
        kind, *rest = ("close",) if recorder.error else received(channel)
        if kind == "close":
            window.capture.recorder = None
            window.quit()
            return
        selection.choice = rest[0].choice
        view.publish(rest[0])

    window.before_frame = advance
    try:
        toolkit.start(window.params(toolkit.SIZE))
    finally:
        said = recorder.close()
    return said, recorder.error


def fluid_drawn(channel: Channel, path: Path, options: StillOptions) -> tuple[str, str]:
    """As `drawn`, but the fluid alone and no window around it."""
    toolkit.prepare_toolkit(offscreen=True)
    from app.render.still import Still
    from app.window import context

    context.make_current()
    still, sink = Still(), sink_for(path, options.size)
    channel.receive()  # the start, which no frame has made
    index = 0
    try:
        while not sink.error:
            kind, *rest = received(channel)
            if kind == "close":
                break
            now = rest[0]
            picture = still.picture(now.frame, now.scene, now.grid, VIEWS[0], Range(0.0, 1.0), options)
            sink.add(picture, index)
            index += 1
    finally:
        said = sink.close()
    return said, sink.error


def received(channel: Channel) -> tuple[Any, ...]:
    """The next message; "close" where nobody sends any more."""
    try:
        return channel.receive()
    except (EOFError, OSError):
        return ("close",)
