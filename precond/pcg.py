"""Preconditioned conjugate gradients: one loop for every preconditioner and device.

The loop is torch alone, on buffers allocated once. An iteration never waits for the device: once the stop test has
fired, its updates are multiplied by 0 and the count stands still, so a chunk of iterations can run blindly. On the CPU,
where looking costs nothing, a chunk is one iteration; on CUDA it is CHUNK of them, captured as a graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .device import cuda_graph
from .registry import Preconditioner
from .status import Status
from .stencil import Halo, Stencil
from .topology import Projector

CHUNK = 8  # iterations between two looks on CUDA: a look costs about as much as one captured iteration
FLOOR = 1e-17  # the recursive residual says nothing below rounding; iterating on would end in underflow
EPSILON = float(np.finfo(np.float64).eps)
SLACK = 1.05  # how far another order of summation may find the residual above a tolerance that we called reached
RUN_DRY = 20  # below this many roundings the recursive residual is noise: the rounding of all iterations adds up
PARTED = 2.0  # recursive and true residual are taken as one up to this factor
FALL = 0.9  # what counts as progress: the best residual below this times the former best


@dataclass(frozen=True)
class Outcome:
    """x (N,), how it ended, and the true relative residual of this very x."""

    x: torch.Tensor
    status: Status
    iterations: int
    residual: float
    history: np.ndarray


class PCG:
    """Solves P A P x = P b on one grid shape and device. Hestenes and Stiefel 1952; Saad 2003, algorithm 9.1.

    The direction is p = z + beta p with beta = <z, r> / <z_old, r_old>; the flexible form, for an M that changes from
    one iteration to the next, has beta = <z, r - r_old> / <z_old, r_old> (Polak and Ribiere; Notay 2000). Since
    r - r_old = -alpha A p, that is -<z, A p> / <p, A p>: z is made A-orthogonal to the last direction, whatever M did.
    """

    def __init__(self, ny: int, nx: int, device: torch.device, chunk: int | None = None):
        """chunk: iterations run between two looks at the stop test; None picks it by device."""
        self.chunk = chunk or (CHUNK if device.type == "cuda" else 1)
        self.A = Stencil(ny, nx, device)
        self.x, self.p = Halo(ny, nx, device), Halo(ny, nx, device)
        self.b, self.r, self.z = (torch.zeros_like(self.A.diagonal) for _ in range(3))
        self.q = self.z  # z is spent once p is made, before q = A p: one vector less keeps 16,384 cells within 1 MiB
        self.flexible, self.q_kept = False, torch.empty(0)  # the flexible form needs A p beside the z that follows
        self.r_grid, self.z_grid = self.r.view(ny, nx), self.z.view(ny, nx)
        scalars = torch.zeros(6, dtype=torch.float64, device=device)
        self.rz, self.pq, self.zq, self.last, self.target, self.zero = scalars  # last: the denominator of beta
        self.active = torch.zeros((), dtype=torch.bool, device=device)
        self.count = torch.zeros((), dtype=torch.int64, device=device)
        self.rr = torch.zeros(self.chunk, dtype=torch.float64, device=device)
        self.slots = list(self.rr)
        self.graphs: dict[tuple[int, bool], tuple[Preconditioner, cuda_graph.Graph]] = {}
        self.graph: cuda_graph.Graph | None = None
        self.captured_with: Projector | None = None

    def solve(
        self,
        M: Preconditioner,
        project: Projector,
        b: torch.Tensor,
        x0: torch.Tensor | None,
        tolerance: float,
        max_iterations: int,
        give_up: Callable[[], bool] | None = None,
        flexible: bool = False,
    ) -> Outcome:
        """Iterate until ||P b - A x|| <= tolerance ||P b||, with self.A loaded and M set up.

        b (N,) is projected, finite and of a norm whose square is a normal number;  x0 (N,) or None: a guess that is
        no better than zero is dropped.  give_up: asked after every chunk; True ends as at the iteration limit.
        flexible: the form of beta for an M that is not one fixed linear map.
        """
        self.M, self.project, self.give_up = M, project, give_up or (lambda: False)
        if flexible and not self.q_kept.numel():
            self.q_kept = torch.zeros_like(self.r)
        self.flexible, self.q = flexible, self.q_kept if flexible else self.z
        self._prepare()
        self.norm = float(b.norm())
        self.b.copy_(b)
        self.x.centre.zero_()
        self.rounding = 0.0
        residual = 1.0
        if x0 is not None:
            self.x.centre.copy_(x0)
            residual = self._true_residual()
            if not residual < 1.0:
                self.x.centre.zero_()
                residual, self.rounding = 1.0, 0.0
        self.target.fill_((max(tolerance, FLOOR) * self.norm) ** 2)
        self.count.zero_()
        history: list[float] = []
        status, residual = self._iterate(residual, tolerance, max_iterations, history)
        return Outcome(self.x.centre.clone(), status, len(history), residual, np.array(history))

    def _iterate(self, residual: float, tolerance: float, limit: int, history: list[float]) -> tuple[Status, float]:
        """Run chunks until something ends the solve; returns the status and the true residual of self.x."""
        if self._reached(residual, tolerance):
            return Status.CONVERGED, residual
        window = max(500, 4 * math.isqrt(self.A.n))
        next_look, best, best_claim, wasted, restarted = window, residual, math.inf, 0, 0
        self._restart()
        while True:
            run = min(self.chunk, limit - len(history))
            self._run(run)
            fresh = int(self.count) - len(history)
            history += [math.sqrt(rr) / self.norm for rr in self.rr[:fresh].tolist()]
            running = bool(self.active)
            if running and self.give_up():
                limit = len(history)
            if running and len(history) < min(next_look, limit):
                continue
            scalars = [float(s) for s in (self.rz, self.pq, self.rr[run - 1])]
            if not all(map(math.isfinite, scalars)):
                self.x.centre.zero_()  # it may hold the NaN; zero is what we can vouch for
                return Status.NOT_FINITE, 1.0
            claimed = not running and scalars[2] <= float(self.target)
            recursive = math.sqrt(scalars[2]) / self.norm
            residual = self._true_residual()
            if history:
                history[-1] = residual
            if self._reached(residual, tolerance):
                return Status.CONVERGED, residual
            broken = not (running or claimed)
            # After some iterations a wrong sign may be rounding that the recursive r has gathered, say a constant in a
            # closed box. Then a restart helps; a fresh residual that breaks down at once is the fault of M or A.
            blame = Status.STAGNATED if recursive <= RUN_DRY * self.rounding else Status.INDEFINITE
            if broken and len(history) == restarted:
                return blame, residual
            if not running:
                wasted += residual > FALL * best_claim
                best_claim = min(best_claim, residual)
            if wasted >= 2:
                return (blame if broken else Status.STAGNATED), residual
            if len(history) >= limit:
                return Status.ITERATION_LIMIT, residual
            parted = not running or residual > PARTED * recursive
            if len(history) >= next_look:
                reached = residual if parted else min(residual, *history[-window:])
                if reached > FALL * best:
                    return Status.STAGNATED, residual
                best, next_look = min(best, reached), len(history) + window
            if parted:
                room = math.sqrt(max(0.0, (SLACK * tolerance) ** 2 - self.rounding**2))
                self.target.fill_((max(min(tolerance, room or tolerance), FLOOR) * self.norm) ** 2)
                self._restart()
                restarted = len(history)

    def _restart(self) -> None:
        """Begin anew at the present x, from its true residual."""
        self.A.residual(self.b, self.x, out=self.r)
        self.project(self.r)
        self.p.centre.zero_()
        self.last.fill_(math.inf)  # so that the first direction is z + 0 p
        if self.flexible:
            self.q.zero_()  # NaN of an earlier solve would pass through that 0
        self.active.fill_(True)

    def _true_residual(self) -> float:
        """||P b - A x|| / ||P b|| after projecting x, which moves it by rounding only.

        Also estimates self.rounding, the part of it that depends on the order of summation: eps ||D x|| / ||P b||.
        """
        self.project(self.x.centre)
        work = self.z  # not q, from which the flexible form goes on
        torch.mul(self.A.diagonal, self.x.centre, out=work)
        self.rounding = EPSILON * float(work.norm()) / self.norm
        self.A.residual(self.b, self.x, out=work)
        return float(work.norm()) / self.norm

    def _reached(self, residual: float, tolerance: float) -> bool:
        """Whether anyone who recomputes the residual will find it within SLACK of the tolerance."""
        return residual <= tolerance and math.hypot(residual, self.rounding) <= SLACK * tolerance

    def _iteration(self, rr: torch.Tensor) -> None:
        """One iteration, rr = r.r after it. Nothing here waits for the device."""
        p = self.p.centre
        self.M.apply(self.r_grid, self.z_grid)
        self.project(self.z)
        torch.linalg.vecdot(self.r, self.z, out=self.rz)
        if self.flexible:
            torch.linalg.vecdot(self.z, self.q, out=self.zq)
            torch.addcmul(self.z, p, self.zq / self.last, value=-1, out=p)
        else:
            torch.addcmul(self.z, p, self.rz / self.last, out=p)
        self.A.apply(self.p, out=self.q)
        torch.linalg.vecdot(p, self.q, out=self.pq)
        self.active &= self._sound()
        # Only while active: after the end 0 / 0 would make p NaN, and 0 times it would do the same to x.
        torch.where(self.active, self.pq if self.flexible else self.rz, self.last, out=self.last)
        alpha = torch.where(self.active, self.rz / self.pq, self.zero)
        self.x.centre.addcmul_(p, alpha)
        self.r.addcmul_(self.q, alpha, value=-1)
        torch.linalg.vecdot(self.r, self.r, out=rr)
        self.count += self.active
        self.active &= rr > self.target

    def _sound(self) -> torch.Tensor:
        """Whether r.Mr and p.Ap are positive; false for NaN as well."""
        return torch.minimum(self.rz, self.pq) > 0

    def _run(self, iterations: int) -> None:
        """Run that many iterations, a full chunk from its graph where there is one."""
        if self.graph is not None and iterations == self.chunk:
            self.graph.replay()
        else:
            self._chunk(iterations)

    def _chunk(self, iterations: int | None = None) -> None:
        """That many iterations, or the whole chunk."""
        for rr in self.slots[:iterations]:
            self._iteration(rr)

    def _prepare(self) -> None:
        """On CUDA, find the graph of a chunk with this M, or record it; all are stale once the regions changed.

        Recording spoils every vector but b and A: the solve begins after it.
        """
        self.graph = None
        if not cuda_graph.possible(self.r.device) or not getattr(self.M, "capturable", False):
            return
        if self.captured_with is not self.project:
            self.graphs, self.captured_with = {}, self.project
        key = (id(self.M), self.flexible)  # the entry keeps M alive, so that no other object gets its id
        if key not in self.graphs:
            self.active.fill_(False)
            self.graphs[key] = self.M, cuda_graph.record(self._chunk, self.r.device)
        self.graph = self.graphs[key][1]
