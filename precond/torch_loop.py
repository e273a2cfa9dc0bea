"""The loop of conjugate gradients in torch: on CUDA a chunk of iterations is a recorded graph.

All buffers are allocated once. An iteration never waits for the device: once the stop test has fired, its updates are
multiplied by 0 and the count stands still, so a chunk of iterations can run blindly. On the CPU, where looking costs
nothing, a chunk is one iteration.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from .device import cuda_graph
from .preconditioner import Preconditioner
from .right_hand_side import RightHandSide
from .stencil import Halo, Stencil
from .stopping import Progress
from .support.units import power_of_two_over
from .system import PoissonSystem
from .topology import Projector

CHUNK = 8  # iterations between two looks on CUDA: a look costs about as much as one captured iteration
EPSILON = float(np.finfo(np.float64).eps)


class TorchLoop:
    """Vectors of one grid shape on one device, and the iteration on them; see pcg.Loop."""

    def __init__(self, ny: int, nx: int, device: torch.device, chunk: int | None = None):
        """chunk: iterations run between two looks at the stop test; None picks it by device."""
        self.chunk = chunk or (CHUNK if device.type == "cuda" else 1)
        self.unknowns = ny * nx
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
        self.norm = 1.0
        self.graphs: dict[tuple[int, bool], tuple[Preconditioner, cuda_graph.Graph]] = {}
        self.graph: cuda_graph.Graph | None = None
        self.captured_with: Projector | None = None
        self.refused = ""
        self._asked_for: set[tuple[int, bool]] = set()

    def load(self, system: PoissonSystem) -> bool:
        """Take over the system's present coefficients; False where their sum is not finite."""
        self.A.load(system.beta_x, system.beta_y)
        return math.isfinite(float(self.A.diagonal.sum()))

    def receive(self, b: torch.Tensor, solid: torch.Tensor, project: Projector) -> RightHandSide | None:
        """b (ny, nx), float64, on this device, made ready; None where it is not finite in the fluid."""
        field = torch.where(solid, 0.0, b).reshape(-1)
        largest = float(field.abs().max())
        if not math.isfinite(largest):
            return None
        scale = power_of_two_over(largest)
        field.mul_(scale)
        projected = project(project(field.clone()))  # twice: the first mean is off by rounding of b
        norms = (float(v.norm()) for v in (projected, field, field - projected))
        return RightHandSide(projected, scale, *norms)

    def begin(self, M: Preconditioner, project: Projector, b: torch.Tensor, flexible: bool) -> None:
        """Prepare for b (N,), projected, finite, with x = 0."""
        self.M, self.project = M, project
        if flexible and not self.q_kept.numel():
            self.q_kept = torch.zeros_like(self.r)
        self.flexible, self.q = flexible, self.q_kept if flexible else self.z
        self._prepare()
        self.norm = float(b.norm())
        self.b.copy_(b)

    def guess(self, x: torch.Tensor | None) -> None:
        """Set x (N,); None: 0."""
        if x is None:
            self.x.centre.zero_()
        else:
            self.x.centre.copy_(x)

    def solution(self) -> torch.Tensor:
        """A copy of x (N,)."""
        return self.x.centre.clone()

    def true_residual(self) -> tuple[float, float]:
        """||P b - A x|| / ||P b|| after projecting x, which moves it by rounding only, and eps ||D x|| / ||P b||."""
        self.project(self.x.centre)
        work = self.z  # not q, from which the flexible form goes on
        torch.mul(self.A.diagonal, self.x.centre, out=work)
        rounding = EPSILON * float(work.norm()) / self.norm
        self.A.residual(self.b, self.x, out=work)
        return float(work.norm()) / self.norm, rounding

    def restart(self, target: float) -> None:
        """Begin anew at the present x, from its true residual, until the recursive one is below the target."""
        self.target.fill_((target * self.norm) ** 2)
        self.count.zero_()
        self.A.residual(self.b, self.x, out=self.r)
        self.project(self.r)
        self.p.centre.zero_()
        self.last.fill_(math.inf)  # so that the first direction is z + 0 p
        if self.flexible:
            self.q.zero_()  # NaN of an earlier solve would pass through that 0
        self.active.fill_(True)
        self.counted = 0

    def run(self, most: int, history: list[float]) -> Progress:
        """Run a chunk of at most so many iterations and append the recursive residual after each."""
        iterations = min(self.chunk, most)
        if self.graph is not None and iterations == self.chunk:
            self.graph.replay()
        else:
            self._chunk(iterations)
        fresh = int(self.count) - self.counted
        self.counted += fresh
        history += [math.sqrt(rr) / self.norm for rr in self.rr[:fresh].tolist()]
        running = bool(self.active)
        if running and most > iterations:
            return Progress(True, True, history[-1], False)
        rz, pq, rr = (float(s) for s in (self.rz, self.pq, self.rr[iterations - 1]))
        finite = all(map(math.isfinite, (rz, pq, rr)))
        recursive = math.sqrt(rr) / self.norm if finite else math.nan
        return Progress(running, finite, recursive, not running and rr <= float(self.target))

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

    def _chunk(self, iterations: int | None = None) -> None:
        """That many iterations, or the whole chunk."""
        for rr in self.slots[:iterations]:
            self._iteration(rr)

    def _prepare(self) -> None:
        """On CUDA, find the graph of a chunk with this M, or record it; all are stale once the regions changed.

        It is recorded when it is asked for the second time: while a wall moves, every solve has regions of its own.
        Recording spoils every vector but b and A: the solve begins after it. Where CUDA refuses, `refused` says why,
        and the chunk runs kernel by kernel, which is slower and gives the same.
        """
        self.graph = None
        if not cuda_graph.possible(self.r.device) or not self.M.capturable:
            return
        if self.captured_with is not self.project:
            self.graphs, self.captured_with, self._asked_for = {}, self.project, set()
        key = (id(self.M), self.flexible)  # the entry keeps M alive, so that no other object gets its id
        if key in self.graphs:
            self.graph = self.graphs[key][1]
        elif key not in self._asked_for:
            self._asked_for.add(key)
        elif not self.refused:
            self.active.fill_(False)
            try:
                self.graphs[key] = self.M, cuda_graph.record(self._chunk, self.r.device)
            except RuntimeError as error:
                self.refused = f"iterations run kernel by kernel, as CUDA cannot record them: {error}".splitlines()[0]
                return
            self.graph = self.graphs[key][1]
