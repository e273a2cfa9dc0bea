"""The nested cycle: exact solves on tiles and groups of tiles, Galerkin couplings between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

NUMBERS = ("inverse", "off", "restriction", "inverse_rows", "coupling_to_residual")  # the other fields are places
# Visits of the next coarser level from the tiles, from the groups, from the groups of groups; the last number holds for
# all levels above. With (1, 1) 12-16 iterations instead of 9-11. Around solids coarse functions fit less well: 10-11
# iterations instead of 12-13 with a third visit.
VISITS, VISITS_AMONG_SOLIDS = (1, 2), (1, 3, 2)


@dataclass(frozen=True)
class Level:
    """One level of the cycle over B blocks of n unknowns with r functions each; products are in row form, v^T A.

    inverse: (B, n, n) of the diagonal blocks.
    near: (B, k) places of the neighbours' unknowns that a block couples to;  off: their couplings, (B, k) numbers on
    tiles, where residuals live on the rim (t = k), and (B, k, n) above (t = n). 0 beyond the grid.
    restriction: (B, t, r) the functions where residuals live;  inverse_rows: (B, t, n) the rows of the inverse there.
    around: (B, 4 r) places of the neighbours' coarse unknowns;  coupling_to_residual: (B, 4 r, t) the residual that
    each of them causes.
    """

    inverse: torch.Tensor
    near: torch.Tensor
    off: torch.Tensor
    restriction: torch.Tensor
    inverse_rows: torch.Tensor
    around: torch.Tensor
    coupling_to_residual: torch.Tensor

    def from_neighbours(self, x: torch.Tensor) -> torch.Tensor:
        """W x (B, p, t) for p vectors x (B, p, n): what the blocks around add to the residual."""
        values = gather(x, self.near)
        return values * self.off[:, None] if self.off.dim() == 2 else torch.bmm(values, self.off)


def gather(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(B, p, k) from p vectors x (C, p, n) at places (B, k) of each."""
    if x.shape[1] == 1:
        return x.view(-1).take(places).unsqueeze(1)
    return x.transpose(0, 1).reshape(x.shape[1], -1)[:, places].transpose(0, 1)


class Cycle:
    """Block solve, then for each visit: Galerkin correction, block solve; with A^ = B^-1 - W on every level.

    After a block solve the residual d lives on the rims. The correction V e leaves d + W V e - B^-1 V e, and the block
    solve that follows turns V e into B (d + W V e): so V itself, and residuals inside blocks, are never formed.
    Every step is the adjoint of its mirror image: M is symmetric for any B, W, V and positive definite where A^ is.
    """

    def __init__(self, levels: list[Level], top: torch.Tensor, visits: tuple[int, ...] = VISITS):
        self.levels, self.top, self.visits = levels, top, visits

    def copy_from(self, other: Cycle) -> None:
        """Copy the numbers of a cycle of the same shape into the tensors of this one."""
        self.visits = other.visits
        for wide in (True, False):  # one kernel for each kind of number
            torch._foreach_copy_(self._numbers(wide), other._numbers(wide))

    def _numbers(self, wide: bool) -> list[torch.Tensor]:
        """All tensors that depend on the system, those in float64 or those in float32."""
        values = [self.top, *(getattr(level, name) for level in self.levels for name in NUMBERS)]
        return list({id(v): v for v in values if (v.dtype == torch.float64) == wide}.values())

    def __call__(self, r: torch.Tensor) -> torch.Tensor:
        """z = M r in tile order for p vectors, (T, p, 64) float32."""
        return self._solve(0, r)

    def _solve(self, k: int, r: torch.Tensor) -> torch.Tensor:
        if k == len(self.levels):
            B, p, n = r.shape
            whole = r.transpose(0, 1).reshape(p, -1) if p > 1 else r.view(1, -1)
            return torch.mm(whole, self.top).view(p, B, n).transpose(0, 1)
        level = self.levels[k]
        x = torch.bmm(r, level.inverse)
        d = level.from_neighbours(x)
        for _ in range(self.visits[min(k, len(self.visits) - 1)] - 1):
            f = torch.bmm(self._correct(k, d), level.coupling_to_residual)
            step = torch.bmm(d + f, level.inverse_rows)
            x = x + step
            d = level.from_neighbours(step) - f
        d = torch.baddbmm(d, self._correct(k, d), level.coupling_to_residual)
        return torch.baddbmm(x, d, level.inverse_rows)

    def _correct(self, k: int, d: torch.Tensor) -> torch.Tensor:
        """The coarse unknowns e around each block, (B, p, 4 r)."""
        deeper = self.levels[k + 1].inverse if k + 1 < len(self.levels) else self.top
        restricted = torch.bmm(d, self.levels[k].restriction).to(deeper.dtype)  # (B, p, r)
        B, p, r = restricted.shape
        members = B // deeper.shape[0] if k + 1 < len(self.levels) else 1
        if p > 1:
            restricted = restricted.view(-1, members, p, r).transpose(1, 2)
        e = self._solve(k + 1, restricted.reshape(B // members, p, members * r)).to(d.dtype)
        return gather(e, self.levels[k].around)
