"""Work that a CUDA device repeats from a graph: recorded once, replayed without Python.

A small kernel costs less to run than to launch, and a frame has hundreds of them. Whatever is recorded must read and
write tensors that stay where they are, in shapes that stay as they are, and must not wait for the device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], object]


class Graph(Protocol):
    """What can be replayed."""

    def replay(self) -> None:
        """Do the recorded work once more on the same tensors."""


def possible(device: torch.device) -> bool:
    """Whether work on this device can be recorded."""
    return device.type == "cuda"


def record(work: Work, device: torch.device) -> Graph:
    """The kernels of the work, which is done once before. The recording itself computes nothing."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()  # our own: torch's default one belongs to the device of its first capture
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()  # libraries create their handles and workspaces outside the recording
        torch.cuda.current_stream().wait_stream(stream)
        # thread_local: what another thread does to the device meanwhile, say a recorder, cannot spoil the recording
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            work()
    return graph


class GraphCache:
    """Work done over and over on the same inputs: by itself the first time, from its graph from the second on.

    refused: why it could not be recorded; it is then done kernel by kernel, which is slower and gives the same.
    """

    def __init__(self) -> None:
        self.refused = ""
        self._graph: Graph | None = None
        self._inputs: tuple[object, ...] | None = None

    def __call__(self, work: Work, device: torch.device, *inputs: object) -> None:
        """Do the work, which depends on nothing but these objects, whose contents may change, and its own tensors."""
        if not possible(device) or self.refused:
            work()
            return
        if not self._same(inputs):
            self._graph, self._inputs = None, inputs  # by itself: perhaps it is never asked for again, as in a drag
            work()
            return
        if self._graph is None:
            try:
                self._graph = record(work, device)
            except RuntimeError as error:
                self.refused = str(error).splitlines()[0]
                warnings.warn(f"a set-up runs kernel by kernel, as CUDA cannot record it: {self.refused}", stacklevel=2)
                work()
                return
        self._graph.replay()

    def _same(self, inputs: tuple[object, ...]) -> bool:
        last = self._inputs
        return last is not None and len(last) == len(inputs) and all(a is b for a, b in zip(last, inputs))
