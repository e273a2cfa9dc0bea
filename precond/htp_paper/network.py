"""The network that predicts the factors of M: two interleaved streams of tokens, leaves and tiles, with highways."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ..problems import morton_rank
from .factors import Factors
from .frames import GLOBALS, Frames
from .partition import BASIS, LEAF, MODES, POOL, Partition

HIDDEN_EDGES = 16  # width of the edge network: two numbers go in
QUIET = 0.1  # of the usual size of last layers: M begins close to Jacobi, where probes already shrink


@dataclass(frozen=True)
class Config:
    """Sizes of the network; by default the published ones: 128 wide, 3 layers, 8 heads, 2.6 million parameters."""

    width: int = 128
    layers: int = 3
    heads: int = 8
    hidden: int = 4  # of the feed-forward networks, in widths
    places: bool = False  # numbers learned per place within a leaf; published: places are known through edges only
    scaled: bool = False  # rows of F times D^-1/2, as suits an inverse of A; not in the published method

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}.")


class Network(nn.Module):
    """Frames -> Factors. One set of weights runs on any number of leaves."""

    def __init__(self, config: Config):
        super().__init__()
        self.config, d = config, config.width
        self.embed = nn.Sequential(nn.Linear(2 + GLOBALS, d), nn.GELU(), nn.Linear(d, d))
        self.graph = nn.ModuleList(nn.Linear(2 * d, d) for _ in range(2))
        self.norm = nn.LayerNorm(d)
        self.place = Places(d) if config.places else None
        self.to_tiles = nn.Linear(2 * d, d)
        self.edges = nn.ModuleList(_edge_network() for _ in range(2))
        self.layers = nn.ModuleList(Layer(d, config.heads, config.hidden) for _ in range(config.layers))
        self.leaf_norm, self.tile_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.to_F, self.to_B = Pairs(d, LEAF), Pairs(d, BASIS)
        self.to_bases, self.to_gate = nn.Linear(d, 2 * BASIS), nn.Linear(d, 1)

    def forward(self, frames: Frames) -> Factors:
        """The factors of M for a batch of B systems on one partition."""
        p = frames.partition
        leaf_A, tile_A = frames.blocks()
        x = self._cells(frames)  # (B, K, L, d)
        strips = pooled(x)  # (B, K, L_s, d)
        t = self.to_tiles(torch.cat((mean(p.rows, strips), mean(p.columns, strips)), -1))  # (B, M, L_s, d)
        leaf_e, tile_e = self.edges[0](p.leaf_edges), self.edges[1](p.tile_edges)
        for layer in self.layers:
            x, t = layer(p, x, t, (leaf_A, leaf_e), (tile_A, tile_e))
        x, t = self.leaf_norm(x), self.tile_norm(t)
        fluid = frames.diagonal > 0
        inverse = torch.where(fluid, 1 / frames.diagonal.clamp(min=1e-12), 0.0)  # (B, K, L)
        scale = (inverse.sqrt() if self.config.scaled else fluid.float()).unsqueeze(-1)
        F, bases = self.to_F(x, leaf_e), self.to_bases(x)
        if self.place is not None:
            F, bases = F + self.place.F, bases + self.place.bases
        U, V = (bases * fluid[..., None]).chunk(2, -1)
        gate = torch.sigmoid(self.to_gate(x)).squeeze(-1)
        return Factors(F=scale * F, U=U, V=V, B=self.to_B(t, tile_e), jacobi=gate * inverse)

    def _cells(self, frames: Frames) -> torch.Tensor:
        """(B, K, L, d): an MLP of the features, then two residual layers over neighbours weighted by A_ij."""
        cells, numbers = frames.features()
        B, K, L, _ = cells.shape
        x = self.embed(torch.cat((cells, numbers[:, None, None].expand(B, K, L, -1)), -1))
        x = x.view(B, K * L, -1)
        weights = frames.weights / frames.diagonal.view(B, 1, -1).clamp(min=1e-12)  # (B, 4, K L), adding up to 1
        for linear in self.graph:
            padded = torch.cat((x, x.new_zeros(B, 1, x.shape[-1])), 1)
            neighbours = padded[:, frames.partition.neighbour]  # (B, 4, K L, d)
            around = (weights[..., None] * neighbours).sum(1)
            x = x + functional.gelu(linear(torch.cat((x, around), -1)))
        x = self.norm(x).view(B, K, L, -1)
        return x if self.place is None else x + self.place(frames.partition)


class Layer(nn.Module):
    """Attention within every leaf and every tile, highways between them, and feed-forward networks that see those."""

    def __init__(self, d: int, heads: int, hidden: int):
        super().__init__()
        self.leaf_attention, self.tile_attention = Attention(d, heads), Attention(d, heads)
        self.leaf_forward, self.tile_forward = FeedForward(d, hidden), FeedForward(d, hidden)

    def forward(
        self,
        p: Partition,
        x: torch.Tensor,
        t: torch.Tensor,
        leaf: tuple[torch.Tensor, torch.Tensor],
        tile: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        x, t = x + self.leaf_attention(x, *leaf), t + self.tile_attention(t, *tile)
        own = pooled(x)
        row = own + mean(p.rows.T, t)  # the highways, (B, K, L_s, d): a leaf and the tiles in whose rows it lies
        column = own + mean(p.columns.T, t)
        everything = own.mean((1, 2))  # (B, d)
        x = x + self.leaf_forward(x, row, column, everything, repeat=POOL)
        t = t + self.tile_forward(t, mean(p.rows, row), mean(p.columns, column), everything)
        return x, t


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d_h) + A_ij) V + G(e_ij) V with G of (dx, dy, A_ij): a network of (dx, dy), linear in A_ij.

    The third direction is left out: these grids are flat. The part of G that knows no A is the same for all systems.
    """

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.gate = nn.Linear(HIDDEN_EDGES, heads)
        self.coupling = nn.Parameter(torch.zeros(heads))

    def forward(self, x: torch.Tensor, A: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        """x: (B, T, n, d);  A: (B, T, n, n);  e: (T, n, n, hidden)."""
        B, T, n, d = x.shape
        h, w = self.heads, d // self.heads
        q, k, v = self.qkv(self.norm(x)).view(B * T, n, 3, h, w).permute(2, 0, 3, 1, 4)  # (B T, h, n, w) each
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=A.view(B * T, 1, n, n))
        G = self.gate(e).permute(0, 3, 1, 2) / n  # (T, h, n, n)
        values = v.view(B, T, h, n, w).permute(1, 2, 3, 0, 4).reshape(T, h, n, B * w)
        gated = (G @ values).view(T, h, n, B, w).permute(3, 0, 1, 2, 4).reshape(B * T, h, n, w)
        across = A.view(B * T, n, n) @ v.transpose(1, 2).reshape(B * T, n, d)
        coupled = self.coupling.repeat_interleave(w) * across
        mixed = (attended + gated).transpose(1, 2).reshape(B * T, n, d) + coupled
        return self.out(mixed).view(B, T, n, d)


