"""Randomised Nyström approximation: deflates what a thin random probe sees of A's largest eigenvalues."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..stencil import Halo, Stencil, inverse
from ..support import argument_checks
from ..system import PoissonSystem

RANK = 64  # the published rows run from 16 to 256
SHIFT = 1e-12  # of the probe's norm: keeps the small Cholesky factorisation away from rounding
SMALLEST = 1e-6  # of the largest eigenvalue: fewer equations than the rank leave zeros, which must not be divided by


class Nystrom(Preconditioner):
    """M = S (I + U (lambda_k / Lambda - 1) U^T) S,  S = D^-1/2,  with U Lambda U^T of rank k close to S A S.

    Frangella, Tropp and Udell 2023, algorithm 2.1 and equation (1.3), without a regularisation of A. It is made for
    matrices with a few large eigenvalues; a pressure system has many of one size, so expect no less than Jacobi needs.
    The probe is the same in every setup, so that solves repeat.
    """

    capturable = True

    def __init__(self, rank: int = RANK) -> None:
        self.rank = argument_checks.count(rank, "rank", 1)
        self.U = torch.empty(0)

    def setup(self, system: PoissonSystem) -> None:
        """Probe S A S and factorise what came back."""
        if not self.U.numel():
            self._allocate(*system.shape, system.device)
        S, Y = self.S, self.Y
        self.A.load(system.beta_x, system.beta_y, system.reaction)
        inverse(self.A.diagonal, out=S.view(-1))
        S.sqrt_()
        for v, y in zip(self.probe, Y):  # one vector at a time stays in the cache
            torch.mul(S.view(-1), v, out=self.v.centre)
            self.A.apply(self.v, out=y)
            y.mul_(S.view(-1))
        shift = SHIFT * Y.norm().clamp(min=1e-100)
        Y.add_(self.probe * shift)
        L = torch.linalg.cholesky_ex(Y @ self.probe.T).L
        B = torch.linalg.solve_triangular(L, Y, upper=False)  # B^T B = Y^T (probe Y^T)^-1 Y
        Lambda, V = torch.linalg.eigh(B @ B.T)  # half the time of a singular value decomposition of B; ascending
        torch.div(V.T @ B, Lambda.clamp(min=1e-100).sqrt()[:, None], out=self.U)
        Lambda = torch.clamp(Lambda - shift, min=0.0)
        Lambda = torch.maximum(Lambda, (SMALLEST * Lambda[-1]).clamp(min=1e-100))
        # 0 for the smallest, so also for all below SMALLEST, whose rows of U are not orthonormal
        torch.sub(Lambda[0] / Lambda, 1.0, out=self.weight)
        self.U.masked_fill_((self.weight == 0)[:, None], 0.0)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        torch.mul(self.S, r, out=out)
        torch.mv(self.U, out.view(-1), out=self.t)
        self.t.mul_(self.weight)
        out.view(-1).addmv_(self.U.T, self.t)
        out.mul_(self.S)

    def _allocate(self, ny: int, nx: int, device: torch.device) -> None:
        n = ny * nx
        k = min(self.rank, max(1, n // 4))
        normal = torch.randn((n, k), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.probe = torch.linalg.qr(normal).Q.T.contiguous().to(device)
        self.A, self.v = Stencil(ny, nx, device), Halo(ny, nx, device)
        self.S = torch.zeros((ny, nx), dtype=torch.float64, device=device)
        self.U, self.Y = (torch.zeros((k, n), dtype=torch.float64, device=device) for _ in range(2))
        self.t, self.weight = (torch.zeros(k, dtype=torch.float64, device=device) for _ in range(2))
