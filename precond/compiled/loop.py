"""The loop of conjugate gradients as one compiled call.

A preconditioner that offers a compiled form brings a kernel of this shape, in which its own product is compiled into
the loop:

    @kernel
    def iterate(loop, data, count):
        for _ in range(count):
            scale(data, loop.r, loop.z)       # z = M r, flat vectors (N,)
            if not advance(loop):
                break

Others have their `apply` called between two compiled pieces. Vectors are flat and row-major; x and p have nx zeros
before and behind, so that neighbours are the same memory shifted (see stencil.py). Loops run over flat arrays with no
rows in them, which is what lets the compiler use vector instructions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from ..preconditioner import Preconditioner
from ..right_hand_side import RightHandSide, Task
from ..stopping import Progress
from ..support.units import power_of_two_over
from ..system import PoissonSystem
from ..topology import Projector
from .jit import kernel

MAGNITUDE = 0x7FFF_FFFF_FFFF_FFFF  # all bits of a float64 but its sign
EPSILON = float(np.finfo(np.float64).eps)
CHUNK_CELLS = 4_000_000  # cell updates in a compiled call, some 10 ms: between two looks at should_stop
LONGEST = 4096  # iterations in one call
CLEANED = 8  # iterations between two projections of r: constants that rounding leaves there are no longer harmless when
# M answers them with something else, as multigrid does, which ties one cell down; 3,000 iterations instead of 19
INTERPRETED = 8  # ... where M is not compiled: an iteration may then take long

# places in Vectors.scalars
LAST, TARGET, ENERGY, RZ, PQ, RR = range(6)
# places in Vectors.numbers
COUNT, STATE, PROJECTION, REGIONS, FLEXIBLE, WIDTH, UNCLEANED = range(7)
# values of numbers[STATE]
RUNNING, REACHED, BREAKDOWN = range(3)
# values of numbers[PROJECTION]
NOTHING, MEAN, HIDDEN, HIDDEN_MEAN, BY_REGION = range(5)


class Vectors(NamedTuple):
    """What a solve works on; N cells, nx of them in a row.

    x, p: (N + 2 nx,), zeros before and behind.  r, z, q, b: (N,).  diagonal (N,), west (N + 1,), south (N + nx,): A.
    keep: (N,) bool, False where the solution is held at 0.  region: (N,) int32, the closed region of a cell or -1.
    weight: (regions,) 1 / cells of each closed region, 0 of an open one;  sums: (regions,) scratch.
    scalars (6,), numbers (7,): see the places above.  history: (LONGEST,) r.r after each iteration.
    """

    x: np.ndarray
    p: np.ndarray
    r: np.ndarray
    z: np.ndarray
    q: np.ndarray
    b: np.ndarray
    diagonal: np.ndarray
    west: np.ndarray
    south: np.ndarray
    keep: np.ndarray
    region: np.ndarray
    weight: np.ndarray
    sums: np.ndarray
    scalars: np.ndarray
    numbers: np.ndarray
    history: np.ndarray


# Pieces -------------------------------------------------------------------------------------------------------------


@kernel
def load_faces(beta_x, beta_y, reaction, diagonal, west, south):
    """Flat coefficients and the diagonal from (ny, nx + 1), (ny + 1, nx) and (ny, nx); returns the diagonal's sum."""
    ny, nx = beta_x.shape[0], beta_y.shape[1]
    total = 0.0
    for j in range(ny):
        row, here, above, own = beta_x[j], beta_y[j], beta_y[j + 1], reaction[j]
        start = j * nx
        d, w, s = diagonal[start : start + nx], west[start : start + nx], south[start : start + nx]
        for i in range(nx):
            w[i] = row[i]
            s[i] = here[i]
            d[i] = row[i] + row[i + 1] + here[i] + above[i] + own[i]
            total += d[i]
    for i in range(nx):
        south[ny * nx + i] = beta_y[ny, i]
    return total


@kernel
def clean(given, solid, out):
    """out = given, 0 in solids; returns the bits of the largest |out|, which are those of NaN if there is one."""
    largest = np.int64(0)
    bits = out.view(np.int64)
    for k in range(out.size):
        out[k] = 0.0 if solid[k] else given[k]
    for k in range(out.size):
        largest = max(largest, bits[k] & MAGNITUDE)
    return largest


@kernel
def scale_and_project(loop, scale, b, out):
    """b = scale b, out = P b; returns the squares of out, b and b - out."""
    for k in range(b.size):
        b[k] *= scale
        out[k] = b[k]
    project(loop, out)
    project(loop, out)  # the first mean is off by rounding of b
    square, size, removed = 0.0, 0.0, 0.0
    for k in range(b.size):
        square += out[k] * out[k]
        size += b[k] * b[k]
        removed += (b[k] - out[k]) * (b[k] - out[k])
    return square, size, removed


