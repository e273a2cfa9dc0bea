"""The neural preconditioning operator: smoothing, attention to coarse tokens, attention among them, and back.

Shapes: B systems, p vectors each, N = ny nx cells, T tokens, c functions of a token, d the width of embeddings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import relu

from ..message_passing.coefficient_planes import SIDES, Planes
from ..message_passing.messages import BOUND, Messages

CELL = 5  # features of a cell: alive, leak, sum of couplings, x, y
SHIFT = 1e-6  # of the coarse operator, whose functions have norm 1: a closed box's constant must not divide by 0
REACH = 1.0  # width of a token's bell in the beginning, in distances between tokens


@dataclass(frozen=True)
class Config:
    """Sizes of the network.

    functions: of a token, 1 (its share of every cell) or 3 (that times the offset in x and in y besides).
    galerkin: whether the tokens start from the inverse of A between their functions instead of from attention alone.
    """

    across: int = 8  # tokens across: T = 64
    functions: int = 3
    width: int = 24
    heads: int = 4
    layers: int = 2
    sweeps: int = 3
    galerkin: bool = False

    def __post_init__(self) -> None:
        if self.functions not in (1, 3) or self.width % self.heads:
            raise ValueError(f"functions {self.functions} is not 1 or 3, or width {self.width} no multiple of heads.")


@dataclass(frozen=True)
class Operator:
    """The result of a setup: M^ f is a function of these and of f alone.

    prolongation: (B, N, T c) functions of the tokens in scaled variables, each of norm 1;
    inverse: (B, T c, T c) of A between them, or nothing;  bias: (layers, B, heads, T, T) logits of the coefficients.
    """

    planes: Planes
    prolongation: torch.Tensor
    inverse: torch.Tensor
    bias: torch.Tensor

    def copy_from(self, other: Operator) -> None:
        """Take over the values of another one of the same shapes."""
        for mine, theirs in zip(self._tensors(), other._tensors()):
            mine.copy_(theirs)

    def _tensors(self) -> tuple[torch.Tensor, ...]:
        p = self.planes
        return p.couplings, p.root, p.leak, p.ratios, self.prolongation, self.inverse, self.bias


class Network(nn.Module):
    """prepare(planes) -> Operator, now and then; forward(operator, x): M^ x for x (B, p, ny, nx), every iteration."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.transfer = Transfer(config)
        self.coarse = Coarse(config)
        # damping of the sweeps: Chebyshev nodes on the upper half of (0, 2), in this order before, reversed after
        nodes = [1.3 + 0.6 * math.cos(math.pi * (2 * k + 1) / (2 * config.sweeps)) for k in range(config.sweeps)]
        self.damping = nn.Parameter(torch.tensor([1 / node for node in nodes]))

    def prepare(self, planes: Planes) -> Operator:
        """Everything that depends on A alone."""
        functions, tokens = self.transfer(planes)
        inverse = coarse_inverse(planes, functions) if self.config.galerkin else functions.new_zeros(0)
        return Operator(planes, functions, inverse, self.coarse.biases(tokens))

    def forward(self, operator: Operator, x: torch.Tensor) -> torch.Tensor:
        """Homogeneous of degree one, not linear."""
        size = x.flatten(2).norm(dim=2).clamp(min=1e-30)[:, :, None, None]
        x = x / size
        A = operator.planes.apply
        z = self.damping[0] * x
        for omega in self.damping[1:]:
            z = z + omega * (x - A(z))
        left = (x - A(z)).flatten(2)  # (B, p, N)
        y = self.coarse(left @ operator.prolongation, operator)
        z = z + (y @ operator.prolongation.transpose(1, 2)).view_as(x)
        for omega in self.damping.flip(0):
            z = z + omega * (x - A(z))
        return z * size * operator.planes.alive


def coarse_inverse(planes: Planes, functions: torch.Tensor) -> torch.Tensor:
    """(P^T A^ P)^-1 for functions P (B, N, T c), found in float64."""
    B, _, width = functions.shape
    image = planes.apply(functions.transpose(1, 2).reshape(B, width, *planes.root.shape[2:])).flatten(2)
    between = (image @ functions).double()
    shift = SHIFT * torch.eye(width, dtype=torch.float64, device=between.device)
    return torch.linalg.inv((between + between.transpose(1, 2)) / 2 + shift).to(functions.dtype)


