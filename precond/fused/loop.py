"""The loop of conjugate gradients on CUDA in fused kernels."""

from __future__ import annotations

from ..torch_loop import TorchLoop


class FusedLoop(TorchLoop):
    """TorchLoop with fewer kernels an iteration."""
