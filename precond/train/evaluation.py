"""How good a network is, in iterations."""

from __future__ import annotations

import torch

from ..pcg import PCG
from ..preconditioner import Preconditioner
from ..right_hand_side import RightHandSide
from ..status import Status
from ..system import PoissonSystem
from ..torch_loop import TorchLoop


def iterations_with(
    M: Preconditioner, system: PoissonSystem, b: torch.Tensor, rtol: float, cap: int, device: torch.device
) -> int:
    """Iterations of conjugate gradients to rtol with this M on that device; the cap if they fail."""
    local = PoissonSystem.empty(*system.shape, device=device)
    local.copy_from(system)
    M.setup(local)
    loop = TorchLoop(*system.shape, device, chunk=1)
    loop.load(local)
    project = local.topology.projector
    projected = project(b.to(device).reshape(-1).clone())
    outcome = PCG(loop).solve(M, project, RightHandSide.of(projected), None, rtol, cap, flexible=M.flexible)
    return outcome.iterations if outcome.status is Status.CONVERGED else cap
