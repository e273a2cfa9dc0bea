"""Random pressure systems of the kinds that the benchmark and the training use.

Heavy density c (log-uniform in a range), light density 1; x and y in [0, 1] are cell centres, y up.

barrier   1-3 walls of heavy fluid, vertical or horizontal, centre U[.2, .8], thickness U[.05, .2], each with a gap:
          top (wall where the coordinate along it > .2), bottom (< .8), middle hole (except .4 to .6) or none (closed);
          then every cell times 1 + N(0, .05). The frames of arXiv 2605.13343, whose grids these are.
closed    the same with every gap closed.
blobs     8 discs, centre U[0, 1]^2, radius U[.03, .2], and a pool below y = .3 + .05 sin 9x.
spray     each cell heavy with probability .1.
checker   each cell heavy with probability .5, independently (a regular checkerboard has constant coefficients).
filament  heavy where sin(2 pi (x W / 12 + 2 sin 5y)) > 0, W cells across.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from .support import argument_checks
from .system import PoissonSystem

KINDS = ("barrier", "closed", "blobs", "spray", "checker", "filament")
GAPS = ("top", "bottom", "middle_hole", "closed")


def frame(
    kind: str,
    cells: int,
    seed: int,
    contrast: tuple[float, float] | float = (5, 100),
    solids: bool = False,
    open_top: bool = False,
) -> tuple[PoissonSystem, torch.Tensor]:
    """One random system and its right-hand side b ~ N(0, I), projected; (ny, nx) float64 on the CPU.

    The grid is W = ceil(sqrt cells) wide and H = ceil(cells / W) high; of its cells in Morton order the first `cells`
    are kept, the others are solid (46x45 cut to 2048, 91x91 cut to 8192). dx = dt = 1, arithmetic face means.
    contrast: range of the heavy density, or one number.  solids: a disc and two walls with gaps besides.
    Raises ValueError for an unknown kind and numbers out of range, TypeError for wrong types.
    """
    rho, solid, noise = fields(kind, cells, seed, contrast, solids)
    system = PoissonSystem.from_density(rho, open_top=open_top, solid=solid)
    return system, system.project(noise)


def fields(
    kind: str, cells: int, seed: int, contrast: tuple[float, float] | float = (5, 100), solids: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `frame` is made of: density, solid cells (bool) and N(0, I), each (ny, nx)."""
    argument_checks.choice(kind, "kind", KINDS)
    shape = grid_shape(cells)
    rng = np.random.default_rng(argument_checks.count(seed, "seed", 0))
    rho = density(kind, shape, rng, contrast)
    solid = morton_rank(shape) >= cells
    if argument_checks.flag(solids, "solids"):
        solid |= obstacles(shape, rng)
    return rho, solid, rng.standard_normal(shape)


def density(
    kind: str, shape: tuple[int, int], seed: int | np.random.Generator, contrast: tuple[float, float] | float = (5, 100)
) -> np.ndarray:
    """A density field of that kind, (ny, nx) float64, light fluid 1. seed: an integer or a numpy generator."""
    argument_checks.choice(kind, "kind", KINDS)
    rng = np.random.default_rng(seed)
    low, high = _range(contrast)
    heavy = math.exp(rng.uniform(math.log(low), math.log(high)))
    x, y = _centres(shape)
    if kind in ("barrier", "closed"):
        where = _barriers(x, y, rng, GAPS if kind == "barrier" else ("closed",))
        return np.where(where, heavy, 1.0) * (1 + 0.05 * rng.standard_normal(shape))
    if kind == "blobs":
        where = y < 0.3 + 0.05 * np.sin(9 * x)
        for _ in range(8):
            cx, cy, radius = rng.uniform(), rng.uniform(), rng.uniform(0.03, 0.2)
            where = where | ((x - cx) ** 2 + (y - cy) ** 2 < radius**2)
    elif kind == "filament":
        where = np.sin(2 * np.pi * (x * shape[1] / 12 + 2 * np.sin(5 * y))) > 0
    else:
        where = rng.uniform(size=shape) < (0.1 if kind == "spray" else 0.5)
    return np.where(where, heavy, 1.0)


def obstacles(shape: tuple[int, int], seed: int | np.random.Generator) -> np.ndarray:
    """Solid cells, (ny, nx) bool: a disc, and an upright and a level wall with a gap each, at random places."""
    rng = np.random.default_rng(seed)
    x, y = _centres(shape)
    cx, cy, radius = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.15)
    solid = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
    for across, along, n in ((x, y, shape[1]), (y, x, shape[0])):
        place, gap, half = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.9), max(0.5 / n, 0.01)  # at least one cell thick
        solid |= (abs(across - place) <= half) & (abs(along - gap) > 0.08)
    return solid


def grid_shape(cells: int) -> tuple[int, int]:
    """(H, W) of the grid that holds that many cells: W = ceil(sqrt cells), H = ceil(cells / W)."""
    cells = argument_checks.count(cells, "cells", 1)
    width = math.isqrt(cells - 1) + 1
    return -(-cells // width), width


def morton_rank(shape: tuple[int, int]) -> np.ndarray:
    """Each cell's place in Morton order (bits of column and row interleaved), (ny, nx) int64."""
    rows, columns = (index.astype(np.int64) for index in np.indices(shape))
    code = np.zeros(shape, dtype=np.int64)
    for bit in range(max(shape).bit_length()):
        code |= ((columns >> bit) & 1) << (2 * bit) | ((rows >> bit) & 1) << (2 * bit + 1)
    rank = np.empty(code.size, dtype=np.int64)
    rank[np.argsort(code, axis=None)] = np.arange(code.size)
    return rank.reshape(shape)


def _barriers(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, gaps: tuple[str, ...]) -> np.ndarray:
    where = np.zeros(x.shape, dtype=bool)
    for _ in range(rng.integers(1, 4)):
        across, along = (x, y) if rng.uniform() < 0.5 else (y, x)
        centre, thickness, gap = rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.2), gaps[rng.integers(len(gaps))]
        wall = abs(across - centre) < thickness / 2
        if gap == "top":
            wall &= along > 0.2
        elif gap == "bottom":
            wall &= along < 0.8
        elif gap == "middle_hole":
            wall &= (along < 0.4) | (along > 0.6)
        where |= wall
    return where


def _centres(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    ny, nx = shape
    y, x = np.meshgrid((np.arange(ny) + 0.5) / ny, (np.arange(nx) + 0.5) / nx, indexing="ij")
    return x, y


def _range(contrast: tuple[float, float] | float) -> tuple[float, float]:
    pair = contrast if isinstance(contrast, (tuple, list)) else (contrast, contrast)
    if len(pair) != 2:
        raise ValueError(f"contrast is {contrast!r}; pass a range (low, high) or one number.")
    low, high = (argument_checks.positive(value, "contrast") for value in pair)
    if low > high:
        raise ValueError(f"contrast is {contrast!r}; pass the lower end first.")
    return low, high
