"""How much each part of the acceptance does, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from ...support.command_line import aligned
from .. import htp_paper_protocol

METHODS = ("none", "jacobi", "dilu", "multigrid", "dct", "spai", "spai-static", "hierarchy", "polynomials", "htp",
           "nystrom-16", "htp-paper")  # fmt: skip
RIVALS = ("jacobi", "dilu", "multigrid", "hierarchy", "htp")


@dataclass(frozen=True)
class Extent:
    """Counts of one run. The defaults are those on a device."""

    device: torch.device
    methods: tuple[str, ...] = METHODS
    rivals: tuple[str, ...] = RIVALS
    cells: int = 2048  # of what is compared
    sizes: tuple[int, ...] = htp_paper_protocol.SIZES
    frames: int = 20
    in_loop: int = 32
    recordings: int = 70
    repeats: int = 20  # of what is timed by itself
    counted: tuple[int, ...] = htp_paper_protocol.SIZES  # sizes whose kernels are counted
    interpreted: int = 0  # cells for Triton's interpreter, where no device runs its kernels
    writes: int = 1000  # of Taichi and of torch to one tensor
    fluid_frames: int = 60
    tests: tuple[str, ...] = ("tests/precond/device", "tests/precond/fused")
    tests_s: int = 170
    limit_s: float = 420.0  # after which no part is begun: with what the last one and the tests take, ten minutes

    @property
    def on_cuda(self) -> bool:
        """Whether there is a device to be accepted."""
        return self.device.type == "cuda"

    @property
    def engine(self) -> str:
        """Whose kernels are measured: on a device the best there are, elsewhere torch's, which are the same there."""
        return "auto" if self.on_cuda else "torch"


def of(device: torch.device) -> Extent:
    """Everything on a device; elsewhere the same parts, smaller where a CPU is slow."""
    if device.type == "cuda":
        return Extent(device)
    return Extent(
        device, cells=512, frames=5, in_loop=16, repeats=5, counted=(1024,), interpreted=64,
        writes=100, fluid_frames=3, tests_s=90, limit_s=200.0,
        tests=("tests/precond/device/test_record.py", "tests/precond/fused/test_trial.py"),
    )  # fmt: skip


@dataclass
class Report:
    """What a part found: lines for people, data for programs, and what failed."""

    lines: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Lines of the page."""
        self.lines += text.splitlines()

    def check(self, good: bool, sentence: str) -> None:
        """Note a failure unless it is good."""
        if not good:
            self.failures.append(sentence)

    def table(self, lines: list[list[str]], left: int = 1) -> None:
        """Columns under their headings."""
        self.say(aligned(lines, left))


def has(*modules: str) -> bool:
    """Whether all of these can be imported."""
    return all(find_spec(module) is not None for module in modules)
