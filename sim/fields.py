"""Fields of a frame at cell centres, (ny, nx), for views, probes and exports."""

from __future__ import annotations

import numpy as np

from sim.frame import Frame
from sim.grid import Grid


def density(frame: Frame, grid: Grid) -> np.ndarray:
    """rho [kg/m^3]."""
    return frame.density


def pressure(frame: Frame, grid: Grid) -> np.ndarray:
    """p [Pa]."""
    return frame.pressure


def speed(frame: Frame, grid: Grid) -> np.ndarray:
    """|u| [m/s] from the face velocities' means."""
    return np.hypot(0.5 * (frame.u[:, 1:] + frame.u[:, :-1]), 0.5 * (frame.v[1:] + frame.v[:-1]))


def vorticity(frame: Frame, grid: Grid) -> np.ndarray:
    """dv/dx - du/dy [1/s], the mean of the four corners of each cell; zero at the domain's edge (free slip)."""
    corners = np.zeros((grid.ny + 1, grid.nx + 1))
    corners[1:-1, 1:-1] = (np.diff(frame.v[1:-1], axis=1) - np.diff(frame.u[:, 1:-1], axis=0)) / grid.dx
    return 0.25 * (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1])


def divergence(frame: Frame, grid: Grid) -> np.ndarray:
    """du/dx + dv/dy [1/s]."""
    return (np.diff(frame.u, axis=1) + np.diff(frame.v, axis=0)) / grid.dx
