"""Which part of every cell and every face the bodies take up."""

from __future__ import annotations

import numpy as np
import torch

from sim.grid import Grid
from sim.kernels import rigid
from sim.kernels.pressure import OpenFaces

FULL = 1 - 1e-6  # from this share of bodies on a face counts as theirs alone
MARGIN = 2  # cells around an outline in which bodies and fluid change places


class Cover:
    """Shares of n bodies; `place` after they have moved or walls have changed.

    chi (n, ny, nx), total (ny, nx): of cells, exact.
    phi_x (n, ny, nx + 1), phi_y (n, ny + 1, nx): of the staggered volumes of faces, the mean of two cells; 0 at walls.
    theta_x (ny, nx + 1), theta_y (ny + 1, nx): what is left to the fluid, 1 - sum of phi.
    """

    def __init__(self, count: int, grid: Grid, device: torch.device):
        ny, nx = grid.shape
        self.grid = grid

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self.chi, self.total = zeros(count, ny, nx), zeros(ny, nx)
        self.phi_x, self.phi_y = zeros(count, ny, nx + 1), zeros(count, ny + 1, nx)
        self.theta_x, self.theta_y = zeros(ny, nx + 1), zeros(ny + 1, nx)
        self.x, self.y = centres(nx, grid.dx, device), centres(ny, grid.dx, device)  # of cells [m]
        self.neighbourhood = zeros(count, ny, nx)  # share of each body in what happens near it; unset for a single one
        self.box = (0, ny, 0, nx)  # rows and columns near any body

    def place(self, outlines: list[np.ndarray]) -> None:
        """Take these outlines, each (corners, 2) [m]."""
        ny, nx = self.grid.shape
        boxes = []
        for chi, outline in zip(self.chi, outlines):
            cells = np.ascontiguousarray(outline / self.grid.dx)
            (i0, j0), (i1, j1) = np.floor(cells.min(0)), np.ceil(cells.max(0))
            box = max(int(j0), 0), min(int(j1), ny), max(int(i0), 0), min(int(i1), nx)
            rigid.cover(torch.from_numpy(cells).to(chi.device), chi, *box)
            boxes.append(box)
        torch.sum(self.chi, 0, out=self.total).clamp_(max=1.0)
        low, high = np.min(boxes, 0) - MARGIN, np.max(boxes, 0) + MARGIN
        self.box = max(int(low[0]), 0), min(int(high[1]), ny), max(int(low[2]), 0), min(int(high[3]), nx)

    def open_faces(self, faces: OpenFaces) -> None:
        """phi and theta for cells as they are, on the faces that walls leave open.

        The half cell at a wall belongs to no volume of its own: the body in it counts with the next face, or a body
        that stands on the floor would displace less than its area.
        """
        halves_u, halves_v = (0.5 * (1 + closed.to(self.chi)) for closed in (faces.closed_u, faces.closed_v))
        self.phi_x[:, :, 1:-1] = self.chi[:, :, :-1] * halves_u[:, :-2]
        self.phi_x[:, :, 1:-1].addcmul_(self.chi[:, :, 1:], halves_u[:, 2:]).mul_(faces.x)
        self.phi_y[:, 1:-1] = self.chi[:, :-1] * halves_v[:-2]
        self.phi_y[:, 1:-1].addcmul_(self.chi[:, 1:], halves_v[2:]).mul_(faces.y)
        for phi, theta in ((self.phi_x, self.theta_x), (self.phi_y, self.theta_y)):
            total = phi.sum(0)
            full = total > FULL
            phi.div_(torch.where(full, total, 1.0))
            torch.sub(1.0, total, out=theta).masked_fill_(full, 0.0)
        if len(self.chi) > 1:
            blurred = torch.nn.functional.avg_pool2d(self.chi, 2 * MARGIN + 1, 1, MARGIN)
            torch.div(blurred, blurred.sum(0).clamp_(min=1e-300), out=self.neighbourhood)

    def near(self) -> torch.Tensor:
        """Cells that bodies or their neighbours lie in, (ny, nx) bool: no wall may be drawn there."""
        touched = torch.nn.functional.max_pool2d((self.total > 0).to(torch.float32)[None], 3, 1, 1)[0]
        return touched > 0


def centres(size: int, dx: float, device: torch.device) -> torch.Tensor:
    """Middle of each of `size` cells along an axis [m]."""
    return (torch.arange(size, dtype=torch.float64, device=device) + 0.5) * dx
