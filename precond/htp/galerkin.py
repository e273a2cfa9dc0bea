"""From the traces around the tiles to the cycle: block inverses, functions, and the coarse operators that follow."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from ..device import cuda_graph
from . import bases, blocks
from .blocks import Cells
from .cycle import VISITS, Cycle, Level
from .layout import CELLS, SIDE, Groups, Layout

HALF = 16  # blocks below twice this go to LAPACK whole
STEPS = ((0, -1), (0, 1), (-1, 0), (1, 0))  # (row, column) to the neighbour on each side


class Constants:
    """Index tables and polynomials that depend on the grid's shape only."""

    def __init__(self, layout: Layout, functions: int, device: torch.device):
        self.layout, self.functions = layout, functions
        self.inside, self.ring = bases.inside(functions, device), bases.ring(functions, device)
        self.near = layout.beyond.remainder(layout.count * CELLS)  # what lies beyond the grid has coupling 0
        self.around = [_unknowns(layout.tile_neighbours, functions)]
        self.members: list[torch.Tensor] = []
        self.outside: list[torch.Tensor] = []
        self.beyond: list[torch.Tensor] = []
        for groups in layout.groups:
            fy, fx = groups.factors
            places = [divmod(member, fx) for member in range(groups.members)]
            beyond = [(places[m][0] + STEPS[side][0], places[m][1] + STEPS[side][1]) for m, side in groups.slots]
            for to, where in ((self.members, places), (self.outside, beyond)):
                tables = torch.stack([bases.shifted((fy, fx), place, functions) for place in where])
                to.append(tables.double().to(device))
            self.beyond.append(_unknowns(groups.neighbour.T, functions, groups.count * groups.members))
            self.around.append(_unknowns(groups.around, functions))


def _unknowns(blocks: torch.Tensor, r: int, count: int | None = None) -> torch.Tensor:
    """(B, k r) places of the r unknowns of each of k blocks (k, B); any place for blocks beyond the grid."""
    blocks = blocks.T.remainder(count or blocks.shape[1])
    return (blocks[..., None] * r + torch.arange(r, device=blocks.device)).reshape(blocks.shape[0], -1)


def inverse(block: torch.Tensor) -> torch.Tensor:
    """Inverses of symmetric positive definite blocks (B, n, n), symmetric to rounding."""
    L = torch.linalg.cholesky_ex(block).L
    if block.requires_grad or block.device.type == "cuda":  # what differentiates, and what a graph may hold
        identity = torch.eye(block.shape[1], dtype=block.dtype, device=block.device)
        half = torch.linalg.solve_triangular(L, identity.expand_as(block), upper=False)
        return half.transpose(1, 2) @ half
    return torch.cholesky_inverse(L)


def inverse_by_halves(block: torch.Tensor) -> torch.Tensor:
    """`inverse` of many blocks on the CPU, mostly by products: two thirds of LAPACK's time for 150 blocks of 64.

    What becomes of a block must not depend on how many there are, or a run continued from a file would differ.
    """
    h = block.shape[1] // 2
    if h < HALF or block.device.type == "cuda":
        return inverse(block)
    upper, across = inverse_by_halves(block[:, :h, :h]), block[:, :h, h:]
    through = torch.bmm(upper, across)
    lower = inverse_by_halves(torch.baddbmm(block[:, h:, h:], across.transpose(1, 2), through, alpha=-1))
    whole, side = torch.empty_like(block), torch.bmm(through, lower)
    torch.baddbmm(upper, side, through.transpose(1, 2), out=whole[:, :h, :h])
    torch.neg(side, out=whole[:, :h, h:])
    whole[:, h:, :h], whole[:, h:, h:] = whole[:, :h, h:].transpose(1, 2), lower
    return whole


@dataclass(frozen=True)
class Tiles:
    """The tiles' part of the cycle, in their own measure of the root; see cycle.Level for inverse_rows and restriction.

    functions: (T, r, 64) orthonormal.  energy: (T, r, r) their energy with the shift of lost ones.
    coefficients: (T, r, r) column q holds monomial q in the functions.
    """

    inverse: torch.Tensor
    inverse_rows: torch.Tensor
    functions: torch.Tensor
    restriction: torch.Tensor
    energy: torch.Tensor
    coefficients: torch.Tensor


def tiles(
    c: Cells, inverses: torch.Tensor, traces: torch.Tensor, constants: Constants, continued: bool = True
) -> Tiles:
    """The tiles' part for traces (T or 1, r, 32), values of p on the ring of cells around a tile.

    continued: solve A p = 0 inside for these traces; else take the monomials there, and the traces for nothing.
    """
    rim = constants.layout.rim
    rows = inverses[:, rim]
    if continued:
        V = torch.bmm(traces * (c.ring * c.rim)[:, None], rows)  # B W T in scaled variables
    else:
        V = (c.root[..., None] * constants.inside).transpose(1, 2)
    V = bases.orthonormal(V)
    coefficients = torch.bmm(V, c.root[..., None] * constants.inside)
    restriction = V[:, :, rim].transpose(1, 2).contiguous()
    return Tiles(inverses, rows, V, restriction, _energy(V, c) + blocks.missing(V), coefficients)


