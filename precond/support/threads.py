"""How many CPU threads a solve uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Up to here a second thread saves nothing on vectors that fit the cache, and on a machine whose cores are busy it ruins
# everything: BLAS and LAPACK fork even for a dot product of 4,096 numbers (4 us) and then wait 8 ms for a core.
ONE_THREAD_CELLS = 65_536


@contextmanager
def suited(device: torch.device, cells: int) -> Iterator[None]:
    """Keep torch to one CPU thread while solving on the CPU for that few cells."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or cells > ONE_THREAD_CELLS or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
