"""Public solver API: one named preconditioner, and fallbacks for the solves in which it fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from . import engine as engines
from . import registry
from .device import cuda_graph
from .device.timer import StageTimer
from .pcg import PCG, Outcome
from .preconditioner import Preconditioner
from .right_hand_side import Task
from .status import Status
from .support import argument_checks
from .support.threads import limited_threads
from .system import PoissonSystem

ZERO = 1e-14  # a projected right-hand side below this fraction of b is rounding of a b that balances nothing
UPDATES = ("auto", "plain", "flexible")
REPLACEABLE = (Status.INDEFINITE, Status.NOT_FINITE, Status.STAGNATED)  # another preconditioner may do better


@dataclass(frozen=True)
class Solution:
    """Result of a solve.

    x: (ny, nx) float64 on b's device, mean-free in every closed region, 0 in solids.
    status, iterations, residual, history: of this x. residual = ||P b - A x|| / ||P b||, recomputed in float64
    (0 where P b counts as zero); history holds it after each iteration, shape (iterations,).
    incompatibility: ||b - P b|| / ||b||, the part of b that no pressure can balance.
    preconditioner_used: the name whose x this is;  attempts: ((name, status, iterations), ...) in the order tried.
    setup_ms, inference_ms, solve_ms: wall time of preparing M, of networks in it, of iterating; fallbacks included.
    """

    x: torch.Tensor
    status: Status
    iterations: int
    residual: float
    incompatibility: float
    preconditioner_used: str
    history: np.ndarray
    attempts: tuple[tuple[str, Status, int], ...]
    setup_ms: float
    inference_ms: float
    solve_ms: float


class Solver:
    """Preconditioned conjugate gradients with a preconditioner chosen by name."""

    def __init__(
        self,
        name: str,
        system: PoissonSystem,
        device: str | torch.device = "auto",
        fallback: Sequence[str] = ("multigrid", "jacobi"),
        weights: str | None = None,
        *,
        update: str = "auto",
        engine: str = "auto",
    ):
        """Prepare for systems like this one; no work is done yet beyond allocation.

        name: one of precond.names().  device: "auto" (CUDA where torch sees it), "cpu" or "cuda".
        fallback: names tried in order, for one solve only, when the named one is INDEFINITE, NOT_FINITE or STAGNATED.
        weights: path or "random:SEED", for methods that have weights. Where only the weights that come with the
        program are missing, another method stands in: `notice` then says which and why, and Solutions bear its name.
        update: "plain" or "flexible" conjugate gradients (for an M that is not one fixed linear map; costs one vector
        and one dot product), "auto": flexible where the preconditioner asks for it by its attribute `flexible`. "plain"
        is refused where a method could only stagnate with it.
        engine: "compiled" (by Numba on a CPU, by Triton on CUDA), "torch", or "auto": compiled where that is possible.
        Raises ValueError for unknown or unavailable names, devices and superfluous weights, TypeError for wrong types.
        """
        if not isinstance(system, PoissonSystem):
            raise TypeError(f"system is a {type(system).__name__}; pass a precond.PoissonSystem.")
        if isinstance(fallback, str) or not isinstance(fallback, Sequence):
            raise TypeError(f"fallback is {fallback!r}; pass a sequence of names such as ('jacobi',).")
        entry = registry.entry(name)
        if weights is not None and not entry.takes_weights:
            raise ValueError(f"weights is {weights!r} but {name!r} has none; leave weights out.")
        self.name, self.weights, self.effective_method, self.notice = name, weights, name, ""
        for method in (name, *fallback):
            reason = registry.why_unavailable(method)
            if reason is None or (method == name and weights is not None):
                continue
            if method != name or entry.stand_in is None:
                raise ValueError(f"The preconditioner {method!r} is not available: {reason}")
            self.effective_method, self.notice = entry.stand_in, f"{entry.stand_in!r} stands in for {name!r}: {reason}"
        self.update = argument_checks.choice(update, "update", UPDATES)
        for method in (name, *fallback):
            if update == "plain" and registry.entry(method).only_flexible:
                raise ValueError(f"update is 'plain' but {method!r} is not linear; pass 'auto' or 'flexible'.")
        self.fallback = tuple(dict.fromkeys(method for method in fallback if method != name))
        self.device = argument_checks.device(device)
        self.engine, slow = engines.chosen(argument_checks.choice(engine, "engine", engines.ENGINES), self.device)
        self.notice = "; ".join(filter(None, (self.notice, slow)))
        self._system = system
        self._allocate(system)

    def solve(
        self,
        system: PoissonSystem,
        b: torch.Tensor | np.ndarray,
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_iterations: int = 5000,
        x0: torch.Tensor | np.ndarray | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Solution:
        """Solve A x = P b until ||P b - A x|| <= max(rtol ||P b||, atol), with M from the system's present tensors.

        b: (ny, nx) [1/s], ignored in solids.  x0: (ny, nx), a guess; ignored if not finite or no better than 0.
        should_stop: asked while iterating; True ends the solve with ITERATION_LIMIT, for a program that closes.
        Numerical trouble is reported in .status and never raised. Raises ValueError for wrong shapes and tolerances,
        TypeError for wrong types. The system may differ in shape from the last one: buffers are then made anew.
        """
        if not isinstance(system, PoissonSystem):
            raise TypeError(f"system is a {type(system).__name__}; pass a precond.PoissonSystem.")
        rtol, atol = argument_checks.relative(rtol, "rtol"), argument_checks.nonnegative(atol, "atol")
        limit = argument_checks.count(max_iterations, "max_iterations", 1)
        b_field = argument_checks.field(b, "b", system.shape)
        guess = None if x0 is None else argument_checks.field(x0, "x0", system.shape)

        with limited_threads(self.device, system.solid.numel()):
            return self._solve(system, b_field, guess, rtol, atol, limit, should_stop)

    def _solve(
        self,
        system: PoissonSystem,
        b_field: torch.Tensor,
        guess: torch.Tensor | None,
        rtol: float,
        atol: float,
        limit: int,
        should_stop: Callable[[], bool] | None,
    ) -> Solution:
        """`solve` with checked arguments."""
        clock = StageTimer(self.device)
        local, loop = self._local_for(system), self._pcg.loop
        given = loop.receive(local, Task(system, b_field, guess, rtol, atol))
        local.settle()
        if given is None:
            clock.lap("setup")
            return self._without_iterating(Status.NOT_FINITE, torch.zeros_like(b_field), math.nan, math.nan, clock)
        incompatibility = given.removed / given.size if given.size > 0 else 0.0
        if given.norm <= max(atol * given.scale, ZERO * given.size):
            clock.lap("setup")
            return self._without_iterating(Status.CONVERGED, torch.zeros_like(b_field), 0.0, incompatibility, clock)
        tolerance = max(rtol, atol * given.scale / given.norm)

        attempts: list[tuple[str, Status, int]] = []
        best: tuple[str, Outcome] | None = None
        for name in (self.effective_method, *self.fallback):
            M = self._set_up(name, local)
            clock.lap("setup")
            flexible = M.flexible if self.update == "auto" else self.update == "flexible"
            project = local.topology.projector
            outcome = self._pcg.solve(M, project, given, given.guess, tolerance, limit, should_stop, flexible)
            clock.lap("solve")
            clock.set_apart(M.inference_ms)
            if loop.refused:
                self._note(loop.refused)
            M.observe(outcome.iterations)
            attempts.append((name, outcome.status, outcome.iterations))
            if best is None or outcome.status == Status.CONVERGED or outcome.residual < best[1].residual:
                best = (name, outcome)
            if outcome.status not in REPLACEABLE:
                break
        assert best is not None
        name, outcome = best
        return Solution(
            x=outcome.x.div_(given.scale).reshape(system.shape).to(b_field.device),
            status=outcome.status,
            iterations=outcome.iterations,
            residual=outcome.residual,
            incompatibility=incompatibility,
            preconditioner_used=name,
            history=outcome.history,
            attempts=tuple(attempts),
            setup_ms=clock.setup_ms,
            inference_ms=clock.inference_ms,
            solve_ms=clock.solve_ms,
        )

    def apply(self, r: torch.Tensor | np.ndarray) -> torch.Tensor:
        """z = P M P r as PCG uses it, float64, (ny, nx), on r's device; M is set up from the last system given."""
        field = argument_checks.field(r, "r", self._system.shape)
        with limited_threads(self.device, field.numel()):
            local = self._local_for(self._system)
            local.copy_from(self._system)
            M = self._set_up(self.effective_method, local)
            clean = local.project(field.to(self.device))
            out = torch.zeros_like(clean)
            M.apply(clean, out)
            return local.project(out).to(field.device)

    @property
    def preconditioner(self) -> object | None:
        """M as it was last set up, to look at; None before the first solve."""
        M = self._methods.get(self.effective_method)
        return None if M is None else M.wrapped

    def renew(self) -> None:
        """Let learned methods run their networks in the next setup, so that what follows depends on it alone."""
        for M in self._methods.values():
            M.renew()

    def memory(self) -> dict[str, np.ndarray]:
        """What the preconditioner remembers between solves, as arrays for `recall`; most remember nothing."""
        M = self._methods.get(self.effective_method)
        return {} if M is None else M.memory()

    def recall(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on as the solver whose `memory` this is; before the first solve. What does not fit is ignored."""
        self._method(self.effective_method).recall(arrays)

    def forget(self) -> None:
        """Let every preconditioner start its next setup from nothing, as on a first frame: for honest cold timings."""
        for M in self._methods.values():
            M.forget()

    def _allocate(self, system: PoissonSystem) -> None:
        self._local = PoissonSystem.empty(*system.shape, device=self.device)
        self._pcg = PCG(engines.loop(self.engine, *system.shape, self.device))
        self._methods: dict[str, Preconditioner] = {}
        self._setups: dict[str, cuda_graph.GraphCache] = {}

    def _local_for(self, system: PoissonSystem) -> PoissonSystem:
        """Where the system's values will be on the solver's device; its tensors are still those of the last one."""
        if system.shape != self._local.shape:
            self._allocate(system)
        self._system, self._local.open_top = system, system.open_top
        self._local.settle(False)
        return self._local

    def _method(self, name: str) -> Preconditioner:
        if name not in self._methods:
            self._methods[name], self._setups[name] = self._made(name), cuda_graph.GraphCache()
        return self._methods[name]

    def _made(self, name: str) -> Preconditioner:
        """The method by the engine's kernels, or by torch's operations where those in Triton fail on this device."""
        entry = registry.entry(name)

        def make(kernels: str) -> Preconditioner:
            factory = entry.factory_for(kernels)
            return registry.checked(name, factory(weights=self.weights) if entry.takes_weights else factory())

        if self.engine == "fused" and entry.fused:
            reason = engines.why_not_fused_method(partial(make, "fused"), partial(make, "torch"), self.device)
            if reason:
                self._note(f"{name} runs kernel by kernel: {reason}")
                return make("torch")
        return make(self.engine)

    def _note(self, sentence: str) -> None:
        """Add a sentence to the notice, once."""
        if sentence not in self.notice:
            self.notice = "; ".join(filter(None, (self.notice, sentence)))

    def _set_up(self, name: str, local: PoissonSystem) -> Preconditioner:
        """M, set up for the system; on CUDA from a graph, where the method allows that, until walls change."""
        M = self._method(name)
        if M.recordable and cuda_graph.possible(self.device):
            self._setups[name](lambda: M.setup(local), self.device, local.topology, local.open_top)
        else:
            M.setup(local)
        return M

    def _without_iterating(
        self, status: Status, x: torch.Tensor, residual: float, incompatibility: float, clock: StageTimer
    ) -> Solution:
        attempts = ((self.name, status, 0),)
        times = (clock.setup_ms, clock.inference_ms, clock.solve_ms)
        return Solution(x, status, 0, residual, incompatibility, self.name, np.zeros(0), attempts, *times)
