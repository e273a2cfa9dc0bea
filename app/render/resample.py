"""The cells of a frame made ready to be drawn: two texels for each, in eight bits, and where among them edges are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

EDGE = 1.5  # [pixels] from a surface to where nothing shows of it
FEWEST_PIXELS = 1.5  # of a texel, below which everything counts as near an edge: a pixel may cross a whole drop


def sharpened(fractions: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """The fractions ready for the B-spline, float32: half of what its blur will take is added beforehand.

    A B-spline shows a lone full cell at 4/9, below the surface's 1/2; so it shows at 0.54, and drops stay visible.
    """
    f = np.stack([spread_into(fraction, solid) for fraction in fractions]).astype(np.float32)
    g = np.pad(f, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (g[:, :-2] + 4 * g[:, 1:-1] + g[:, 2:]) / 6
    blurred = (rows[:, :, :-2] + 4 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 6
    return f + 0.5 * (f - blurred)


def spread_into(values: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """The values, those in solids replaced by their fluid neighbours' mean three cells deep: no seam at the walls."""
    if not solid.any():
        return values
    values, known = np.where(solid, 0.0, values), ~solid
    for _ in range(3):
        padded, count = np.pad(values * known, 1), np.pad(known.astype(float), 1)
        total, near = (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] for a in (padded, count))
        fresh = ~known & (near > 0)
        values[fresh] = total[fresh] / near[fresh]
        known = known | fresh
    return values


def resampled(cells: np.ndarray, factor: int) -> np.ndarray:
    """Values between cells by the cubic B-spline of them, (rows, columns) to `factor` times as many."""
    for axis in (0, 1):
        n, shape = cells.shape[axis], list(cells.shape)
        shape[axis] *= factor
        padded = np.pad(cells, [(2, 2), (0, 0)] if axis == 0 else [(0, 0), (2, 2)], mode="edge")
        out = np.empty(shape, cells.dtype)
        here, there = np.moveaxis(padded, axis, 0), np.moveaxis(out, axis, 0)
        for phase in range(factor):
            x = (phase + 0.5) / factor - 0.5
            first = math.floor(x) + 1  # of the four cells, in `padded`
            there[phase::factor] = sum(w * here[first + k : first + k + n] for k, w in enumerate(spline(x % 1)))
        cells = out
    return cells


def solids(solid: np.ndarray, factor: int) -> np.ndarray:
    """The share of solids in bytes, resampled."""
    if not solid.any():
        return np.zeros((solid.shape[0] * factor, solid.shape[1] * factor), np.uint8)
    return in_bytes(resampled(solid.astype(np.float32), factor))


def spline(t: float) -> tuple[float, float, float, float]:
    """Weights of four neighbours in the cubic B-spline, a share t of the way from the second to the third."""
    s = 1 - t
    return s**3 / 6, 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - s * s * (2 - s) / 2, t**3 / 6


def around(values: np.ndarray, reach: float) -> np.ndarray:
    """Smooth means over about twice `reach` cells, at a texel for every two cells, (rows, columns)."""
    block = 2 ** max(1, round(math.log2(reach)))
    ny, nx = values.shape
    padded = np.pad(values, ((0, -ny % block), (0, -nx % block)), mode="edge")
    means = padded.reshape(padded.shape[0] // block, block, -1, block).mean(axis=(1, 3))
    return resampled(means, block // 2)[: (ny + 1) // 2, : (nx + 1) // 2]


def in_bytes(values: np.ndarray) -> np.ndarray:
    """0 to 1 in eight bits, which place a surface to 1/100 of a cell and are read faster than floats."""
    return (255 * values + 0.5).clip(0, 255).astype(np.uint8)


def owners(fine: Sequence[np.ndarray]) -> np.ndarray:
    """Index of the phase with the largest share of each texel, uint8; solids come after the last phase.

    fine: all phases but the last, then solids.
    """
    phases, owner = len(fine), np.zeros(fine[0].shape, np.uint8)
    last, most = np.full(fine[0].shape, 255, np.int16), fine[0].astype(np.int16)
    for k, fraction in enumerate(fine[:-1]):
        last -= fraction
        ahead = fraction > most
        owner[ahead], most[ahead] = k, fraction[ahead]
    owner[last > most] = phases - 1
    owner[fine[-1] > 127] = phases
    return owner


def near_edges(owner: np.ndarray, pixels: float) -> np.ndarray:
    """True for texels, `pixels` wide, in which an edge may be seen; the others are of one owner alone.

    Between texels fractions are means of four with positive weights, so among four of one owner it stays ahead.
    """
    if pixels < FEWEST_PIXELS:
        return np.ones(owner.shape, bool)
    reach = math.ceil(EDGE / pixels + 0.5)
    most, least = (spread(spread(owner, of, reach, 0), of, reach, 1) for of in (np.maximum, np.minimum))
    return np.asarray(most != least)


def spread(values: np.ndarray, of: np.ufunc, reach: int, axis: int) -> np.ndarray:
    """The largest or smallest of all neighbours within `reach` along an axis."""
    for _ in range(reach):
        here = np.moveaxis(values, axis, 0)
        out = here.copy()
        of(out[1:], here[:-1], out=out[1:])
        of(out[:-1], here[1:], out=out[:-1])
        values = np.moveaxis(out, 0, axis)
    return values


def quads(marked: np.ndarray) -> np.ndarray:
    """Corners of two triangles for every run of marked texels in a row, (6 runs, 2) float32, 0..1 over the picture."""
    ny, nx = marked.shape
    steps = np.diff(np.pad(marked.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (rows, starts), ends = np.nonzero(steps == 1), np.nonzero(steps == -1)[1]
    corners = np.empty((len(rows), 6, 2), np.float32)
    left, right, low, high = starts, ends, rows, rows + 1
    for k, (x, y) in enumerate(((left, low), (right, low), (right, high), (right, high), (left, high), (left, low))):
        corners[:, k, 0], corners[:, k, 1] = x, y
    return (corners / np.array([nx, ny], np.float32)).reshape(-1, 2)
