"""The card beside a file of weights: what it was trained on, by which command, and what it scores."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..support.files import write_json
from ..support.provenance import commit, machine
from .checkpoint import Progress
from .loop import Run


def write(
    path: Path, run: Run, progress: Progress, model: nn.Module, scores: dict[str, float], given: Sequence[str]
) -> None:
    """Writes the card. Raises OSError."""
    table: dict[str, Any] = {
        "method": run.method,
        "weights": path.with_suffix(".safetensors").name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "preset": progress.preset,
        "data": run.recipe.data(run.config),
        "seed": progress.seed,
        "commit": commit(),
        "command": shlex.join(["python", "-m", "precond.train", *given]),
        "wall_minutes": round(progress.seconds / 60, 2),
        "steps": progress.step,
        "skipped_steps": progress.skipped,
        "best_step": progress.best_step,
        "scores": {"unit": "mean iterations on the test frames", **scores},
        "curve": {"columns": ["minutes", "step", "loss", "iterations on held-out frames"], "rows": progress.curve},
        "machine": machine(run.device.type),
        "known_failures": list(run.recipe.known_failures),
    }
    write_json(path, table)
