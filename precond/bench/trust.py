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
from typing import TYPE_CHECKING

import numpy as np

from .. import problems
from ..solver import Solution, Solver
from ..status import Status
from ..support import argument_checks
from ..system import PoissonSystem

if TYPE_CHECKING:
    import scipy.sparse

LARGEST = 9000  # cells: the published sizes up to 8,192, and the grids a window shows
SLACK = 1.05  # another order of summation may find the residual this much above a tolerance that was reached
SUCCESS = 0.99  # of the solves by multigrid must converge where float64 allows it; the rest must say so truly
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Case:
    """One random solve: the system, b (ny, nx), rtol, the iteration limit, and a word on what it is.

    cut_short: the limit is low on purpose, to see how that end is reported.
    """

    system: PoissonSystem
    b: np.ndarray
    rtol: float
    max_iterations: int
    cut_short: bool
    description: str


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
        """A table by method, then every violation with the seed that brings it back."""
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


@dataclass(frozen=True)
class Truth:
    """The independent view of one case: A over the fluid cells, which these are, and P b and b in them."""

    A: scipy.sparse.csr_matrix
    fluid: np.ndarray
    b: np.ndarray
    Pb: np.ndarray

    @property
    def incompatibility(self) -> float:
        """||b - P b|| / ||b||."""
        size = float(np.linalg.norm(self.b))
        return float(np.linalg.norm(self.b - self.Pb)) / size if size else 0.0

    def residual(self, x: np.ndarray) -> float:
        """||P b - A x|| / ||P b||, x (ny, nx)."""
        return float(np.linalg.norm(self.Pb - self.A @ x[self.fluid]) / np.linalg.norm(self.Pb))

    def rounding(self, x: np.ndarray) -> float:
        """eps || |A| |x| || / ||P b||: below it no residual can be computed in float64, whatever the method."""
        noise = abs(self.A) @ np.abs(x[self.fluid])
        return float(EPSILON * np.linalg.norm(noise) / np.linalg.norm(self.Pb))


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
    """What to keep of a solve that did not converge."""
    x = solution.x.numpy()
    residual, rounding = truth.residual(x) / case.rtol, truth.rounding(x) / case.rtol
    return Failure(seed, method, solution.status.name, residual, rounding, case.cut_short, case.description)


def solve(case: Case, method: str) -> Solution:
    """The case by one method alone, on the CPU."""
    solver = Solver(method, case.system, device="cpu", fallback=())
    return solver.solve(case.system, case.b, rtol=case.rtol, max_iterations=case.max_iterations)


def random_case(seed: int) -> Case:
    """A system of 1 to 9,000 cells, log-uniform, one in eight a single row or column; everything else random too.

    Contrast 1 to 10^6 log-uniform; every kind of problems.py; in a third of them 5% noise on the density; obstacles,
    straight walls that cut the domain into closed regions, scattered solid cells; open and closed tops; b with an
    offset per region that no pressure balances; rtol 1e-8 to 1e-4 log-uniform; now and then a low iteration limit.
    """
    rng = np.random.default_rng(seed)
    shape = _shape(rng)
    kind = problems.KINDS[rng.integers(len(problems.KINDS))]
    contrast = 10 ** rng.uniform(0, 6)
    rho = problems.density(kind, shape, rng, contrast)
    noisy = rng.uniform() < 1 / 3
    if noisy:
        rho = rho * np.exp(0.05 * rng.standard_normal(shape))
    rho = np.maximum(rho, 0.05)  # the kinds' own noise of 5% is normal, so without a bound it might reach 0
    solid, walls = _solids(rng, shape)
    open_top = bool(rng.uniform() < 0.5)
    system = PoissonSystem.from_density(rho, open_top=open_top, solid=solid)
    b = rng.standard_normal(shape)
    offset = 10 ** rng.uniform(-3, 2) if rng.uniform() < 0.5 else 0.0
    labels = _labels(system)
    b += (offset * rng.standard_normal(labels.max() + 1))[labels]
    rtol = 10 ** rng.uniform(-8, -4)
    cut_short = bool(rng.uniform() < 0.03)
    limit = int(rng.integers(1, 30)) if cut_short else 20_000
    description = (
        f"{shape[0]}x{shape[1]} {kind} {contrast:.3g}:1{' noisy' if noisy else ''}, {walls}, "
        f"{'open' if open_top else 'closed'} top, offset {offset:.2g}, rtol {rtol:.1e}, limit {limit}"
    )
    return Case(system, b, rtol, limit, cut_short, description)


