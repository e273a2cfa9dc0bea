"""Sentences for the user: the newest on the fluid, all of them in the panel with their time and how often they came."""

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
    """May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Notice] = {}

    def add(self, text: object) -> Notice:
        """Notes a sentence; one that came before moves to the front and counts on."""
        line = " ".join(str(text).split())
        with self._lock:
            before = self._all.pop(line, None)
            made = Notice(line, time.monotonic(), time.strftime("%H:%M:%S"))
            self._all[line] = made = made if before is None else replace(made, count=before.count + 1)
            while len(self._all) > KEPT:
                del self._all[next(iter(self._all))]
        return made

    def newest_first(self) -> tuple[Notice, ...]:
        """All that are kept."""
        with self._lock:
            return tuple(reversed(self._all.values()))

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._all.clear()
