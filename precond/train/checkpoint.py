"""A training run on disk: weights, best weights, the optimiser's moments, and where it was. Safetensors, no pickle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..io import weights

Tensors = dict[str, torch.Tensor]


@dataclass
class Progress:
    """Where a run is. Data are drawn from (seed, rank, step), so these numbers are all of its random state."""

    seed: int
    preset: str
    config: dict[str, Any]
    step: int = 0
    seconds: float = 0.0  # of training, over all sittings
    skipped: int = 0  # steps whose loss or gradient was not finite
    loss: float = float("inf")  # running mean
    factor: float = 1.0  # of the learning rate, for the plateau schedule
    bad: int = 0  # evaluations since the last improvement
    best: float = float("inf")  # mean iterations of the best evaluation
    best_step: int = 0
    curve: list[list[float]] = field(default_factory=list)  # [minutes, step, loss, mean iterations]


def path_beside(out: Path) -> Path:
    """NAME.train.safetensors for NAME.safetensors."""
    return out.with_suffix(".train.safetensors")


def save(
    path: Path, method: str, progress: Progress, model: nn.Module, averaged: nn.Module, best: Tensors, optimiser: Any
) -> None:
    """Writes the file whole or not at all. Raises OSError."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in averaged.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for k, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{k}.{name}": torch.as_tensor(value) for name, value in state.items()}
    # JSON has no infinity
    numbers = {key: None if value == float("inf") else value for key, value in asdict(progress).items()}
    weights.save(path, f"{method} training", numbers, tensors)


def load(path: Path, method: str, model: nn.Module, averaged: nn.Module, optimiser: Any) -> tuple[Progress, Tensors]:
    """Puts the run back into its parts; returns where it was and its best weights. Raises ValueError."""
    numbers, tensors = weights.load(path, f"{method} training")
    numbers = {key: float("inf") if value is None else value for key, value in numbers.items()}
    try:
        progress = Progress(**numbers)
    except TypeError:
        raise ValueError(f"The checkpoint {str(path)!r} cannot be used: another version wrote it.") from None
    parts: dict[str, Tensors] = {"model": {}, "average": {}, "best": {}, "optimiser": {}}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        parts.setdefault(kind, {})[rest] = value
    own = {name: value.cpu() for name, value in model.state_dict().items()}
    parts["average"] = parts["average"] or parts["model"]  # of a run that was begun before there was a running mean
    for kind, module in (("model", model), ("average", averaged)):
        weights.matching(parts[kind], own, path)
        module.load_state_dict(parts[kind])
    weights.matching(parts["best"], own, path)
    states: dict[int, Tensors] = {}
    for name, value in parts["optimiser"].items():
        k, _, rest = name.partition(".")
        states.setdefault(int(k), {})[rest] = value
    whole = optimiser.state_dict()
    whole["state"] = states
    optimiser.load_state_dict(whole)
    return progress, parts["best"]
