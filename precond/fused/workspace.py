"""The tables and tensors of the hierarchy of one grid shape: allocated once, rewritten in place by every set-up."""

from __future__ import annotations

import torch

from ..htp.blocks import Cells
from ..htp.galerkin import Constants
from ..htp.layout import CELLS, SIDE, SIDES, Groups
from .cells import PARTS

RIM = SIDES * SIDE
R = 8  # functions; what the kernels are written for


class Tiles:
    """Of T tiles; what is not said here stands at the kernels.

    places (T, 32): in tile order, of the cells across the rim; anywhere beyond the grid, where `down` is 0.
    around (T, 4): neighbours, -1 beyond the grid.  s (T, 64): a step of the cycle.
    """

    K = RIM

    def __init__(self, constants: Constants):
        layout, device = constants.layout, constants.inside.device
        self.count = T = layout.count
        self.places = constants.near.int().contiguous()
        self.around = marked(layout.tile_neighbours, T)
        self.inverse, self.functions = single((T, CELLS, CELLS), device), single((T, R, CELLS), device)
        self.down, self.coupling = single((T, RIM, R), device), single((T, RIM, R), device)
        self.coefficients, self.entries = double((T, R, R), device), double((5 * T, R, R), device)
        self.s, self.told = single((T, CELLS), device), double((1,), device)


class Level:
    """Of G groups of M blocks each, n = 8 M unknowns; what is not said here stands at the kernels.

    K: numbers that a group reads of its neighbours, 8 for each slot, padded to a power of two.
    places (G, K) of these.  s: two, a step of the cycle and the next one;  x, f, out (G, n), told (G, 8): see there.
    """

    def __init__(self, constants: Constants, k: int, around_below: torch.Tensor):
        groups, device = constants.layout.groups[k], constants.inside.device
        self.count, self.members = groups.count, groups.members
        self.slot_count = len(groups.slots)
        self.n, self.K = R * groups.members, 64
        G, n = self.count, self.n
        self.places = torch.zeros((G, self.K), dtype=torch.int32, device=device)
        self.places[:, : self.slot_count * R] = constants.beyond[k].int()
        self.slots = torch.zeros((self.K // R, 2), dtype=torch.int32)
        self.slots[: self.slot_count] = torch.tensor(groups.slots, dtype=torch.int32)
        self.slots = self.slots.to(device)
        self.neighbours, self.inside = groups.neighbour.int().contiguous(), groups.inside.int().contiguous()
        self.outer, self.around = outer(around_below, groups), marked(groups.around, G)
        self.member_monomials, self.outside_monomials = constants.members[k], constants.outside[k]
        self.inverse, self.functions = double((G, n, n), device), double((G, R, n), device)
        self.scratch, self.down = double((G, self.K, R), device), double((G, self.K, R), device)
        self.lift, self.entries = double((G, SIDES * R, n), device), double((5 * G, R, R), device)
        self.coefficients = double((G, R, R), device)
        self.s = double((G, n), device), double((G, n), device)
        self.x, self.f, self.out = (double((G, n), device) for _ in range(3))
        self.told = double((G, R), device)


class Workspace:
    """All levels. cell (T, 64), ring_cell (T, 32): places in the grid, or as many as it has cells, for none.

    top (n, n): the dense inverse for the last level's blocks, padded to a power of two.  e: their unknowns.
    """

    def __init__(self, constants: Constants):
        layout, device = constants.layout, constants.inside.device
        ny, nx = layout.grid
        self.shape, self.cell_count = (ny, nx), ny * nx
        self.cell = layout.cell.int()
        padded = torch.cat((layout.cell.view(-1), layout.cell.new_full((1,), ny * nx)))
        self.ring_cell = padded[layout.beyond].int()
        T = layout.count
        self.largest = double((PARTS,), device)
        numbers = (single((T, count), device) for count in (CELLS, CELLS, RIM, CELLS, CELLS, RIM))
        scale, root, ring, east, north, rim = numbers
        self.cells = Cells(scale, single((T, 1, 1), device), root, ring, east, north, rim)
        self.tiles = Tiles(constants)
        arounds = [layout.tile_neighbours, *(groups.around for groups in layout.groups)]
        self.groups = [Level(constants, k, around) for k, around in enumerate(arounds[:-1])]
        self.top_blocks, self.which = self.below(len(self.groups)).count, layout.top.int().contiguous()
        n = max(16, 1 << (R * self.top_blocks - 1).bit_length())
        self.top, self.e = double((n, n), device), double((self.top_blocks, R), device)

    def below(self, k: int) -> Tiles | Level:
        """The level whose blocks are the members of level k's groups."""
        return self.groups[k - 1] if k else self.tiles


def single(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Room in float32."""
    return torch.zeros(shape, dtype=torch.float32, device=device)


def double(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Room in float64."""
    return torch.zeros(shape, dtype=torch.float64, device=device)


def marked(around: torch.Tensor, count: int) -> torch.Tensor:
    """(blocks, 4) int32: the blocks around each, from (4, blocks); -1 beyond the grid."""
    return torch.where(around < count, around, -1).T.int().contiguous()


def outer(around: torch.Tensor, groups: Groups) -> torch.Tensor:
    """(4, blocks) int32: the blocks around each that belong to other groups, else -1."""
    members, count = groups.members, around.shape[1]
    own = torch.arange(count, device=around.device) // members
    return torch.where((around < count) & (around // members != own), around, -1).int().contiguous()
