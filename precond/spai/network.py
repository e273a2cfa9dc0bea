"""The graph network that predicts G: messages along the couplings of A, the same weights towards all four sides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import relu

from ..message_passing.coefficient_planes import SIDES, Planes, shifted
from ..message_passing.messages import BOUND, Messages

CELL = 3  # features of a cell
BASE = 2.0  # the network begins at G = 3 I - 2 A^ = I + 2 C, C the couplings; see Factor
EPSILON = 0.08  # beside that polynomial: 62, 117 and 230 iterations at 1,024, 4,096 and 16,384 cells of barrier frames
CELLS = 4096  # the size whose logarithm counts as 0
MOST_SIDE, MOST_LOG = 10.0, 3.0  # |delta| and logarithms stay below: no weights may make G G^T swallow eps by rounding


@dataclass(frozen=True)
class Config:
    """Width of the embeddings, and number of message-passing layers."""

    width: int = 12
    layers: int = 2


@dataclass(frozen=True)
class Factor:
    """The prediction for G, (B, ...) as the planes; M^ = G G^T + eps I in scaled variables.

    diagonal: (B, 1, ny, nx) log g_ii;  sides: (B, 4, ny, nx) delta with g_ij = (2 + delta) c_ij across side (i, j);
    log_eps: (B, 1, 1, 1). With all of them 0, A^ M^ = lambda (3 - 2 lambda)^2 + eps lambda = 1 - T_3(1 - lambda) + eps
    lambda: Chebyshev's polynomial of degree 3 on (0, 2), the best that a fixed polynomial of this reach can do.
    """

    diagonal: torch.Tensor
    sides: torch.Tensor
    log_eps: torch.Tensor

    def apply(self, planes: Planes, x: torch.Tensor) -> torch.Tensor:
        """M^ x for x (B, c, ny, nx); for training."""
        g, eps = self.diagonal.exp(), EPSILON * self.log_eps.exp()
        towards = (BASE + self.sides) * planes.couplings
        back = transposed(towards)
        t = g * x
        for k, side in enumerate(SIDES):
            t = t + back[:, k : k + 1] * shifted(x, *side)
        y = g * t
        for k, side in enumerate(SIDES):
            y = y + towards[:, k : k + 1] * shifted(t, *side)
        return (y + eps * x) * planes.alive


def transposed(towards: torch.Tensor) -> torch.Tensor:
    """Entries of G^T by the cell and side that they are multiplied at: g_ji stands at j, looking back."""
    opposite = [k ^ 1 for k in range(4)]
    return torch.cat([shifted(towards[:, o : o + 1], *side) for o, side in zip(opposite, SIDES)], 1)


class Network(nn.Module):
    """Planes -> Factor. Every output begins at 0."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        c = config.width
        self.embed = nn.Conv2d(CELL, c, 1)
        self.layers = nn.ModuleList(Messages(c, c) for _ in range(config.layers))
        self.joined = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in range(config.layers))
        self.sides = Messages(c, c)
        self.side = nn.Conv2d(c, 1, 1)
        self.diagonal = nn.Conv2d(c, 1, 1)
        self.epsilon = nn.Linear(c + 1, 1)
        for layer in (self.side, self.diagonal, self.epsilon):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, planes: Planes) -> Factor:
        """Nothing here depends on the scale of A."""
        alive = planes.alive.to(planes.couplings.dtype)
        features = torch.cat((alive, planes.leak, planes.couplings.sum(1, keepdim=True)), 1)
        ratios = (planes.ratios / math.log(10)).clamp(-BOUND, BOUND)
        edges = [torch.stack((planes.couplings[:, k], ratios[:, k]), 1) for k in range(4)]
        open_ = [(planes.couplings[:, k : k + 1] > 0).to(features.dtype) for k in range(4)]
        h = relu(self.embed(features))
        for messages, joined in zip(self.layers, self.joined):
            heard = torch.stack([m * o for m, o in zip(messages(h, edges), open_)]).sum(0)
            h = h + joined(heard)
        sides = torch.cat([self.side(m) for m in self.sides(h, edges)], 1)
        count = alive.sum((1, 2, 3)).clamp(min=1.0)
        mean = (h * alive).sum((2, 3)) / count[:, None]
        log_eps = self.epsilon(torch.cat((mean, (count / CELLS).log()[:, None]), 1))
        diagonal, log_eps = bounded(self.diagonal(h), MOST_LOG), bounded(log_eps, MOST_LOG)
        return Factor(diagonal, bounded(sides, MOST_SIDE), log_eps[:, :, None, None])


def bounded(x: torch.Tensor, most: float) -> torch.Tensor:
    """x where it is small, never beyond +-most."""
    return most * torch.tanh(x / most)
