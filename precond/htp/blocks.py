"""The operator seen from the tiles: scaled couplings, dense tile blocks, and block operators of the coarse levels.

Everything lives in the diagonally scaled variables: A^ = S A S with S = D^-1/2, so that its diagonal is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from ..system import PoissonSystem
from ..topology import Topology
from .layout import CELLS, SIDE, SIDES, Groups, Layout

SHIFT = 1e-6  # relative to a diagonal of 1; keeps blocks positive that float32 rounding or a closed box makes singular
TOP_SHIFT = 2e-6  # of the dense block, likewise


@dataclass(frozen=True)
class Cells:
    """The scaled operator by tile, float32. d is A's diagonal, 0 in solids, in cells without open faces and in padding.

    scale: (T, 64) d^-1/2 or 0.  measure: (T, 1, 1) largest d^1/2 in and around the tile.
    closed: there is no way out anywhere, so that the constant is in the null space.
    pocket: (T, 64) int64, numbers of closed regions that lie within one tile, -1 elsewhere; None where there are none.
    root: (T, 64) d^1/2 / measure or 0: the constant function, seen in scaled variables;  ring: (T, 32) beyond the rim.
    east, north: (T, 64) couplings beta / sqrt(d_i d_j) to those neighbours, across tiles too.
    rim: (T, 32) couplings to the cells beyond the rim.
    All but scale and measure are free of units, so that a tile whose surroundings are at rest keeps them to the bit.
    """

    scale: torch.Tensor
    measure: torch.Tensor
    root: torch.Tensor
    ring: torch.Tensor
    east: torch.Tensor
    north: torch.Tensor
    rim: torch.Tensor
    pocket: torch.Tensor | None = None
    closed: bool = False

    def key(self) -> torch.Tensor:
        """(T, 256) everything that a tile's functions depend on."""
        return torch.cat((self.root, self.ring, self.east, self.north, self.rim), 1)

    def of(self, which: torch.Tensor) -> Cells:
        """These tiles only."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        part: dict[str, Any] = {name: v[which] for name, v in values.items() if isinstance(v, torch.Tensor)}
        return replace(self, **part)


def cells(system: PoissonSystem, layout: Layout) -> Cells:
    """The tensors of a system in tile order."""
    return tiled(system, layout, pockets(system.topology, layout), system.topology.enclosed)


def tiled(system: PoissonSystem, layout: Layout, pocket: torch.Tensor | None, closed: bool) -> Cells:
    """`cells` without asking for regions, which would wait for the device: pocket is what `pockets` found.

    d is divided by its largest value, which keeps float32 in range.
    """
    d = system.diagonal().masked_fill(system.solid, 0.0)
    largest = d.amax().clamp(min=1e-300)
    s = torch.where(d > 0, (d / largest).rsqrt(), 0.0)
    T = layout.count
    of = d.new_zeros((4, d.numel() + 1))
    grid = of[:, :-1].view(4, *d.shape)
    grid[0], grid[1] = s, torch.where(d > 0, 1 / s, 0.0)
    grid[2, :, :-1] = system.beta_x[:, 1:-1] / largest * s[:, :-1] * s[:, 1:]
    grid[3, :-1] = system.beta_y[1:-1] / largest * s[:-1] * s[1:]
    scale, root, east, north = of.float().index_select(1, layout.cell.view(-1)).view(4, T, CELLS)
    flat = torch.cat((torch.stack((root, east, north)).view(3, -1), east.new_zeros(3, 1)), 1)
    beyond = layout.beyond.view(T, SIDES, SIDE)
    own = layout.rim.view(SIDES, SIDE)
    rim = torch.stack((flat[1].take(beyond[:, 0]), east[:, own[1]], flat[2].take(beyond[:, 2]), north[:, own[3]]), 1)
    ring = flat[0].take(layout.beyond)
    measure = torch.maximum(root.amax(1), ring.amax(1)).clamp(min=1e-30)[:, None]
    rim = rim.view(T, SIDES * SIDE)
    root, ring = root / measure, ring / measure
    return Cells(scale, measure[:, None], root, ring, east, north, rim, pocket, closed)


def pockets(topology: Topology, layout: Layout) -> torch.Tensor | None:
    """(T, 64) numbers of closed regions within one tile, -1 elsewhere; None without any. Changes with walls only."""
    if not topology.singular or (topology.count == 1 and layout.count > 1):
        return None
    labels = torch.cat((topology.labels.view(-1), topology.labels.new_full((1,), -1)))[layout.cell]  # (T, 64)
    tile = torch.arange(layout.count, device=labels.device)[:, None].expand_as(labels)
    fluid = labels >= 0
    first, last = (
        torch.full((topology.count,), start, device=labels.device).scatter_reduce(0, labels[fluid], tile[fluid], how)
        for start, how in ((layout.count, "amin"), (-1, "amax"))
    )
    within = topology.closed & (first == last)
    return torch.where(fluid & within[labels.clamp(min=0)], labels, -1) if bool(within.any()) else None


def tile_blocks(c: Cells, shift: float = SHIFT) -> torch.Tensor:
    """A^ + shift restricted to every tile, (T, 64, 64)."""
    T = c.scale.shape[0]
    block = c.scale.new_zeros((T, CELLS, CELLS))
    block.diagonal(0, 1, 2).fill_(1 + shift)
    east = c.east.view(T, SIDE, SIDE).clone()
    east.select(2, SIDE - 1).zero_()
    for offset, values in ((1, -east.view(T, CELLS)[:, :-1]), (SIDE, -c.north[:, :-SIDE])):
        block.diagonal(offset, 1, 2).copy_(values)
        block.diagonal(-offset, 1, 2).copy_(values)
    if c.pocket is not None:
        # The constant of a closed region is projected away, whatever M makes of it. Left at 1 / shift it would be
        # large enough for its rounding to spoil everything else.
        same = (c.pocket[:, :, None] == c.pocket[:, None]) & (c.pocket[:, None] >= 0)
        root = c.root / (same * (c.root * c.root)[:, None]).sum(2).sqrt().clamp(min=1e-30)
        block = block + same * root[:, :, None] * root[:, None]
    return block


@dataclass(frozen=True)
class Coarse:
    """A block five-point operator in bases of r functions on T blocks.

    operator: (T, r, r) the diagonal blocks of A^.
    towards: (4, T, r, r) coupling to the block beyond each side, so that A^_tu = -towards; 0 beyond the grid.
    """

    operator: torch.Tensor
    towards: torch.Tensor


def coarse_from_tiles(V: torch.Tensor, energy: torch.Tensor, c: Cells, layout: Layout) -> tuple[Coarse, torch.Tensor]:
    """Galerkin products with the tiles' bases V (T, r, 64), and coupling_to_residual (T, 4 r, 32).

    energy: (T, r, r) of the functions, each tile alone.
    """
    T, r, _ = V.shape
    rims = V[:, :, layout.rim]  # (T, r, 32)
    flat = torch.cat((rims.transpose(1, 2).reshape(T * SIDES * SIDE, r), V.new_zeros(1, r)))
    across = picked(flat, layout.opposite).transpose(2, 3)  # (4, T, r, 8): the neighbours' where they meet the rim
    across = across * c.rim.view(T, SIDES, SIDE).transpose(0, 1).unsqueeze(2)
    towards = rims.view(T, r, SIDES, SIDE).permute(2, 0, 1, 3) @ across.transpose(2, 3)
    own = torch.eye(SIDES, device=V.device, dtype=V.dtype)[:, None, :, None]  # a side's functions act on it alone
    lift = across.transpose(0, 1).contiguous().unsqueeze(3) * own
    return Coarse(energy, towards), lift.reshape(T, SIDES * r, SIDES * SIDE)


def missing(V: torch.Tensor) -> torch.Tensor:
    """I - V V^T: nothing for orthonormal functions, 1 on the diagonal for those that a tile of solids has lost."""
    return torch.eye(V.shape[1], device=V.device, dtype=V.dtype) - V @ V.transpose(1, 2)


def group_blocks(level: Coarse, groups: Groups) -> torch.Tensor:
    """Diagonal blocks of every group, (G, m r, m r), from those of its m members."""
    G, m, r = groups.count, groups.members, level.operator.shape[1]
    return picked(_entries(level), groups.inside).transpose(2, 3).reshape(G, m * r, m * r)


def outward(level: Coarse, groups: Groups) -> torch.Tensor:
    """(G, slots r, m r): what the neighbours' unknowns, slot after slot, add to a group's residual, in row form."""
    G, m, r = groups.count, groups.members, level.operator.shape[1]
    entries = -_entries(level).transpose(1, 2)
    return picked(entries, groups.outside).transpose(2, 3).reshape(G, -1, m * r)


def _entries(level: Coarse) -> torch.Tensor:
    """(5 B + 1, r, r) all blocks of A^: its diagonal, those towards each side, and a zero."""
    r = level.operator.shape[1]
    return torch.cat((level.operator, -level.towards.view(-1, r, r), level.operator.new_zeros((1, r, r))))


def picked(blocks: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """blocks[which], for whole blocks: indexing would copy them number by number."""
    return blocks.index_select(0, which.view(-1)).view(*which.shape, *blocks.shape[1:])


def coarsen(
    level: Coarse, groups: Groups, V: torch.Tensor, block: torch.Tensor, off: torch.Tensor
) -> tuple[Coarse, torch.Tensor]:
    """Galerkin products with the groups' bases V (G, r', m r), and coupling_to_residual (G, 4 r', m r).

    block: the groups' diagonal blocks;  off: as from `outward`.
    """
    G, m, r = groups.count, groups.members, level.operator.shape[1]
    R = V.shape[1]
    members = V.view(G, R, m, r).transpose(1, 2).reshape(G * m, R, r)
    across = picked(torch.cat((members, V.new_zeros((1, R, r)))), groups.neighbour)  # (G, slots, R, r)
    parts, first = [], 0
    for sides, count in groups.runs:
        last = first + sides * count
        there = across[:, first:last].unflatten(1, (sides, count)).transpose(2, 3).reshape(sides * G, R, count * r)
        here = off[:, first * r : last * r].reshape(sides * G, count * r, m * r)
        parts.append(torch.bmm(there, here).view(G, sides * R, m * r))
        first = last
    lift = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
    towards = torch.bmm(V, lift.transpose(1, 2)).view(G, R, SIDES, R).permute(2, 0, 1, 3).contiguous()
    return Coarse(V @ block @ V.transpose(1, 2) + missing(V), towards), lift


def dense(level: Coarse, layout: Layout, constant: torch.Tensor | None) -> torch.Tensor:
    """A^ + shift on the top level, (n, n).

    constant: (T, r) the constant function, where it is in the null space; it is projected away afterwards, so there
    M may be 1 instead of 1 / shift, whose rounding would spoil the rest. None with an open top.
    """
    T, r, _ = level.operator.shape
    matrix = picked(_entries(level), layout.top).transpose(1, 2).reshape(T * r, T * r)
    matrix = (matrix + matrix.T) / 2 + TOP_SHIFT * torch.eye(T * r, dtype=matrix.dtype, device=matrix.device)
    if constant is not None:
        c = constant.reshape(-1)
        matrix = matrix + torch.outer(c, c) / (c @ c).clamp(min=1e-30)
    return matrix
