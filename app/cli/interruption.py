"""Ctrl-C and SIGTERM, heard wherever the main thread is.

Python raises KeyboardInterrupt between two instructions of the main thread. Where those belong to what it calls back by
itself, while a module is imported for instance, it drops the exception: so that one was asked for is remembered too.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_asked = threading.Event()


def listen() -> None:
    """Interrupt the program on both signals; for its main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def asked() -> bool:
    """Whether the program is to end; for a loop that would go on for ever."""
    return _asked.is_set()


@contextmanager
def held_back() -> Iterator[None]:
    """Raise nothing before the end of the block: exceptions that reach code in C++ may abort the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.signal(number, lambda *_: _asked.set())) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if _asked.is_set():
            _asked.clear()
            raise KeyboardInterrupt


def _interrupt(*_: object) -> None:
    _asked.set()
    raise KeyboardInterrupt
