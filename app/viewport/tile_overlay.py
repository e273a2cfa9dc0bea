"""The hierarchy of tiles as drawn over the fluid: where blocks meet, and the functions of one tile."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from app.ui import theme
from app.viewport.transform import ViewTransform
from precond.htp import tile_inspection
from precond.htp.layout import SIDE

METHODS = ("htp", "hierarchy", "polynomials")  # these have functions on tiles
COLUMNS, CELL, GAP = 2, 8.0, 8.0  # pictures side by side; pixels of a cell in them, and between them
PICTURE = SIDE * CELL
WIDTH = 2 * 10 + COLUMNS * PICTURE + (COLUMNS - 1) * GAP
HEIGHT = 4 * (PICTURE + GAP) + 4  # of eight of them
FINEST = 5.0  # pixels; blocks smaller than that would only darken the picture
STONE = "#7f776f"


def draw_edges(
    ink: Any,
    shape: tuple[int, int],
    picked: tile_inspection.Tile | None,
    transform: ViewTransform,
) -> None:
    """Lines between blocks, the heavier the coarser, and a frame around the picked tile."""
    (ny, nx), picture = shape, transform.whole
    cell, left, top, bottom = picture.width / nx, picture.x, picture.y, picture.bottom
    seen = transform.picture
    ink.push_clip_rect((seen.x, seen.y), (seen.right, seen.bottom), True)
    shown = [edges for level, edges in enumerate(tile_inspection.edges(ny, nx)) if SIDE * 2**level * cell >= FINEST]
    shade = theme.packed(theme.DIM, 0.75)
    for width, (rows, columns) in enumerate(shown, start=1):
        for y in (round(bottom - row * cell) for row in rows):
            ink.add_line((left, y), (picture.right, y), shade, width)
        for x in (round(left + column * cell) for column in columns):
            ink.add_line((x, top), (x, bottom), shade, width)
    if picked is not None:
        low, high = max(picked.row, 0), min(picked.row + SIDE, ny)
        first, last = left + picked.column * cell, left + min(picked.column + SIDE, nx) * cell
        ink.add_rect((first, bottom - high * cell), (last, bottom - low * cell), theme.packed(theme.WARNING), 0.0, 2.5)
    ink.pop_clip_rect()


def draw_functions(ink: Any, functions: np.ndarray, corner: tuple[float, float], unit: float) -> None:
    """The functions (r, 8, 8), from -1 (blue) over 0 (white) to 1 (red); solids are stone."""
    shades = palette()
    known = np.isfinite(functions)
    index = np.where(known, np.rint(127.5 * (1 + np.where(known, functions, 0.0))), len(shades) - 1).astype(int)
    for k, picture in enumerate(index):
        x = corner[0] + unit * (10 + (k % COLUMNS) * (PICTURE + GAP))
        y = corner[1] + unit * (k // COLUMNS) * (PICTURE + GAP)
        for (row, column), shade in np.ndenumerate(picture[::-1]):
            at = (x + column * CELL * unit, y + row * CELL * unit)
            ink.add_rect_filled(at, (at[0] + CELL * unit, at[1] + CELL * unit), shades[shade])


@cache
def palette() -> tuple[int, ...]:
    """256 colours as draw lists take them, and one more for solids."""
    return (*theme.packed_map("balance"), theme.packed(theme.color(STONE)))
