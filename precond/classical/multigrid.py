"""Geometric multigrid: one V-cycle with red-black Gauss-Seidel sweeps before and after each coarse correction."""

from __future__ import annotations

import torch

from ..preconditioner import Preconditioner
from ..stencil import Halo, Stencil, inverse
from ..support.threads import limited_threads
from ..system import PoissonSystem

# Before and after each coarse correction. At 1000:1 and 16,384 cells 1 takes 96 and 121 iterations on filament and
# checker where 2 takes 75 and 81, in the same time on a CPU. On CUDA a sweep costs launches rather than arithmetic.
SWEEPS, SWEEPS_ON_CUDA = 2, 1
COARSEST = 128  # unknowns inverted densely: cheaper there than one more level
SHIFT = 1e-9  # relative shift of the coarsest diagonal: keeps a closed box's inverse finite and positive definite


class Multigrid(Preconditioner):
    """M = one V-cycle on aggregates of 2x2 cells, 5 points on every level; symmetric positive definite for any system.

    The coarse face coefficient is 0.5 x the sum of the fine faces on it, the 0.5 only across coarsened directions: it
    undoes the overestimated energy of piecewise constant corrections. Reaction is summed. Sweeps go red, black before
    and black, red after, so that they are adjoint, and the correction is added, so M = S + E P B P^T E^T with S and the
    coarse B positive definite. Briggs, Henson, McCormick 2000, chapter 7; Braess 1995 for the scaling. The grid is
    padded with closed cells on the right and below (the top may be open) until every level has even sides.
    """

    capturable = recordable = True
    recorded_for = "any walls"

    def __init__(self) -> None:
        self.levels: list[Level] = []

    def level(self, ny: int, nx: int, device: torch.device) -> Level:
        """A grid of this method."""
        return Level(ny, nx, device)

    def setup(self, system: PoissonSystem) -> None:
        """Coarsen the coefficients and invert the coarsest operator."""
        if not self.levels:
            self._allocate(*system.shape, system.device)
        ny, nx = system.shape
        finest = self.levels[0]
        finest.beta_x[-ny:, : nx + 1] = system.beta_x
        finest.beta_y[-ny - 1 :, :nx] = system.beta_y
        finest.reaction[-ny:, :nx] = system.reaction
        for fine, coarse in zip(self.levels, self.levels[1:], strict=False):
            fine.prepare()
            coarse.coarsen(fine)
        self._invert_coarsest()

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        ny, nx = r.shape
        finest = self.levels[0]
        finest.b.view(finest.shape)[-ny:, :nx] = r
        self._cycle(0)
        out.copy_(finest.x.centre.view(finest.shape)[-ny:, :nx])

    def _cycle(self, k: int) -> None:
        """levels[k].x = V-cycle applied to levels[k].b."""
        level = self.levels[k]
        if k == len(self.levels) - 1:
            torch.mv(self.inverse, level.b, out=level.x.centre)
            return
        torch.mul(level.red_inverse, level.b, out=level.x.centre)  # the first half sweep, from zero
        level.sweep_black()
        for _ in range(self.sweeps - 1):
            level.sweep_red()
            level.sweep_black()
        level.A.residual(level.b, level.x, out=level.r)
        level.restrict(self.levels[k + 1].b)
        self._cycle(k + 1)
        level.add_correction(self.levels[k + 1].x.centre)
        for _ in range(self.sweeps):
            level.sweep_black()
            level.sweep_red()

    def _invert_coarsest(self) -> None:
        """(A + shift D)^-1 of the last level, in float64; rows without any open face count as identity."""
        coarsest = self.levels[-1]
        coarsest.load()
        A, nx = coarsest.A, coarsest.shape[1]
        dense = torch.diag(torch.where(A.diagonal > 0, (1 + SHIFT) * A.diagonal, 1.0))
        for offset, beta in ((1, A.west[1:]), (nx, A.south[nx:])):
            dense.diagonal(offset).sub_(beta)
            dense.diagonal(-offset).sub_(beta)
        with limited_threads(dense.device, A.n):
            inverted = torch.cholesky_inverse(torch.linalg.cholesky_ex(dense).L)  # _ex: no exception, no waiting
        self.inverse.copy_((inverted + inverted.T) / 2)

    def _allocate(self, ny: int, nx: int, device: torch.device) -> None:
        self.levels = [self.level(*shape, device) for shape in padded_shapes(ny, nx, COARSEST)]
        self.sweeps = SWEEPS_ON_CUDA if device.type == "cuda" else SWEEPS
        n = self.levels[-1].A.n
        self.inverse = torch.zeros((n, n), dtype=torch.float64, device=device)
        for fine, coarse in zip(self.levels, self.levels[1:], strict=False):
            fine.factors = (fine.shape[0] // coarse.shape[0], fine.shape[1] // coarse.shape[1])


def padded_shapes(ny: int, nx: int, coarsest: int) -> list[tuple[int, int]]:
    """(ny, nx) of every level from the finest on, padded so that each has even sides where it is coarsened."""
    shapes = [(ny, nx)]
    while shapes[-1][0] * shapes[-1][1] > coarsest:
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    ny, nx = shapes[-1]
    padded = [(ny, nx)]
    for fine_ny, fine_nx in reversed(shapes[:-1]):
        ny, nx = (2 * ny if fine_ny > 1 else 1), (2 * nx if fine_nx > 1 else 1)
        padded.append((ny, nx))
    return padded[::-1]


class Level:
    """One grid: its operator, its smoother and the way to the next coarser grid, factors = (2 or 1, 2 or 1)."""

    def __init__(self, ny: int, nx: int, device: torch.device):
        self.shape, self.factors = (ny, nx), (1, 1)
        self.A = Stencil(ny, nx, device)
        self.beta_x = torch.zeros((ny, nx + 1), dtype=torch.float64, device=device)
        self.beta_y = torch.zeros((ny + 1, nx), dtype=torch.float64, device=device)
        self.reaction = torch.zeros((ny, nx), dtype=torch.float64, device=device)
        self.x = Halo(ny, nx, device)
        self.b, self.r, self.red_inverse, self.black_inverse = (torch.zeros_like(self.A.diagonal) for _ in range(4))
        rows, columns = torch.arange(ny, device=device), torch.arange(nx, device=device)
        self.black = ((rows[:, None] + columns) % 2).reshape(-1).to(torch.float64)
        self.red = 1 - self.black
        self.rows = torch.zeros(((ny + 1) // 2, nx), dtype=torch.float64, device=device)

    def load(self) -> None:
        """Load the operator."""
        self.A.load(self.beta_x, self.beta_y, self.reaction)

    def prepare(self) -> None:
        """Load the operator and invert its diagonal."""
        self.load()
        inverse(self.A.diagonal, out=self.r)
        torch.mul(self.r, self.red, out=self.red_inverse)
        torch.mul(self.r, self.black, out=self.black_inverse)

    def coarsen(self, fine: Level) -> None:
        """Coarse face coefficients, and reaction, from the finer level's."""
        fy, fx = fine.factors
        self.reaction.copy_(_add_pairs(_add_pairs(fine.reaction, 0, fy), 1, fx))
        torch.mul(_add_pairs(fine.beta_x[:, ::fx], 0, fy), 1 / fx, out=self.beta_x)
        torch.mul(_add_pairs(fine.beta_y[::fy], 1, fx), 1 / fy, out=self.beta_y)

    def sweep_red(self) -> None:
        """Every red cell, whose neighbours are black, takes the value that solves its equation."""
        self.A.with_neighbours(self.b, self.x, out=self.r)
        self.x.centre.mul_(self.black).addcmul_(self.red_inverse, self.r)

    def sweep_black(self) -> None:
        """Likewise the black cells."""
        self.A.with_neighbours(self.b, self.x, out=self.r)
        self.x.centre.mul_(self.red).addcmul_(self.black_inverse, self.r)

    def restrict(self, out: torch.Tensor) -> None:
        """out = sums of r over aggregates (P^T r), rows first: their memory is contiguous."""
        (ny, nx), (fy, fx) = self.shape, self.factors
        r = self.r.view(ny // fy, fy, nx)
        rows = torch.add(r[:, 0], r[:, 1], out=self.rows) if fy == 2 else r[:, 0]
        grid = out.view(ny // fy, nx // fx)
        if fx == 2:
            torch.add(rows[:, ::2], rows[:, 1::2], out=grid)
        else:
            grid.copy_(rows)

    def add_correction(self, e: torch.Tensor) -> None:
        """x += P e, constant on every aggregate."""
        (ny, nx), (fy, fx) = self.shape, self.factors
        grid = e.view(ny // fy, nx // fx)
        if fx == 2:
            self.rows[:, ::2] = grid
            self.rows[:, 1::2] = grid
            grid = self.rows
        self.x.centre.view(ny // fy, fy, nx).add_(grid[:, None])


def _add_pairs(faces: torch.Tensor, axis: int, factor: int) -> torch.Tensor:
    """Sums of neighbouring pairs along an axis (factor 2), or the faces themselves (factor 1)."""
    if factor == 1:
        return faces
    return faces[::2] + faces[1::2] if axis == 0 else faces[:, ::2] + faces[:, 1::2]
