"""Whether Triton works here: kernels are tried on a small system before they are trusted with a solve.

A compiler that does not fit its driver shows in many ways; what is asked here is whether kernels compile, run, and give
what torch's operations give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..preconditioner import Preconditioner
from ..problems import frame
from ..right_hand_side import RightHandSide
from ..system import PoissonSystem
from ..torch_loop import TorchLoop

CELLS, STEPS = 900, 4
TOLERANCE = 1e-3  # of M r: single precision is 1e-7, an error of ours is 1


trusted: set[torch.device] = set()  # where they were found to work


def why_not(device: torch.device) -> str | None:
    """None where the loop's kernels compile and agree with torch's operations on this device, else a sentence."""

    def steps() -> list[torch.Tensor]:
        from .loop import FusedLoop
        from .pointwise import Jacobi

        system, b, M = *_small(device), Jacobi()
        M.setup(system)
        return [
            torch.cat([_some_steps(loop, M, system, b, flexible) for flexible in (False, True)])
            for loop in (FusedLoop, TorchLoop)
        ]

    if device in trusted:
        return None
    reason = _difference(steps)
    if reason is None:
        trusted.add(device)
    return reason


def why_not_method(
    fused: Callable[[], Preconditioner], plain: Callable[[], Preconditioner], device: torch.device
) -> str:
    """ "" where the method's kernels agree with torch's operations, else a sentence."""

    def applied() -> list[torch.Tensor]:
        system, b = _small(device)
        found = []
        for make in (fused, plain):
            M, out = make(), torch.zeros_like(b)
            M.setup(system)
            M.apply(b.clone(), out)
            found.append(system.project(out))
        return found

    return _difference(applied) or ""


def _small(device: torch.device) -> tuple[PoissonSystem, torch.Tensor]:
    system, b = frame("blobs", CELLS, 0, contrast=10, solids=True)
    system.reaction[5, 3:9] = 0.1 * float(system.beta_x.max())
    there = PoissonSystem.empty(*system.shape, device=device)
    there.copy_from(system)
    return there, b.to(device)


def _some_steps(
    kind: type[TorchLoop], M: Preconditioner, system: PoissonSystem, b: torch.Tensor, flexible: bool
) -> torch.Tensor:
    loop = kind(*system.shape, b.device, chunk=STEPS)
    loop.load(system)
    loop.begin(M, system.topology.projector, RightHandSide.of(system.project(b).reshape(-1)), flexible)
    loop.start(None, 1e-12)
    loop.run(STEPS, [])
    return loop.solution()


def _difference(both: Callable[[], list[torch.Tensor]]) -> str | None:
    """A sentence unless it gives two tensors that agree."""
    try:
        found, expected = (tensor.cpu() for tensor in both())
    except Exception as error:  # whatever a compiler may raise
        return f"Triton cannot be used: {_first_line(error)}"
    error = float((found - expected).abs().max() / expected.abs().max())
    return None if error <= TOLERANCE else f"Triton's kernels are off by {error:.1e} on this device"


def _first_line(error: Any) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
