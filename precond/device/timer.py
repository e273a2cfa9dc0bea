"""Wall time of work on a device that goes on while Python does something else."""

from __future__ import annotations

import time

import torch


def now(device: torch.device) -> float:
    """Seconds, once everything that the device was told to do is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class StageTimer:
    """Wall time by stage [ms]; waits for the device at each lap, so that no stage pays for another's kernels."""

    def __init__(self, device: torch.device):
        self.device = device
        self.setup_ms = self.inference_ms = self.solve_ms = 0.0
        self.last = now(self.device)

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to "setup" or "solve"."""
        then, self.last = self.last, now(self.device)
        elapsed = 1000 * (self.last - then)
        if stage == "setup":
            self.setup_ms += elapsed
        else:
            self.solve_ms += elapsed

    def set_apart(self, inference_ms: float) -> None:
        """Count that part of the setup as inference."""
        self.setup_ms -= inference_ms
        self.inference_ms += inference_ms