@kernel
def product(x, diagonal, west, south, width, out):
    """out = A x; returns x . A x. The top faces of an open box meet the zeros behind x."""
    n = diagonal.size
    centre, left, right = x[width : width + n], x[width - 1 : width - 1 + n], x[width + 1 : width + 1 + n]
    below, above = x[:n], x[2 * width : 2 * width + n]
    east, north = west[1 : n + 1], south[width : width + n]
    total = 0.0
    for k in range(n):
        value = (
            diagonal[k] * centre[k] - west[k] * left[k] - east[k] * right[k] - south[k] * below[k] - north[k] * above[k]
        )
        out[k] = value
        total += value * centre[k]
    return total


@kernel
def residual(b, x, diagonal, west, south, width, out):
    """out = b - A x; returns its square and that of D x."""
    n = diagonal.size
    centre, left, right = x[width : width + n], x[width - 1 : width - 1 + n], x[width + 1 : width + 1 + n]
    below, above = x[:n], x[2 * width : 2 * width + n]
    east, north = west[1 : n + 1], south[width : width + n]
    total, size = 0.0, 0.0
    for k in range(n):
        own = diagonal[k] * centre[k]
        value = b[k] - own + west[k] * left[k] + east[k] * right[k] + south[k] * below[k] + north[k] * above[k]
        out[k] = value
        total += value * value
        size += own * own
    return total, size


@kernel
def project(loop, v):
    """v (N,) = P v."""
    kind = loop.numbers[PROJECTION]
    n = v.size
    if kind == NOTHING:
        return
    keep = loop.keep
    if kind != MEAN:
        for k in range(n):
            v[k] = v[k] if keep[k] else 0.0  # a preconditioner may leave NaN where it has no equation
    if kind == BY_REGION:
        region, weight, sums = loop.region, loop.weight, loop.sums
        sums[:] = 0.0
        for k in range(n):
            if region[k] >= 0:
                sums[region[k]] += v[k]
        for k in range(sums.size):
            sums[k] *= weight[k]
        for k in range(n):
            if region[k] >= 0:
                v[k] -= sums[region[k]]
    elif kind != HIDDEN:
        total = 0.0
        for k in range(n):
            total += v[k]
        mean = total * loop.weight[0]
        if kind == MEAN:
            for k in range(n):
                v[k] -= mean
        else:
            for k in range(n):
                v[k] = v[k] - mean if keep[k] else 0.0


@kernel
def sums_of(r, z):
    """sum z, z . r, sum r."""
    total, inner, other = 0.0, 0.0, 0.0
    for k in range(r.size):
        total += z[k]
        inner += z[k] * r[k]
        other += r[k]
    return total, inner, other


@kernel
def shifted_direction(z, shift, beta, p):
    """p = z - shift + beta p."""
    for k in range(z.size):
        p[k] = z[k] - shift + beta * p[k]


@kernel
def update(alpha, p, q, x, r):
    """x += alpha p, r -= alpha q; returns r . r."""
    total = 0.0
    for k in range(r.size):
        x[k] += alpha * p[k]
        r[k] -= alpha * q[k]
        total += r[k] * r[k]
    return total


@kernel
def advance(loop):
    """From z = M r to the next x and r; False when the solve has to look up."""
    r, z, q, width, scalars = loop.r, loop.z, loop.q, loop.numbers[WIDTH], loop.scalars
    n = r.size
    p = loop.p[width : width + n]
    shift = 0.0
    if loop.numbers[PROJECTION] == MEAN:
        total, rz, other = sums_of(r, z)
        shift = total * loop.weight[0]
        rz -= shift * other
    else:
        project(loop, z)
        total, rz, other = sums_of(r, z)
    flexible = loop.numbers[FLEXIBLE] == 1
    last = scalars[LAST]
    if flexible:
        total, zq, other = sums_of(q, z)
        beta = -(zq - shift * other) / last if last < math.inf else 0.0
    else:
        beta = rz / last if last < math.inf else 0.0
    shifted_direction(z, shift, beta, p)
    return step(loop, rz)


