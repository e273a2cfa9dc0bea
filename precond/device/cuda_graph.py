"""Work that a CUDA device repeats from a graph: recorded once, replayed without Python.

A small kernel costs less to run than to launch, and a frame has hundreds of them. Whatever is recorded must read and
write tensors that stay where they are, in shapes that stay as they are, and must not wait for the device.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Protocol

import torch

Work = Callable[[], object]
STREAMS = 32  # that torch hands out in turn


class Graph(Protocol):
    """What can be replayed."""

    def replay(self) -> None:
        """Do the recorded work once more on the same tensors."""


def possible(device: torch.device) -> bool:
    """Whether work on this device can be recorded."""
    return device.type == "cuda"


class Recorded:
    """A graph, and the stream that it was recorded on for as long as it lives."""

    def __init__(self, graph: Graph, stream: torch.cuda.Stream) -> None:
        self._graph, self._stream = graph, stream
        handle = int(stream.cuda_stream)
        _taken.add(handle)
        weakref.finalize(self, _taken.discard, handle)

    def replay(self) -> None:
        """Do the recorded work once more on the same tensors."""
        self._graph.replay()


_taken: set[int] = set()  # handles of the streams of living graphs


def free_stream() -> torch.cuda.Stream:
    """A stream on which no living graph was recorded. Raises RuntimeError where there is none.

    torch hands out the same few streams in turn, and a graph that is destroyed takes the workspace of its stream with
    it: another one that was recorded there would go on writing into freed memory (pytorch issue 193402).
    """
    for _ in range(STREAMS):
        stream = torch.cuda.Stream()
        if int(stream.cuda_stream) not in _taken:
            return stream
    raise RuntimeError(f"all of torch's {STREAMS} streams belong to graphs that are in use")


def record(work: Work, device: torch.device) -> Graph:
    """The kernels of the work, which is done once before. The recording itself computes nothing.

    Raises RuntimeError where CUDA refuses; the current stream is then what it was.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        before = torch.cuda.current_stream()
        stream = free_stream()  # our own: torch's default one belongs to the device of its first capture
        stream.wait_stream(before)
        with torch.cuda.stream(stream):
            work()  # libraries create their handles and workspaces outside the recording
        before.wait_stream(stream)
        try:
            # thread_local: what another thread does to the device meanwhile, say a recorder, cannot spoil the recording
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                work()
        finally:
            torch.cuda.set_stream(before)  # a refused recording would leave its own stream current
    return Recorded(graph, stream)


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
