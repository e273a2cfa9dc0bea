"""A CUDA graph without CUDA: torch's operations are noted once and repeated on the very same tensors.

Like a graph it repeats no Python, reads and writes the memory of the recording, and refuses what would wait for the
device or bring numbers from the host.
"""

from typing import Any

import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from precond.device.launch_count import watchers

WAITING = ("_local_scalar_dense", "equal", "nonzero", "is_nonzero", "masked_select", "_unique2", "bincount")
FROM_THE_HOST = ("lift_fresh", "lift_fresh_copy")  # torch.tensor(...)


class Tape(TorchDispatchMode):
    """Notes what is done while it is entered, and does it again in `replay`."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[Any, tuple, dict, Any]] = []
        self.replays = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = name.startswith("index") and _has_mask(args[1])
        if name in WAITING or name in FROM_THE_HOST or masks:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        made = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, made))
        return made

    def launched(self, name, start):
        """Note a kernel of Triton's."""
        self.steps.append((start, (), {}, None))

    def replay(self) -> None:
        """The same operations on the same tensors; what they made is where it was."""
        self.replays += 1
        with torch.no_grad():
            for func, args, keywords, made in self.steps:
                again = func(*args, **keywords)
                for old, new in zip(_pytree.tree_leaves(made), _pytree.tree_leaves(again)):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        assert old.shape == new.shape
                        old.copy_(new)


def _has_mask(indices) -> bool:
    return any(getattr(t, "dtype", None) == torch.bool for t in _pytree.tree_leaves(indices))


def record(work, device):
    """`precond.device.cuda_graph.record`, for any device."""
    work()
    tape = Tape()
    watchers.append(tape.launched)
    try:
        with torch.no_grad(), tape:
            work()
    finally:
        watchers.remove(tape.launched)
    return tape