@kernel
def step(loop, rz):
    """From the direction p and r . z to the next x and r; False when the solve has to look up."""
    width, scalars, numbers = loop.numbers[WIDTH], loop.scalars, loop.numbers
    n = loop.r.size
    pq = product(loop.p, loop.diagonal, loop.west, loop.south, width, loop.q)
    scalars[RZ], scalars[PQ] = rz, pq
    if not (rz > 0.0 and pq > 0.0):  # NaN as well
        numbers[STATE] = BREAKDOWN
        return False
    scalars[LAST] = pq if numbers[FLEXIBLE] == 1 else rz
    rr = update(rz / pq, loop.p[width : width + n], loop.q, loop.x[width : width + n], loop.r)
    scalars[RR] = rr
    scalars[ENERGY] += rz * (rz / pq)
    loop.history[numbers[COUNT]] = rr
    numbers[COUNT] += 1
    numbers[UNCLEANED] += 1
    if numbers[UNCLEANED] == CLEANED:
        numbers[UNCLEANED] = 0
        project(loop, loop.r)
    if not rr > scalars[TARGET]:
        numbers[STATE] = REACHED
        return False
    return True


@kernel
def begin_again(loop):
    """r = P (b - A x), p = 0, q = 0."""
    width = loop.numbers[WIDTH]
    residual(loop.b, loop.x, loop.diagonal, loop.west, loop.south, width, loop.r)
    project(loop, loop.r)
    loop.p[:] = 0.0
    loop.q[:] = 0.0
    loop.scalars[LAST] = math.inf
    loop.numbers[STATE] = RUNNING
    loop.numbers[UNCLEANED] = 0
    total = 0.0
    for k in range(loop.r.size):
        total += loop.r[k] * loop.r[k]
    loop.scalars[RR] = total


@kernel
def take(given, b):
    """b = given; returns its square."""
    total = 0.0
    for k in range(b.size):
        b[k] = given[k]
        total += b[k] * b[k]
    return total


@kernel
def look(loop):
    """Projects x; the squares of b - A x and of D x. z is spent."""
    width = loop.numbers[WIDTH]
    project(loop, loop.x[width : width + loop.r.size])
    return residual(loop.b, loop.x, loop.diagonal, loop.west, loop.south, width, loop.z)


@kernel
def plain_step(loop, scaled):
    """(r.y)^2 / y.A y with y = P D^-1 r and r = b - A x; scaled: as x, zeros. z and nothing else is spent."""
    width, n, z = loop.numbers[WIDTH], loop.r.size, loop.z
    residual(loop.b, loop.x, loop.diagonal, loop.west, loop.south, width, z)
    y = scaled[width : width + n]
    for k in range(n):
        d = loop.diagonal[k]
        y[k] = z[k] / d if d > 0.0 else 0.0
    project(loop, y)
    won = 0.0
    for k in range(n):
        won += z[k] * y[k]
    size = product(scaled, loop.diagonal, loop.west, loop.south, width, z)
    return won * (won / size) if size > 0.0 else 0.0


