"""How a network comes from its file of weights, for methods with one file for every size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from . import weights as files

LARGEST = 1024  # of any number in a configuration: a damaged file must not ask for gigabytes
N = TypeVar("N", bound=nn.Module)


def shipped(method: str) -> Path:
    """The file that comes with the program."""
    return files.models_dir() / f"{method}.safetensors"


def why_unavailable(method: str) -> str | None:
    """None, or a sentence that says which file is missing."""
    if shipped(method).is_file():
        return None
    return f"models/{method}.safetensors is missing; train it with 'python -m precond.train {method}'."


def load_network(weights: str | None, method: str, config: type, make: Callable[[Any], N]) -> N:
    """The network of a file, of "random:SEED" (nothing learned), or for None of the shipped file. Raises ValueError."""
    seed = None if weights is None else files.seed_of(weights)
    if seed is not None:
        return randomised(make(config()), seed)
    if weights is None:
        reason = why_unavailable(method)
        if reason is not None:
            raise ValueError(f"There are no weights of {method!r}: {reason}")
    path = shipped(method) if weights is None else Path(weights)
    given, tensors = files.load(path, method)
    kinds = {field.name: type(field.default) for field in fields(config)}
    good = given.keys() == kinds.keys() and all(type(given[key]) is kind for key, kind in kinds.items())
    if not good or not all(1 <= value <= LARGEST for value in given.values() if type(value) is int):
        raise ValueError(f"The weights {str(path)!r} cannot be used: {given} is no configuration of {method!r}.")
    try:
        network = make(config(**given))
    except (ValueError, RuntimeError, ZeroDivisionError):
        raise ValueError(
            f"The weights {str(path)!r} cannot be used: no network has the configuration {given}."
        ) from None
    files.matching(tensors, network.state_dict(), path)
    network.load_state_dict(tensors)
    return network


def randomised(network: N, seed: int) -> N:
    """Every weight N(0, 1 / inputs), the last layers' too, so that no output is what it begins as in training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            inputs = p[0].numel() if p.dim() > 1 else 10.0
            p.copy_(torch.randn(p.shape, generator=generator) / inputs**0.5)
    return network
