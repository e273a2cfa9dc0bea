"""Which thread gives way to which."""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def lower_own_priority(niceness: int) -> None:
    """Makes the calling thread, and the thread pools that will be started from it, give way to the others."""
    if sys.platform.startswith("linux"):  # elsewhere priorities belong to processes
        with contextlib.suppress(OSError):  # a container may forbid it; the window is then merely less fluent
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
