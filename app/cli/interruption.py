"""Ctrl-C and SIGTERM, heard wherever the main thread is.

Python raises KeyboardInterrupt between two instructions of the main thread. Where those belong to what it calls back by
itself, while a module is imported for instance, it drops the exception: so that one was asked for is remembered too.
"""

from __future__ import annotations

import signal
import threading

_asked = threading.Event()


def listen() -> None:
    """Interrupt the program on both signals; for its main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def heed() -> None:
    """Raise KeyboardInterrupt once more if one was raised in vain; for a loop that would go on for ever."""
    if _asked.is_set():
        _asked.clear()
        raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    _asked.set()
    raise KeyboardInterrupt
