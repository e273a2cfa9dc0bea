"""The pretended device: every operation of torch passes here, is judged, and computed on the CPU.

It fails, with the line of this project that did it, where a CUDA device would: see `rules`. What is captured has no
effect until it is replayed.
"""

from __future__ import annotations

import inspect
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from . import rules
from .graph import Graph
from .rules import Fault, culprit, is_there, short
from .streams import DEFAULT, Order, Seen, Uses, event_class, stream_class
from .tensor import There

CAPTURING = "operation not permitted when stream is capturing"


class Memory(Uses):
    """One piece of memory on the device; graph: the one that was capturing when it was made."""

    def __init__(self, graph: Graph | None) -> None:
        super().__init__()
        self.graph = None if graph is None else weakref.ref(graph)

    def why_unreadable(self, replaying: Graph | None) -> str:
        """What is wrong with reading here, or ""."""
        if self.graph is None or self.graph() is replaying is not None:
            return ""
        owner = self.graph()
        if owner is None:
            return "memory that a destroyed graph owned"
        return "" if owner.replays else "what a graph has captured and not yet computed"


class Device(TorchDispatchMode):
    """faults: all that was refused, also where the program caught it;  waits: where the host stood still, and how
    often;  work: operations and kernels started one by one;  replays: graphs started."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.waits: Counter[str] = Counter()
        self.work: Counter[str] = Counter()
        self.replays = 0
        self.inside = 0  # of torch's own code that was called with tensors of this device
        self.capturing: Graph | None = None
        self.graphs: weakref.WeakSet[Graph] = weakref.WeakSet()
        self.order = Order()
        self.order.on_wait.append(self._deliver)
        self.Stream = stream_class(self.order, self.refuse_in_capture, lambda: self.current)
        self.Event = event_class(self.order, self.refuse_in_capture, lambda: self.current)
        self.current = self.Stream(DEFAULT)
        self.entered = 0  # blocks `with torch.cuda.stream(...)` at present
        self._memories: weakref.WeakValueDictionary[int, Memory] = weakref.WeakValueDictionary()
        self._pinned: dict[int, torch.Tensor] = {}
        self._on_the_way: list[tuple[int, int, torch.Tensor, torch.Tensor]] = []  # to pinned memory of the host

    def fault(self, what: str) -> Fault:
        """To be raised; while capturing, the capture is spoilt as well."""
        said = f"{what} ({culprit()})"
        self.faults.append(said)
        if self.capturing is not None:
            self.capturing.spoilt = self.capturing.spoilt or said
        return Fault(said)

    def refuse_in_capture(self, what: str) -> None:
        """Waiting for the device is what a capture does not allow."""
        if self.capturing is not None:
            raise self.fault(f"{CAPTURING}: {what}")

    def host_waits(self, what: str, stream: int | None = None) -> None:
        """The host stands still until that stream, or all, have done their work."""
        self.refuse_in_capture(what)
        self.waits[f"{what} ({culprit()})"] += 1
        self.order.host_waits(None if stream is None else self.order.knows(stream))

    # --- operations

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        keywords = dict(kwargs or {})
        tensors = rules.tensors_in((args, keywords))
        there = [t for t in tensors if isinstance(t, There)]
        goes_there = is_there(keywords.get("device")) if keywords.get("device") is not None else bool(there)
        if not tensors and self.inside:  # torch's own code, which thinks that its arguments lie on the CPU
            goes_there = True
        name = short(func)
        if name in rules.HOST_DATA and self.capturing is not None:
            raise self.fault(f"{CAPTURING}: numbers of the host ({name})")
        if not there and not goes_there:
            return self._on_the_host(func, args, keywords)
        crossing = self._judge(func, args, keywords, there, [t for t in tensors if not isinstance(t, There)])
        if keywords.get("device") is not None:
            keywords["device"] = torch.device("cpu")
        keywords.pop("pin_memory", None)
        if crossing == "later":
            return self._send_later(args, keywords, there[0])
        a, k = _pytree.tree_map_only(There, lambda t: t.inner, (args, keywords))
        graph = self.capturing if goes_there else None
        if graph is not None:
            graph.before(func, a, k)
        out = func(*a, **k)
        if graph is not None:
            graph.after(func, a, k, out)
        return self._wrapped(out, tensors, a, k, goes_there)

    def _judge(self, func: Any, args: tuple, keywords: dict, there: list, here: list) -> str:
        """Raise what a device would; "later" for a copy to the host that nobody waits for, "now" for one that waits."""
        name, crossing = short(func), ""
        if self.capturing is None and self.current.cuda_stream != DEFAULT and not self.entered:
            raise self.fault(f"{name} on stream {self.current.cuda_stream}, which was left current")
        moves = name == "_to_copy" and keywords.get("device") is not None
        if moves or (name == "copy_" and there and here):
            crossing = self._crossing(name, args, keywords)
        elif there and here:
            if not rules.may_take_from_the_host(func, args, here):
                raise self.fault(f"Expected all tensors to be on the same device, but found cuda:0 and cpu: {func}")
            if name in rules.INDEXING and any(t.dim() for t in here):
                crossing = "now"
        if rules.waits(func, args) or crossing == "now":
            self.host_waits(name + " between host and device" * bool(crossing), self.current.cuda_stream)
        if not rules.touches_nothing(func):
            if self.capturing is None:
                self.work[f"{name} ({culprit()})"] += 1
            written = rules.writes_of(func, args, keywords)
            self.uses(rules.reads_of(func, args, keywords), written)
        return crossing

    def _crossing(self, name: str, args: tuple, keywords: dict) -> str:
        """How a copy between the host and the device goes; "pinned": from pinned memory, without waiting."""
        source = args[1] if name == "copy_" else args[0]
        non_blocking = bool(keywords.get("non_blocking", args[2] if name == "copy_" and len(args) > 2 else False))
        if isinstance(source, There):
            if name == "_to_copy" and non_blocking:
                self.refuse_in_capture("memory of the host is allocated")
            return "later" if non_blocking and (name == "_to_copy" or self._is_pinned(args[0])) else "now"
        return "pinned" if non_blocking and self._is_pinned(source) else "now"

    def uses(self, read: list[torch.Tensor], written: list[torch.Tensor]) -> None:
        """Note what work on the current stream reads and writes; while capturing, what its replays will."""
        if self.capturing is not None:
            self.capturing.uses(read, written)
        for tensors, writes in ((read, False), (written, True)):
            for t in tensors:
                if isinstance(t, There):
                    self.use(t.memory, writes, self.current.cuda_stream)
        if self.capturing is None:
            self.order.given[self.current.cuda_stream] += 1

    def use(self, memory: Memory, writes: bool, stream: int, replaying: Graph | None = None) -> None:
        """One piece of memory is read or written."""
        wrong = "" if writes else memory.why_unreadable(replaying or self.capturing)
        if self.capturing is not None:
            wrong = wrong if "destroyed" in wrong else ""
        if wrong:
            raise self.fault(f"reads {wrong}")
        if self.capturing is None:
            late = memory.unordered(self.order, stream, writes)
            if late is not None:
                did = "writes to" if writes else "reads"
                raise self.fault(f"stream {stream} {did} what stream {late} uses, without having waited for it")

    def addressed(self, tensor: There) -> None:
        """The address was asked for: a kernel of our own reads and writes there."""
        if self.capturing is not None:
            self.capturing.keep(tensor.inner)
        self.uses([], [tensor])

    def launched(self, name: str, start: Callable[[], None]) -> None:
        """A Triton kernel was started: see precond.fused.launch.watchers."""
        if self.capturing is None:
            self.work[f"{name} ({culprit()})"] += 1
            return
        given = inspect.getclosurevars(start).nonlocals
        arguments = _pytree.tree_map_only(There, lambda t: t.inner, given["arguments"])
        self.capturing.steps.append(partial(given["kernel"][(given["programs"],)], *arguments, **given["constants"]))

    def _wrapped(self, out: Any, tensors: list, a: tuple, k: dict, goes_there: bool) -> Any:
        same = dict(zip(map(id, rules.tensors_in((a, k))), tensors))  # what comes back is what was given

        def wrap(t: torch.Tensor) -> torch.Tensor:
            if id(t) in same or not goes_there:
                return same.get(id(t), t)
            key = t.untyped_storage()._cdata
            memory = self._memories.get(key)
            if memory is None:
                memory = self._memories[key] = Memory(self.capturing)
                if self.capturing is None:
                    memory.wrote = (self.current.cuda_stream, self.order.given[self.current.cuda_stream])
            return There(t, memory)

        return _pytree.tree_map_only(torch.Tensor, wrap, out)

    # --- the host's memory

    def _on_the_host(self, func: Any, args: tuple, keywords: dict) -> Any:
        name = short(func)
        if name == "is_pinned":
            return self._is_pinned(args[0])
        pinned = keywords.pop("pin_memory", False) or name == "_pin_memory"
        out = torch.clone(args[0]) if name == "_pin_memory" else func(*args, **keywords)
        return self._pin(out) if pinned else out

    def _pin(self, tensor: torch.Tensor) -> torch.Tensor:
        self.refuse_in_capture("memory of the host is allocated")
        self._pinned[tensor.untyped_storage()._cdata] = tensor
        return tensor

    def _is_pinned(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._pinned

    def _send_later(self, args: tuple, keywords: dict, source: There) -> torch.Tensor:
        """A copy to pinned memory: it is there when the host has waited for it, and not before."""
        if len(args) > 1:
            to = args[0]
        else:
            to = self._pin(torch.zeros(source.inner.shape, dtype=keywords.get("dtype") or source.inner.dtype))
        if self.capturing is not None:
            self.capturing.steps.append(partial(self._send, to, source.inner))
        else:
            self._send(to, source.inner)
        return to

    def _send(self, to: torch.Tensor, inner: torch.Tensor) -> None:
        stream = self.current.cuda_stream
        self._on_the_way.append((stream, self.order.given[stream], to, inner.clone()))

    def _deliver(self, done: Seen) -> None:
        still = []
        for stream, tick, to, value in self._on_the_way:
            if done.get(stream, 0) >= tick:
                with torch._C._DisableTorchDispatch():  # of the device, not of the program
                    to.copy_(value)
            else:
                still.append((stream, tick, to, value))
        self._on_the_way = still
