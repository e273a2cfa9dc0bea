"""Where cells, leaves and tiles lie: index tables of one set of cells in Morton order, made once."""

from __future__ import annotations

import math

import torch

from ..problems import morton_rank

LEAF = 128  # cells of a leaf
BASIS = 32  # functions per leaf; a tile has as many rows and columns
POOL = LEAF // BASIS
WAVES = 4  # half waves along each side in `modes`
MODES = (WAVES + 1) ** 2 - 1


def tiles(leaves: int) -> list[tuple[int, int, int]]:
    """((first row leaf, first column leaf, S), ...): S x S leaf pairs each, together every pair above the diagonal.

    A tile of S = 2^j leaves at aligned places is admissible when d = |row - column| - S > 0 and S <= d; every pair of
    leaves goes to its largest admissible tile, else to one of its own. 4 K - 3 log2 K - 4 tiles of K leaves.
    """
    found, size = set(), 1
    while size <= leaves:
        size *= 2
    for row in range(leaves):
        for column in range(row + 1, leaves):
            S = size
            while S > 1 and not 0 < S <= abs(row // S * S - column // S * S) - S:
                S //= 2
            found.add((row // S * S, column // S * S, S))
    return sorted(found)


def tile_count(leaves: int) -> int:
    """4 K - 3 log2 K - 4, the number of tiles of K = 2^j >= 2 leaves."""
    return 4 * leaves - 3 * int(math.log2(leaves)) - 4


class Partition:
    """Leaves of 128 cells that follow one another in Morton order, and the tiles between them.

    The cells up to the last fluid one in Morton order take part (others lie behind it: 46x45 cut to 2048); K leaves, a
    power of two and at least 2, hold them, and places behind the last cell are padding.
    cell: (K, L) int64, place of a cell in the row-major grid, ny * nx for padding.
    neighbour: (4, K L) int64, place in leaf order of the cell west, east, south and north, K L where there is none.
    rows, columns: (M, K) float32, 1 where a leaf is one of a tile's row or column strips;  sizes: (M,) S.
    modes: (K, L, 24): cos(k pi x) cos(l pi y), k and l up to 4: the smoothest functions of a box of one density.
    leaf_edges: (K, L, L, 2), tile_edges: (M, L_s, L_s, 2): (dx, dy) in sides of a leaf, of a tile for tiles.
    """

    def __init__(self, solid: torch.Tensor):
        """solid: (ny, nx) bool."""
        device, (ny, nx) = solid.device, solid.shape
        rank = torch.from_numpy(morton_rank((ny, nx)))
        self.grid = ny, nx
        self.cells = participating(solid, rank)
        leaves = self.leaves = max(2, 1 << (-(-self.cells // LEAF) - 1).bit_length())
        places = leaves * LEAF
        cell = torch.full((places,), ny * nx, dtype=torch.int64)
        order = torch.argsort(rank.reshape(-1))[: self.cells]
        cell[: self.cells] = order
        place = torch.full((ny + 2, nx + 2), places, dtype=torch.int64)
        flat = torch.full((ny * nx,), places, dtype=torch.int64)
        flat[order] = torch.arange(self.cells)
        place[1:-1, 1:-1] = flat.view(ny, nx)
        around = torch.stack((place[1:-1, :-2], place[1:-1, 2:], place[:-2, 1:-1], place[2:, 1:-1])).view(4, -1)
        neighbour = torch.cat((around, around.new_full((4, 1), places)), 1)[:, cell]
        listed = tiles(leaves)
        self.count = len(listed)
        rows, columns = torch.zeros(2, self.count, leaves)
        number = torch.zeros((leaves, leaves), dtype=torch.int64)
        for t, (row, column, S) in enumerate(listed):
            rows[t, row : row + S] = columns[t, column : column + S] = 1
            number[row : row + S, column : column + S] = t
        sizes = rows.sum(1)
        y, x = (cell // nx).clamp(max=ny - 1).float(), (cell % nx).float()
        along_x, along_y = (
            torch.cos(math.pi * torch.arange(WAVES + 1) * ((v + 0.5) / n)[:, None]) for v, n in ((x, nx), (y, ny))
        )
        modes = (along_x[:, :, None] * along_y[:, None]).view(places, -1)[:, 1:]  # without the constant
        self.modes = modes.view(leaves, LEAF, -1).to(device)
        at = torch.stack((x, y), -1).view(leaves, LEAF, 2) / math.sqrt(LEAF)
        self.leaf_edges = (at[:, :, None] - at[:, None]).to(device)
        pooled = at.view(leaves, BASIS, POOL, 2).mean(2).view(leaves, -1)
        ends = ((side @ pooled / sizes[:, None]).view(-1, BASIS, 2) for side in (rows, columns))
        row_end, column_end = (end / sizes.sqrt()[:, None, None] for end in ends)
        self.tile_edges = (row_end[:, :, None] - column_end[:, None]).to(device)
        self.cell, self.neighbour = cell.view(leaves, LEAF).to(device), neighbour.to(device)
        self.rows, self.columns, self.sizes = rows.to(device), columns.to(device), sizes.to(device)
        self._entries(neighbour, number, device)

    def _entries(self, neighbour: torch.Tensor, number: torch.Tensor, device: torch.device) -> None:
        """Where the couplings of A go in the blocks of leaves and tiles: flat sources in (4, K L), flat targets."""
        places = neighbour.shape[1]
        here = torch.arange(places).expand(4, -1)
        valid = neighbour < places
        there = neighbour.clamp(max=places - 1)
        same = valid & (here // LEAF == there // LEAF)
        above = valid & (here // LEAF < there // LEAF)
        source = torch.arange(4 * places).view(4, -1)
        tile = number[here // LEAF, there // LEAF]
        target = (tile * BASIS + here % LEAF // POOL) * BASIS + there % LEAF // POOL
        self.in_leaf = source[same].to(device), (here * LEAF + there % LEAF)[same].to(device)
        self.in_tile = source[above].to(device), target[above].to(device)

    def gather(self, field: torch.Tensor) -> torch.Tensor:
        """(ny, nx) -> (K, L); 0 in padding."""
        flat = field.reshape(-1)
        return torch.cat((flat, flat.new_zeros(1)))[self.cell]


def participating(solid: torch.Tensor, rank: torch.Tensor | None = None) -> int:
    """Number of cells up to the last fluid one in Morton order, at least 1."""
    order = torch.from_numpy(morton_rank((solid.shape[0], solid.shape[1]))) if rank is None else rank
    return int(torch.where(solid.cpu(), -1, order).max().clamp(min=0)) + 1
