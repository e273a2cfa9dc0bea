"""Videos and pictures of the window."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from precond.support.files import replacing
from precond.support.threads import lower_own_priority

RATE = 60  # frames per second of the video
WAITING = 8  # frames between the window and the encoder: 30 MB at 1280x720
NICENESS = 5  # x264's threads, competing with a parallel solve at equal priority, made it thirty times slower
PRESET = {False: "veryfast", True: "superfast"}  # live, where the fluid wants the processor; twice the size
ORDER = {3: "rgb24", 4: "bgra"}  # FFmpeg's names, by the number of channels
LONGEST_WAIT = 60.0  # [s] for an encoder that has stopped responding
FRAGMENT = 200_000  # [us] of video that are written together; with what x264 holds back, well below a second
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": str(FRAGMENT)}


class Recorder:
    """Encodes pictures in a thread of its own. The file appears under its name, complete, when `close` returns.

    Until then FILE.part.mp4 grows beside it, in fragments: a process that is killed leaves it playable.
    `live`: a full queue drops the picture and counts it; otherwise `add` waits. An error ends the recording, never the
    program: `error` then holds one sentence, and what was encoded until then is kept playable.
    """

    def __init__(self, path: Path, size: tuple[int, int], live: bool) -> None:
        self.path, self.live = path, live
        self.size = (size[0] // 2 * 2, size[1] // 2 * 2)  # yuv420p halves both
        self.frames, self.dropped, self.error = 0, 0, ""
        self._late: tuple[np.ndarray, int] | None = None  # dropped, and nothing came after it
        self._last = 0  # time index at which the last picture ends
        self._part = path.absolute().with_name(f"{path.stem}.part{path.suffix}")
        self._pictures: queue.Queue[tuple[np.ndarray, int] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def add(self, picture: np.ndarray, index: int) -> None:
        """Hands over a picture, as `save_picture` takes it, for the time index / RATE."""
        if self.error:
            return
        try:
            if self.live:
                self._pictures.put_nowait((picture, index))
            else:
                self._pictures.put((picture, index), timeout=LONGEST_WAIT)
            self._late = None
        except queue.Full:
            self.dropped += 1
            self._late = picture, index
            if not self.live:
                self.error = f"the encoder of {str(self.path)!r} stopped responding"

    def drain(self) -> None:
        """Waits until the encoder has nothing to do, so that what is measured next has the machine for itself."""
        done = self._pictures.all_tasks_done
        with done:
            done.wait_for(lambda: self._pictures.unfinished_tasks == 0, LONGEST_WAIT)

    def close(self) -> str:
        """Finishes the file and returns a sentence about it. A live video ends with its last picture in any case."""
        try:
            if self._late is not None and not self.error:
                self._pictures.put(self._late, timeout=LONGEST_WAIT)
                self.dropped -= 1
            self._pictures.put(None, timeout=LONGEST_WAIT)
        except queue.Full:
            self.error = self.error or f"the encoder of {str(self.path)!r} stopped responding"
        self._thread.join(LONGEST_WAIT)
        seconds = self._last / RATE
        about = (
            f"Recorded {self.frames} frames ({seconds:.1f} s) to {self.path}"
            if self.frames
            else f"Nothing recorded to {self.path}"
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
            self._pictures.task_done()
            while self._next() is not None:  # a waiting `add` must not hang
                self._pictures.task_done()
        try:
            if self.frames:
                self._finish()
        except Exception as error:
            why = f"{str(self.path)!r} could not be written: {getattr(error, 'strerror', None) or error}"
            self.error = f"{self.error}; {why}" if self.error else why
        with contextlib.suppress(OSError):  # its folder may be gone, or not to be written to any more
            if not self.frames:
                self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Gives the file its name, with an index in front where the disk has room for that. Raises OSError."""
        if self.error:
            self.frames = self._last = count(self._part)  # fewer than were encoded, where the disk is full
        try:
            with replacing(self.path) as indexed:
                reindex(self._part, indexed)
            self._part.unlink()
        except Exception:  # FFmpeg raises many kinds; players can do without the index
            os.replace(self._part, self.path)

    def _next(self) -> tuple[np.ndarray, int] | None:
        return self._pictures.get()

    def _encode(self) -> None:
        import av

        with Fragments(self._part) as fragments, av.open(fragments, "w", format="mp4", options=FRAGMENTED) as file:
            stream = file.add_stream("libx264", rate=RATE, options={"preset": PRESET[self.live], "crf": "19"})
            stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
            if not self.live:  # on one thread a picture is encoded when `encode` returns, see `drain`
                stream.codec_context.thread_count = 1
            try:
                self._encode_all(file, stream, fragments)
            finally:
                file.mux(stream.encode())

    def _encode_all(self, file: Any, stream: Any, fragments: Fragments) -> None:
        import av

        while (item := self._next()) is not None:
            picture, index = item
            frame = av.VideoFrame.from_ndarray(picture, format=ORDER[picture.shape[2]])
            frame = frame.reformat(*self.size, format="yuv420p")  # also where the window has changed its size
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            file.mux(stream.encode(frame))
            fragments.flush()
            self.frames, self._last = self.frames + 1, index + 1
            self._pictures.task_done()


class Fragments:
    """The file that FFmpeg writes into. Whole fragments alone reach the disk, so that it can be played at any time."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._file = path.open("wb", buffering=0)
        self._held = bytearray()
        self._size, self._failed = 0, False  # bytes of whole fragments

    def __enter__(self) -> Fragments:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            self._file.close()

    def write(self, data: bytes) -> int:
        """Holds the data back until `flush`."""
        if not self._failed:
            self._held += data
        return len(data)

    def flush(self) -> None:
        """Writes what is held, which FFmpeg has made whole by now. Raises OSError."""
        held, self._held = bytes(self._held), bytearray()
        size = self._size + len(held)
        try:
            while held:
                held = held[self._file.write(held) :]
        except OSError:
            self._failed = True  # half a fragment, or a gap between two, would spoil what is there
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise
        self._size = size


def count(path: Path) -> int:
    """The number of pictures in a video."""
    import av

    with av.open(str(path)) as video:
        return sum(packet.dts is not None for packet in video.demux(video=0))


def reindex(source: Path, target: Path) -> None:
    """Copies a fragmented video, without encoding it again, into one that starts with an index for players."""
    import av

    with av.open(str(source)) as old, av.open(str(target), "w", options={"movflags": "faststart"}) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.dts is not None:  # the last one is empty
                packet.stream = copy
                new.mux(packet)


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a PNG whole or not at all; (height, width, 3) uint8 is RGB, (height, width, 4) BGRA. Raises OSError."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        Image.fromarray(picture[..., 2::-1] if picture.shape[2] == 4 else picture).save(part, optimize=True)


def poster_of(video: Path) -> Path:
    """The picture that goes with a video."""
    return video.with_suffix(".png")


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not taken."""
    number = 1
    while (folder / f"{stem}-{number}{suffix}").exists():
        number += 1
    return folder / f"{stem}-{number}{suffix}"
