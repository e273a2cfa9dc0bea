"""How kernels in Triton are started, all of them here, so that whoever records or counts sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Start = Callable[[], None]

watchers: list[Callable[[str, Start], None]] = []  # each is told of every launch: its name, and how to repeat it


def launch(kernel: Any, programs: int, *arguments: Any, **constants: Any) -> None:
    """Start so many programs of a kernel on these tensors and numbers; constants are its tl.constexpr parameters."""

    def start() -> None:
        kernel[(programs,)](*arguments, **constants)

    start()
    for watch in watchers:
        watch(kernel.__name__, start)
