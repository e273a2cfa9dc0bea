"""The training loop: AdamW on a schedule of the elapsed share, evaluations in iterations, checkpoints on the way."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from . import checkpoint
from .checkpoint import Progress, Tensors
from .ranks import Ranks
from .recipe import Recipe, Training

MEMORY = 0.98  # of the running mean of the loss
AVERAGE = 0.995  # of the running mean of the weights, which is what is evaluated and kept: single steps jump about
SAVE_SECONDS, LOG_SECONDS, LIVE_SECONDS = 45.0, 30.0, 0.5
LAST = 0.01  # of the learning rate, where the cosine ends
STEP_FLOOR = 1e-3  # of the learning rate, where the plateau schedule ends


@dataclass(frozen=True)
class Run:
    """What is trained and for how long; `steps`, where given, ends the run instead of the clock."""

    method: str
    recipe: Recipe
    config: Any
    device: torch.device
    checkpoint: Path
    minutes: float
    steps: int | None

    def share(self, progress: Progress) -> float:
        """The part of the run that is over, 0 to 1."""
        done = progress.step / self.steps if self.steps else progress.seconds / (60 * self.minutes)
        return min(1.0, done)


class Objective(nn.Module):
    """The loss as a module, so that DistributedDataParallel may average its gradients."""

    def __init__(self, run: Run, model: nn.Module):
        super().__init__()
        self.run, self.model = run, model

    def forward(self, data: Any) -> torch.Tensor:
        return self.run.recipe.loss(self.run.config, self.model, data)


def train(run: Run, model: nn.Module, progress: Progress, ranks: Ranks, resume: bool) -> Tensors:
    """Trains until the time or the steps are over; returns the best weights by evaluation. May be interrupted."""
    training: Training = run.config.training
    optimiser = torch.optim.AdamW(model.parameters(), lr=training.lr, weight_decay=training.weight_decay)
    averaged = deepcopy(model).requires_grad_(False)
    best: Tensors = copy(model)
    if resume:
        loaded, best = checkpoint.load(run.checkpoint, run.method, model, averaged, optimiser)
        vars(progress).update(vars(loaded))
    objective = ranks.wrap(Objective(run, model), run.device)
    say = Log(ranks.first)
    sitting, before = time.monotonic(), progress.seconds
    saved, evaluated = -math.inf, sitting  # saved after the first step, so that any later end leaves a checkpoint

    def save() -> None:
        if ranks.first:
            checkpoint.save(run.checkpoint, run.method, progress, model, averaged, best, optimiser)

    def evaluate() -> None:
        nonlocal best
        scores = run.recipe.evaluate(run.config, averaged, final=False)
        mean = sum(scores.values()) / len(scores)
        progress.curve.append([round(progress.seconds / 60, 2), progress.step, round(progress.loss, 5), round(mean, 2)])
        if mean < progress.best:
            best, progress.best, progress.best_step, progress.bad = copy(averaged), mean, progress.step, 0
        else:
            progress.bad += 1
            if training.schedule == "plateau" and progress.bad % training.patience == 0:
                progress.factor = max(progress.factor / 2, STEP_FLOOR)
        say.line(f"{status(progress)}  " + "  ".join(f"{label}: {value:.1f}" for label, value in scores.items()))

    try:
        while True:
            progress.seconds = before + time.monotonic() - sitting
            progress.seconds, progress.factor = ranks.agree([progress.seconds, progress.factor], run.device)
            share = run.share(progress)
            if share >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = rate(training, progress, share)
            rng = np.random.default_rng([progress.seed, ranks.rank, progress.step])
            loss = objective(run.recipe.batch(run.config, rng, progress.step, run.device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = float(nn.utils.clip_grad_norm_(model.parameters(), training.clip))
            if math.isfinite(norm):  # the same on all ranks: gradients are means over them
                optimiser.step()
                average(averaged, model, progress.step)
                progress.loss = blended(progress.loss, float(loss.detach()))
            else:
                progress.skipped += 1
            progress.step += 1
            say.live(lambda: status(progress))
            now = time.monotonic()
            if ranks.first and now - evaluated >= 60 * training.evaluate_minutes:
                evaluate()
                evaluated = time.monotonic()
            if now - saved >= SAVE_SECONDS:
                save()
                saved = time.monotonic()
        if ranks.first and (not progress.curve or progress.curve[-1][1] != progress.step):
            evaluate()
    finally:
        save()  # an interrupted run too: steps are whole here but for one
    return best


def rate(training: Training, progress: Progress, share: float) -> float:
    """The learning rate of this step."""
    warm = min(1.0, (progress.step + 1) / training.warm_up) if training.warm_up else 1.0
    if training.schedule == "plateau":
        return training.lr * warm * progress.factor
    return training.lr * warm * (LAST + (1 - LAST) * (1 + math.cos(math.pi * share)) / 2)


def blended(mean: float, loss: float) -> float:
    """The running mean after one more loss."""
    return MEMORY * mean + (1 - MEMORY) * loss if math.isfinite(mean) else loss


@torch.no_grad()
def average(averaged: nn.Module, model: nn.Module, step: int) -> None:
    """Move the running mean of the weights towards the present ones; over fewer steps in the beginning."""
    share = 1 - min(AVERAGE, (1 + step) / (10 + step))
    for mean, value in zip(averaged.state_dict().values(), model.state_dict().values()):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


def copy(model: nn.Module) -> Tensors:
    """The weights as they are now, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def status(progress: Progress) -> str:
    """One line on where the run is."""
    skipped = f"  skipped {progress.skipped}" if progress.skipped else ""
    return f"{progress.seconds / 60:6.2f} min  step {progress.step}  loss {progress.loss:.4f}{skipped}"


class Log:
    """Lines on stderr: one that is rewritten while somebody watches, one every half minute in a log file."""

    def __init__(self, first: bool):
        self.first, self.terminal, self.last = first, sys.stderr.isatty(), -math.inf

    def live(self, text: Callable[[], str]) -> None:
        now = time.monotonic()
        if not self.first or now - self.last < (LIVE_SECONDS if self.terminal else LOG_SECONDS):
            return
        self.last = now
        if self.terminal:
            print(f"\r\x1b[K{text()}", end="", file=sys.stderr, flush=True)
        else:
            print(text(), file=sys.stderr, flush=True)

    def line(self, text: str) -> None:
        if self.first:
            print(f"\r\x1b[K{text}" if self.terminal else text, file=sys.stderr, flush=True)
