"""Random systems of `--suite trust`, and their operator assembled a second time, independently, by SciPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import problems
from ..system import PoissonSystem

if TYPE_CHECKING:
    import scipy.sparse

LARGEST = 9000  # cells: the published sizes up to 8,192, and the grids a window shows
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Case:
    """One random solve: the system, b (ny, nx), rtol, the iteration limit, and a word on what it is.

    faces: beta_x, beta_y as they were before air took cells away;  reaction (ny, nx) as it was given;  air (ny, nx)
    bool: cells with p = 0.  From these the operator is assembled a second time.
    cut_short: the limit is low on purpose, to see how that end is reported.
    """

    system: PoissonSystem
    faces: tuple[np.ndarray, np.ndarray]
    reaction: np.ndarray
    air: np.ndarray
    b: np.ndarray
    rtol: float
    max_iterations: int
    cut_short: bool
    description: str


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


def random_case(seed: int) -> Case:
    """A system of 1 to 9,000 cells, log-uniform, one in eight a single row or column; everything else random too.

    Contrast 1 to 10^6 log-uniform, to 10^9 in one of six; faces across x 10^-4 to 10^4 times the others' in one of
    five; air with p = 0 in one of four; reaction in scattered cells in one of four; every kind of problems.py; in a
    third of them 5% noise on the density; obstacles, straight walls that cut the domain into closed regions, scattered
    solid cells; open and closed tops; b with an offset per region that no pressure balances; rtol 1e-8 to 1e-4
    log-uniform; now and then a low iteration limit.
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
    own = np.random.default_rng((seed, 1))  # what came later, so that the rest of every seed stays what it was
    if own.uniform() < 1 / 6:
        contrast **= 1.5
        system = PoissonSystem.from_density(rho**1.5, open_top=open_top, solid=solid)
    stretch = 10 ** own.uniform(-4, 4) if own.uniform() < 1 / 5 else 1.0
    system.beta_x *= stretch
    faces = system.beta_x.numpy().copy(), system.beta_y.numpy().copy()
    air, reaction = np.zeros(shape, dtype=bool), np.zeros(shape)
    if own.uniform() < 1 / 4:
        air = problems.density("blobs", shape, own, 2.0) < 1.5 if own.uniform() < 0.5 else own.random(shape) < 0.1
    if own.uniform() < 1 / 4:
        typical = 10 ** own.uniform(-6, 2) * float(system.beta_y.max())
        reaction = typical * 10 ** own.uniform(-1, 1, shape) * (own.random(shape) < own.choice((0.02, 0.3, 1.0)))
    system = PoissonSystem.from_faces(*faces, open_top, solid, reaction, air)
    solid = system.solid.numpy()
    b = rng.standard_normal(shape)
    offset = 10 ** rng.uniform(-3, 2) if rng.uniform() < 0.5 else 0.0
    labels = components(system)
    b += (offset * rng.standard_normal(labels.max() + 1))[labels]
    rtol = 10 ** rng.uniform(-8, -4)
    cut_short = bool(rng.uniform() < 0.03)
    limit = int(rng.integers(1, 30)) if cut_short else 20_000
    description = (
        f"{shape[0]}x{shape[1]} {kind} {contrast:.3g}:1{' noisy' if noisy else ''}, {walls}, "
        f"{'open' if open_top else 'closed'} top{', air' * bool(air.any())}{', reaction' * bool(reaction.any())}, "
        f"x faces times {stretch:.2g}, offset {offset:.2g}, rtol {rtol:.1e}, limit {limit}"
    )
    return Case(system, faces, reaction, air, b, rtol, limit, cut_short, description)


def assemble(case: Case) -> Truth:
    """A as the sum over faces of beta (e_i - e_j)(e_i - e_j)^T, that is G^T diag(beta) G with a difference matrix G."""
    from scipy.sparse import csr_matrix, diags, eye, hstack, kron, vstack

    beta_x, beta_y = case.faces
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
    extra = diags((top + case.reaction).ravel())
    A = (G.T @ diags(weights) @ G + extra).tocsr()[inside][:, inside]  # what couples to air stays on the diagonal
    labels, values = components(case.system)[fluid], case.b[fluid]
    outlet = (top > 0) | (case.reaction > 0)
    outlet[:, :-1] |= case.air[:, 1:] & (beta_x[:, 1:-1] > 0)
    outlet[:, 1:] |= case.air[:, :-1] & (beta_x[:, 1:-1] > 0)
    outlet[:-1] |= case.air[1:] & (beta_y[1:-1] > 0)
    outlet[1:] |= case.air[:-1] & (beta_y[1:-1] > 0)
    opened = np.bincount(labels, weights=outlet[fluid], minlength=1) > 0
    sizes = np.maximum(np.bincount(labels, minlength=1), 1)
    projected = values
    for _ in range(2):  # twice: beside a large offset the first mean is off by the rounding of b
        means = np.bincount(labels, weights=projected, minlength=1) / sizes
        projected = projected - np.where(opened, 0.0, means)[labels]
    alone = (sizes == 1) & ~opened  # such a cell balances nothing: exactly 0, where the mean may leave rounding
    return Truth(A, fluid, values, np.where(alone[labels], 0.0, projected))


def components(system: PoissonSystem) -> np.ndarray:
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
