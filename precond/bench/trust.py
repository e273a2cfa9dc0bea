"""Thousands of random systems, each answer judged by a second, independent computation.

What a solve claims is compared with an assembly of A as a sum over faces in SciPy, regions by SciPy's connected
components and a projection by group means: nothing of it comes from `system.apply`, `to_scipy` or `topology.py`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..solver import Solution, Solver
from ..status import Status
from ..support import argument_checks
from .trust_systems import EPSILON, Case, Truth, assemble, random_case

SLACK = 1.05  # another order of summation may find the residual this much above a tolerance that was reached
SUCCESS = 0.99  # of the solves by multigrid must converge where float64 allows it; the rest must say so truly


@dataclass(frozen=True)
class Violation:
    """A claim that the independent computation contradicts; random_case(seed) makes the system again."""

    seed: int
    method: str
    claim: str
    case: str


@dataclass(frozen=True)
class Failure:
    """A solve that did not converge: the true residual and the rounding of any residual of this x, both over rtol."""

    seed: int
    method: str
    status: str
    residual: float
    rounding: float
    cut_short: bool
    case: str

    @property
    def beyond_float64(self) -> bool:
        """Whether the tolerance lies below what a residual can be computed to: no method could have reached it."""
        return self.rounding >= 1


@dataclass(frozen=True)
class Report:
    """What a campaign found.

    solves: systems x methods.  statuses: {method: {status name: count}}.  failures: every solve that did not converge.
    iterations_mean: {method: mean over the converged}.  worst: largest true residual / rtol among the converged.
    seconds: wall time, the independent computation included.
    """

    count: int
    seed: int
    solves: int
    statuses: dict[str, dict[str, int]]
    iterations_mean: dict[str, float]
    worst: float
    failures: tuple[Failure, ...]
    violations: tuple[Violation, ...]
    seconds: float

    def converged(self, method: str, within_float64: bool = False) -> float:
        """The fraction that converged of that method's solves, less those cut short on purpose.

        within_float64: less those, too, whose tolerance lies below rounding.
        """
        failed = [f for f in self.failures if f.method == method]
        excused = sum(f.cut_short or (within_float64 and f.beyond_float64) for f in failed)
        return 1 - (len(failed) - excused) / max(1, self.count - excused)

    @property
    def passed(self) -> bool:
        """No false claim, and multigrid, if it took part, converged nearly everywhere that float64 allows."""
        reliable = "multigrid" not in self.statuses or self.converged("multigrid", within_float64=True) >= SUCCESS
        return reliable and not self.violations

    def __str__(self) -> str:
        """A table by method, then every violation with the seed that reproduces it."""
        lines = [
            f"{self.count} random systems, seeds {self.seed} to {self.seed + self.count - 1}, {self.seconds:.0f} s"
        ]
        for method, counts in self.statuses.items():
            ends = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            lines.append(
                f"{method}: {ends}; converged {self.converged(method):.2%}, {self.converged(method, True):.2%} of what "
                f"float64 can hold, in {self.iterations_mean[method]:.1f} iterations on average"
            )
        lines.append(
            f"largest true residual of a CONVERGED: {self.worst:.4f} rtol; false claims: {len(self.violations)}"
        )
        lines += [f"  seed {v.seed}, {v.method}: {v.claim} ({v.case})" for v in self.violations]
        return "\n".join(lines)


def campaign(
    count: int,
    seed: int = 0,
    methods: Sequence[str] = ("multigrid", "hierarchy", "jacobi", "dilu"),
    progress: Callable[[int], object] | None = None,
) -> Report:
    """Solve `count` random systems, seeds seed .. seed + count - 1, with every method alone, and judge every answer.

    progress: called with the number of systems done.  Needs SciPy.  Raises ValueError for unknown methods.
    """
    count, seed = argument_checks.count(count, "count", 1), argument_checks.count(seed, "seed", 0)
    statuses: dict[str, Counter[str]] = {method: Counter() for method in methods}
    iterations: dict[str, list[int]] = {method: [] for method in methods}
    failures: list[Failure] = []
    violations: list[Violation] = []
    worst, begin = 0.0, time.perf_counter()
    for done, number in enumerate(range(seed, seed + count), 1):
        case = random_case(number)
        truth = assemble(case)
        for method in methods:
            solution = solve(case, method)
            statuses[method][solution.status.name] += 1
            claims = false_claims(case, truth, method, solution)
            violations += [Violation(number, method, claim, case.description) for claim in claims]
            if solution.status is Status.CONVERGED:
                iterations[method].append(solution.iterations)
                worst = max(worst, truth.residual(solution.x.numpy()) / case.rtol if solution.iterations else 0.0)
            else:
                failures.append(failure(number, method, case, truth, solution))
        if progress is not None:
            progress(done)
    return Report(
        count=count,
        seed=seed,
        solves=count * len(methods),
        statuses={method: dict(counts) for method, counts in statuses.items()},
        iterations_mean={method: float(np.mean(n)) if n else math.nan for method, n in iterations.items()},
        worst=worst,
        failures=tuple(failures),
        violations=tuple(violations),
        seconds=time.perf_counter() - begin,
    )


def failure(seed: int, method: str, case: Case, truth: Truth, solution: Solution) -> Failure:
    """The record of a solve that did not converge."""
    x = solution.x.numpy()
    residual, rounding = truth.residual(x) / case.rtol, truth.rounding(x) / case.rtol
    return Failure(seed, method, solution.status.name, residual, rounding, case.cut_short, case.description)


def solve(case: Case, method: str) -> Solution:
    """The case by one method alone, on the CPU."""
    solver = Solver(method, case.system, device="cpu", fallback=())
    return solver.solve(case.system, case.b, rtol=case.rtol, max_iterations=case.max_iterations)


def false_claims(case: Case, truth: Truth, method: str, solution: Solution) -> list[str]:
    """Every sentence about this solution that the independent view contradicts; an honest solve has none."""
    found = []
    x = solution.x.numpy()
    size, norm = np.linalg.norm(truth.b), np.linalg.norm(truth.Pb)
    nothing = norm <= 1e-13 * size  # all of b is out of balance: P b is rounding
    if not np.isfinite(x).all():
        found.append("x is not finite")
    if x[~truth.fluid].any():
        found.append("x is not 0 in solids")
    if abs(solution.incompatibility - truth.incompatibility) > 1e-10:
        found.append(f"incompatibility {solution.incompatibility} is {truth.incompatibility}")
    if len(solution.history) != solution.iterations or not np.isfinite(solution.history).all():
        found.append(f"history of {len(solution.history)} for {solution.iterations} iterations, or not finite")
    if solution.preconditioner_used != method or len(solution.attempts) != 1:
        found.append(f"tried {solution.attempts}")
    if solution.iterations > case.max_iterations:
        found.append(f"{solution.iterations} iterations pass the limit")
    if solution.status is Status.NOT_FINITE:
        found.append("NOT_FINITE for finite input")
    if solution.status is Status.INDEFINITE:
        found.append("INDEFINITE for symmetric positive definite A and M")
    if nothing:
        if solution.status is not Status.CONVERGED or x.any():
            found.append(f"{solution.status.name} for P b = 0")
        return found
    true, rounding = truth.residual(x), truth.rounding(x)
    if solution.status is Status.CONVERGED and true > SLACK * case.rtol:
        found.append(f"CONVERGED at a true residual of {true:.3e}")
    if abs(solution.residual - true) > 0.05 * true + rounding + 4 * EPSILON * size / norm:
        found.append(f"residual {solution.residual:.3e} is {true:.3e}")
    if solution.status is not Status.CONVERGED and max(true, solution.residual) <= case.rtol and rounding < 0.1 * true:
        found.append(f"{solution.status.name} at a true residual of {true:.3e}")
    if solution.status is Status.ITERATION_LIMIT and solution.iterations != case.max_iterations:
        found.append(f"ITERATION_LIMIT after {solution.iterations}")
    # These methods win energy in every window of a solve, so that only rounding may end one: see stopping.py.
    if solution.status is Status.STAGNATED and rounding < 0.01 * case.rtol:
        found.append(f"STAGNATED at {true:.1e} after {solution.iterations}, although rounding is {rounding:.1e}")
    return found
