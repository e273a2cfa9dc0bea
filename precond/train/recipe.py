"""The recipe of a method: what the training loop needs from it, and which methods have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

METHODS = {  # imported when asked for
    "htp": "precond.train.htp",
    "htp-paper": "precond.train.htp_paper",
    "spai": "precond.train.spai",
    "npo": "precond.train.npo",
}


@dataclass(frozen=True)
class Training:
    """How long and how fast; every preset's configuration has one of these as its field `training`."""

    minutes: float = 10.0  # of wall time, unless the command says otherwise
    lr: float = 2e-4
    weight_decay: float = 1e-4
    clip: float = 1.0  # largest norm of the gradient
    warm_up: int = 50  # steps in which the learning rate rises
    schedule: str = "cosine"  # of the elapsed share; or "plateau": halved when evaluations stop improving
    patience: int = 3  # evaluations without improvement before "plateau" halves
    evaluate_minutes: float = 2.0  # between two evaluations


class Recipe(Protocol):
    """How one method is trained. `config` is a preset: a frozen dataclass of plain values.

    presets: by name; the first is the default. Each has the fields `training` (Training) and `model` (a dataclass whose
    values go into the file of weights).
    known_failures: sentences for the card.
    """

    presets: Mapping[str, Any]
    known_failures: tuple[str, ...]

    def stem(self, config: Any) -> str:
        """The name of the file of weights, without its ending."""

    def make(self, config: Any, seed: int, device: torch.device) -> nn.Module:
        """The model, its random initial values from the seed alone."""

    def batch(self, config: Any, rng: np.random.Generator, step: int, device: torch.device) -> Any:
        """What one step learns from; all randomness from rng."""

    def loss(self, config: Any, model: nn.Module, data: Any) -> torch.Tensor:
        """A scalar."""

    def evaluate(self, config: Any, model: nn.Module, final: bool) -> dict[str, float]:
        """Iterations by kind and size on frames held out from training; other ones, kept for this, if final."""

    def data(self, config: Any) -> dict[str, Any]:
        """Frames and seeds, for the card."""


def load_recipe(method: str) -> Recipe:
    """The recipe of a method. KeyError if there is none of that name, ImportError if it is not there yet."""
    return import_module(METHODS[method]).RECIPE
