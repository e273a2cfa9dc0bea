"""One process or several under torchrun: each draws data of its own, the first one writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class Ranks:
    """This process among those that train together, from torchrun's environment variables."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.local = int(os.environ.get("LOCAL_RANK", "0"))

    @property
    def first(self) -> bool:
        """Whether this process logs and writes."""
        return self.rank == 0

    def place(self, device: torch.device) -> torch.device:
        """The device of this process."""
        return torch.device("cuda", self.local) if device.type == "cuda" and self.count > 1 else device

    @contextmanager
    def together(self, device: torch.device) -> Iterator[None]:
        """Join the others for the time of training."""
        if self.count == 1:
            yield
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def wrap(self, objective: nn.Module, device: torch.device) -> nn.Module:
        """The module whose gradients are means over all processes."""
        if self.count == 1:
            return objective
        return DistributedDataParallel(objective, device_ids=[device.index] if device.type == "cuda" else None)

    def agree(self, numbers: list[float], device: torch.device) -> list[float]:
        """The first process's numbers, on every process: clocks differ, and all must stop at the same step."""
        if self.count == 1:
            return numbers
        shared = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.broadcast(shared, 0)
        return shared.tolist()
