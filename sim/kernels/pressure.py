"""The pressure system of one step, written straight into a PoissonSystem, and the correction that it stands for.

    beta = dt / (rho_face dx^2),   rho_face = mean of the two cells,   b = -div u*,   A p = b
    u = u* - beta dx (p_i - p_{i-1})                                   (so that div u = -(A p - b) = 0)

Walls and faces of solids have beta = 0 and have a given velocity (0, an inlet's or a moving solid's). An open top is
p = 0 on the top face: half a cell away, beta doubles.
"""

import torch


def mixture(F: torch.Tensor, jump: torch.Tensor, out: torch.Tensor) -> None:
    """out = jump[K] + sum of jump[k] F[k], (ny, nx): density or viscosity of the mixture; see kernels/momentum.py."""
    torch.addcmul(jump[-1], F[0], jump[0], out=out)
    for k in range(1, F.shape[0]):
        out.addcmul_(F[k], jump[k])


class OpenFaces:
    """1 on faces between fluid cells, else 0, as float64: x (ny, nx - 1), y (ny - 1, nx), and top (nx)."""

    def __init__(self, solid: torch.Tensor, open_top: bool):
        """solid: (ny, nx) bool."""
        fluid = (~solid).to(torch.float64)
        self.x, self.y = fluid[:, :-1] * fluid[:, 1:], fluid[:-1] * fluid[1:]
        self.top = fluid[-1] * float(open_top)
        self.closed_u = torch.nn.functional.pad(self.x, (1, 1)) == 0  # (ny, nx + 1)
        self.closed_v = torch.nn.functional.pad(self.y, (0, 0, 1, 1)) == 0  # (ny + 1, nx)
        self.closed_v[-1] = self.top == 0


def coefficients(
    rho: torch.Tensor, open_faces: OpenFaces, beta_x: torch.Tensor, beta_y: torch.Tensor, dt: float, dx: float
) -> None:
    """Fill beta_x (ny, nx + 1) and beta_y (ny + 1, nx) [m s/kg]; nothing is written on the other sides of the domain.

    rho (ny, nx), above 0 also in solid cells [kg/m^3].
    """
    twice = 2 * dt / (dx * dx)
    torch.div(open_faces.x, rho[:, :-1] + rho[:, 1:], out=beta_x[:, 1:-1]).mul_(twice)
    torch.div(open_faces.y, rho[:-1] + rho[1:], out=beta_y[1:-1]).mul_(twice)
    torch.div(open_faces.top, rho[-1], out=beta_y[-1]).mul_(twice)


def set_walls(
    u: torch.Tensor, v: torch.Tensor, open_faces: OpenFaces, wall_u: torch.Tensor, wall_v: torch.Tensor
) -> None:
    """Faces that no fluid passes take the velocities of their walls [m/s]."""
    torch.where(open_faces.closed_u, wall_u, u, out=u)
    torch.where(open_faces.closed_v, wall_v, v, out=v)


def divergence(u: torch.Tensor, v: torch.Tensor, b: torch.Tensor, dx: float) -> None:
    """b = -div u [1/s] of every cell, (ny, nx)."""
    torch.sub(u[:, :-1], u[:, 1:], out=b).add_(v[:-1]).sub_(v[1:]).div_(dx)


def correct(
    u: torch.Tensor, v: torch.Tensor, p: torch.Tensor, beta_x: torch.Tensor, beta_y: torch.Tensor, dx: float
) -> None:
    """u -= beta dx dp on every face; outside of an open top p = 0."""
    u[:, 1:-1].addcmul_(beta_x[:, 1:-1], p[:, 1:] - p[:, :-1], value=-dx)
    v[1:-1].addcmul_(beta_y[1:-1], p[1:] - p[:-1], value=-dx)
    v[-1].addcmul_(beta_y[-1], p[-1], value=dx)
