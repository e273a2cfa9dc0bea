"""Where surfaces lie between cells: B-spline coefficients whose level 1/2 encloses what the cells hold.

The surface of a phase passes where the cubic B-spline of its fractions equals that of its strongest rival. Smoothing
takes away what is smaller than two cells, so coefficients are raised there: first until a lone drop or a thin sheet
shows at all, then until the area inside its surface is that of the fluid in each cell.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from app.render.resample import padded, spline

SHOWN = (
    0.5,
    0.08,
    0.1,
)  # that the highest value around a drop or a sheet is raised to, by the fraction f: a + b f + c f^2
MOST = 12.0  # by which fractions are multiplied for that: less than 1/30 of a cell stays unseen
SMOOTHING = 0.7  # share of another blur, without which a slope shows the steps of the cells
MIXED = 0.02  # of a cell that two phases share
TOLERANCE = 0.03  # of a cell: where areas differ by more, the surface is no plane
GAINS = (1.5, 1.0)  # of the corrections, one after another
GENTLE = 0.25  # of a correction that takes from what is small already, whose area depends steeply on its coefficient
SAMPLES = 4  # on a side of a cell whose area is measured
FEW = 600  # rows of a product that BLAS does on one thread; several would fight with the simulation for the processor
STEEP = 0.62  # rise of the B-spline over a cell across a plane surface
RANGE = (-1.0, 2.0)  # of coefficients in eight bits, which place a surface to 1/50 of a cell


def coefficients(fractions: np.ndarray) -> np.ndarray:
    """B-spline coefficients (phases, rows, columns), float32, of fractions of the same shape; both sum to 1."""
    f = fractions.astype(np.float32)
    c = raised(f, blur(f))
    blurred = blur(c)
    smooth = c + SMOOTHING * (blurred - c)
    rough = is_rough(blurred, f) | is_rough(blur(smooth), f)
    c = np.where(neighbours(rough, np.logical_or), c, smooth)
    cells = rough.nonzero()
    if len(cells[0]) == 0:
        return c
    held, now = f[:, cells[0], cells[1]], c[:, cells[0], cells[1]]
    small = held < 0.5
    for gain in GAINS:
        lacking = held - areas(c, cells)
        lacking -= lacking.clip(-TOLERANCE, TOLERANCE)
        lacking[(lacking < 0) == small] *= GENTLE
        lacking -= lacking.mean(axis=0)
        now = (now + gain * lacking).clip(*RANGE)
        now[-1] = 1 - now[:-1].sum(axis=0)
        c[:, cells[0], cells[1]] = now
    return c


def raised(f: np.ndarray, blurred: np.ndarray) -> np.ndarray:
    """Fractions, multiplied where their B-spline stays below 1/2 all around, at the cost of the largest phase there."""
    c, strongest = f.copy(), owners(blurred, np.zeros(f.shape[1:]))
    for k in range(len(f)):
        peak = neighbours(blurred[k], np.maximum)
        j, i = ((f[k] > MIXED) & (neighbours(peak, np.maximum) < 0.5) & (strongest != k)).nonzero()
        if len(j):
            own = neighbours(f[k], np.maximum)[j, i]
            wanted = SHOWN[0] + (SHOWN[1] + SHOWN[2] * own) * own
            more = f[k, j, i] * (np.minimum(wanted / np.maximum(peak[j, i], 1e-3), MOST) - 1)
            c[k, j, i] += more
            c[strongest[j, i], j, i] -= more
    return c


def is_rough(values: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Cells (rows, columns) whose area is not that of a plane surface through them; `values` at the centres."""
    planar = (0.5 + 0.5 / STEEP * leads(values)).clip(0, 1)
    return np.asarray(np.abs(planar - f).max(axis=0) > TOLERANCE)


def leads(values: np.ndarray) -> np.ndarray:
    """By how much each of the values exceeds the largest of the others, along the first axis."""
    first, second = np.maximum(values[0], values[1]), np.minimum(values[0], values[1])
    for value in values[2:]:
        second = np.maximum(second, np.minimum(first, value))
        first = np.maximum(first, value)
    return np.asarray(values - np.where(values < first, first, second))


def areas(c: np.ndarray, cells: tuple[np.ndarray, ...]) -> np.ndarray:
    """Share of each of n cells inside the surface of every phase, (phases, n)."""
    shares = (0.5 + 0.5 * SAMPLES / STEEP * leads(samples(c, cells))).clip(0, 1).mean(axis=-1)
    return np.asarray(shares / shares.sum(axis=0))


def samples(c: np.ndarray, cells: tuple[np.ndarray, ...]) -> np.ndarray:
    """The B-spline at SAMPLES x SAMPLES points of each of n cells, (phases, n, points)."""
    columns = c.shape[2]
    flat = padded(c, 2).reshape(len(c), -1)
    j, i = cells
    corner = j * (columns + 4) + i
    around = (corner[:, None] + (np.arange(5)[:, None] * (columns + 4) + np.arange(5)).ravel()).ravel()
    read = flat.take(around, axis=1, mode="clip").reshape(-1, 25)  # without a look at every index
    out = np.empty((len(read), SAMPLES**2), np.float32)
    for start in range(0, len(read), FEW):
        np.matmul(read[start : start + FEW], weights(), out=out[start : start + FEW])
    return out.reshape(len(c), len(j), -1)


@cache
def weights() -> np.ndarray:
    """(25, points): of the 5 x 5 cells around one whose points are wanted."""
    along = np.zeros((5, SAMPLES), np.float32)
    for n in range(SAMPLES):
        x = (n + 0.5) / SAMPLES - 0.5
        first = 1 if x < 0 else 2  # of four cells, the second of them is at or before x
        for k, weight in enumerate(spline(x % 1)):
            along[first - 1 + k, n] = weight
    return np.einsum("ja,ib->jiab", along, along).reshape(25, -1)


def blur(f: np.ndarray) -> np.ndarray:
    """The B-spline at the cells' centres, along the last two axes."""
    g = padded(f, 1)
    rows = g[:, :-2] + 4 * g[:, 1:-1] + g[:, 2:]
    return np.asarray((rows[:, :, :-2] + 4 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 36)


def neighbours(values: np.ndarray, of: np.ufunc) -> np.ndarray:
    """The largest or smallest of each 3 x 3 cells."""
    g = padded(values, 1)
    rows = of(of(g[:-2], g[1:-1]), g[2:])
    return np.asarray(of(of(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))


def crossed(c: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Cells (rows, columns) near a surface or the edge of a wall, `wall`: coefficients of solids.

    Where all 3 x 3 cells are led by one phase, so is the B-spline of them: its weights are positive. What lies further
    away weighs 1/48 at the edge of a cell.
    """
    owner = owners(c, wall)
    return np.asarray(neighbours(owner, np.maximum) != neighbours(owner, np.minimum))


def owners(values: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Index of the largest of each cell's values (phases, rows, columns), uint8; walls come after the last phase."""
    owner, most = np.zeros(wall.shape, np.uint8), values[0]
    for k in range(1, len(values)):
        ahead = values[k] > most
        owner[ahead] = k
        most = np.maximum(most, values[k])
    owner[wall > 0.5] = len(values)
    return owner


def encoded(c: np.ndarray, exact: bool) -> np.ndarray:
    """Coefficients from 0 to 1 as float32, or from 0 to 255 in eight bits, which are read faster."""
    low, high = RANGE
    if exact:
        return np.asarray((c - low) / (high - low), np.float32)
    return ((c - low) * (255 / (high - low)) + 0.5).clip(0, 255).astype(np.uint8)
