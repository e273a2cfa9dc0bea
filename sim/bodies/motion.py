"""Rigid bodies as Newton and Euler see them: outlines, masses, and how they move."""

from __future__ import annotations

import math

import numpy as np

from sim.bodies import contact
from sim.grid import Grid
from sim.scenes.outline import area, centroid, outline, second_moment
from sim.scenes.scene import Scene

TOO_CLOSE = 0.25  # of the gap: what is closer after bodies were moved apart at the start has no room
TRIES = 100  # of moving them apart


class Motion:
    """The bodies of a scene. values (n, 6): x, y [m], angle [rad], u, v [m/s], spin [rad/s].

    discs (n,) bool: bodies whose spin moves no fluid.
    """

    def __init__(self, scene: Scene, grid: Grid):
        """Raises ValueError for a body outside of the domain."""
        self.names = tuple(body.name for body in scene.bodies)
        self.dx = grid.dx
        at_start = [outline(body, grid) for body in scene.bodies]
        self._local = [corners - centroid(corners) for corners in at_start]
        self._watched = [contact.watched(corners, grid.dx) for corners in self._local]
        self._starts = np.array([centroid(corners) for corners in at_start])
        self.areas = np.array([area(corners) for corners in at_start])  # [m^2]
        self._moments = np.array([second_moment(corners) for corners in at_start])  # [m^4]
        self._radii = np.array([np.hypot(*corners.T).max() for corners in self._local])
        self.discs = np.array([body.shape.kind == "disc" for body in scene.bodies])
        self.of_scene = np.array([body.density for body in scene.bodies])
        self.at_launch = np.array([(*body.velocity, body.spin) for body in scene.bodies])
        self.densities = self.of_scene  # [kg/m^3]
        for body, corners in zip(scene.bodies, at_start):
            if corners.min() < 0 or corners[:, 0].max() > grid.width or corners[:, 1].max() > grid.height:
                raise ValueError(f"body {body.name!r} reaches out of the domain: make it smaller or move it inwards")
        self.values = np.zeros((len(self.names), 6))

    def reset(self) -> None:
        """Back to time zero, at rest: what moves is launched by the first step."""
        self.values = np.concatenate([self._starts, np.zeros((len(self.names), 4))], axis=1)

    def move_apart(self, walls: contact.Walls) -> None:
        """Move bodies that are closer than contact allows. Raises ValueError where there is no room for them."""
        for _ in range(TRIES):
            close = [c for c in self.contacts(walls) if c.room < 0]
            if not close:
                return
            for c in close:
                self.values[c.a, :2] -= 0.5 * c.room * c.normal
                if c.b >= 0:
                    self.values[c.b, :2] += 0.5 * c.room * c.normal
        for c in close:
            gap = contact.WALL_GAP if c.b < 0 else contact.BODY_GAP
            if c.room < -(1 - TOO_CLOSE) * gap * self.dx:
                raise ValueError(f"there is no room for body {self.names[c.a]!r}: move it or take a finer grid")

    @property
    def outlines(self) -> list[np.ndarray]:
        """Corners (n, 2) of every body [m], anticlockwise."""
        return self._placed(self._local)

    def contacts(self, walls: contact.Walls) -> list[contact.Contact]:
        """Of bodies with walls and with each other."""
        return contact.find(self.outlines, self._placed(self._watched), walls)

    def _placed(self, local: list[np.ndarray]) -> list[np.ndarray]:
        """Points (n, 2) of every body where it is now [m]."""
        turns = [np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]) for a in self.values[:, 2]]
        return [points @ turn + at for points, turn, at in zip(local, turns, self.values[:, :2])]

    def advance(self, h: float) -> None:
        """Positions and angles by h [s]."""
        self.values[:, :3] += h * self.values[:, 3:]

    @property
    def masses(self) -> np.ndarray:
        """(n, 3): mass twice [kg/m], moment of inertia [kg m]."""
        return self.densities[:, None] * np.stack([self.areas, self.areas, self._moments], axis=1)

    @property
    def rate(self) -> float:
        """Largest |u| + |v| of any point of a body, over dx [1/s]."""
        at_rim = np.abs(self.values[:, 5]) * math.sqrt(2) * self._radii * ~self.discs
        return float((np.abs(self.values[:, 3:5]).sum(1) + at_rim).max()) / self.dx

    @property
    def kinetic(self) -> float:
        """[J/m]"""
        return float(0.5 * (self.masses * self.values[:, 3:] ** 2).sum())

    def potential(self, gravity: float) -> float:
        """[J/m]"""
        return abs(gravity) * float(self.masses[:, 0] @ self.values[:, 1])
