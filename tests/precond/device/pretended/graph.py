"""What is recorded on the pretended device: it has no effect when captured, and is repeated on the same tensors."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree

from . import rules
from .rules import culprit

if TYPE_CHECKING:
    from .device import Device, Memory


class Graph:
    """torch.cuda.CUDAGraph. It keeps nothing alive but what was made while it was capturing, as CUDA's does."""

    device: Device

    def __init__(self, keep_graph: bool = False) -> None:
        self.stream: int | None = None
        self.replays, self.spoilt = 0, ""
        self.steps: list[Callable[[], object]] = []
        self.names: list[str] = []
        self._used: dict[int, tuple[weakref.ref[Memory], bool, str]] = {}  # by memory: it, written to, by which line
        self._before: dict[int, tuple[Any, Any]] = {}  # storage, and what it held
        self._made: dict[int, torch.Tensor] = {}

    def uses(self, read: list[torch.Tensor], written: list[torch.Tensor]) -> None:
        """What replays will read and write and is not the graph's own."""
        for tensors, writes in ((read, False), (written, True)):
            for t in tensors:
                memory = getattr(t, "memory", None)
                if memory is not None and not (memory.graph is not None and memory.graph() is self):
                    known = self._used.get(id(memory))
                    self._used[id(memory)] = weakref.ref(memory), writes and (known is None or known[1]), culprit()

    def keep(self, inner: torch.Tensor) -> None:
        """Remember what the tensor's memory holds, before the first work that may write there."""
        storage = inner.untyped_storage()
        if storage._cdata not in self._made and storage._cdata not in self._before:
            self._before[storage._cdata] = storage, storage.clone()

    def before(self, func: Any, a: tuple, k: dict) -> None:
        """An operation is about to be tried."""
        for t in rules.writes_of(func, a, k):
            self.keep(t)

    def after(self, func: Any, a: tuple, k: dict, out: Any) -> None:
        """An operation was tried: note it."""
        given = {t.untyped_storage()._cdata for t in rules.tensors_in((a, k))}
        for t in rules.tensors_in(out):
            if t.untyped_storage()._cdata not in given:
                self._made[t.untyped_storage()._cdata] = t
        if not rules.touches_nothing(func):
            self.names.append(rules.short(func))
        self.steps.append(lambda: _repeat(func, a, k, out))

    def end(self) -> None:
        """Undo whatever the capture did; what it made holds nothing yet."""
        for storage, held in self._before.values():
            storage.copy_(held)
        self._before.clear()
        for t in self._made.values():
            if t.dtype.is_floating_point:
                torch.empty(0, dtype=t.dtype).set_(t.untyped_storage()).fill_(torch.nan)

    def replay(self) -> None:
        """Everything again, on the current stream."""
        device = self.device
        device.refuse_in_capture("replay")
        for reference, writes, line in self._used.values():
            memory = reference()
            if memory is None:
                raise device.fault(f"a graph uses memory that was freed since {line} was captured")
            device.use(memory, writes, device.current.cuda_stream, self)
        device.order.given[device.current.cuda_stream] += 1
        self.replays += 1
        device.replays += 1
        with torch._C._DisableTorchDispatch(), torch.no_grad():
            for step in self.steps:
                step()

    def reset(self) -> None:
        """Drop the recorded work."""
        self.steps.clear()

    def pool(self) -> tuple[int, int]:
        """A name for its memory."""
        return 0, id(self)


def _repeat(func: Any, a: tuple, k: dict, out: Any) -> None:
    again = func(*a, **k)
    for old, new in zip(_pytree.tree_leaves(out), _pytree.tree_leaves(again)):
        if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
            old.copy_(new)