def coefficients(system: PoissonSystem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """beta_x, beta_y and reaction for the kernels, no copies."""
    return system.beta_x.numpy(), system.beta_y.numpy(), system.reaction.numpy()


# The loop -----------------------------------------------------------------------------------------------------------


class CompiledLoop:
    """Vectors of one grid shape, and the iteration on them; see pcg.Loop."""

    refused = ""

    def __init__(self, ny: int, nx: int):
        n = self.unknowns = ny * nx
        self.width = nx
        wide, plain = (lambda: np.zeros(n + 2 * nx)), (lambda: np.zeros(n))
        self.vectors = Vectors(
            x=wide(), p=wide(), r=plain(), z=plain(), q=plain(), b=plain(),
            diagonal=plain(), west=np.zeros(n + 1), south=np.zeros(n + nx),
            keep=np.ones(n, bool), region=np.zeros(n, np.int32), weight=np.zeros(1), sums=np.zeros(1),
            scalars=np.zeros(6), numbers=np.zeros(7, np.int64), history=np.zeros(LONGEST),
        )  # fmt: skip
        self.vectors.numbers[WIDTH] = nx
        self.r_grid, self.z_grid = (torch.from_numpy(v).view(ny, nx) for v in (self.vectors.r, self.vectors.z))
        self.chunk = max(1, min(LONGEST, CHUNK_CELLS // n))
        self.norm, self._projected = 1.0, torch.zeros(n, dtype=torch.float64)
        self._projector: Projector | None = None

    @property
    def _centre(self) -> np.ndarray:
        return self.vectors.x[self.width : self.width + self.unknowns]

    def load(self, system: PoissonSystem) -> bool:
        """Take over the system's present coefficients; False where their sum is not finite."""
        v = self.vectors
        return math.isfinite(load_faces(*coefficients(system), v.diagonal, v.west, v.south))

    def receive(self, system: PoissonSystem, task: Task) -> RightHandSide | None:
        """See pcg.Loop."""
        v = self.vectors
        system.copy_from(task.source)
        self._take_up(system.topology.projector)
        finite = self.load(system)
        bits = clean(task.b.to("cpu").contiguous().view(-1).numpy(), system.solid.view(-1).numpy(), v.r)
        largest = float(np.int64(bits).view(np.float64))
        if not (finite and math.isfinite(largest)):
            return None
        scale, projected = power_of_two_over(largest), self._projected
        squares = scale_and_project(self.vectors, scale, v.r, projected.numpy())
        guess = None if task.x0 is None else (task.x0.to("cpu") * scale).reshape(-1)
        norm, size, removed = map(math.sqrt, squares)
        return RightHandSide(projected, scale, norm, size, removed, guess)

    def begin(self, M: Preconditioner, project: Projector, b: RightHandSide, flexible: bool) -> None:
        """Prepare for b with this M."""
        self._take_up(project)
        self.M, form = M, M.compiled()
        self._iterate: Callable[..., Any] | None = None if form is None else form.iterate
        self._data = () if form is None else form.data
        v = self.vectors
        v.numbers[FLEXIBLE] = int(flexible)
        self.norm = math.sqrt(take(b.projected.numpy(), v.b))  # NumPy's dot would wait for the threads of its BLAS

    def start(self, x0: torch.Tensor | None, target: float) -> tuple[float, float]:
        """`true_residual` at x0 (N,), or at 0 if that is no better, from where the iteration begins."""
        self.guess(x0)
        residual, rounding = (1.0, 0.0) if x0 is None else self.true_residual()
        if not residual < 1.0:
            self.guess(None)
            residual, rounding = 1.0, 0.0
        self.restart(target)
        return residual, rounding

    def guess(self, x: torch.Tensor | None) -> None:
        """Set x (N,); None: 0."""
        self._centre[:] = 0.0 if x is None else x.numpy()

    def solution(self) -> torch.Tensor:
        """A copy of x (N,)."""
        return torch.from_numpy(self._centre.copy())

    def true_residual(self) -> tuple[float, float]:
        """||P b - A x|| / ||P b|| after projecting x, which moves it by rounding only, and eps ||D x|| / ||P b||."""
        square, size = look(self.vectors)
        return math.sqrt(square) / self.norm, EPSILON * math.sqrt(size) / self.norm

    def plain_step(self) -> float:
        """The energy (r.y)^2 / y.A y that one step along y = P D^-1 r would win at x, r its true residual."""
        return float(plain_step(self.vectors, np.zeros_like(self.vectors.x)))

    def restart(self, target: float) -> None:
        """Begin anew at the present x, from its true residual, until the recursive one is below the target."""
        self.vectors.scalars[TARGET] = (target * self.norm) ** 2
        begin_again(self.vectors)

    def run(self, most: int, history: list[float]) -> Progress:
        """Run a chunk of at most so many iterations and append the recursive residual after each."""
        v, count = self.vectors, min(most, self.chunk if self._iterate is not None else INTERPRETED)
        v.numbers[COUNT] = 0
        v.scalars[ENERGY] = 0.0
        if self._iterate is not None:
            self._iterate(v, self._data, count)
        else:
            for _ in range(count):
                self.M.apply(self.r_grid, self.z_grid)
                if not advance(v):
                    break
        done = int(v.numbers[COUNT])
        history += (np.sqrt(v.history[:done]) / self.norm).tolist()
        state = int(v.numbers[STATE])
        finite = bool(np.isfinite(v.scalars[RZ:]).all())
        recursive = math.sqrt(v.scalars[RR]) / self.norm if finite else math.nan
        return Progress(state == RUNNING, finite, recursive, state == REACHED, float(v.scalars[ENERGY]))

    def _take_up(self, project: Projector) -> None:
        """The projector's regions in the form of the kernels."""
        if project is self._projector:
            return
        v, self._projector = self.vectors, project
        keep = ~project.hidden.numpy()
        region, weight = project.by_region()
        closed = int((weight > 0).sum())
        if closed == 0:
            kind = HIDDEN if project.masked else NOTHING
        elif closed > 1 or (region[keep] < 0).any():
            kind = BY_REGION
        else:
            kind = HIDDEN_MEAN if project.masked else MEAN
        v.keep[:], v.region[:] = keep, region
        self.vectors = v._replace(weight=weight, sums=np.zeros_like(weight))
        self.vectors.numbers[PROJECTION] = kind