def _energy(V: torch.Tensor, c: Cells) -> torch.Tensor:
    """V A^ V^T of every tile, (T, r, r), its block taken as the five-point operator that it is."""
    T, r, _ = V.shape
    grid = V.view(T, r, SIDE, SIDE)
    east, north = c.east.view(T, 1, SIDE, SIDE)[..., :-1], c.north.view(T, 1, SIDE, SIDE)[:, :, :-1]
    AV = grid.clone()
    AV[..., :-1] -= east * grid[..., 1:]
    AV[..., 1:] -= east * grid[..., :-1]
    AV[:, :, :-1] -= north * grid[:, :, 1:]
    AV[:, :, 1:] -= north * grid[:, :, :-1]
    return torch.bmm(V, AV.view(T, r, CELLS).transpose(1, 2))


class Cache:
    """The tiles' part of the last frame, recomputed only where a tile's coefficients or traces have changed.

    Away from interfaces and solids all tiles are alike for ever. Which ones changed decides the shapes, so the device
    is asked: on CUDA, where that would stop the graph, all of them are recomputed instead.
    """

    def __init__(self, constants: Constants, continued: bool = True):
        self.constants, self.continued = constants, continued
        self.key, self.traces = torch.empty(0), torch.empty(0)
        self.tiles: Tiles | None = None
        self.changed = 0  # tiles inverted in the last refresh

    def refresh(self, c: Cells, traces: torch.Tensor) -> Tiles:
        """The tiles' part for these cells and traces."""
        constants = self.constants
        recorded = cuda_graph.possible(traces.device)
        key = self.key if recorded else c.key()
        if self.tiles is None or recorded:
            self.changed = c.root.shape[0]
            self.tiles = tiles(c, inverse_by_halves(blocks.tile_blocks(c)), traces, constants, self.continued)
        else:
            moved = (key != self.key).any(1)
            self.changed = int(moved.sum())
            other = traces is not self.traces
            if self.changed:
                which = moved.nonzero().view(-1)
                part = c.of(which)
                self.tiles.inverse[which] = inverse_by_halves(blocks.tile_blocks(part))
                if not other:
                    own = traces if traces.shape[0] == 1 else traces[which]
                    fresh = tiles(part, self.tiles.inverse[which], own, constants, self.continued)
                    for entry in fields(Tiles)[1:]:
                        getattr(self.tiles, entry.name)[which] = getattr(fresh, entry.name)
            if other:
                self.tiles = tiles(c, self.tiles.inverse, traces, constants, self.continued)
        self.key, self.traces = key, traces
        return self.tiles


def cycle(
    c: Cells,
    t: Tiles,
    constants: Constants,
    corrections: list[torch.Tensor] | None = None,
    continued: bool = True,
    visits: tuple[int, ...] = VISITS,
) -> Cycle:
    """The cycle over the tiles.

    corrections[k]: (G, slots r, r), added to the monomials that a group's functions have around it, in the monomials
    of the blocks there; None: nothing is added.  continued: as in `tiles`.  visits: see cycle.VISITS.
    """
    layout, r = constants.layout, constants.functions
    coarse, coupling = blocks.coarse_from_tiles(t.functions, t.energy, c, layout)
    levels = [Level(t.inverse, constants.near, c.rim, t.restriction, t.inverse_rows, constants.around[0], coupling)]
    # Float64 from here on: little data, and regions that are nearly closed have large inverses, whose rounding in
    # float32 made M asymmetric by 4e-6.
    coarse = blocks.Coarse(coarse.operator.double(), coarse.towards.double())
    # the monomials in the blocks' functions, so that a group's functions can be continued from those around it
    coefficients = (t.coefficients * c.measure).double()
    for k, groups in enumerate(layout.groups):
        G, m = groups.count, groups.members
        block = blocks.group_blocks(coarse, groups)
        block_inverse = inverse(block + blocks.SHIFT * torch.eye(m * r, dtype=block.dtype, device=block.device))
        off = blocks.outward(coarse, groups)
        within = (coefficients.view(G, m, r, r) @ constants.members[k]).view(G, m * r, r)
        if continued:
            more = corrections[k] if corrections else None
            U = _continued(groups, coefficients, constants.outside[k], off, block_inverse, more)
        else:
            U = within.transpose(1, 2)
        U = bases.orthonormal(U)
        coarse, coupling = blocks.coarsen(coarse, groups, U, block, off)
        restriction, around = U.transpose(1, 2).contiguous(), constants.around[k + 1]
        levels.append(Level(block_inverse, constants.beyond[k], off, restriction, block_inverse, around, coupling))
        coefficients = torch.bmm(U, within)
    constant = coefficients[:, :, 0] if c.closed else None
    top = inverse(blocks.dense(coarse, layout, constant)[None])[0]
    return Cycle(levels, top, visits)


def _continued(
    groups: Groups,
    coefficients: torch.Tensor,
    monomials: torch.Tensor,
    off: torch.Tensor,
    inverses: torch.Tensor,
    correction: torch.Tensor | None,
) -> torch.Tensor:
    """(G, r, m r) functions of the groups, continued by the equation from the blocks around them."""
    G, r = groups.count, coefficients.shape[1]
    table = monomials if correction is None else monomials + correction.view(G, -1, r, r)
    padded = torch.cat((coefficients, coefficients.new_zeros((1, r, r))))
    outside = (blocks.picked(padded, groups.neighbour) @ table).view(G, -1, r)  # (G, slots r, r)
    return outside.transpose(1, 2) @ off @ inverses
