"""Randomised Nyström approximation: deflates what a thin random probe sees of A's largest eigenvalues."""

from __future__ import annotations

import torch

from .stencil import inverse
from .system import PoissonSystem

RANK = 64
SHIFT = 1e-12  # of the probe's norm: keeps the small Cholesky factorisation away from rounding
SMALLEST = 1e-6  # of the largest eigenvalue: fewer equations than the rank leave zeros, which must not be divided by


class Nystrom:
    """M = S (I + U (lambda_k / Lambda - 1) U^T) S,  S = D^-1/2,  with U Lambda U^T of rank k close to S A S.

    Frangella, Tropp and Udell 2023, algorithm 2.1 and equation (1.3), without a regularisation of A. It is made for
    matrices with a few large eigenvalues; a pressure system has many of one size, so expect no less than Jacobi needs.
    The probe is the same in every setup, so that solves repeat.
    """

    capturable = True

    def __init__(self) -> None:
        self.U = torch.empty(0)

    def setup(self, system: PoissonSystem) -> None:
        """Probe S A S and factorise what came back."""
        if not self.U.numel():
            self._allocate(*system.shape, system.device)
        S = self.S
        inverse(torch.where(system.solid, 0.0, system.diagonal()), out=S)
        S.sqrt_()
        Y = torch.stack([(S * system.apply(S * v.view(S.shape))).reshape(-1) for v in self.probe.T], dim=1)
        shift = SHIFT * Y.norm().clamp(min=1e-100)
        Y.add_(self.probe * shift)
        L = torch.linalg.cholesky_ex(self.probe.T @ Y).L
        B = torch.linalg.solve_triangular(L, Y.T, upper=False).T  # B B^T = Y (probe^T Y)^-1 Y^T
        U, sigma, _ = torch.linalg.svd(B, full_matrices=False)
        largest = torch.clamp(sigma**2 - shift, min=0.0)
        largest = torch.maximum(largest, (SMALLEST * largest[0]).clamp(min=1e-100))
        self.U.copy_(U)
        torch.sub(largest[-1] / largest, 1.0, out=self.weight)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        torch.mul(self.S, r, out=out)
        torch.mv(self.U.T, out.view(-1), out=self.t)
        self.t.mul_(self.weight)
        out.view(-1).addmv_(self.U, self.t)
        out.mul_(self.S)

    def _allocate(self, ny: int, nx: int, device: torch.device) -> None:
        n = ny * nx
        k = min(RANK, max(1, n // 4))
        normal = torch.randn((n, k), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.probe = torch.linalg.qr(normal).Q.to(device)
        self.S = torch.zeros((ny, nx), dtype=torch.float64, device=device)
        self.U = torch.zeros((n, k), dtype=torch.float64, device=device)
        self.t, self.weight = (torch.zeros(k, dtype=torch.float64, device=device) for _ in range(2))
