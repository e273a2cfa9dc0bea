"""The transformer that proposes functions: corrections of the traces around tiles, and of those around groups.

Tokens are patches of 2x2 cells, 16 to a tile. Attention runs inside a tile and over the 16 patches just across its
rim, with A's couplings as a bias; through these, and through the highways (means over the row and the column of tiles
and over the whole grid, added in every feed-forward step), a tile learns what lies around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .blocks import Cells
from .layout import SIDE, SIDES, Layout

PATCH = 2  # cells along a patch's side
ACROSS = SIDE // PATCH  # patches along a tile's side
TOKENS = ACROSS * ACROSS
RING = SIDES * ACROSS  # patches across the rim
FEATURES = 20  # of a patch: see `features`
SMALLEST_ROOT = 1e-4  # contrasts of 10^8 and more look alike


@dataclass(frozen=True)
class Config:
    """Sizes of the network; the shapes of the weights follow from them."""

    width: int = 32  # d
    heads: int = 4
    layers: int = 2
    functions: int = 8
    highways: bool = True

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}.")


class Places:
    """Index tables of one layout: where patches lie, and which are across which rim."""

    def __init__(self, layout: Layout, device: torch.device):
        T = layout.count
        self.count = T
        patch = torch.arange(TOKENS, device=device).view(ACROSS, ACROSS)
        # the patches across each side: the neighbour's nearest column or row
        far = torch.stack((patch[:, -1], patch[:, 0], patch[-1], patch[0]))
        neighbours = layout.tile_neighbours.T[..., None]  # (T, 4, 1)
        ring = torch.where(neighbours < T, neighbours * TOKENS + far, T * TOKENS)
        self.ring = ring.reshape(T, RING)
        self.neighbours = layout.tile_neighbours.T.contiguous()  # (T, 4)
        ty, tx = layout.tiles
        where = layout.tile_grid.to(device)  # (ty, tx): numbers of the tiles
        self.row, self.column = (torch.empty(T, dtype=torch.int64, device=device) for _ in range(2))
        self.row[where.reshape(-1)] = torch.arange(ty, device=device).repeat_interleave(tx)
        self.column[where.reshape(-1)] = torch.arange(tx, device=device).repeat(ty)
        self.grid = where.reshape(-1)
        self.tiles = ty, tx


def features(c: Cells) -> torch.Tensor:
    """(T, 16, 20) features of the patches, free of units.

    Of each of a patch's 4 cells the couplings to the east and north, log root and whether it is fluid; then the
    couplings of its left cells to the west and of its lower cells to the south.
    """
    T = c.root.shape[0]
    alive = (c.root > 0).float()
    log = c.root.clamp(min=SMALLEST_ROOT).log() / 4 + 0.5
    rim = c.rim.view(T, SIDES, SIDE)
    east, north = c.east.view(T, SIDE, SIDE), c.north.view(T, SIDE, SIDE)
    west = torch.cat((rim[:, 0, :, None], east[:, :, :-1]), 2)[:, :, ::PATCH].reshape(T, SIDE, ACROSS)
    south = torch.cat((rim[:, 2, None], north[:, :-1]), 1)[:, ::PATCH]
    cells = torch.stack((4 * c.east, 4 * c.north, log * alive, alive), -1).view(T, ACROSS, PATCH, ACROSS, PATCH, 4)
    own = cells.permute(0, 1, 3, 2, 4, 5).reshape(T, TOKENS, 16)
    west = west.view(T, ACROSS, PATCH, ACROSS).transpose(2, 3).reshape(T, TOKENS, PATCH)
    south = south.reshape(T, ACROSS, ACROSS, PATCH).reshape(T, TOKENS, PATCH)
    return torch.cat((own, 4 * west, 4 * south), 2)


def bias(c: Cells) -> torch.Tensor:
    """(T, 32, 32) summed couplings between patches: 16 of the tile, then 16 across its rim. Symmetric."""
    T = c.root.shape[0]
    east, north = c.east.view(T, SIDE, SIDE), c.north.view(T, SIDE, SIDE)
    right = east[:, :, 1:-1:PATCH].reshape(T, ACROSS, PATCH, ACROSS - 1).sum(2)  # (T, 4, 3)
    up = north[:, 1:-1:PATCH].reshape(T, ACROSS - 1, ACROSS, PATCH).sum(3)  # (T, 3, 4)
    across = c.rim.view(T, RING, PATCH).sum(2)
    table = c.root.new_zeros((T, TOKENS + RING, TOKENS + RING))
    patch = torch.arange(TOKENS, device=table.device).view(ACROSS, ACROSS)
    nearest = torch.cat((patch[:, 0], patch[:, -1], patch[0], patch[-1]))
    ring = torch.arange(RING, device=table.device) + TOKENS
    for a, b, values in (
        (patch[:, :-1].reshape(-1), patch[:, 1:].reshape(-1), right.reshape(T, -1)),
        (patch[:-1].reshape(-1), patch[1:].reshape(-1), up.reshape(T, -1)),
        (nearest, ring, across),
    ):
        table[:, a, b] = values
        table[:, b, a] = values
    return table


class Block(nn.Module):
    """Attention of some tokens to a tile's 32, then a feed-forward step that sees the highways."""

    def __init__(self, config: Config):
        super().__init__()
        d = config.width
        self.heads = config.heads
        self.before, self.between = nn.LayerNorm(d), nn.LayerNorm(d)
        self.query, self.key, self.value, self.out = (nn.Linear(d, d) for _ in range(4))
        self.strength = nn.Parameter(torch.ones(config.heads))  # of A in the attention, head by head
        self.highway = nn.Linear(3 * d, 2 * d) if config.highways else None
        self.first, self.second = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x: torch.Tensor, context: torch.Tensor, bias: torch.Tensor, places: Places) -> torch.Tensor:
        """x: (T, n, d) queries;  context: (T, 32, d) keys and values;  bias: (T, n, 32)."""
        T, n, d = x.shape
        h = self.heads
        x0, y = self.before(x), self.before(context)
        q = self.query(x0).view(T, n, h, d // h).transpose(1, 2)  # (T, h, n, d / h)
        k = self.key(y).view(T, -1, h, d // h).transpose(1, 2)
        v = self.value(y).view(T, -1, h, d // h).transpose(1, 2)
        scores = q @ k.transpose(2, 3) / (d // h) ** 0.5 + bias[:, None] * self.strength[:, None, None]
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(T, n, d))
        hidden = self.first(self.between(x))
        if self.highway is not None:
            hidden = hidden + self.highway(highways(x.mean(1), places))[:, None]
        return x + self.second(torch.nn.functional.gelu(hidden, approximate="tanh"))


def highways(tile: torch.Tensor, places: Places) -> torch.Tensor:
    """(T, 3 d): means of the tiles' vectors (T, d) over each one's row, its column, and the grid."""
    (ty, tx), d = places.tiles, tile.shape[1]
    grid = tile[places.grid].view(ty, tx, d)
    row, column = grid.mean(1)[places.row], grid.mean(0)[places.column]
    return torch.cat((row, column, grid.mean((0, 1)).expand_as(row)), 1)


class Network(nn.Module):
    """Corrections of the polynomials. The last layers begin at 0, so an untrained network leaves polynomials."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        d, r = config.width, config.functions
        self.embed = nn.Sequential(nn.Linear(FEATURES, 2 * d), nn.GELU(approximate="tanh"), nn.Linear(2 * d, d))
        self.place = nn.Parameter(torch.randn(TOKENS, d) * 0.1)
        self.ring = nn.Parameter(torch.randn(RING, d) * 0.1)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.last = Block(config)
        self.traces = nn.Linear(d, PATCH * (r - 1))
        self.slot = nn.Parameter(torch.randn(SIDES, 2, d) * 0.1)
        self.mix = nn.Sequential(nn.Linear(4 * d, 2 * d), nn.GELU(approximate="tanh"), nn.Linear(2 * d, d))
        last = nn.Linear(4 * d, r * (r - 1))
        self.groups = nn.Sequential(nn.Linear(3 * d, 4 * d), nn.GELU(approximate="tanh"), last)
        for layer in (self.traces, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, c: Cells, layout: Layout, places: Places) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(traces to add (T, r, 32), corrections of the groups' functions by level, each (G, slots r, r)).

        The constant, function 0, is never touched.
        """
        T, r = places.count, self.config.functions
        couplings = bias(c)
        x = self.embed(features(c)) + self.place
        for block in self.blocks:
            x = block(x, torch.cat((x, self._across(x, places)), 1), couplings[:, :TOKENS], places)
        ring = self._across(x, places)
        ring = self.last(ring, torch.cat((x, ring), 1), couplings[:, TOKENS:], places)
        delta = self.traces(ring).view(T, RING, PATCH, r - 1).permute(0, 3, 1, 2).reshape(T, r - 1, SIDES * SIDE)
        delta = torch.cat((delta.new_zeros((T, 1, SIDES * SIDE)), delta), 1)
        return delta, self._group_corrections(x, layout)

    def _across(self, x: torch.Tensor, places: Places) -> torch.Tensor:
        """(T, 16, d) the tokens across the rim; beyond the grid their embedding of the place alone."""
        flat = torch.cat((x.reshape(-1, x.shape[2]), x.new_zeros((1, x.shape[2]))))
        return flat[places.ring] + self.ring

    def _group_corrections(self, x: torch.Tensor, layout: Layout) -> list[torch.Tensor]:
        r, d = self.config.functions, self.config.width
        T = x.shape[0]
        quadrants = x.view(T, 2, ACROSS // 2, 2, ACROSS // 2, d).mean((2, 4)).reshape(T, 4 * d)
        block = self.mix(quadrants)  # (blocks, d)
        corrections = []
        for groups in layout.groups:
            G, m = groups.count, groups.members
            whole = block.view(G, m, d).mean(1)
            padded = torch.cat((block, block.new_zeros((1, d))))
            own = block.view(G, m, d)[:, groups.member]  # (G, slots, d)
            of = torch.stack([self.slot[side, k % 2] for k, (_, side) in enumerate(groups.slots)])
            features = torch.cat((own + of, padded[groups.neighbour], whole[:, None].expand_as(own)), 2)
            delta = self.groups(features).view(G, -1, r, r - 1)
            delta = torch.cat((delta.new_zeros((*delta.shape[:3], 1)), delta), 3)
            corrections.append(delta.reshape(G, -1, r))
            block = whole
        return corrections
