"""Time of work on a device that goes on while Python does something else, without making Python wait for it."""

from __future__ import annotations

import time
from typing import Any

import torch


def now(device: torch.device) -> float:
    """Seconds, once everything that the device was told to do is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Elapsed:
    """Milliseconds from here to `stop`, as float(...): on CUDA between two events, for which only float(...) waits."""

    def __init__(self, device: torch.device):
        self._device = device
        self._begin = self._end = _mark(device)

    def stop(self) -> Elapsed:
        """The work so far is what counts."""
        self._end = _mark(self._device)
        return self

    def __float__(self) -> float:
        if isinstance(self._begin, float):
            return 1000 * float(self._end - self._begin)
        self._end.synchronize()
        return float(self._begin.elapsed_time(self._end))


def _mark(device: torch.device) -> Any:
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


class StageTimer:
    """Time by stage [ms]; no stage pays for another's kernels. Whoever reads one waits for the device."""

    def __init__(self, device: torch.device):
        self.device = device
        self._laps: dict[str, list[Elapsed]] = {"setup": [], "solve": []}
        self._apart = 0.0
        self._running = Elapsed(device)

    def lap(self, stage: str) -> None:
        """Count the time since the last lap as "setup" or "solve"."""
        self._laps[stage].append(self._running.stop())
        self._running = Elapsed(self.device)

    def set_apart(self, inference_ms: float) -> None:
        """Count that part of the setup as inference."""
        self._apart += inference_ms

    @property
    def setup_ms(self) -> float:
        """Of all laps of preparing M, without what was set apart."""
        return max(0.0, sum(map(float, self._laps["setup"])) - self._apart)

    @property
    def inference_ms(self) -> float:
        """What was set apart."""
        return self._apart

    @property
    def solve_ms(self) -> float:
        """Of all laps of iterating."""
        return sum(map(float, self._laps["solve"]))
