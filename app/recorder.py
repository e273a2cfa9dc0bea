"""Videos and pictures of the window."""

from __future__ import annotations

import os
import queue
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np

from app.priority import lower_own_priority
from precond.commandline import temporary_beside

RATE = 60  # frames per second of the video
WAITING = 8  # frames between the window and the encoder: 22 MB at 1280x720
NICENESS = 5  # x264's threads, competing with a parallel solve at equal priority, made it thirty times slower
LONGEST_WAIT = 60.0  # [s] for an encoder that has stopped answering


class Recorder:
    """Encodes pictures in a thread of its own. The file appears under its name, complete, when `close` returns.

    `live`: a full queue drops the picture and counts it; otherwise `add` waits. Trouble ends the recording, never the
    program: `error` then holds one sentence, and what was encoded until then is kept playable.
    """

    def __init__(self, path: Path, size: tuple[int, int], live: bool) -> None:
        self.path, self.live = path, live
        self.size = (size[0] // 2 * 2, size[1] // 2 * 2)  # yuv420p halves both
        self.frames, self.dropped, self.error = 0, 0, ""
        self._last = 0  # time index at which the last picture ends
        self._part = temporary_beside(path)
        self._pictures: queue.Queue[tuple[np.ndarray, int] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def add(self, picture: np.ndarray, index: int) -> None:
        """Hands over a picture, (height, width, 3) uint8, for the time index / RATE."""
        if self.error:
            return
        try:
            if self.live:
                self._pictures.put_nowait((picture, index))
            else:
                self._pictures.put((picture, index), timeout=LONGEST_WAIT)
        except queue.Full:
            self.dropped += 1
            if not self.live:
                self.error = f"the encoder of {str(self.path)!r} stopped answering"

    def close(self) -> str:
        """Finishes the file and returns a sentence about it."""
        try:
            self._pictures.put(None, timeout=LONGEST_WAIT)
        except queue.Full:
            self.error = self.error or f"the encoder of {str(self.path)!r} stopped answering"
        self._thread.join(LONGEST_WAIT)
        seconds = self._last / RATE
        about = (
            f"recorded {self.frames} frames ({seconds:.1f} s) to {self.path}"
            if self.frames
            else f"nothing recorded to {self.path}"
        )
        if self.dropped:
            about += f", {self.dropped} dropped"
        return f"{about}; {self.error}" if self.error else about

    def _run(self) -> None:
        lower_own_priority(NICENESS)
        try:
            self._encode()
        except Exception as error:  # FFmpeg raises many kinds; whichever it is, the program goes on
            self.error = f"the recording ended early: {' '.join(str(error).split())}"
            while self._pictures.get() is not None:  # a waiting `add` must not hang
                pass
        try:
            if self.frames:
                os.replace(self._part, self.path)
        except OSError as error:
            self.error = f"{str(self.path)!r} could not be written: {error.strerror or error}"
        finally:
            self._part.unlink(missing_ok=True)

    def _encode(self) -> None:
        import av

        with av.open(str(self._part), "w", format="mp4") as file:
            stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "19"})
            stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
            while (item := self._pictures.get()) is not None:
                picture, index = item
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(*self.size, format="yuv420p")  # also where the window has changed its size
                frame.pts, frame.time_base = index, Fraction(1, RATE)
                file.mux(stream.encode(frame))
                self.frames, self._last = self.frames + 1, index + 1
            file.mux(stream.encode())


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a PNG, (height, width, 3) uint8, whole or not at all. Raises OSError."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_beside(path)
    try:
        Image.fromarray(picture).save(part, optimize=True)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not taken."""
    number = 1
    while (folder / f"{stem}-{number}{suffix}").exists():
        number += 1
    return folder / f"{stem}-{number}{suffix}"
