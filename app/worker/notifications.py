"""Sentences for the user: the newest is shown on the fluid, all are listed in the panel with time and count."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

KEPT = 50  # different sentences


@dataclass(frozen=True)
class Notice:
    """A sentence for the user."""

    text: str
    when: float  # time.monotonic() [s]
    clock: str = ""  # time of day, "14:03:20"
    count: int = 1


class Notices:
    """All notices; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Notice] = {}
        self.current: Notice | None = None  # the newest that is to be shown on the fluid

    def add(self, text: object, current: bool = True) -> None:
        """Adds a sentence; one that came before moves to the front and is counted. `current`: shows it on the fluid."""
        line = " ".join(str(text).split())
        with self._lock:
            before = self._all.pop(line, None)
            made = Notice(line, time.monotonic(), time.strftime("%H:%M:%S"))
            self._all[line] = made = made if before is None else replace(made, count=before.count + 1)
            while len(self._all) > KEPT:
                del self._all[next(iter(self._all))]
        if current:
            self.current = made

    def newest_first(self) -> tuple[Notice, ...]:
        """The notices kept, the newest first."""
        with self._lock:
            return tuple(reversed(self._all.values()))

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._all.clear()
