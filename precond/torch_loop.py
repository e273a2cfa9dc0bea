"""The loop of conjugate gradients in torch: on CUDA what comes before it, its iterations and its looks are recorded.

All buffers are allocated once. An iteration never waits for the device: once the stop test has fired, its updates are
multiplied by 0 and the count stands still, so that as many can run blindly as the last solve needed. The host reads one
vector of numbers after the arrival of a system and one after the iterations. On a CPU, where looking costs nothing, it
looks after each iteration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np
import torch

from .device import cuda_graph
from .device.fixed_projector import FixedProjector
from .preconditioner import Preconditioner
from .right_hand_side import RightHandSide, Task
from .stencil import Halo, Stencil, inverse
from .stopping import SMALLEST_TARGET, Progress
from .system import PoissonSystem
from .topology import Projector

CHUNK = 8  # most iterations in one recording, and between two looks on CUDA while nothing is known of a method
LONG = 64  # iterations of a solve from which recordings hold CHUNK of them: one too many costs little then
ROOM = 512  # most iterations between two looks
EPSILON = float(np.finfo(np.float64).eps)
Project = Callable[[torch.Tensor], torch.Tensor]
Key = tuple[Hashable, ...]  # of a recording; its last entry is the projector that it holds for, or one that stays

# Places in `numbers`, squares of norms unless said. Of an iteration: r.Mr, p.Ap, z.Ap, denominator of beta, r.r, its
# target, the sum of (r.Mr)^2 / p.Ap. Of a look: iterations since the start, whether they go on, b - A x, D x. Of an
# arrival: sum of the diagonal, whether walls moved, largest |b| and what it is scaled with, P b, b, b - P b; at the
# start b - A x and D x; the tolerances.
(RZ, PQ, ZQ, LAST, RR, TARGET, ENERGY, COUNT, ACTIVE, RESIDUAL, ROUNDING, DIAGONAL, STALE, LARGEST, SCALE, NORM, SIZE,
 REMOVED, START, START_ROUNDING, RTOL, ATOL, HISTORY) = range(23)  # fmt: skip


class TorchLoop:
    """Vectors of one grid shape on one device, and the iteration on them; see pcg.Loop."""

    def __init__(self, ny: int, nx: int, device: torch.device, chunk: int | None = None):
        """chunk: iterations run between two looks at the stop test; None: as many as will be needed on CUDA, 1 else."""
        recorded = cuda_graph.possible(device)
        self.chunk = chunk or (CHUNK if recorded else 1)
        self._adapts = chunk is None and recorded
        self.unknowns = n = ny * nx
        self.A = Stencil(ny, nx, device)
        self.x, self.p = Halo(ny, nx, device), Halo(ny, nx, device)
        self.b, self.r, self.z = (torch.zeros_like(self.A.diagonal) for _ in range(3))
        self.given_b, self.given_x0, self.scaled_x0 = (torch.zeros_like(self.b) for _ in range(3))
        self.q = self.z  # z is spent once p is made, before q = A p: one vector less keeps 16,384 cells within 1 MiB
        self.flexible, self.q_kept = False, torch.empty(0)  # the flexible form needs A p beside the z that follows
        self.r_grid, self.z_grid = self.r.view(ny, nx), self.z.view(ny, nx)
        self.numbers = torch.zeros(HISTORY + ROOM, dtype=torch.float64, device=device)
        self.rz, self.pq, self.zq, self.last, self.rr, self.target, self.energy = self.numbers[:COUNT]
        self.history = self.numbers[HISTORY:]
        self.active = torch.zeros((), dtype=torch.bool, device=device)
        self.count, self.slot = (torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2))
        self.zero = torch.zeros((), dtype=torch.float64, device=device)
        self._seen = self.numbers
        if device.type == "cuda":
            self._seen = torch.zeros(self.numbers.shape, dtype=torch.float64, pin_memory=True)
        self.norm = 1.0
        self.project: Project = lambda v: v
        self.fixed = FixedProjector(n, device) if recorded else None
        self.graphs: dict[Key, tuple[Preconditioner, cuda_graph.Graph]] = {}
        self.graph: cuda_graph.Graph | None = None
        self.refused = ""
        self._arrival, self._thorough_look = cuda_graph.GraphCache(), cuda_graph.GraphCache()
        self._walls: object = None  # the projector that was taken up
        self._seen_walls = 0  # systems that came with it
        self._asked_for: set[Key] = set()
        self._expected: dict[int, int] = {}  # iterations of the last solve, by id of M
        self._long: dict[int, bool] = {}  # whether recordings hold CHUNK of them, likewise
        self._wished = (math.nan, math.nan)
        self._first, self._looked, self._unrolled = False, False, 1
        self._done = self._counted = 0  # iterations of this solve, and since its last restart

    # Arrival ----------------------------------------------------------------------------------------------------------

    def load(self, system: PoissonSystem) -> None:
        """Take over the system's present coefficients."""
        self.A.load(system.beta_x, system.beta_y, system.reaction)

    def receive(self, system: PoissonSystem, task: Task) -> RightHandSide | None:
        """See pcg.Loop. On CUDA regions are taken to be the last ones; where they are not, all is done once more."""
        source, x0 = task.source, task.x0
        trusting = cuda_graph.possible(self.r.device) and source.device == system.device
        if not (trusting and system.last_topology):
            system.copy_from(source)
            trusting = False
        topology = system.last_topology if trusting else None
        self._take_up((topology or system.topology).projector)
        self.given_b.copy_(task.b.reshape(-1))
        if x0 is None:
            self.given_x0.zero_()
        else:
            self.given_x0.copy_(x0.reshape(-1))
        if (task.rtol, task.atol) != self._wished:
            self._wished = task.rtol, task.atol
            self.numbers[RTOL].fill_(task.rtol)
            self.numbers[ATOL].fill_(task.atol)
        read = source.tensors if trusting else (system,)
        work = partial(self._arrive, system, source if trusting else None)
        self._seen_walls += 1
        self._arrival(work, self.r.device, *read, self.project, self.q_kept)
        seen = self._publish()
        if trusting and seen[STALE]:
            self._take_up(system.topology.projector)
            return self.receive(system, task)
        self._first = True
        if not (math.isfinite(seen[DIAGONAL]) and math.isfinite(seen[LARGEST])):
            return None
        norm, size, removed = (math.sqrt(seen[k]) for k in (NORM, SIZE, REMOVED))
        guess = None if x0 is None else self.scaled_x0
        return RightHandSide(self.b, float(seen[SCALE]), norm, size, removed, guess)

    def _arrive(self, system: PoissonSystem, source: PoissonSystem | None) -> None:
        """All that comes before the first iteration but M. Nothing here waits for the device."""
        numbers, dot = self.numbers, torch.linalg.vecdot
        if source is not None:
            system.copy_tensors(source)
            numbers[STALE].copy_(system.walls_moved())
        self.load(system)
        torch.sum(self.A.diagonal, 0, out=numbers[DIAGONAL])
        b = torch.where(system.solid.view(-1), 0.0, self.given_b)
        torch.amax(b.abs(), 0, out=numbers[LARGEST])
        scale = _power_of_two_over(numbers[LARGEST])
        numbers[SCALE].copy_(scale)
        b.mul_(scale)
        self.b.copy_(b)
        self.project(self.project(self.b))  # twice: the first mean is off by rounding of b
        dot(self.b, self.b, out=numbers[NORM])
        dot(b, b, out=numbers[SIZE])
        b.sub_(self.b)
        dot(b, b, out=numbers[REMOVED])
        tolerance = torch.maximum(numbers[RTOL], numbers[ATOL] * scale / numbers[NORM].sqrt())
        torch.mul(tolerance.clamp(min=SMALLEST_TARGET).square(), numbers[NORM], out=self.target)
        torch.mul(self.given_x0, scale, out=self.scaled_x0)
        self.x.centre.copy_(self.scaled_x0)
        self._measure(numbers[START], numbers[START_ROUNDING])
        better = numbers[START] < numbers[NORM]  # false for NaN as well
        self.x.centre.masked_fill_(~better, 0.0)
        numbers[START].copy_(torch.where(better, numbers[START], numbers[NORM]))
        numbers[START_ROUNDING].mul_(better)
        self._begin_anew()

    def _take_up(self, project: Any) -> None:
        """Use this projector, on CUDA through tensors that stay where that is possible."""
        if project is self._walls:
            return
        fixed = self.fixed
        taken = fixed is not None and isinstance(project, Projector) and fixed.take(project)
        self._walls, self.project = project, fixed if taken and fixed is not None else project
        self._seen_walls = 0
        self.graphs = {key: entry for key, entry in self.graphs.items() if not isinstance(key[-1], Projector)}
        self._asked_for = {key for key in self._asked_for if not isinstance(key[-1], Projector)}

    # Iteration --------------------------------------------------------------------------------------------------------

    def begin(self, M: Preconditioner, project: Any, b: RightHandSide, flexible: bool) -> None:
        """Prepare for b with this M; what is recorded is recorded, or found, here."""
        self._take_up(project)
        self.M = M
        if flexible and not self.q_kept.numel():
            self.q_kept = torch.zeros_like(self.r)
        self.flexible, self.q = flexible, self.q_kept if flexible else self.z
        self.norm = b.norm
        if b.projected is not self.b:
            self.b.copy_(b.projected)
            self._first = False
        self._prepare()

    def start(self, x0: torch.Tensor | None, target: float) -> tuple[float, float]:
        """`true_residual` at x0 (N,), or at 0 if that is no better, from where the iteration begins."""
        self._done = 0
        if self._first:  # as it arrived
            self._first, self._looked, self._counted = False, False, 0
            seen = self._seen
            return math.sqrt(float(seen[START])) / self.norm, self._relative_rounding(float(seen[START_ROUNDING]))
        self.guess(x0)
        residual, rounding = (1.0, 0.0) if x0 is None else self.true_residual()
        if not residual < 1.0:
            self.guess(None)
            residual, rounding = 1.0, 0.0
        self.restart(target)
        return residual, rounding

    def guess(self, x: torch.Tensor | None) -> None:
        """Set x (N,); None: 0."""
        self._looked = False
        if x is None:
            self.x.centre.zero_()
        else:
            self.x.centre.copy_(x)

    def solution(self) -> torch.Tensor:
        """A copy of x (N,)."""
        return self.x.centre.clone()

    def true_residual(self) -> tuple[float, float]:
        """||P b - A x|| / ||P b|| after projecting x, which moves it by rounding only, and eps ||D x|| / ||P b||."""
        if not self._looked:
            self._measure(self.numbers[RESIDUAL], self.numbers[ROUNDING])
            self._publish()
        seen = self._seen
        return math.sqrt(float(seen[RESIDUAL])) / self.norm, self._relative_rounding(float(seen[ROUNDING]))

    def plain_step(self) -> float:
        """The energy (r.y)^2 / y.A y that one step along y = P D^-1 r would win at x, r its true residual."""
        residual, product = torch.empty_like(self.b), torch.empty_like(self.b)  # asked for once in hundreds of steps
        scaled = Halo(*self.A.shape, self.b.device)
        self.A.residual(self.b, self.x, out=residual)
        inverse(self.A.diagonal, out=product)
        torch.mul(product, residual, out=scaled.centre)
        self.project(scaled.centre)
        self.A.apply(scaled, out=product)
        won, size = torch.stack((residual.dot(scaled.centre), product.dot(scaled.centre))).tolist()
        return won * (won / size) if size > 0 else 0.0

    def restart(self, target: float) -> None:
        """Begin anew at the present x, from its true residual, until the recursive one is below the target."""
        self.target.fill_((target * self.norm) ** 2)
        self._begin_anew()
        self._looked, self._counted = False, 0

    def run(self, most: int, history: list[float]) -> Progress:
        """Run at most so many iterations and append the recursive residual after each."""
        self.energy.zero_()
        todo = self._blindly(most)
        chunks, rest = divmod(todo, self._unrolled) if self.graph is not None else (0, todo)
        for _ in range(chunks):
            assert self.graph is not None
            self.graph.replay()
        for _ in range(rest):
            self._iteration()
        self._looked = cuda_graph.possible(self.r.device)
        if self._looked and self._seen_walls < 2 and self.project is not self.fixed:
            self._look_thoroughly()  # there are several looks in a solve: a wall that moves would have each recorded
        elif self._looked:
            self._thorough_look(self._look_thoroughly, self.r.device, self.project, self.q)
        else:
            self._look()
        seen = self._publish()
        before, self._counted = self._counted, int(seen[COUNT])
        self._done += self._counted - before
        self._expected[id(self.M)] = self._done
        fresh = seen[HISTORY + np.arange(before, self._counted) % ROOM]
        history += (np.sqrt(fresh) / self.norm).tolist()
        running = bool(seen[ACTIVE])
        rz, pq, rr = (float(seen[k]) for k in (RZ, PQ, RR))
        finite = all(map(math.isfinite, (rz, pq, rr)))
        recursive = math.sqrt(rr) / self.norm if finite else math.nan
        reached = not running and rr <= float(seen[TARGET])
        return Progress(running, finite, recursive, reached, float(seen[ENERGY]))

    def _blindly(self, most: int) -> int:
        """Iterations until the next look."""
        if not self._adapts:
            return min(self.chunk, most)
        first = self._done == 0
        expected = max(1, self._expected.get(id(self.M), CHUNK) if first else self._done // CHUNK)
        whole = self._unrolled * -(-expected // self._unrolled)
        return min(whole if first else min(whole, CHUNK), most, ROOM)

    def _iteration(self) -> None:
        """One iteration. Nothing here waits for the device."""
        p = self.p.centre
        self.M.apply(self.r_grid, self.z_grid)
        self.project(self.z)
        torch.linalg.vecdot(self.r, self.z, out=self.rz)
        if self.flexible:
            torch.linalg.vecdot(self.z, self.q, out=self.zq)
        # 0 after the end, or p would grow without bound while the last denominator stays
        beta = torch.where(self.active, (-self.zq if self.flexible else self.rz) / self.last, self.zero)
        torch.addcmul(self.z, p, beta, out=p)
        self.A.apply(self.p, out=self.q)
        torch.linalg.vecdot(p, self.q, out=self.pq)
        self.active &= self._sound()
        # Only while active: after the end 0 / 0 would make p NaN, and 0 times it would do the same to x.
        torch.where(self.active, self.pq if self.flexible else self.rz, self.last, out=self.last)
        alpha = torch.where(self.active, self.rz / self.pq, self.zero)
        self.energy.addcmul_(alpha, self.rz)
        self.x.centre.addcmul_(p, alpha)
        self.r.addcmul_(self.q, alpha, value=-1)
        self.project(self.r)  # constants that rounding leaves there grow where M answers them with something else
        torch.linalg.vecdot(self.r, self.r, out=self.rr)
        torch.remainder(self.count, ROOM, out=self.slot)
        self.history.scatter_(0, self.slot, self.rr.view(1))
        self.count += self.active
        self.active &= self.rr > self.target

    def _sound(self) -> torch.Tensor:
        """Whether r.Mr and p.Ap are positive; false for NaN as well."""
        return torch.minimum(self.rz, self.pq) > 0

    def _begin_anew(self) -> None:
        """r = P (b - A x), p = 0."""
        self.A.residual(self.b, self.x, out=self.r)
        self.project(self.r)
        self.count.zero_()
        self.p.centre.zero_()
        self.last.fill_(math.inf)  # so that the first direction is z + 0 p
        if self.q_kept.numel():
            self.q_kept.zero_()  # NaN of an earlier solve would pass through that 0
        self.active.fill_(True)

    # Looking ----------------------------------------------------------------------------------------------------------

    def _measure(self, residual: torch.Tensor, rounding: torch.Tensor) -> None:
        """Project x; the squares of b - A x and of D x. z is spent, but not q, from which the flexible form goes on."""
        self.project(self.x.centre)
        work = self.z
        torch.mul(self.A.diagonal, self.x.centre, out=work)
        torch.linalg.vecdot(work, work, out=rounding)
        self.A.residual(self.b, self.x, out=work)
        torch.linalg.vecdot(work, work, out=residual)

    def _look(self) -> None:
        self.numbers[COUNT].copy_(self.count[0])
        self.numbers[ACTIVE].copy_(self.active)

    def _look_thoroughly(self) -> None:
        self._look()
        self._measure(self.numbers[RESIDUAL], self.numbers[ROUNDING])

    def _publish(self) -> np.ndarray:
        """`numbers` on the host: the one wait."""
        if self._seen is not self.numbers:
            self._seen.copy_(self.numbers, non_blocking=True)
            torch.cuda.current_stream(self.r.device).synchronize()
        return self._seen.numpy()

    def _relative_rounding(self, square: float) -> float:
        return EPSILON * math.sqrt(square) / self.norm

    # Recording --------------------------------------------------------------------------------------------------------

    def _unroll(self) -> None:
        for _ in range(self._unrolled):
            self._iteration()

    def _prepare(self) -> None:
        """On CUDA, find the graph of some iterations with this M, or record it when it is asked for the second time.

        While a wall moves, a method whose recording depends on walls runs kernel by kernel. Recording computes nothing.
        Where CUDA refuses, `refused` says why, and iterations run kernel by kernel, which is slower and gives the same.
        """
        self.graph = None
        if not cuda_graph.possible(self.r.device) or not self.M.capturable:
            self._unrolled = 1
            return
        if self._adapts:
            long = self._long.get(id(self.M), False)  # and stays so until it is clearly not, or each would be recorded
            self._long[id(self.M)] = long = self._expected.get(id(self.M), 0) >= (LONG // 2 if long else LONG)
            self._unrolled = CHUNK if long else 1
        else:
            self._unrolled = self.chunk
        walls = self._walls if self.M.recorded_for is None else self.project
        # the entry keeps M alive, so that no other object gets its id
        key = (id(self.M), self.flexible, self._unrolled, self.M.recorded_for, walls)
        if key in self.graphs:
            self.graph = self.graphs[key][1]
        elif key not in self._asked_for:
            self._asked_for.add(key)
        elif not self.refused:
            try:
                self.graphs[key] = self.M, self._recorded()
            except RuntimeError as error:
                self.refused = f"iterations run kernel by kernel, as CUDA cannot record them: {error}".splitlines()[0]
                return
            self.graph = self.graphs[key][1]

    def _recorded(self) -> cuda_graph.Graph:
        """The graph, and all as it was before: recording spoils every vector but b."""
        x = self.x.buffer.clone()
        self.active.fill_(False)
        try:
            return cuda_graph.record(self._unroll, self.r.device)
        finally:
            self.x.buffer.copy_(x)
            self._begin_anew()


def _power_of_two_over(largest: torch.Tensor) -> torch.Tensor:
    """`support.units.power_of_two_over` on the device, 0-d float64: 2^-e in its bits."""
    exponent = torch.frexp(largest).exponent.to(torch.int64).clamp(-1000, 1000)
    power = ((1023 - exponent) << 52).view(torch.float64)
    return torch.where((largest > 0) & (largest < math.inf), power, 1.0)
