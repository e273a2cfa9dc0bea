"""Messages between the window's process and the simulation's: pickled, the arrays in them through shared memory.

Both processes are this program, so that unpickling runs nothing but its own code. Arrays are copied once on either
side: into a slot of the shared memory, and out of it.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any

import torch

SLOTS = 3  # for the messages under way; two more hold what a simulation can be continued from
SLOT_BYTES = 1 << 26  # what does not fit goes through the pipe. Memory that is never written to costs nothing.
VIEW = "view"  # how a message names the view model, of which each process has its own


class Packer(pickle.Pickler):
    """Pickles a message; `view` is this process's view model, None where there is none."""

    def __init__(self, file: io.BytesIO, view: object, buffer_callback: Any = None) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._view = view

    def persistent_id(self, obj: Any) -> str | None:
        """A name for what the other process has itself."""
        return VIEW if obj is self._view and obj is not None else None

    def reducer_override(self, obj: Any) -> Any:
        """Solutions travel without their pressure fields, which only the simulation reads."""
        if isinstance(obj, torch.Tensor):
            return no_tensor, ()
        if isinstance(obj, MappingProxyType):
            return read_only, (dict(obj),)
        return NotImplemented


class Unpacker(pickle.Unpickler):
    """Reads what a Packer has made; `view` is this process's view model."""

    def __init__(self, data: bytes, view: object, buffers: Sequence[Any] | None = None) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self._view = view

    def persistent_load(self, pid: str) -> Any:
        """What this process has under that name."""
        return self._view


def read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """A mapping as it was before its way."""
    return MappingProxyType(values)


def no_tensor() -> torch.Tensor:
    """What becomes of a tensor on its way."""
    return torch.empty(0, dtype=torch.float64)


class Channel:
    """One end of the pipe and the shared memory. Sending may be done from any thread, receiving from one."""

    def __init__(self, ends: tuple[Connection, Any, Any], view: object) -> None:
        """ends: this end of the pipe, shared memory of (SLOTS + 2) SLOT_BYTES bytes, and the table of `keep`."""
        self._connection, memory, self._table = ends
        self._memory, self._view = memoryview(memory).cast("B"), view
        self._sending = threading.Lock()
        self._free = list(range(SLOTS))
        self._freed = threading.Condition()

    def set_view(self, view: object) -> None:
        """The view model of this process."""
        self._view = view

    def close(self) -> None:
        """Closes the pipe; whoever waits at its other end notices."""
        self._connection.close()

    def send(self, *message: Any) -> None:
        """Sends a message without large arrays. Raises OSError where the other process is gone."""
        self._send(self._packed(message), None, [])

    def send_arrays(self, *message: Any) -> None:
        """Sends a message whose arrays go through shared memory; waits until a slot is free."""
        buffers: list[pickle.PickleBuffer] = []
        data = self._packed(message, buffers.append)
        views = [buffer.raw() for buffer in buffers]
        slot = self._take_slot() if sum(view.nbytes for view in views) <= SLOT_BYTES else None
        if slot is None:
            self._send(self._packed(message), None, [])
            return
        place = slot * SLOT_BYTES
        for view in views:
            self._memory[place : place + view.nbytes] = view
            place += view.nbytes
        self._send(data, slot, [view.nbytes for view in views])

    def receive(self) -> tuple[Any, ...]:
        """The next message; its arrays are read-only. Raises EOFError or OSError where the other process is gone."""
        while True:
            slot, sizes = pickle.loads(self._connection.recv_bytes())
            if sizes is None:  # nothing but a slot that is free again
                with self._freed:
                    self._free.append(slot)
                    self._freed.notify()
                continue
            data = self._connection.recv_bytes()
            buffers = []
            if slot is not None:
                place = slot * SLOT_BYTES
                for size in sizes:
                    buffers.append(bytes(self._memory[place : place + size]))
                    place += size
                with self._sending:
                    self._connection.send_bytes(pickle.dumps((slot, None)))
            message: tuple[Any, ...] = Unpacker(data, self._view, buffers).load()
            return message

    def keep(self, value: Any) -> None:
        """Leaves a value in shared memory that outlives this process; the one before stays until it is whole.

        table: which of the two places holds the newest value (-1: none), and the lengths of both.
        """
        which = 1 - self._table[0] if self._table[0] >= 0 else 0
        data = pickle.dumps(value, protocol=5)
        if len(data) <= SLOT_BYTES:
            place = (SLOTS + which) * SLOT_BYTES
            self._memory[place : place + len(data)] = data
            self._table[1 + which] = len(data)
            self._table[0] = which
        else:
            self._table[0] = -1  # what was kept before is of another grid

    def kept(self) -> Any:
        """What the other process has kept last, or None."""
        which = self._table[0]
        if which < 0:
            return None
        place = (SLOTS + which) * SLOT_BYTES
        return pickle.loads(bytes(self._memory[place : place + self._table[1 + which]]))

    def _packed(self, message: tuple[Any, ...], buffer_callback: Any = None) -> bytes:
        file = io.BytesIO()
        Packer(file, self._view, buffer_callback).dump(message)
        return file.getvalue()

    def _send(self, data: bytes, slot: int | None, sizes: list[int]) -> None:
        with self._sending:
            self._connection.send_bytes(pickle.dumps((slot, sizes)))
            self._connection.send_bytes(data)

    def _take_slot(self) -> int | None:
        with self._freed:
            if not self._free:
                self._freed.wait(1.0)
            return self._free.pop() if self._free else None
