"""Starts processes that a channel leads to."""

from __future__ import annotations

import atexit
import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing import sharedctypes
from multiprocessing.process import BaseProcess
from typing import Any

from app.worker.messages import SLOT_BYTES, SLOTS, Channel

PRELOADED = ["app.worker.serving"]  # what a new process finds imported, where the platform can do that


def launch(target: Callable[..., None], name: str, view: object, *arguments: Any) -> tuple[BaseProcess, Channel]:
    """Starts target(ends, *arguments) in a process that ends with this one; `Channel(ends, view)` is its channel."""
    context: Any = multiprocessing.get_context(start_method())
    if start_method() == "forkserver":
        context.set_forkserver_preload(PRELOADED)
    here, there = context.Pipe()
    allocate: Any = getattr(sharedctypes, "_new_value", None) or context.RawValue  # the latter writes to all of it
    memory = allocate(ctypes.c_byte * ((SLOTS + 2) * SLOT_BYTES))
    table = context.RawArray("q", [-1, 0, 0])
    process = context.Process(target=target, args=((there, memory, table), *arguments), name=name, daemon=True)
    process.start()
    there.close()
    atexit.register(end, process, 0.0)  # before multiprocessing, which would wait for one that ignores its signal
    return process, Channel((here, memory, table), view)


def ignore_signals() -> None:
    """Signals to the whole group, as of Ctrl-C and `timeout`, are for the process that opened this one to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def start_method() -> str:
    """How processes are started: from one that has imported everything already, where there can be such a one."""
    return "forkserver" if sys.platform.startswith("linux") else "spawn"


def end(process: BaseProcess, patience: float = 2.0) -> None:
    """Waits for a process that is about to end, and kills it if it does not."""
    process.join(patience)
    if process.is_alive():
        process.kill()
        process.join(5.0)


def ended_by(code: int | None) -> str:
    """How a process has ended, in a few words."""
    if code is not None and code < 0:
        try:
            return f"by {signal.Signals(-code).name}"
        except ValueError:
            return f"by signal {-code}"
    return "without a word" if code is None else f"with code {code}"