class FeedForward(nn.Module):
    """W2 gelu(W1 [own, row, column, everything]), each part brought to the others' resolution after its product."""

    def __init__(self, d: int, hidden: int):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.highway_norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        self.own = nn.Linear(d, hidden * d)
        self.highways = nn.ModuleList(nn.Linear(d, hidden * d, bias=False) for _ in range(3))
        self.out = nn.Linear(hidden * d, d)

    def forward(
        self, x: torch.Tensor, row: torch.Tensor, column: torch.Tensor, everything: torch.Tensor, repeat: int = 1
    ) -> torch.Tensor:
        """x: (B, T, n, d);  row, column: (B, T, n / repeat, d);  everything: (B, d)."""
        r, c, g = (
            linear(norm(part))
            for linear, norm, part in zip(self.highways, self.highway_norms, (row, column, everything))
        )
        beside = (r + c + g[:, None, None]).repeat_interleave(repeat, 2) if repeat > 1 else r + c + g[:, None, None]
        return self.out(functional.gelu(self.own(self.norm(x)) + beside))


class Pairs(nn.Module):
    """Predictions for pairs of tokens: W(x_i)_j + <q_i, k_j> g(e_ij) + h(e_ij), (B, T, n, n)."""

    def __init__(self, d: int, n: int):
        super().__init__()
        last = nn.Linear(2 * d, n)
        self.direct = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), last)
        self.q, self.k = nn.Linear(d, d), nn.Linear(d, d)
        self.of_edge = nn.Linear(HIDDEN_EDGES, 2)
        for linear in (last, self.of_edge):
            nn.init.normal_(linear.weight, std=QUIET * linear.in_features**-0.5)
            nn.init.zeros_(linear.bias)

    def forward(self, x: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        """x: (B, T, n, d);  e: (T, n, n, hidden)."""
        g, h = self.of_edge(e).unbind(-1)
        return self.direct(x) + self.q(x) @ self.k(x).mT * (g * x.shape[-1] ** -0.5) + h


class Places(nn.Module):
    """Numbers learned per place within a leaf. They begin as those of a leaf of 16 x 8 cells of one density.

    embedding: (L, d);  F: (L, L), a Cholesky factor of its inverse;  bases: (L, 2 L_s), ones on every four cells.
    """

    def __init__(self, d: int):
        super().__init__()
        self.embedding = nn.Parameter(0.5 * torch.randn(LEAF, d))
        self.of_modes = nn.Linear(MODES, d)
        rank = torch.from_numpy(morton_rank((8, 16)))
        y, x = (torch.empty(LEAF).index_copy_(0, rank.view(-1), part.reshape(-1).float()) for part in _grid(8, 16))
        apart = (x[:, None] - x).abs() + (y[:, None] - y).abs()
        A = torch.eye(LEAF) - (apart == 1) / 4
        self.F = nn.Parameter(torch.linalg.cholesky(torch.linalg.inv(A)))
        self.bases = nn.Parameter(torch.eye(BASIS).repeat_interleave(POOL, 0).repeat(1, 2))

    def forward(self, partition: Partition) -> torch.Tensor:
        """(K, L, d): what is added to the tokens, by place in the leaf and in the box."""
        return self.embedding + self.of_modes(partition.modes)


def _grid(ny: int, nx: int) -> tuple[torch.Tensor, ...]:
    return torch.meshgrid(torch.arange(ny), torch.arange(nx), indexing="ij")


def pooled(x: torch.Tensor) -> torch.Tensor:
    """(B, K, L, d) -> (B, K, L_s, d): means of four cells."""
    B, K, L, d = x.shape
    return x.view(B, K, L // POOL, POOL, d).mean(3)


def mean(incidence: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """(m, k) and (B, k, n, d) -> (B, m, n, d): the mean of those that belong together, 0 where none does."""
    B, k, n, d = blocks.shape
    weights = incidence / incidence.sum(1, keepdim=True).clamp(min=1)
    return (weights @ blocks.reshape(B, k, n * d)).view(B, -1, n, d)


def _edge_network() -> nn.Sequential:
    e = HIDDEN_EDGES
    return nn.Sequential(nn.Linear(2, e), nn.GELU(), nn.Linear(e, e), nn.GELU())
