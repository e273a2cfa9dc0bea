"""The five-point operator on flat vectors, where neighbours are shifted views of one buffer."""

from __future__ import annotations

import torch


class Halo:
    """A flat row-major vector of ny * nx cells with nx zeros before and behind.

    `centre` is the vector; `west`, `east`, `south`, `north` are the same memory shifted by one cell or one row, so a
    neighbour costs no copy. West of a row's first cell lies the row below's last one: its coefficient is a wall's, 0.
    """

    def __init__(self, ny: int, nx: int, device: torch.device):
        n = ny * nx
        self.buffer = torch.zeros(n + 2 * nx, dtype=torch.float64, device=device)
        self.centre, self.west, self.east, self.south, self.north = (
            self.buffer[nx + shift : nx + shift + n] for shift in (0, -1, 1, -nx, nx)
        )


class Stencil:
    """A as five flat coefficient vectors, for y = A x in one product and four fused multiply-adds.

    west (n + 1,): the coefficient between cells k - 1 and k; east is the same memory one cell on.
    south (n + nx,): beta_y as it is; north is the same memory one row on; the top face meets the zeros of the halo.
    """

    def __init__(self, ny: int, nx: int, device: torch.device):
        n = self.n = ny * nx
        self.shape = ny, nx
        self.faces_x = torch.zeros(n + 1, dtype=torch.float64, device=device)
        self.faces_y = torch.zeros(n + nx, dtype=torch.float64, device=device)
        self.west, self.east = self.faces_x[:-1], self.faces_x[1:]
        self.south, self.north = self.faces_y[:-nx], self.faces_y[nx:]
        self.diagonal = torch.zeros(n, dtype=torch.float64, device=device)

    def load(self, beta_x: torch.Tensor, beta_y: torch.Tensor, reaction: torch.Tensor) -> None:
        """Take over (ny, nx + 1), (ny + 1, nx) face coefficients and (ny, nx); the last column of beta_x must be 0."""
        self.west.view(self.shape).copy_(beta_x[:, :-1])
        self.faces_y.view(beta_y.shape).copy_(beta_y)
        torch.add(self.west, self.east, out=self.diagonal).add_(self.south).add_(self.north).add_(reaction.view(-1))

    def apply(self, x: Halo, out: torch.Tensor) -> None:
        """out = A x."""
        torch.mul(self.diagonal, x.centre, out=out)
        out.addcmul_(self.west, x.west, value=-1).addcmul_(self.east, x.east, value=-1)
        out.addcmul_(self.south, x.south, value=-1).addcmul_(self.north, x.north, value=-1)

    def residual(self, b: torch.Tensor, x: Halo, out: torch.Tensor) -> None:
        """out = b - A x."""
        torch.addcmul(b, self.diagonal, x.centre, value=-1, out=out)
        out.addcmul_(self.west, x.west).addcmul_(self.east, x.east)
        out.addcmul_(self.south, x.south).addcmul_(self.north, x.north)

    def with_neighbours(self, b: torch.Tensor, x: Halo, out: torch.Tensor) -> None:
        """out = b + the coupled neighbours' x: what the diagonal times x must be equal to."""
        torch.addcmul(b, self.west, x.west, out=out)
        out.addcmul_(self.east, x.east).addcmul_(self.south, x.south).addcmul_(self.north, x.north)


def inverse(d: torch.Tensor, out: torch.Tensor) -> None:
    """out = 1 / d where d > 0, else 0: solids and isolated cells take no part."""
    torch.reciprocal(d, out=out)
    out.masked_fill_(d <= 0, 0.0)


def plus_neighbours(x: Halo, weights: list[torch.Tensor], out: torch.Tensor) -> None:
    """out = x + the sum of its west, east, south and north neighbours, each with its weight vector."""
    west, east, south, north = weights
    torch.addcmul(x.centre, west, x.west, out=out)
    out.addcmul_(east, x.east).addcmul_(south, x.south).addcmul_(north, x.north)
