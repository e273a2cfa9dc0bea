"""Contact of rigid bodies with walls and with each other: no two come closer than a gap, without rebound or friction.

A gap of half a cell to walls and of a cell between bodies stays filled with fluid, so that a body can be lifted off
again: the fluid that has to flow in has faces to flow through. Close points give conditions on the velocities,

    n . (velocity of a's point - velocity of b's point) >= -(distance - gap) / (2 dt)   where distance > gap, else 0,

which `nearest` meets by the change of smallest kinetic energy. Half the distance a step, since the next step may be
twice as long. Impulses only ever press, and all conditions hold for bodies at rest, so contact makes no energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import nnls

from sim.grid import Grid

WALL_GAP, BODY_GAP = 0.5, 1.0  # cells
SIGHT = 1.0  # cells beyond the gap from which on points are watched: a step moves them by less than half a cell
SPACING = 0.5  # cells between watched points of an outline
SECTORS = 8  # of directions of contact; in each the closest point and both ends stand for all


class Walls:
    """Signed distance [m] to the nearest wall cell or side of the domain."""

    def __init__(self, solid: np.ndarray, grid: Grid):
        """solid: (ny, nx) bool. An open top is a side too: bodies stay inside."""
        padded = np.pad(solid, 2, constant_values=True)
        outside = ndimage.distance_transform_edt(~padded) - 0.5
        inside = ndimage.distance_transform_edt(padded) - 0.5
        self.distance = np.where(padded, -inside, outside)  # [cells], at cell centres with a margin of 2
        self.dx = grid.dx

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (n,) [m] of points (n, 2) [m] and the direction away from the wall (n, 2)."""
        place = points / self.dx + 1.5
        rows, columns = self.distance.shape
        i = np.clip(place[:, 0].astype(int), 0, columns - 2)
        j = np.clip(place[:, 1].astype(int), 0, rows - 2)
        s, t = np.clip(place[:, 0] - i, 0, 1), np.clip(place[:, 1] - j, 0, 1)
        d = self.distance
        a, b, c, e = d[j, i], d[j, i + 1], d[j + 1, i], d[j + 1, i + 1]
        value = (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * c + s * e)
        gradient = np.stack([(1 - t) * (b - a) + t * (e - c), (1 - s) * (c - a) + s * (e - b)], axis=1)
        size = np.hypot(gradient[:, 0], gradient[:, 1])[:, None]
        return value * self.dx, np.where(size > 1e-6, gradient / np.maximum(size, 1e-6), [0.0, 1.0])


@dataclass(frozen=True)
class Contact:
    """Two close points: of body a, and of body b or, where b is -1, of a wall."""

    a: int
    b: int
    point: np.ndarray  # (2,) [m]
    normal: np.ndarray  # (2,), from b to a
    room: float  # distance less the gap that stays [m]


def watched(outline: np.ndarray, dx: float) -> np.ndarray:
    """Points (n, 2) on an outline, its corners among them, at most SPACING cells apart."""
    parts = []
    for a, b in zip(outline, np.roll(outline, -1, axis=0)):
        count = max(1, math.ceil(math.dist(a, b) / (SPACING * dx)))
        parts.append(a + (b - a) * (np.arange(count) / count)[:, None])
    return np.concatenate(parts)


def distance_to(points: np.ndarray, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (n,) of points from a convex polygon, too small beyond its corners, and its directions."""
    edges = np.roll(outline, -1, axis=0) - outline
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.hypot(edges[:, 0], edges[:, 1])[:, None]
    heights = points @ normals.T - (normals * outline).sum(1)
    nearest = heights.argmax(axis=1)
    return heights[np.arange(len(points)), nearest], normals[nearest]


def few(points: np.ndarray, normals: np.ndarray, room: np.ndarray, sight: float) -> set[int]:
    """Which of the points (n, 2) within sight stand for all: by direction the closest and the two at the ends."""
    near = np.nonzero(room < sight)[0]
    if not near.size:
        return set()
    sector = np.floor(np.arctan2(normals[near, 1], normals[near, 0]) * SECTORS / (2 * math.pi) + 0.5) % SECTORS
    chosen: set[int] = set()
    for which in np.unique(sector):
        here = near[sector == which]
        first = here[room[here].argmin()]
        close = here[room[here] < room[first] + 0.5 * sight]
        along = points[close] @ np.array([-normals[first, 1], normals[first, 0]])
        chosen |= {int(first), int(close[along.argmin()]), int(close[along.argmax()])}
    return chosen


def find(outlines: list[np.ndarray], points: list[np.ndarray], walls: Walls) -> list[Contact]:
    """All contacts of bodies with these outlines and watched points [m]."""
    dx, contacts = walls.dx, []
    centres = [outline.mean(axis=0) for outline in outlines]
    radii = [float(np.hypot(*(outline - centre).T).max()) for outline, centre in zip(outlines, centres)]
    for a, mine in enumerate(points):
        distance, normals = walls.at(mine)
        room = distance - WALL_GAP * dx
        contacts += [Contact(a, -1, mine[n], normals[n], room[n]) for n in sorted(few(mine, normals, room, SIGHT * dx))]
        for b, other in enumerate(outlines):
            if a == b or math.dist(centres[a], centres[b]) > radii[a] + radii[b] + (BODY_GAP + SIGHT) * dx:
                continue
            distance, normals = distance_to(mine, other)
            room = distance - BODY_GAP * dx
            contacts += [
                Contact(a, b, mine[n], normals[n], room[n]) for n in sorted(few(mine, normals, room, SIGHT * dx))
            ]
    return contacts


def conditions(
    contacts: list[Contact], centres: np.ndarray, discs: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """J (m, 3n) and c (m,) of the conditions J q >= c on the velocities q = (u, v, spin) of all bodies.

    centres (n, 2) [m];  discs (n,) bool: what touches a disc does not turn it.
    """
    J, c = np.zeros((len(contacts), 3 * len(centres))), np.zeros(len(contacts))
    for row, contact in enumerate(contacts):
        for body, sign in ((contact.a, 1.0), (contact.b, -1.0)):
            if body >= 0:
                arm = contact.point - centres[body]
                turn = 0.0 if discs[body] else arm[0] * contact.normal[1] - arm[1] * contact.normal[0]
                J[row, 3 * body : 3 * body + 3] = sign * contact.normal[0], sign * contact.normal[1], sign * turn
        c[row] = min(-0.5 * contact.room / dt, 0.0)
    return J, c


def nearest(q: np.ndarray, H: np.ndarray, J: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The minimum of (x - q) . H (x - q) over J x >= c, c <= 0, H symmetric positive definite.

    As a least distance problem with non-negative multipliers (Lawson & Hanson 1974, ch. 23).
    """
    L = np.linalg.cholesky(H)
    G = np.linalg.solve(L, J.T).T
    d = c - J @ q
    if (d <= 0).all():
        return q
    size = np.linalg.norm(G, axis=1)
    G, d = G / size[:, None], d / size
    scale = np.abs(d).max()
    E = np.vstack([G.T, d[None] / scale])
    f = np.zeros(len(E))
    f[-1] = 1.0
    try:
        multipliers, _ = nnls(E, f)
    except RuntimeError:  # it went in circles
        return np.zeros_like(q)
    r = E @ multipliers - f
    if not -r[-1] > 1e-12:  # no velocity meets all conditions but for rounding
        return np.zeros_like(q)
    return np.asarray(q + np.linalg.solve(L.T, -scale * r[:-1] / r[-1]))
