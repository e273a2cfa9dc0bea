"""Starts processes that a channel leads to."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
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
    memory = context.RawArray("b", (SLOTS + 2) * SLOT_BYTES)
    table = context.RawArray("q", [-1, 0, 0])
    process = context.Process(target=target, args=((there, memory, table), *arguments), name=name, daemon=True)
    process.start()
    there.close()
    return process, Channel((here, memory, table), view)


def start_method() -> str:
    """How processes are started: from one that has imported everything already, where there can be such a one."""
    return "forkserver" if sys.platform.startswith("linux") else "spawn"


def end(process: BaseProcess) -> None:
    """Waits for a process that is about to end, and kills it if it does not."""
    process.join(2.0)
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
