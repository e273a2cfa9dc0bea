"""Strokes of the brush as shapes on the grid: which cells they cover, and how few of them make a path of the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sim.frame import Stroke
from sim.grid import SMALLEST, Grid
from sim.scenes.scene import Shape, coverage


def mirrored(stroke: Stroke, width: float) -> Stroke:
    """The same stroke seen in a mirror in the middle of the domain, `width` wide [m]."""
    return replace(stroke, x0=width - stroke.x0, x1=width - stroke.x1)


def straightened(points: list[tuple[float, float]], allowed: float) -> list[tuple[float, float]]:
    """A path with as few corners as keep it within `allowed` of itself (Douglas and Peucker 1973)."""
    kept, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    place = np.array(points)
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        inner = place[first + 1 : last]
        start, way = place[first], place[last] - place[first]
        t = np.clip((inner - start) @ way / max(way @ way, 1e-30), 0, 1)
        off = np.hypot(*(inner - start - t[:, None] * way).T)
        if off.max() > allowed:
            corner = first + 1 + int(off.argmax())
            kept.add(corner)
            spans += [(first, corner), (corner, last)]
    return [points[k] for k in sorted(kept)]


def coverage_near(shape: Shape, grid: Grid) -> tuple[tuple[slice, slice], np.ndarray]:
    """`coverage` of a stroke in the rows and columns that it reaches: hundreds of strokes are drawn at 60 a second."""
    reach = shape.radius * grid.ny + 2
    rows = box(shape.start[1] * grid.ny, shape.end[1] * grid.ny, reach, grid.ny)
    columns = box(shape.start[0] * grid.nx, shape.end[0] * grid.nx, reach, grid.nx)
    part = Grid(rows.stop - rows.start, columns.stop - columns.start)

    def seen(point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] * grid.nx - columns.start) / part.nx, (point[1] * grid.ny - rows.start) / part.ny

    near = replace(shape, start=seen(shape.start), end=seen(shape.end), radius=shape.radius * grid.ny / part.ny)
    return (rows, columns), coverage(near, part)


def roughly_near(shape: Shape, grid: Grid) -> tuple[tuple[slice, slice], np.ndarray]:
    """As `coverage_near`, its edge a cell wide: good enough while the mouse moves, and twenty times as fast."""
    reach = shape.radius * grid.ny + 2
    (x0, y0), (x1, y1) = ((x * grid.nx, y * grid.ny) for x, y in (shape.start, shape.end))
    rows, columns = box(y0, y1, reach, grid.ny), box(x0, x1, reach, grid.nx)
    y = np.arange(rows.start, rows.stop)[:, None] + 0.5 - y0
    x = np.arange(columns.start, columns.stop)[None, :] + 0.5 - x0
    t = np.clip((x * (x1 - x0) + y * (y1 - y0)) / max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-30), 0.0, 1.0)
    distance = np.hypot(x - t * (x1 - x0), y - t * (y1 - y0))
    return (rows, columns), np.clip(shape.radius * grid.ny - distance + 0.5, 0.0, 1.0)


def box(a: float, b: float, reach: float, count: int) -> slice:
    """Whole cells from a to b and `reach` beyond, at least as many as a grid has to have."""
    low = max(0, min(int(min(a, b) - reach), count - SMALLEST))
    high = min(count, max(int(max(a, b) + reach) + 1, low + SMALLEST))
    return slice(low, high)


def cells_in(stroke: Stroke, grid: Grid) -> np.ndarray:
    """Cells whose centre lies in the capsule, (ny, nx) bool, as the simulation's brush finds them."""
    y, x = ((np.arange(count) + 0.5) * grid.dx for count in grid.shape)
    x, y = x[None, :] - stroke.x0, y[:, None] - stroke.y0
    along = stroke.x1 - stroke.x0, stroke.y1 - stroke.y0
    t = np.clip((x * along[0] + y * along[1]) / max(along[0] ** 2 + along[1] ** 2, 1e-30), 0.0, 1.0)
    inside: np.ndarray = (x - t * along[0]) ** 2 + (y - t * along[1]) ** 2 < stroke.radius**2
    return inside


def strokes_over(cells: np.ndarray, tool: str, dx: float) -> Iterator[Stroke]:
    """Strokes that touch these cells and no others, one for every run of cells in a row."""
    for j in np.flatnonzero(cells.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], cells[j], [False])).astype(np.int8)))
        for first, last in zip(edges[::2], edges[1::2] - 1):
            yield Stroke(tool, (first + 0.5) * dx, (j + 0.5) * dx, (last + 0.5) * dx, (j + 0.5) * dx, 0.4 * dx)