def assemble(case: Case) -> Truth:
    """A as the sum over faces of beta (e_i - e_j)(e_i - e_j)^T, that is G^T diag(beta) G with a difference matrix G."""
    from scipy.sparse import csr_matrix, diags, eye, hstack, kron, vstack

    beta_x, beta_y = case.system.beta_x.numpy(), case.system.beta_y.numpy()
    solid = case.system.solid.numpy()
    ny, nx = solid.shape

    def differences(n: int) -> scipy.sparse.csr_matrix:
        """(n - 1, n): the value behind a face less the one before it."""
        none = csr_matrix((n - 1, 1))
        return hstack((none, eye(n - 1))) - hstack((eye(n - 1), none)) if n > 1 else csr_matrix((0, 1))

    G = vstack((kron(eye(ny), differences(nx)), kron(differences(ny), eye(nx)))).tocsr()
    weights = np.concatenate((beta_x[:, 1:-1].ravel(), beta_y[1:-1].ravel()))
    top = np.zeros((ny, nx))
    top[-1] = beta_y[-1]
    fluid = ~solid
    inside = np.flatnonzero(fluid)
    A = (G.T @ diags(weights) @ G + diags(top.ravel())).tocsr()[inside][:, inside]
    labels, values = _labels(case.system)[fluid], case.b[fluid]
    opened = np.bincount(labels, weights=top[fluid] > 0, minlength=1) > 0
    sizes = np.maximum(np.bincount(labels, minlength=1), 1)
    projected = values
    for _ in range(2):  # twice: beside a large offset the first mean is off by the rounding of b
        means = np.bincount(labels, weights=projected, minlength=1) / sizes
        projected = projected - np.where(opened, 0.0, means)[labels]
    alone = (sizes == 1) & ~opened  # such a cell balances nothing: exactly 0, where the mean may leave rounding
    return Truth(A, fluid, values, np.where(alone[labels], 0.0, projected))


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
    # Without rounding as an excuse, only a full window without progress may end a solve: status.py, pcg.py.
    window = max(500, 4 * math.isqrt(truth.fluid.size))
    if solution.status is Status.STAGNATED and rounding < 0.01 * case.rtol and solution.iterations < window:
        found.append(f"STAGNATED at {true:.1e} after {solution.iterations}, although rounding is {rounding:.1e}")
    return found


def _labels(system: PoissonSystem) -> np.ndarray:
    """Connected components of the open faces by SciPy, (ny, nx); solid cells are components of their own."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ny, nx = system.shape
    index = np.arange(ny * nx).reshape(ny, nx)
    open_x, open_y = system.beta_x.numpy()[:, 1:-1] > 0, system.beta_y.numpy()[1:-1] > 0
    a = np.concatenate((index[:, :-1][open_x], index[:-1][open_y]))
    b = np.concatenate((index[:, 1:][open_x], index[1:][open_y]))
    graph = coo_matrix((np.ones(a.size), (a, b)), shape=(ny * nx, ny * nx))
    return connected_components(graph, directed=False)[1].reshape(ny, nx)


def _shape(rng: np.random.Generator) -> tuple[int, int]:
    cells = math.exp(rng.uniform(0, math.log(LARGEST)))
    if rng.uniform() < 1 / 8:
        line = max(1, round(cells))
        return (1, line) if rng.uniform() < 0.5 else (line, 1)
    aspect = math.exp(rng.uniform(-1, 1))
    ny = max(1, round(math.sqrt(cells * aspect)))
    return ny, max(1, min(round(cells / ny), LARGEST // ny))


def _solids(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, str]:
    """None, obstacles, walls across the domain, scattered cells, or walls and scattered cells."""
    choice = ("no solids", "obstacles", "walls", "scattered solids", "walls and scattered solids")[rng.integers(5)]
    solid = np.zeros(shape, dtype=bool)
    if choice == "obstacles":
        solid |= problems.obstacles(shape, rng)
    if "walls" in choice:
        for _ in range(rng.integers(1, 5)):
            if rng.uniform() < 0.5:
                solid[rng.integers(shape[0])] = True
            else:
                solid[:, rng.integers(shape[1])] = True
    if "scattered" in choice:
        solid |= rng.uniform(size=shape) < rng.choice((0.05, 0.2, 0.4))
    return solid, choice
