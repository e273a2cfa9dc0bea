"""A layer of message passing on the grid, the same weights towards all four sides."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

from .coefficient_planes import SIDES, shifted

SIDE = 2  # features of a side: coupling, log(d_j / d_i)
BOUND = 3.0  # of logarithms of d_j / d_i as inputs, in units of log 10


class Messages(nn.Module):
    """m = relu(U h_i + V h_j + E e_ij) towards each of the four sides."""

    def __init__(self, c: int, out: int):
        super().__init__()
        self.own, self.other = nn.Conv2d(c, out, 1), nn.Conv2d(c, out, 1, bias=False)
        self.edge = nn.Conv2d(SIDE, out, 1, bias=False)

    def forward(self, h: torch.Tensor, edges: list[torch.Tensor]) -> list[torch.Tensor]:
        own, other = self.own(h), self.other(h)
        return [relu(own + shifted(other, *side) + self.edge(edge)) for side, edge in zip(SIDES, edges)]
