"""Pictures and recordings that the user takes: of the fluid alone, at a size of its own, or of the whole window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.record.video import RATE, Recorder, free_name, save_picture
from app.render.look import StillOptions
from app.render.still import Still, inscribed
from app.session.snapshot import Snapshot
from app.solving.choice import PANES
from app.ui.ui_state import UiState
from app.window import backend
from app.worker.view_model import ViewModel


class Capture:
    """Takes pictures when the window has been drawn. A recording has one for every frame of the fluid.

    Time in a video is the fluid's: it plays in real time, however fast it was computed, and stands still in no pause.
    """

    def __init__(self, view: ViewModel, state: UiState, out: Path) -> None:
        """out: the folder that pictures and recordings go to."""
        self._view, self._state, self._out = view, state, out
        self._still: Still | None = None
        self._wanted: list[bool] = []  # pictures asked for, whether of the whole window
        self.recorder: Recorder | None = None
        self.every_picture = False  # record each picture of the window, as without a display
        self._whole = True  # what the recording is of
        self._index, self._frames, self._serial = -1, -1, -1  # of the last picture

    @property
    def recording(self) -> bool:
        """True while a video is being written."""
        return self.recorder is not None

    def take(self, whole: bool) -> None:
        """Keeps the next picture in the folder."""
        self._wanted.append(whole)

    def toggle(self, whole: bool) -> None:
        """Starts a recording in the folder, or ends it and says so."""
        if self.recorder is not None:
            self._view.notify(self.end())
            return
        try:
            self._out.mkdir(exist_ok=True)
            size = backend.framebuffer_size() if self._is_whole(whole) else self.size
            self.start(Recorder(free_name(self._out, "recording", ".mp4"), size, live=True), whole)
        except OSError as error:
            self._view.notify(f"Recordings cannot be written to {self._out}: {error.strerror or error}")

    def start(self, recorder: Recorder, whole: bool) -> None:
        """Records from the next picture on."""
        self.recorder, self._whole, self._index, self._frames = recorder, whole, -1, -1

    def end(self) -> str:
        """Finishes the recording, if there is one, and returns a sentence about it."""
        if self.recorder is None:
            return ""
        recorder, self.recorder = self.recorder, None
        return recorder.close()

    @property
    def size(self) -> tuple[int, int]:
        """Pixels of a picture of the fluid: as high as chosen, with the domain's aspect, even for videos."""
        rows = self._state.capture
        snapshot = self._view.snapshot
        if snapshot is None:
            return rows * 4 // 3 // 2 * 2, rows
        width, height = inscribed((rows * snapshot.grid.nx // snapshot.grid.ny, rows), snapshot.grid)
        return max(width // 2 * 2, 2), max(height // 2 * 2, 2)

    def status(self) -> str:
        """What is being recorded, for the foot of the window."""
        if self.recorder is None:
            return ""
        what = "window" if self._whole else "fluid {} x {}".format(*self.recorder.size)
        lost = f", {self.recorder.dropped} dropped" if self.recorder.dropped else ""
        return f"Recording {what}: {(self._index + 1) / RATE:.1f} s of real time{lost}"

    def grab(self) -> None:
        """Before the window is shown: takes what was asked for."""
        for whole in self._wanted:
            self._keep(self._picture(self._is_whole(whole), self.size))
        self._wanted.clear()
        if self.recorder is None:
            return
        if self.recorder.error:
            self._view.notify(self.end())
        elif self.every_picture:
            self._index += 1
            self.recorder.add(backend.read_pixels(), self._index)
        else:
            self._record(self.recorder, self._view.snapshot)

    def _record(self, recorder: Recorder, snapshot: Snapshot | None) -> None:
        """The newest frame, if it is not in the video yet; frames that were not drawn leave the one before longer."""
        if snapshot is None or snapshot.serial == self._serial:
            return
        passed = snapshot.frames - self._frames if self._frames >= 0 else 1
        self._serial, self._frames = snapshot.serial, snapshot.frames
        if passed == 0:
            return  # something was set, and no time has passed
        self._index += max(passed, 1)  # going back in time leaves no gap
        recorder.add(self._picture(self._is_whole(self._whole), recorder.size), self._index)

    def _is_whole(self, whole: bool) -> bool:
        """Several fluids side by side are recorded as the window shows them."""
        snapshot = self._view.snapshot
        return whole or snapshot is None or (snapshot.comparison is not None and snapshot.comparison.mode in PANES)

    def _picture(self, whole: bool, size: tuple[int, int]) -> np.ndarray:
        snapshot = self._view.snapshot
        if whole or snapshot is None:
            return backend.read_pixels()
        if self._still is None:
            self._still = Still()
        state = self._state
        place = snapshot.frame, snapshot.scene, snapshot.grid, state.view, state.limits
        return self._still.picture(*place, StillOptions(size, look=state.look))

    def _keep(self, picture: np.ndarray) -> None:
        path = free_name(self._out, "screenshot", ".png")
        try:
            save_picture(path, picture)
            self._view.notify(f"Saved {path} ({picture.shape[1]} x {picture.shape[0]})")
        except OSError as error:
            self._view.notify(f"{path} could not be written: {error.strerror or error}")
