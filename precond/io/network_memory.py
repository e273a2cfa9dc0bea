"""What a learned method remembers from one solve to the next, as arrays for a file.

A method that runs its network only now and then depends on what it said last. A program that saves `Solver.memory()`
with its own state, and gives it to `Solver.recall` in the run that goes on, gets the same iterations bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

Arrays = Mapping[str, np.ndarray]


def to_arrays(network: nn.Module, age: int, tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """The tensors that a network said `age` solves ago."""
    arrays = {name: tensor.cpu().numpy().copy() for name, tensor in tensors.items()}
    return {"age": np.array(age), "network": _mark(network), **arrays}


def from_arrays(
    arrays: Arrays, network: nn.Module, shapes: Mapping[str, tuple[int, ...]], device: torch.device
) -> tuple[int, dict[str, torch.Tensor]] | None:
    """Age and tensors as they were noted; None where they are of another network or grid, or damaged.

    Nothing is lost then: the network runs again.
    """
    try:
        age, tensors = int(arrays["age"]), {name: arrays[name] for name in shapes}
        same = np.array_equal(arrays["network"], _mark(network))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    fits = all(a.dtype == np.float32 and a.shape == shapes[n] and np.isfinite(a).all() for n, a in tensors.items())
    if not (same and fits and age >= 0):
        return None
    return age, {name: torch.from_numpy(a.copy()).to(device) for name, a in tensors.items()}


def _mark(network: nn.Module) -> np.ndarray:
    """Tells one network from another."""
    return np.array([float(p.detach().double().sum()) for p in network.parameters()])
