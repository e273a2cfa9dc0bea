"""What a CUDA device would make of an operation: where it waits, what it reads and writes, what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree

ROOT = Path(__file__).resolve().parents[4]
OWN = str(Path(__file__).resolve().parent)
WAITS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
ALSO_WAIT = ("equal", "is_nonzero", "_linalg_check_errors", "bincount", "nonzero", "masked_select", "_unique2")
HOST_DATA = ("lift_fresh", "lift_fresh_copy")  # torch.tensor(...)
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
EMPTY = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
OVERWRITES = ("copy_", "fill_", "zero_", "_foreach_copy_", "_foreach_zero_", "set_")
SCALAR_ON_THE_HOST = ("fill_", "masked_fill", "masked_fill_", "index_put_", "index_put", "_index_put_impl_", "where")


class Fault(RuntimeError):
    """What a CUDA device would have refused, or got wrong without a word."""


def culprit() -> str:
    """file:line of this project that is at work, from the project's root."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(str(ROOT)) and not name.startswith(OWN) and "site-packages" not in name:
            return f"{Path(name).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return "nowhere in this project"


def short(func: Any) -> str:
    """add_ of aten.add_.Tensor."""
    return func.overloadpacket.__name__


def is_there(device: Any) -> bool:
    """Whether a device argument names the pretended one."""
    return device is not None and torch.device(device).type == "cuda"


def waits(func: Any, args: tuple) -> bool:
    """Whether the host stands still until the device has answered."""
    name = short(func)
    if name in INDEXING:  # a mask: its true cells are counted first
        return any(t.dtype in (torch.bool, torch.uint8) for t in tensors_in(args[1]))
    if name == "repeat_interleave":
        return not isinstance(args[-1], int)
    return name in ALSO_WAIT or bool(WAITS & set(func.tags))


def may_take_from_the_host(func: Any, args: tuple, here: list[torch.Tensor]) -> bool:
    """Whether these host tensors may stand beside tensors of the device: numbers in pointwise kernels, and indices."""
    name = short(func)
    if name in INDEXING:
        indices = list(map(id, tensors_in(args[1])))
        here = [t for t in here if id(t) not in indices]
    pointwise = torch.Tag.pointwise in func.tags or name in SCALAR_ON_THE_HOST or name.startswith("_foreach")
    written = list(map(id, writes_of(func, args, {})))
    return all(t.dim() == 0 and pointwise and id(t) not in written for t in here)


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors in nested arguments."""
    return [t for t in _pytree.tree_leaves(value) if isinstance(t, torch.Tensor)]


def writes_of(func: Any, args: tuple, keywords: dict) -> list[torch.Tensor]:
    """The arguments that the operation writes to."""
    found: list[torch.Tensor] = []
    for k, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found += tensors_in(args[k] if k < len(args) else keywords.get(argument.name))
    return found


def reads_of(func: Any, args: tuple, keywords: dict) -> list[torch.Tensor]:
    """The arguments whose values matter."""
    name, written = short(func), list(map(id, writes_of(func, args, keywords)))
    overwritten = name in OVERWRITES or not name.endswith("_")
    return [t for t in tensors_in((args, keywords)) if not (id(t) in written and overwritten)]


def touches_nothing(func: Any) -> bool:
    """A view, or memory that nobody has written to yet."""
    views = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
    return views or short(func) in EMPTY
