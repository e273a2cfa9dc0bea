"""Recordings that are no videos: numbered pictures in a folder, and moving pictures for pages (WebP, GIF)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.record.video import LONGEST_WAIT, RATE, WAITING, Recorder
from precond.support.files import replacing

EVERY = 3  # frames of the fluid for a picture of WebP and GIF: 20 a second, 50 ms each, which GIF can say exactly
MOVING = (".webp", ".gif")
ENDINGS = (".mp4", *MOVING)
QUALITY = 65  # of WebP, 0 to 100


class Sink(Protocol):
    """What takes the pictures of a recording."""

    @property
    def error(self) -> str:
        """One sentence once it has failed."""

    def add(self, picture: np.ndarray, index: int) -> None:
        """A picture for the time index / RATE; waits where it cannot be taken at once."""

    def close(self) -> str:
        """Finishes and returns a sentence about it."""


def is_folder(text: str) -> bool:
    """Whether the name of a recording means a folder of pictures."""
    return text.endswith(("/", "\\"))


def sink_for(path: Path, size: tuple[int, int]) -> Sink:
    """What writes a recording of that name: by its ending, a folder where it has none."""
    if path.suffix == ".mp4":
        return Recorder(path, size, live=False)
    return Animation(path) if path.suffix in MOVING else Sequence(path)


class Sequence:
    """Pictures 00000.png, 00001.png, ... in a folder, one for every frame."""

    def __init__(self, folder: Path) -> None:
        self.path, self.frames, self.error = folder, 0, ""

    def add(self, picture: np.ndarray, index: int) -> None:
        """Writes it whole or not at all."""
        from PIL import Image

        if self.error:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with replacing(self.path / f"{index:05d}.png") as part:
                Image.fromarray(picture).save(part, format="png", compress_level=4)
            self.frames += 1
        except OSError as error:
            self.error = f"{str(self.path)!r} cannot be written: {error.strerror or error}"

    def close(self) -> str:
        """Says how many there are."""
        about = f"Recorded {self.frames} pictures, {RATE} a second, to {self.path}"
        return f"{about}; {self.error}" if self.error else about


class Animation:
    """A WebP or GIF that repeats for ever, encoded in a thread of its own; the file appears when `close` returns."""

    def __init__(self, path: Path) -> None:
        self.path, self.frames, self.error = path, 0, ""
        self._pictures: queue.Queue[np.ndarray | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="animation", daemon=True)
        self._thread.start()

    def add(self, picture: np.ndarray, index: int) -> None:
        """Takes every EVERY-th."""
        if index % EVERY or self.error:
            return
        try:
            self._pictures.put(picture, timeout=LONGEST_WAIT)
        except queue.Full:
            self.error = f"the encoder of {str(self.path)!r} stopped responding"

    def close(self) -> str:
        """Finishes the file."""
        self._pictures.put(None)
        self._thread.join()
        about = (
            f"Recorded {self.frames} pictures, {RATE // EVERY} a second, to {self.path}"
            if self.frames
            else f"Nothing recorded to {self.path}"
        )
        return f"{about}; {self.error}" if self.error else about

    def _run(self) -> None:
        try:
            self._encode()
        except Exception as error:  # Pillow raises many kinds; whichever it is, the program goes on
            self.error = (
                f"the recording ended early: {getattr(error, 'strerror', None) or ' '.join(str(error).split())}"
            )
            while self._pictures.get() is not None:  # a waiting `add` must not hang
                pass

    def _encode(self) -> None:
        pictures = self._images()
        first = next(pictures, None)
        if first is None:
            return
        how: dict[str, Any] = {"duration": 1000 * EVERY // RATE, "loop": 0}
        if self.path.suffix == ".webp":
            how |= {"quality": QUALITY, "method": 4, "minimize_size": True}
        with replacing(self.path) as part:
            first.save(part, format=self.path.suffix[1:], save_all=True, append_images=pictures, **how)

    def _images(self) -> Iterator[Any]:
        from PIL import Image

        while (picture := self._pictures.get()) is not None:
            self.frames += 1
            yield Image.fromarray(picture)
