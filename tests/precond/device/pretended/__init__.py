"""A CUDA device that is none: in a block `with pretended() as device:` torch.cuda is one that computes on the CPU.

Tensors say cuda:0, captures have no effect and replays repeat them, and what a device would refuse raises with the
line that did it. Kernels' own errors, libraries' workspaces and real concurrency are not seen here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import torch

from precond.fused import launch, trial
from precond.support import argument_checks

from .device import Device
from .graph import Graph
from .rules import Fault
from .tensor import FromTheHost, There

__all__ = ["Device", "Fault", "pretended"]


@contextlib.contextmanager
def pretended() -> Iterator[Device]:
    """The device, for as long as the block lasts."""
    device = Device()
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small work that belongs to no CPU is kept from forking by nobody: see support/threads.py
    forget_devices()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # module.to() then takes tensors of any kind
    launch.watchers.append(device.launched)
    There.device_ = device
    try:
        with contextlib.ExitStack() as stack:
            for name, value in faces(device).items():
                stack.enter_context(mock.patch.object(torch.cuda, name, value))
            stack.enter_context(FromTheHost(device))
            stack.enter_context(device)
            yield device
    finally:
        There.device_ = None
        launch.watchers.remove(device.launched)
        torch.set_num_threads(threads)
        torch.__future__.set_overwrite_module_params_on_conversion(before)
        forget_devices()


def forget_devices() -> None:
    """Let the next question of what a device can do be answered anew."""
    argument_checks._why_no_kernels.cache_clear()
    trial.trusted.clear()


def faces(device: Device) -> dict[str, object]:
    """What torch.cuda shows of it."""

    class OwnGraph(Graph):
        pass

    OwnGraph.device = device

    def set_stream(stream: object) -> None:
        device.current = stream

    @contextlib.contextmanager
    def stream_block(stream: object) -> Iterator[None]:
        before, device.current = device.current, stream
        device.entered += 1
        try:
            yield
        finally:
            device.entered -= 1
            device.current = before

    class Capture:
        """torch.cuda.graph: where the capture fails, its stream stays current, as with torch's own."""

        def __init__(self, graph: Graph, pool: object = None, stream: object = None, **mode: object) -> None:
            self.graph, self.stream = graph, stream or device.Stream()

        def __enter__(self) -> None:
            device.host_waits("torch.cuda.graph synchronizes")
            self.before, device.current = device.current, self.stream
            held = {g.stream for g in device.graphs if g is not self.graph}
            if self.stream.cuda_stream in held:
                raise device.fault(f"a living graph was captured on stream {self.stream.cuda_stream} already")
            self.graph.stream = self.stream.cuda_stream
            device.graphs.add(self.graph)
            device.capturing = self.graph

        def __exit__(self, kind: object, error: object, trace: object) -> None:
            device.capturing = None
            self.graph.end()
            if error is not None or self.graph.spoilt:
                device.graphs.discard(self.graph)
                why = self.graph.spoilt or error
                raise RuntimeError(f"CUDA error: operation failed due to a previous error during capture: {why}")
            device.current = self.before

    return {
        "_lazy_init": lambda: None, "is_available": lambda: True, "is_initialized": lambda: True,
        "current_device": lambda: 0, "device_count": lambda: 1, "get_device_name": lambda *which: "Pretended",
        "get_device_properties": lambda *which: SimpleNamespace(
            name="Pretended", major=9, minor=0, multi_processor_count=132, total_memory=2**36,
        ),
        "get_device_capability": lambda *which: (9, 0), "memory_allocated": lambda *which: 0,
        "empty_cache": lambda: None, "device": lambda which: contextlib.nullcontext(),
        "synchronize": lambda *which: device.host_waits("synchronize"),
        "is_current_stream_capturing": lambda: device.capturing is not None,
        "Stream": device.Stream, "Event": device.Event, "stream": stream_block, "set_stream": set_stream,
        "current_stream": lambda *which: device.current, "default_stream": lambda *which: device.Stream(0),
        "CUDAGraph": OwnGraph, "graph": Capture,
    }  # fmt: skip
