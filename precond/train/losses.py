"""Training losses, as functions of M, A and probes."""

from __future__ import annotations

from collections.abc import Callable

import torch

Product = Callable[[torch.Tensor], torch.Tensor]
OMEGA, SWEEPS = 0.6, 2  # published: the sweeps leave in the probes what conjugate gradients are slow on


def smoothed(A: Product, inverse_diagonal: torch.Tensor, Z: torch.Tensor, sweeps: int = SWEEPS) -> torch.Tensor:
    """Damped Jacobi sweeps on A z = 0: Z <- Z - omega D^-1 A Z. inverse_diagonal must broadcast against Z."""
    for _ in range(sweeps):
        Z = Z - OMEGA * inverse_diagonal * A(Z)
    return Z


def cosine_hutchinson(M: Product, A: Product, Z: torch.Tensor) -> torch.Tensor:
    """1 - <Z, M A Z> / (|Z| |M A Z|) per system, its mean over the batch; one cosine over all entries of a system.

    Z: (B, ...), smoothed N(0, I). Does not know M's scale.
    """
    image = M(A(Z)).flatten(1)
    return (1 - torch.cosine_similarity(image, Z.flatten(1), dim=1)).mean()


def sparse_approximate_inverse(M: Product, A: Product, W: torch.Tensor) -> torch.Tensor:
    """mean |M A w - w|^2 over the entries of W ~ N(0, I), (B, ...)."""
    return (M(A(W)) - W).square().mean()
