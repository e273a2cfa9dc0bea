"""Threads of the CPU: how many a piece of work uses, and which gives way to which."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

import torch

# Up to here a second thread saves nothing on vectors that fit the cache, and on a machine whose cores are busy it ruins
# everything: BLAS and LAPACK fork even for a dot product of 4,096 numbers (4 us) and then wait 8 ms for a core; torch
# shares out arrays of more than 32,768 numbers; to share out a loop takes Taichi 0.13 ms.
ONE_THREAD_CELLS = 65_536


def is_small(device: torch.device, cells: int) -> bool:
    """Whether one CPU thread does the work on that few cells best."""
    return device.type == "cpu" and cells <= ONE_THREAD_CELLS


@contextlib.contextmanager
def limited_threads(device: torch.device, cells: int) -> Iterator[None]:
    """Keep torch to one CPU thread where it works on that few cells of the CPU."""
    threads = torch.get_num_threads()
    limited = is_small(device, cells) and threads > 1
    if limited:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if limited:
            torch.set_num_threads(threads)


def lower_own_priority(niceness: int) -> None:
    """Make the calling thread, and the thread pools that will be started from it, give way to the others."""
    if sys.platform.startswith("linux"):  # elsewhere priorities belong to processes
        with contextlib.suppress(OSError):  # a container may forbid it; the window is then merely less fluent
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
