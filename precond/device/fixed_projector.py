"""A projector for recordings: what they read stays where it is while walls move."""

from __future__ import annotations

import torch

from ..topology import Projector


class FixedProjector:
    """P of at most one closed region: zero where `hidden`, then v - row (row . v) with `row` of norm 1, or 0."""

    def __init__(self, n: int, device: torch.device):
        self.hidden = torch.zeros(n, dtype=torch.bool, device=device)
        self.row = torch.zeros(n, dtype=torch.float64, device=device)
        self.sum = torch.zeros((), dtype=torch.float64, device=device)

    def take(self, projector: Projector) -> bool:
        """Become this one; False where it has more closed regions."""
        if projector.regions > 1:
            return False
        self.hidden.copy_(projector.hidden)
        if projector.regions:
            self.row.copy_(projector.row)
        else:
            self.row.zero_()
        return True

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        """Project the flat float64 vector v (N,) in place."""
        v.masked_fill_(self.hidden, 0.0)
        torch.linalg.vecdot(self.row, v, out=self.sum)
        return v.addcmul_(self.row, self.sum, value=-1)
