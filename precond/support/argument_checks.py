"""Checks of what callers pass: each refusal is one sentence with the offending value and the fix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from numbers import Integral, Real

import numpy as np
import torch


def field(value: object, name: str, shape: tuple[int, int] | None = None) -> torch.Tensor:
    """A numpy array or torch tensor of real numbers as a float64 tensor (no copy where none is needed).

    shape: required shape, or None for any two-dimensional one. TypeError on other types, ValueError on other shapes.
    """
    tensor = _tensor(value, name)
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise TypeError(f"{name} has dtype {tensor.dtype}; pass real numbers, for example float64.")
    _match(tensor, name, shape)
    return tensor.to(torch.float64)


def mask(value: object, name: str, shape: tuple[int, int]) -> torch.Tensor:
    """A boolean array of the given shape as a tensor. TypeError on other dtypes, ValueError on other shapes."""
    tensor = _tensor(value, name)
    if tensor.dtype != torch.bool:
        raise TypeError(f"{name} has dtype {tensor.dtype}; pass booleans, for example {name}.astype(bool).")
    _match(tensor, name, shape)
    return tensor


def _tensor(value: object, name: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise TypeError(f"{name} is a sparse tensor ({value.layout}); pass a dense one.")
        return value.detach()
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array whose mask would be lost; pass {name}.filled(...) and solid cells.")
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise TypeError(f"{name} has dtype {value.dtype}; pass real numbers, for example float64.")
        native = value.dtype.newbyteorder("=")
        return torch.from_numpy(np.array(value, dtype=native))  # a copy: torch refuses read-only and flipped arrays
    raise TypeError(f"{name} is a {type(value).__name__}; pass a numpy array or a torch tensor of shape (ny, nx).")


def _match(tensor: torch.Tensor, name: str, shape: tuple[int, int] | None) -> None:
    found = tuple(tensor.shape)
    if shape is None and (len(found) != 2 or 0 in found):
        raise ValueError(f"{name} has shape {found}; pass two dimensions of at least one cell each.")
    if shape is not None and found != shape:
        raise ValueError(f"{name} has shape {found}; pass shape {shape}.")


def real(value: object, name: str) -> float:
    """A finite real number as float. TypeError on other types, ValueError on NaN and infinity."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; pass a real number.")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is an integer beyond float64; pass a smaller number.") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}; pass a finite number.")
    return number


def positive(value: object, name: str) -> float:
    """A finite number above zero as float."""
    number = real(value, name)
    if number <= 0:
        raise ValueError(f"{name} is {number}; pass a number above 0.")
    return number


def nonnegative(value: object, name: str) -> float:
    """A finite number, zero or above, as float."""
    number = real(value, name)
    if number < 0:
        raise ValueError(f"{name} is {number}; pass 0 or a number above it.")
    return number


def relative(value: object, name: str) -> float:
    """A tolerance relative to the right-hand side: 0 or above it, below 1."""
    number = nonnegative(value, name)
    if number >= 1:
        raise ValueError(f"{name} is {number}, which x = 0 satisfies already; pass a number below 1, or atol instead.")
    return number


def count(value: object, name: str, least: int) -> int:
    """An integer of at least `least`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}; pass an integer.")
    if value < least:
        raise ValueError(f"{name} is {value}; pass an integer of at least {least}.")
    return int(value)


def flag(value: object, name: str) -> bool:
    """True or False, nothing that merely counts as such."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; pass True or False.")
    return bool(value)


def choice(value: object, name: str, known: Sequence[str]) -> str:
    """One of the known names. TypeError unless a string, ValueError if unknown."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; pass one of {', '.join(known)}.")
    if value not in known:
        raise ValueError(f"{name} is {value!r}; pass one of {', '.join(known)}.")
    return value


def why_no_cuda() -> str:
    """Why no CUDA device can be used, or "". A device that torch sees may still refuse its kernels: one is tried."""
    return _why_no_kernels() if torch.cuda.is_available() else "torch sees no CUDA device"


@cache
def _why_no_kernels() -> str:
    try:
        torch.ones(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        return f"the CUDA device refuses torch's kernels ({str(error).splitlines()[0]})"
    return ""


def device(value: object) -> torch.device:
    """A torch device from "auto" (CUDA where torch sees it, else the CPU), "cpu", "cuda" or "cuda:K"."""
    if value == "auto":
        return torch.device("cpu" if why_no_cuda() else "cuda")
    if not isinstance(value, (str, torch.device)):
        raise TypeError(f"device is {value!r}; pass 'auto', 'cpu' or 'cuda'.")
    try:
        found = torch.device(value)
    except RuntimeError:
        raise ValueError(f"device is {value!r}; pass 'auto', 'cpu' or 'cuda'.") from None
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device is {str(value)!r}; pass 'auto', 'cpu' or 'cuda'.")
    if found.type == "cpu" and found.index is not None:
        raise ValueError(f"device is {str(value)!r} but the CPU has no number; pass 'cpu'.")
    if found.type == "cuda" and why_no_cuda():
        raise ValueError(f"device is {str(value)!r} but {why_no_cuda()}; pass 'cpu' or 'auto'.")
    if found.type == "cuda" and found.index is None:
        found = torch.device("cuda", torch.cuda.current_device())  # tensors name their index; compare like with like
    return found
