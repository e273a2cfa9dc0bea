"""Streamlines as triangles for the GPU, a capsule for each of their pieces."""

from __future__ import annotations

import numpy as np

from app.render.crop import Crop
from app.render.themes import Theme

SMALLEST = 0.5  # [pixels] of half the width of a line
LINE = 0.0011  # of the height: half the width of a streamline
CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (1, 1), (-1, 1), (-1, -1)], np.float32)


def lines(starts: np.ndarray, ends: np.ndarray, along: np.ndarray, crop: Crop, theme: Theme) -> np.ndarray:
    """Corners (6 n, 10) float32 of the pieces of streamlines, which come out of nothing and end in a head."""
    a, b = crop.pixels_of(starts), crop.pixels_of(ends)
    ink = (0.0, 0.0, 0.0) if theme.gas is None else (1.0, 1.0, 1.0)
    tints = np.concatenate([np.tile(np.array(ink), (len(a), 1)), 0.5 * along[:, None] ** 1.5], axis=1)
    radii = max(SMALLEST, LINE * crop.size[1]) * (0.5 + 0.5 * along)
    return corners((a + b) / 2, (b - a) / 2, radii, tints, crop)


def corners(places: np.ndarray, halves: np.ndarray, radii: np.ndarray, tints: np.ndarray, crop: Crop) -> np.ndarray:
    """Two triangles around every capsule; lengths in pixels."""
    length = np.hypot(halves[:, 0], halves[:, 1])
    way = np.where(length[:, None] > 1e-6, halves / np.maximum(length, 1e-6)[:, None], (1.0, 0.0))
    made = np.empty((len(places), 6, 10), np.float32)
    for k, (x, y) in enumerate(CORNERS):
        along, across = x * (length + radii + 1), y * (radii + 1)
        made[:, k, 0] = (places[:, 0] + along * way[:, 0] - across * way[:, 1]) / crop.size[0]
        made[:, k, 1] = (places[:, 1] + along * way[:, 1] + across * way[:, 0]) / crop.size[1]
        made[:, k, 2], made[:, k, 3], made[:, k, 4], made[:, k, 5] = along, across, length, radii
        made[:, k, 6:] = tints
    return made.reshape(-1, 10)
