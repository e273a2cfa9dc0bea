"""Fields of cells made ready to be drawn: values between cells, means around them, in eight bits."""

from __future__ import annotations

import math

import numpy as np


def spread_into(values: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """Values (..., ny, nx), in solids the mean of fluid neighbours, three cells deep: no seam at walls."""
    if not solid.any():
        return values
    values, known = np.where(solid, 0.0, values), ~solid
    for _ in range(3):
        near = four_neighbours(known.astype(values.dtype))
        fresh = ~known & (near > 0)
        values[..., fresh] = four_neighbours(values)[..., fresh] / near[fresh]
        known = known | fresh
    return values


def four_neighbours(values: np.ndarray) -> np.ndarray:
    """Sums over the cells to the left, right, above and below, 0 beyond the edges."""
    out = np.zeros_like(values)
    out[..., 1:, :] += values[..., :-1, :]
    out[..., :-1, :] += values[..., 1:, :]
    out[..., 1:] += values[..., :-1]
    out[..., :-1] += values[..., 1:]
    return out


def padded(values: np.ndarray, width: int) -> np.ndarray:
    """The values, continued beyond the edges of the last two axes; np.pad takes five times as long."""
    rows, columns = values.shape[-2:]
    out = np.empty((*values.shape[:-2], rows + 2 * width, columns + 2 * width), values.dtype)
    out[..., width:-width, width:-width] = values
    out[..., :width, width:-width], out[..., -width:, width:-width] = values[..., :1, :], values[..., -1:, :]
    out[..., :width], out[..., -width:] = out[..., width : width + 1], out[..., -width - 1 : -width]
    return out


def resampled(cells: np.ndarray, factor: int) -> np.ndarray:
    """Values between cells by the cubic B-spline of them, (rows, columns) to `factor` times as many."""
    for axis in (0, 1):
        n, shape = cells.shape[axis], list(cells.shape)
        shape[axis] *= factor
        wide = padded(cells, 2)
        wide = wide[:, 2:-2] if axis == 0 else wide[2:-2]
        out = np.empty(shape, cells.dtype)
        here, there = np.moveaxis(wide, axis, 0), np.moveaxis(out, axis, 0)
        for phase in range(factor):
            x = (phase + 0.5) / factor - 0.5
            first = math.floor(x) + 1  # of the four cells, in `wide`
            there[phase::factor] = sum(w * here[first + k : first + k + n] for k, w in enumerate(spline(x % 1)))
        cells = out
    return cells


def spline(t: float) -> tuple[float, float, float, float]:
    """Weights of four neighbours in the cubic B-spline, a share t of the way from the second to the third."""
    s = 1 - t
    return s**3 / 6, 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - s * s * (2 - s) / 2, t**3 / 6


def around(values: np.ndarray, reach: float) -> np.ndarray:
    """Smooth means over about twice `reach` cells, at a texel for every two cells, (rows, columns)."""
    block = 2 ** max(1, round(math.log2(reach)))
    ny, nx = values.shape
    wide = np.pad(values, ((0, -ny % block), (0, -nx % block)), mode="edge") if ny % block or nx % block else values
    columns = np.add.reduce([wide[:, k::block] for k in range(block)])  # faster than one mean over both axes
    means = np.add.reduce([columns[k::block] for k in range(block)]) / block**2
    return resampled(means, block // 2)[: (ny + 1) // 2, : (nx + 1) // 2]


def in_bytes(values: np.ndarray) -> np.ndarray:
    """0 to 1 in eight bits, which place a surface to 1/100 of a cell and are read faster than floats."""
    return (255 * values + 0.5).clip(0, 255).astype(np.uint8)


def widened(marked: np.ndarray, reach: float) -> np.ndarray:
    """True within `reach` cells of what is marked."""
    for _ in range(math.ceil(reach)):
        grown = marked.copy()
        grown[1:] |= marked[:-1]
        grown[:-1] |= marked[1:]
        marked = grown.copy()
        marked[:, 1:] |= grown[:, :-1]
        marked[:, :-1] |= grown[:, 1:]
    return marked


def quads(marked: np.ndarray) -> np.ndarray:
    """Corners of two triangles for every run of marked cells in a row, (6 runs, 2) float32, 0..1 over all of them."""
    ny, nx = marked.shape
    steps = np.diff(np.pad(marked.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (rows, starts), ends = np.nonzero(steps == 1), np.nonzero(steps == -1)[1]
    corners = np.empty((len(rows), 6, 2), np.float32)
    left, right, low, high = starts, ends, rows, rows + 1
    for k, (x, y) in enumerate(((left, low), (right, low), (right, high), (right, high), (left, high), (left, low))):
        corners[:, k, 0], corners[:, k, 1] = x, y
    return (corners / np.array([nx, ny], np.float32)).reshape(-1, 2)