class Transfer(nn.Module):
    """Attention of cells to tokens: a softmax over tokens, so that the functions add up to the constant pressure."""

    def __init__(self, config: Config):
        super().__init__()
        self.config, d, T = config, config.width, config.across**2
        self.embed = nn.Conv2d(CELL, d, 1)
        self.layers = nn.ModuleList(Messages(d, d) for _ in range(2))
        self.joined = nn.ModuleList(nn.Conv2d(d, d, 1) for _ in range(2))
        self.key, self.query = nn.Linear(d, d), nn.Linear(d, d)
        self.place = nn.Parameter(0.1 * torch.randn(T, d))
        self.log_width = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.key.weight)

    def forward(self, planes: Planes) -> tuple[torch.Tensor, torch.Tensor]:
        """(functions (B, N, T c), embeddings of the tokens (B, T, d))."""
        h, where = self._cells(planes)  # (B, N, d), (N, 2)
        m = self.config.across
        line = (torch.arange(m, device=h.device, dtype=h.dtype) + 0.5) / m
        centres = torch.stack((line.repeat(m), line.repeat_interleave(m)), 1)  # (T, 2)
        offset = m * (where[:, None] - centres)  # (N, T, 2), in tokens
        near = -offset.square().sum(2) / (2 * (REACH * self.log_width.exp()) ** 2)
        alive = planes.alive.flatten(2).transpose(1, 2)  # (B, N, 1)
        around = torch.softmax(near, 1) * alive
        local = around.transpose(1, 2) @ h / around.sum(1)[..., None].clamp(min=1e-6)  # (B, T, d): what is there
        logits = self.key(h) @ self.query(local + self.place).transpose(1, 2) / math.sqrt(h.shape[2])
        share = torch.softmax(near + logits, 2) * alive  # (B, N, T)
        shapes = torch.cat((torch.ones_like(offset[..., :1]), offset), 2)[..., : self.config.functions]
        functions = (share[..., None] * shapes).flatten(2) * planes.constant().flatten(2).transpose(1, 2)
        functions = functions / functions.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return functions, local + self.place

    def _cells(self, planes: Planes) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of the cells by messages along couplings, and where the cells are in the unit square."""
        ny, nx = planes.root.shape[2:]
        like = planes.couplings
        y, x = ((torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n for n in (ny, nx))
        grid = torch.stack((x.expand(ny, nx), y[:, None].expand(ny, nx)))
        alive = planes.alive.to(like.dtype)
        features = (alive, planes.leak, like.sum(1, keepdim=True), grid.expand(like.shape[0], 2, ny, nx))
        ratios = (planes.ratios / math.log(10)).clamp(-BOUND, BOUND)
        edges = [torch.stack((like[:, k], ratios[:, k]), 1) for k in range(len(SIDES))]
        open_ = [(like[:, k : k + 1] > 0).to(like.dtype) for k in range(len(SIDES))]
        h = relu(self.embed(torch.cat(features, 1)))
        for messages, joined in zip(self.layers, self.joined):
            h = h + joined(torch.stack([m * o for m, o in zip(messages(h, edges), open_)]).sum(0))
        return h.flatten(2).transpose(1, 2), grid.flatten(1).T


class Coarse(nn.Module):
    """Self-attention among tokens; its logits come from the coefficients and from the tokens' values."""

    def __init__(self, config: Config):
        super().__init__()
        self.config, d, c = config, config.width, config.functions
        self.enter = nn.Linear(2 * c if config.galerkin else c, d, bias=False)
        self.static = nn.ModuleList(nn.Linear(d, 2 * d) for _ in range(config.layers))
        self.dynamic = nn.ModuleList(nn.Linear(d, 3 * d, bias=False) for _ in range(config.layers))
        self.table = nn.Parameter(torch.zeros(config.layers, config.heads, config.across**2, config.across**2))
        self.mix = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(config.layers))
        self.rise = nn.ModuleList(nn.Linear(d, 2 * d) for _ in range(config.layers))
        self.fall = nn.ModuleList(nn.Linear(2 * d, d) for _ in range(config.layers))
        self.leave = nn.Linear(d, c, bias=False)
        self.log_scale = nn.Parameter(torch.zeros(c) if config.galerkin else torch.full((c,), 2.0))
        if config.galerkin:
            nn.init.zeros_(self.leave.weight)

    def biases(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits from the coefficients, (layers, B, heads, T, T)."""
        B, T, _ = tokens.shape
        found = []
        for layer, table in zip(self.static, self.table):
            q, k = layer(tokens).view(B, T, 2, self.config.heads, -1).permute(2, 0, 3, 1, 4)
            found.append(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + table)
        return torch.stack(found)

    def forward(self, x: torch.Tensor, operator: Operator) -> torch.Tensor:
        """Coarse values (B, p, T c) for coarse residuals (B, p, T c); homogeneous of degree one."""
        B, p, _ = x.shape
        T, heads = self.config.across**2, self.config.heads
        size = x.norm(dim=2, keepdim=True).clamp(min=1e-30)
        x = x / size
        features = x.view(B, p, T, -1)
        if self.config.galerkin:
            solved = x @ operator.inverse
            rms = solved.norm(dim=2, keepdim=True).clamp(min=1e-30)
            features = torch.cat((features, (solved / rms).view(B, p, T, -1)), 3)
        h = math.sqrt(T) * self.enter(features)
        for dynamic, mix, rise, fall, bias in zip(self.dynamic, self.mix, self.rise, self.fall, operator.bias):
            q, k, v = dynamic(h).view(B, p, T, 3, heads, -1).permute(3, 0, 1, 4, 2, 5)
            logits = q @ k.transpose(3, 4) / math.sqrt(q.shape[4]) + bias[:, None]
            heard = torch.softmax(logits, 4) @ v  # (B, p, heads, T, d / heads)
            h = h + mix(heard.transpose(2, 3).flatten(3))
            h = h + fall(relu(rise(h)))
        y = (self.leave(h) * self.log_scale.exp() / math.sqrt(T)).flatten(2)
        return (solved + rms * y) * size if self.config.galerkin else y * size
