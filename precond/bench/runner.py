"""One function through which every method goes: the same systems, stopping rule, warm-up and clock for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from .. import problems
from ..device.timer import now
from ..io import matrix_market, recorded_systems
from ..registry import entry
from ..solver import Solution, Solver
from ..status import Status
from ..system import PoissonSystem
from .external_solvers import OUTSIDE


@dataclass(frozen=True)
class Case:
    """One system: assemble() makes it from what lies in device memory; b is projected."""

    assemble: Callable[[], PoissonSystem]
    b: torch.Tensor


@dataclass(frozen=True)
class Group:
    """Cases that one row of the table sums up."""

    kind: str
    cells: int
    cases: Sequence[Case]
    warm: bool = False  # consecutive steps of a simulation: x0 is the method's own last x


WARM_UP = 4  # solves on CUDA before the clock counts: what is recorded is recorded when it is asked for twice


@dataclass(frozen=True)
class Run:
    """One solve. total_ms is the wall clock around everything, so it may exceed the sum of the stages."""

    status: Status | None  # None: the method raised
    iterations: int
    residual: float
    setup_ms: float
    inference_ms: float
    solve_ms: float
    total_ms: float
    history: np.ndarray = field(default_factory=lambda: np.zeros(0))
    error: str = ""  # what the method raised

    @property
    def failed(self) -> bool:
        return self.status is not Status.CONVERGED


def generated(
    kind: str,
    cells: int,
    frames: int,
    seed: int,
    contrast: tuple[float, float],
    device: torch.device,
    solids: bool = False,
    open_top: bool = False,
) -> Group:
    """Random frames of one kind and size; the clock starts at the density, which lies in device memory."""
    cases = []
    for k in range(frames):
        rho, solid, noise = (torch.from_numpy(a) for a in problems.fields(kind, cells, seed + k, contrast, solids))
        rho, solid = rho.to(device), solid.to(device)

        def assemble(rho: torch.Tensor = rho, solid: torch.Tensor = solid) -> PoissonSystem:
            return PoissonSystem.from_density(rho, solid=solid, open_top=open_top)

        cases.append(Case(assemble, assemble().project(noise)))
    return Group(kind + " + solids" * solids + " + open top" * open_top, cells, cases)


def from_files(name: str, files: Sequence[Path], device: torch.device, warm: bool) -> Group:
    """Recorded systems: assembled already, as they are in a running simulation."""
    cases = []
    for file in files:
        system, b = (matrix_market if matrix_market.is_named(file) else recorded_systems).read(file)
        ny, nx = system.shape
        there = PoissonSystem.empty(ny, nx, device=device)
        there.copy_from(system)
        cases.append(Case(lambda system=there: system, there.project(b)))  # type: ignore[misc]
    ny, nx = cases[0].b.shape
    return Group(name, ny * nx, cases, warm)


def run_methods(
    methods: Sequence[str],
    group: Group,
    rtol: float,
    device: torch.device,
    max_iterations: int,
    weights: str | None = None,
    each: Callable[[str], None] = lambda method: None,
    engines: Sequence[str] = ("auto",),
) -> dict[str, list[Run]]:
    """Every method on every case, the methods taking turns so that a slow minute of the machine affects all of them.

    X
        each(method) is called before every solve, for a progress display.
    """
    first = group.cases[0].assemble()
    solvers = {
        label(method, engine, engines): solver_of(method, first, device, weights, not group.warm, engine)
        for method in methods
        for engine in (engines if method not in OUTSIDE else engines[:1])
    }
    runs: dict[str, list[Run]] = {name: [] for name in solvers}
    last: dict[str, torch.Tensor | None] = dict.fromkeys(solvers)
    for method, solve in solvers.items():
        for _ in range(WARM_UP if device.type == "cuda" else int(not group.warm)):
            each(method)
            solve.forget()
            _run(solve, group.cases[0], None, rtol, max_iterations, device)
        if device.type == "cuda":
            solve.forget()
    for case in group.cases:
        for method, solve in solvers.items():
            each(method)
            run, x = _run(solve, case, last[method], rtol, max_iterations, device)
            runs[method].append(run)
            if group.warm:
                last[method] = x
    return runs


def label(method: str, engine: str, engines: Sequence[str]) -> str:
    """What a row is called."""
    return method if engine == engines[0] else f"{method}, {engine}"


class Measured:
    """A method that is to be timed, from this project or outside of it: solve(system, b, rtol, max_iterations, x0)."""

    def __init__(self, solve: Callable[..., Solution], forget: Callable[[], None], cold: bool) -> None:
        """forget: drops what the method keeps from one solve to the next, but buffers and what is recorded."""
        self._solve, self.forget, self._cold = solve, forget, cold

    def __call__(
        self, system: PoissonSystem, b: torch.Tensor, rtol: float, max_iterations: int, x0: torch.Tensor | None
    ) -> Solution:
        if self._cold:
            self.forget()
        return self._solve(system, b, rtol, max_iterations, x0)


def solver_of(
    method: str,
    system: PoissonSystem,
    device: torch.device,
    weights: str | None,
    cold: bool = True,
    engine: str = "auto",
) -> Measured:
    """A preconditioner, or a library outside this project. cold: nothing is kept from one solve to the next."""
    if method in OUTSIDE:
        return Measured(OUTSIDE[method].solve, lambda: None, cold)
    own = weights if entry(method).takes_weights else None
    solver = Solver(method, system, device=device, fallback=(), weights=own, engine=engine)
    if solver.effective_method != method:
        raise ValueError(solver.notice)

    def solve(
        system: PoissonSystem, b: torch.Tensor, rtol: float, max_iterations: int, x0: torch.Tensor | None
    ) -> Solution:
        return solver.solve(system, b, rtol=rtol, max_iterations=max_iterations, x0=x0)

    return Measured(solve, solver.forget, cold)


def _run(
    solve: Measured, case: Case, x0: torch.Tensor | None, rtol: float, cap: int, device: torch.device
) -> tuple[Run, torch.Tensor | None]:
    start = now(device)
    try:
        solution = solve(case.assemble(), case.b, rtol, cap, x0)
    except (RuntimeError, MemoryError, ValueError) as error:  # a rival's library may raise instead of reporting
        run = Run(None, cap, math.nan, 0.0, 0.0, 0.0, 1000 * (now(device) - start), error=str(error))
        return run, None
    total = 1000 * (now(device) - start)
    iterations = solution.iterations if solution.status is Status.CONVERGED else cap
    times = (solution.setup_ms, solution.inference_ms, solution.solve_ms, total)
    run = Run(solution.status, iterations, solution.residual, *times, history=solution.history)
    return run, solution.x


def timed(group: Group, runs: Sequence[Run]) -> Iterator[Run]:
    """The runs whose times count: all of a cold group; all but the first of a warm one, which paid for the warm-up."""
    return iter(runs[1:] if group.warm and len(runs) > 1 else runs)
