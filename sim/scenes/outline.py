"""Outlines of floating bodies as convex polygons, and what follows from them."""

from __future__ import annotations

import math

import numpy as np

from sim.grid import Grid
from sim.scenes.scene import FloatingBody

ROUND = 96  # corners of a disc: its outline is within 0.03% of the radius
KINDS = ("box", "disc", "stroke")  # of shapes that have a convex outline


def outline(body: FloatingBody, grid: Grid) -> np.ndarray:
    """Corners (n, 2) [m], anticlockwise; round parts have as much area as their circle."""
    shape, size = body.shape, np.array([grid.width, grid.height])
    if shape.kind == "box":
        (x0, y0), (x1, y1) = np.array(shape.start) * size, np.array(shape.end) * size
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    else:
        radius = shape.radius * grid.height
        radius *= math.sqrt(2 * math.pi / ROUND / math.sin(2 * math.pi / ROUND))
        ends = (shape.center, shape.center) if shape.kind == "disc" else (shape.start, shape.end)
        a, b = (np.array(end) * size for end in ends)
        towards = math.atan2(*(b - a)[::-1])
        turn = towards + math.pi * ((np.arange(ROUND) + 0.5) / (ROUND / 2) - 0.5)
        middle = np.where(np.arange(ROUND)[:, None] < ROUND // 2, b, a)
        points = middle + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return turned(points, math.radians(body.angle))


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """The polygon (n, 2) turned about its centroid by an angle [rad]."""
    centre = centroid(points)
    c, s = math.cos(angle), math.sin(angle)
    return np.asarray(centre + (points - centre) @ np.array([[c, s], [-s, c]]))


def triangles(points: np.ndarray) -> np.ndarray:
    """Twice the signed areas of the triangles between the first corner and every edge, (n,) [m^2]."""
    a, b = points - points[0], np.roll(points, -1, axis=0) - points[0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def area(points: np.ndarray) -> float:
    """Area of a polygon (n, 2), positive where its corners run anticlockwise [m^2]."""
    return 0.5 * float(triangles(points).sum())


def centroid(points: np.ndarray) -> np.ndarray:
    """Centre of the polygon's area, (2,) [m]."""
    twice = triangles(points)
    middle = (points + np.roll(points, -1, axis=0) + points[0]) / 3
    return np.asarray((twice[:, None] * middle).sum(axis=0) / twice.sum())


def second_moment(points: np.ndarray) -> float:
    """Integral of |x - centroid|^2 over the polygon [m^4]."""
    points = points - centroid(points)
    a, b = points, np.roll(points, -1, axis=0)
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return float((cross * ((a * a).sum(1) + (a * b).sum(1) + (b * b).sum(1))).sum() / 12)
