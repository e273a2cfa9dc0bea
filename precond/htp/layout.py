"""Where cells, tiles and groups of tiles lie: index tables of one grid shape, made once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

SIDE = 8  # cells along a tile's side
CELLS = SIDE * SIDE
STEP = 2  # blocks along a group's side
SIDES = 4  # west, east, south, north, in this order everywhere


@dataclass(frozen=True)
class Groups:
    """One coarsening of a (tiles_y, tiles_x) array of blocks into groups of (fy, fx) of them.

    slots: ((member, side), ...) every outward side of every member, side after side.
    member: (slots,) int64: the first of each.
    neighbour: (groups, slots) int64: the block beyond it, or `blocks` (a zero) beyond the grid.
    inside: (groups, members, members) int64: which of A's blocks couples two members. Counted are the diagonal blocks,
    then those towards each side in turn, then a zero (`blocks._entries`).
    outside: (groups, slots, members) int64: likewise, which block couples a member to what lies beyond a slot.
    around: (4, groups) int64: the group beyond each side, or `groups` beyond the grid.
    """

    shape: tuple[int, int]  # of the groups
    factors: tuple[int, int]
    slots: tuple[tuple[int, int], ...]
    member: torch.Tensor
    neighbour: torch.Tensor
    inside: torch.Tensor
    outside: torch.Tensor
    around: torch.Tensor

    @property
    def count(self) -> int:
        """Number of groups."""
        return self.shape[0] * self.shape[1]

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """((sides, slots on each), ...): consecutive sides with equally many slots."""
        fy, fx = self.factors
        return ((SIDES, fy),) if fy == fx else ((2, fy), (2, fx))

    @property
    def members(self) -> int:
        """Blocks in a group."""
        return self.factors[0] * self.factors[1]


class Layout:
    """Tiles of 8x8 cells, numbered so that the members of every group follow one another, on every level.

    The grid is padded with solid cells on the right and below (the top may be open) until all levels divide evenly.
    tiles: (ty, tx);  blocks[k]: (ny, nx) of the blocks on level k, level 0 the tiles;  groups[k]: from blocks[k] on.
    tile_grid: (ty, tx) int64, the tiles' numbers.
    cell: (T, 64) int64, place of a tile's cell in the row-major grid, or ny * nx for a padding cell.
    top: (blocks, blocks) int64: as `Groups.inside`, of all blocks of the last level.
    place: (ny * nx,) int64, the inverse: place of a cell in tile order.
    rim: (32,) the tile's cells along its four sides, 8 each (a corner turns up twice).
    opposite: (4, T, 8) int64: the same cells as places in an array of rims (T, 32), or T * 32.
    beyond: (T, 32) int64: place in tile order of the cell across the rim, or T * 64 (a zero) beyond the grid.
    """

    def __init__(self, ny: int, nx: int, functions: int, coarsest: int, device: torch.device):
        """functions: unknowns per block on the coarse levels;  coarsest: unknowns that are inverted densely."""
        self.grid = ny, nx
        self.blocks, factors = levels(ny, nx, functions, coarsest)
        self.tiles = ty, tx = self.blocks[0]
        self.count = ty * tx
        numbers = [_nested(shape, factors[k:]) for k, shape in enumerate(self.blocks)]
        self.groups = [_groups(numbers[k], numbers[k + 1], factors[k], device) for k in range(len(factors))]
        self._cells(numbers[0], device)
        self.tile_grid = numbers[0]
        self.top = _entries(_around(numbers[-1])).to(device)
        self.tile_neighbours = _around(numbers[0]).to(device)

    def _cells(self, number: torch.Tensor, device: torch.device) -> None:
        (ny, nx), (ty, tx) = self.grid, self.tiles
        below = ty * SIDE - ny  # padding rows lie under row 0
        y, x = torch.meshgrid(torch.arange(ty * SIDE), torch.arange(tx * SIDE), indexing="ij")
        row = y - below
        natural = torch.where((row >= 0) & (x < nx), row * nx + x, ny * nx)
        order = number[y // SIDE, x // SIDE] * CELLS + (y % SIDE) * SIDE + x % SIDE
        cell = torch.empty(self.count * CELLS, dtype=torch.int64)
        cell[order.reshape(-1)] = natural.reshape(-1)
        place = torch.empty(ny * nx + 1, dtype=torch.int64)
        place[cell] = torch.arange(cell.numel())
        self.cell, self.place = cell.view(self.count, CELLS).to(device), place[:-1].to(device)
        along = torch.arange(SIDE)
        self.rim = torch.cat((along * SIDE, along * SIDE + SIDE - 1, along, along + CELLS - SIDE)).to(device)
        opposite = torch.cat((along * SIDE + SIDE - 1, along * SIDE, along + CELLS - SIDE, along))
        tile = _around(number).T.repeat_interleave(SIDE, 1)  # (T, 32)
        beyond = torch.where(tile < self.count, tile * CELLS + opposite, self.count * CELLS)
        self.beyond = beyond.to(device)
        # the same ring in the numbering of rims: slot `side ^ 1` of the neighbour touches slot `side`
        facing = (torch.arange(SIDES * SIDE).view(SIDES, SIDE))[[1, 0, 3, 2]].reshape(-1)
        opposite_slot = torch.where(tile < self.count, tile * SIDES * SIDE + facing, self.count * SIDES * SIDE)
        self.opposite = opposite_slot.view(-1, SIDES, SIDE).transpose(0, 1).contiguous().to(device)

    def to_tiles(self, field: torch.Tensor) -> torch.Tensor:
        """(ny, nx) or (ny * nx,) -> (T, 64); padding cells read 0."""
        flat = field.reshape(-1)
        return torch.cat((flat, flat.new_zeros(1)))[self.cell]


def levels(ny: int, nx: int, functions: int, coarsest: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(blocks up and across of every level, the tiles first; the factors from each level to the next)."""
    tiles = -(-ny // SIDE), -(-nx // SIDE)
    factors = []
    while tiles[0] * tiles[1] * functions > coarsest and tiles != (1, 1):
        step = min(STEP, tiles[0]), min(STEP, tiles[1])
        factors.append(step)
        tiles = -(-tiles[0] // step[0]), -(-tiles[1] // step[1])
    blocks = [tiles]
    for fy, fx in reversed(factors):
        tiles = tiles[0] * fy, tiles[1] * fx
        blocks.insert(0, tiles)
    return blocks, factors


def _nested(shape: tuple[int, int], factors: list[tuple[int, int]]) -> torch.Tensor:
    """Numbers of the blocks, (ny, nx), such that the members of a group have consecutive ones, group after group."""
    number = torch.zeros(shape, dtype=torch.int64)
    y, x = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    stride = 1
    for fy, fx in factors:
        number += ((y % fy) * fx + x % fx) * stride
        stride *= fy * fx
        y, x, shape = y // fy, x // fx, (shape[0] // fy, shape[1] // fx)
    return number + (y * shape[1] + x) * stride


def _around(number: torch.Tensor) -> torch.Tensor:
    """(4, blocks): the block west, east, south and north of each, or `blocks` beyond the grid."""
    padded = torch.full((number.shape[0] + 2, number.shape[1] + 2), number.numel(), dtype=torch.int64)
    padded[1:-1, 1:-1] = number
    sides = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
    around = torch.empty((SIDES, number.numel()), dtype=torch.int64)
    for k, side in enumerate(sides):
        around[k, number.reshape(-1)] = side.reshape(-1)
    return around


def _entries(around: torch.Tensor) -> torch.Tensor:
    """(blocks, blocks) int64: which of A's blocks couples one to another; around: as from `_around`."""
    count = around.shape[1]
    table = torch.full((count + 1, count + 1), (1 + SIDES) * count)
    own = torch.arange(count)
    table[own, own] = own
    for side in range(SIDES):
        table[own, around[side]] = (1 + side) * count + own
    return table[:count, :count].contiguous()


def _groups(number: torch.Tensor, of_groups: torch.Tensor, factors: tuple[int, int], device: torch.device) -> Groups:
    fy, fx = factors
    members = [(y, x) for y in range(fy) for x in range(fx)]
    edges = (
        [m for m, (_, x) in enumerate(members) if x == 0],
        [m for m, (_, x) in enumerate(members) if x == fx - 1],
        [m for m, (y, _) in enumerate(members) if y == 0],
        [m for m, (y, _) in enumerate(members) if y == fy - 1],
    )
    slots = [(m, side) for side in range(SIDES) for m in edges[side]]
    around = _around(number)
    first = torch.arange(of_groups.numel()) * fy * fx
    neighbour = torch.stack([around[side, first + m] for m, side in slots], dim=1)
    blocks = number.numel()
    inside = torch.full((len(first), fy * fx, fy * fx), (1 + SIDES) * blocks)
    outside = torch.full((len(first), len(slots), fy * fx), (1 + SIDES) * blocks)
    for m in range(fy * fx):
        inside[:, m, m] = first + m
        for side, step in enumerate((-1, 1, -fx, fx)):
            if m not in edges[side]:
                inside[:, m, m + step] = (1 + side) * blocks + first + m
    for slot, (m, side) in enumerate(slots):
        outside[:, slot, m] = (1 + side) * blocks + first + m
    return Groups(
        shape=(of_groups.shape[0], of_groups.shape[1]),
        factors=factors,
        member=torch.tensor([m for m, _ in slots], device=device),
        neighbour=neighbour.to(device),
        slots=tuple(slots),
        inside=inside.to(device),
        outside=outside.to(device),
        around=_around(of_groups).to(device),
    )
