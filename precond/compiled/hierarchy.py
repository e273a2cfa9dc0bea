"""Compiled: the hierarchy of tiles and groups, with functions continued from polynomials or from what a network says.

The cycle is that of htp/cycle.py: block solves and Galerkin corrections in turn, A^ = B^-1 - W on every level. All of
it is float64 and symmetric to rounding; all tiles are made anew in every set-up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..htp import galerkin as torch_galerkin
from ..htp import hierarchy as torch_hierarchy
from ..htp import method as torch_method
from ..htp.layout import CELLS, SIDE, Layout
from ..preconditioner import CompiledForm
from ..system import PoissonSystem
from . import galerkin, tiles
from .dense import add_eight_rows
from .galerkin import BASE, COUNT, FIRST, GROUP, GROUPS, MEMBERS, PLACE
from .jit import kernel
from .loop import advance, coefficients
from .tiles import FUNCTIONS, LANES, RIM, U, solve_tiles

DEEP = CELLS + 2 * SIDE


class Data(NamedTuple):
    """What the cycle reads and writes; T tiles in batches of LANES.

    cell (batches, 64, LANES): which cell of the grid lies there, N where none does;  place (N,): where in x a cell is.
    factor, scale: see tiles.py;  rim (T, 32), opposite (T, 32): couplings across, and whose rim lies there or -1;
    edge (32,): cells along the rim.  on_rim (T, 8, 32): the functions there.
    levels, neighbours, towards, inverses, bases, top: see galerkin.py;  visits (levels,).
    crossings (n, 3): for every pair of neighbours in two groups, level by level: where the one's unknowns begin, where
    the other's, and where in `towards` the block lies by which they are coupled, transposed.
    x, y (batches, DEEP, LANES): vectors of the tiles.  d, f (T, 32): residuals on the rims.
    R, X, D, F: vectors of the coarse levels, one after the other at their PLACE.  counts (levels,): visits made.
    """

    cell: np.ndarray
    place: np.ndarray
    factor: np.ndarray
    scale: np.ndarray
    rim: np.ndarray
    opposite: np.ndarray
    edge: np.ndarray
    on_rim: np.ndarray
    levels: np.ndarray
    neighbours: np.ndarray
    crossings: np.ndarray
    towards: np.ndarray
    inverses: np.ndarray
    bases: np.ndarray
    top: np.ndarray
    visits: np.ndarray
    x: np.ndarray
    y: np.ndarray
    d: np.ndarray
    f: np.ndarray
    R: np.ndarray
    X: np.ndarray
    D: np.ndarray
    F: np.ndarray
    counts: np.ndarray


# Coarse levels ------------------------------------------------------------------------------------------------------


@kernel
def solve_groups(data, k, right, out, add):
    """out = B right, or added to it, for the groups of level k."""
    levels, row = data.levels, U(GROUP)
    B = data.inverses.reshape(-1)
    n, place, block = U(levels[k, MEMBERS] * FUNCTIONS), U(levels[k, PLACE]), U(levels[k, GROUPS]) * row * row
    for g in range(U(levels[k + 1, COUNT])):
        o = place + g * n
        if not add:
            for j in range(n):
                out[o + j] = 0.0
        for eight in range(n // U(8)):
            a = block + (g * row + eight * U(8)) * row
            add_eight_rows(B, a, row, right, o + eight * U(8), n, out, o)


@kernel
def beyond(data, k, x, out):
    """out = W x: what blocks in other groups add to the residual."""
    levels, crossings, R = data.levels, data.crossings, U(FUNCTIONS)
    place, size = U(levels[k, PLACE]), U(levels[k, COUNT] * FUNCTIONS)
    T = data.towards.reshape(-1)
    for i in range(size):
        out[place + i] = 0.0
    for c in range(levels[k, FIRST], levels[k, FIRST + 1]):
        o, y, t = place + U(crossings[c, 0]), place + U(crossings[c, 1]), U(crossings[c, 2])
        x0, x1, x2, x3 = x[y], x[y + U(1)], x[y + U(2)], x[y + U(3)]
        x4, x5, x6, x7 = x[y + U(4)], x[y + U(5)], x[y + U(6)], x[y + U(7)]
        for i in range(R):
            out[o + i] += (
                x0 * T[t + i]
                + x1 * T[t + U(8) + i]
                + x2 * T[t + U(16) + i]
                + x3 * T[t + U(24) + i]
                + x4 * T[t + U(32) + i]
                + x5 * T[t + U(40) + i]
                + x6 * T[t + U(48) + i]
                + x7 * T[t + U(56) + i]
            )


@kernel
def in_functions(V, a, d, i, n, out, o):
    """out (8,) = V d for 8 rows of 32, of which n count; all of them flat, from a, i and o on."""
    for q in range(U(FUNCTIONS)):
        total = 0.0
        for k in range(U(n)):
            total += V[a + k] * d[i + k]
        out[o + q] = total
        a += U(GROUP)


@kernel
def from_functions(V, a, x, y, n, out, o):
    """out (n,) = V^T x for 8 rows of 32, of which n count; all of them flat, from a, y and o on."""
    for i in range(U(n)):
        out[o + i] = 0.0
    add_eight_rows(V, a, U(GROUP), x, y, U(n), out, o)


@kernel
def restrict_groups(data, k):
    """R of level k + 1 = V^T D."""
    levels, V = data.levels, data.bases.reshape(-1)
    n, first, size = U(levels[k, MEMBERS] * FUNCTIONS), U(levels[k, GROUPS]), U(GROUP * FUNCTIONS)
    for g in range(U(levels[k + 1, COUNT])):
        o = U(levels[k + 1, PLACE]) + g * U(FUNCTIONS)
        in_functions(V, (first + g) * size, data.D, U(levels[k, PLACE]) + g * n, n, data.R, o)


@kernel
def prolong_groups(data, k):
    """F of level k = W V X of level k + 1: what the correction adds to the residual. R of level k is spent."""
    levels, V = data.levels, data.bases.reshape(-1)
    n, first, size = U(levels[k, MEMBERS] * FUNCTIONS), U(levels[k, GROUPS]), U(GROUP * FUNCTIONS)
    for g in range(U(levels[k + 1, COUNT])):
        y = U(levels[k + 1, PLACE]) + g * U(FUNCTIONS)
        from_functions(V, (first + g) * size, data.X, y, n, data.R, U(levels[k, PLACE]) + g * n)
    beyond(data, k, data.R, data.F)


@kernel
def solve_top(top, right, x):
    """x = top right, for the dense inverse of the last level."""
    n, B = U(top.shape[0]), top.reshape(-1)
    for j in range(n):
        x[j] = 0.0
    for eight in range(n // U(8)):
        i = eight * U(8)
        add_eight_rows(B, i * n, n, right, i, n, x, U(0))


@kernel
def solve_coarse(data):
    """X of the tiles' level = the cycle above the tiles applied to R."""
    levels, counts, top, r = data.levels, data.counts, data.top, FUNCTIONS
    last = levels.shape[0] - 1
    k, descending = 0, True
    while True:
        size, place = levels[k, COUNT] * r, levels[k, PLACE]
        if descending:
            if k == last:
                solve_top(top, data.R[place : place + size], data.X[place : place + size])
                if k == 0:
                    return
                k, descending = k - 1, False
                continue
            solve_groups(data, k, data.R, data.X, False)
            beyond(data, k, data.X, data.D)
            counts[k] = 1
            restrict_groups(data, k)
            k += 1
            continue
        prolong_groups(data, k)
        D, F = data.D[place : place + size], data.F[place : place + size]
        if counts[k] < data.visits[k + 1]:
            counts[k] += 1
            for i in range(size):
                D[i] += F[i]
            solve_groups(data, k, data.D, data.R, False)  # the step
            for i in range(size):
                data.X[place + i] += data.R[place + i]
            beyond(data, k, data.R, data.D)
            for i in range(size):
                D[i] -= F[i]
            restrict_groups(data, k)
            k, descending = k + 1, True
            continue
        for i in range(size):
            D[i] += F[i]
        solve_groups(data, k, data.D, data.X, True)
        if k == 0:
            return
        k -= 1


# Tiles --------------------------------------------------------------------------------------------------------------


@kernel
def rims_of(y, edge, tile_count, out):
    """out (T, 32): values along the rims of vectors in lanes."""
    for t in range(tile_count):
        start, row = ((t // LANES) * DEEP + SIDE) * LANES + t % LANES, out[t]
        for k in range(RIM):
            row[k] = y[start + edge[k] * LANES]


@kernel
def across_rims(values, rim, opposite, out):
    """out (T, 32) = couplings x the values beyond the rims."""
    flat, n = values.reshape(-1), values.shape[0]
    for t in range(n):
        row, weights, places = out[t], rim[t], opposite[t]
        for k in range(RIM):
            row[k] = weights[k] * flat[places[k]] if places[k] >= 0 else 0.0


@kernel
def correct_tiles(data):
    """The coarse correction of the residual d on the rims; f = what it adds there."""
    n, place, r, size = U(data.levels[0, COUNT]), U(data.levels[0, PLACE]), U(FUNCTIONS), U(RIM * FUNCTIONS)
    d, f, V = data.d.reshape(-1), data.f.reshape(-1), data.on_rim.reshape(-1)
    for t in range(n):
        in_functions(V, t * size, d, t * U(RIM), RIM, data.R, place + t * r)
    solve_coarse(data)
    for t in range(n):
        from_functions(V, t * size, data.X, place + t * r, RIM, f, t * U(RIM))


@kernel
def step_of_tiles(data, y):
    """y = B (d + f) in lanes, where f is still what lies on the rims: W is applied to it here. d becomes d + W f."""
    n, edge = data.levels[0, COUNT], data.edge
    y[:] = 0.0
    flat = data.f.reshape(-1)
    for t in range(n):
        d, weights, places = data.d[t], data.rim[t], data.opposite[t]
        start = ((t // LANES) * DEEP + SIDE) * LANES + t % LANES
        for k in range(RIM):
            if places[k] >= 0:
                d[k] += weights[k] * flat[places[k]]
            y[start + edge[k] * LANES] += d[k]
    solve_tiles(data.factor, y, -(-n // LANES))


@kernel
def hierarchy_product(r, data, z):
    """z = M r for flat vectors (N,)."""
    scale, cell, place, x, y = data.scale, data.cell, data.place, data.x, data.y
    n = data.levels[0, COUNT]
    batches = -(-n // LANES)
    inside, deep, last = U(CELLS * LANES), U(DEEP * LANES), np.uint32(r.size - 1)
    for b in range(U(batches)):
        o, c = b * deep + U(SIDE * LANES), b * inside
        for k in range(inside):
            x[o + k] = r[U(min(cell[c + k], last))] * scale[c + k]  # which is 0 where there is no cell
    for b in range(batches):
        for k in range(SIDE * LANES):
            x[b * DEEP * LANES + k] = 0.0
            x[(b * DEEP + CELLS + SIDE) * LANES + k] = 0.0
    solve_tiles(data.factor, x, batches)
    rims_of(x, data.edge, n, data.f)
    across_rims(data.f, data.rim, data.opposite, data.d)
    for visit in range(data.visits[0]):
        correct_tiles(data)
        step_of_tiles(data, y)
        if visit + 1 < data.visits[0]:
            for k in range(x.size):
                x[k] += y[k]
            # the residual after the step is W y - W f, and d already holds d + W f of which nothing is left
            across_rims(data.f, data.rim, data.opposite, data.d)
            for t in range(n):
                for k in range(RIM):
                    data.d[t, k] = -data.d[t, k]
            rims_of(y, data.edge, n, data.f)
            flat = data.f.reshape(-1)
            for t in range(n):
                for k in range(RIM):
                    if data.opposite[t, k] >= 0:
                        data.d[t, k] += data.rim[t, k] * flat[data.opposite[t, k]]
    for b in range(U(batches)):
        o, c = b * deep + U(SIDE * LANES), b * inside
        for k in range(inside):
            x[o + k] = (x[o + k] + y[o + k]) * scale[c + k]
    for k in range(U(z.size)):
        z[k] = x[U(place[k])]


@kernel
def iterate_hierarchy(loop, data, count):
    """Iterations with the cycle."""
    for _ in range(count):
        hierarchy_product(loop.r, data, loop.z)
        if not advance(loop):
            break


# Set-up -------------------------------------------------------------------------------------------------------------


class Workspace:
    """The arrays of one grid shape."""

    def __init__(self, constants: torch_galerkin.Constants):
        layout, self.constants = constants.layout, constants
        T, (ny, nx) = layout.count, layout.grid
        self.batches = batches = -(-T // LANES)
        lanes = batches * LANES
        self.root, self.inverse_root, self.links = (np.zeros(k * (ny * nx + 1)) for k in (1, 1, 2))
        self.rim_link, self.ring_cell = across(layout)
        self.roots, self.measure = np.zeros(lanes * CELLS), np.zeros(T)
        self.traces, self.tile_scratch = np.zeros(lanes * 8 * RIM), tiles.scratch()
        self.kept = np.zeros(0)  # the tiles' functions, once somebody has asked for them
        self.pins = np.zeros(0, np.int64)
        self.inside = constants.inside.double().numpy()
        levels = self._levels(layout)
        blocks, groups, size = (
            int(levels[-1, BASE] + levels[-1, COUNT]),
            int(levels[-1, GROUPS]),
            int(levels[-1, PLACE]),
        )
        size += int(levels[-1, COUNT]) * FUNCTIONS
        self.operator, self.coefficients = np.zeros((blocks, 8, 8)), np.zeros((blocks, 8, 8))
        self.slots = np.zeros((len(levels), 8, 2), np.int64)
        self.outside, self.members = np.zeros((len(levels), 8, 8, 8)), np.zeros((len(levels), 4, 8, 8))
        self.corrections = np.zeros((max(groups, 1), 8, 8, 8))
        for k, of in enumerate(layout.groups):
            self.slots[k, : len(of.slots)] = of.slots
            self.outside[k, : len(of.slots)] = constants.outside[k].numpy()
            self.members[k, : of.members] = constants.members[k].numpy()
        self.group_scratch = galerkin.scratch()
        self.columns = np.zeros((max(groups, 1), GROUP, 8))
        neighbours = self._neighbours(layout, levels)
        crossings = crossings_of(levels, neighbours)
        n = int(levels[-1, COUNT]) * FUNCTIONS
        self.matrix, self.rows = np.zeros((n, n)), np.zeros(4 * n)
        self.data = Data(
            **lanes_of(layout), factor=np.zeros(batches * (CELLS + SIDE) * (SIDE + 1) * LANES),
            scale=np.zeros(lanes * CELLS), rim=np.zeros((T, RIM)), opposite=opposite_rims(layout),
            edge=layout.rim.numpy().astype(np.int64), on_rim=np.zeros((T, 8, RIM)), levels=levels,
            neighbours=neighbours, crossings=crossings, towards=np.zeros((4, blocks, 8, 8)),
            inverses=np.zeros((max(groups, 1), GROUP, GROUP)),
            bases=np.zeros((max(groups, 1), 8, GROUP)),
            top=np.zeros((n, n)), visits=np.ones(len(levels) + 1, np.int64),
            x=np.zeros(lanes * DEEP), y=np.zeros(lanes * DEEP), d=np.zeros((T, RIM)), f=np.zeros((T, RIM)),
            R=np.zeros(size), X=np.zeros(size), D=np.zeros(size), F=np.zeros(size),
            counts=np.zeros(len(levels), np.int64),
        )  # fmt: skip

    def set_traces(self, traces: torch.Tensor) -> None:
        """Values (T or 1, 8, 32) of the functions' continuations on the ring beyond the rim."""
        T = self.constants.layout.count
        padded = np.zeros((self.batches * LANES, 8, RIM))
        padded[:T] = traces.double().numpy()
        self.traces[:] = padded.reshape(self.batches, LANES, 8, RIM).transpose(0, 2, 3, 1).reshape(-1)

    def set_corrections(self, corrections: list[torch.Tensor]) -> None:
        """What is added to the monomials around groups: (groups, slots x 8, 8) for every level."""
        levels = self.data.levels
        for k, correction in enumerate(corrections):
            first, count = int(levels[k, GROUPS]), correction.shape[0]
            given = correction.double().numpy().reshape(count, -1, 8, 8)
            self.corrections[first : first + count, : given.shape[1]] = given

    def set_visits(self, visits: tuple[int, ...]) -> None:
        """Coarse corrections by tiles, by groups, by groups of groups; the last for all above."""
        for k in range(len(self.data.visits)):
            self.data.visits[k] = visits[min(k, len(visits) - 1)]

    def set_pins(self, pocket: torch.Tensor | None) -> None:
        """One cell of every closed region that lies within a tile."""
        if pocket is None:
            self.pins = np.zeros(0, np.int64)
            return
        labels = pocket.reshape(-1).numpy()
        found, first = np.unique(labels, return_index=True)
        self.pins = first[found >= 0].astype(np.int64)

    def build(self, system: PoissonSystem, continued: bool, closed: bool) -> None:
        """Everything that the cycle needs, from the system's coefficients."""
        data = self.data
        tiles.build_tiles(
            *coefficients(system), self.root, self.inverse_root, self.links, data.cell, self.rim_link, self.ring_cell,
            self.pins, self.traces, self.inside, data.edge, continued, self.tile_scratch, data.factor, data.scale,
            data.rim, self.measure, data.on_rim, self.operator, self.coefficients, self.roots, self.kept,
        )  # fmt: skip
        T = self.constants.layout.count
        galerkin.couple_tiles(data.on_rim, data.rim, data.neighbours, T, data.towards)
        galerkin.build_levels(
            data.levels, data.neighbours, self.slots, self.outside, self.members, self.corrections, continued,
            self.operator, data.towards, self.coefficients, data.inverses, data.bases,
            self.columns, self.group_scratch,
        )  # fmt: skip
        galerkin.invert_top(
            data.levels, data.neighbours, self.operator, data.towards, self.coefficients, closed,
            self.matrix, self.rows, data.top,
        )  # fmt: skip

    @staticmethod
    def _levels(layout: Layout) -> np.ndarray:
        levels = np.zeros((len(layout.groups) + 1, 8), np.int64)
        base = groups = place = 0
        for k in range(len(levels)):
            count = layout.blocks[k][0] * layout.blocks[k][1]
            of = layout.groups[k] if k < len(layout.groups) else None
            levels[k, :PLACE] = count, base, of.members if of else 1, len(of.slots) if of else 0, groups
            levels[k, PLACE] = place
            base, place = base + count, place + count * FUNCTIONS
            groups += of.count if of else 0
        return levels

    @staticmethod
    def _neighbours(layout: Layout, levels: np.ndarray) -> np.ndarray:
        parts = []
        around = [layout.tile_neighbours, *(groups.around for groups in layout.groups)]
        for k, table in enumerate(around):
            count, base = levels[k, COUNT], levels[k, BASE]
            parts.append(np.where(table.numpy() < count, table.numpy() + base, -1))
        return np.concatenate(parts, axis=1).astype(np.int64)


def crossings_of(levels: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """See `Data`; notes in `levels` where each level's begin and end."""
    found: list[tuple[int, int, int]] = []
    blocks = neighbours.shape[1]
    for level in levels[:-1]:
        level[FIRST] = len(found)
        count, base, members = level[COUNT], level[BASE], level[MEMBERS]
        for b in range(count):
            for side in range(4):
                other = neighbours[side, base + b] - base
                if other >= 0 and other // members != b // members:
                    block = ((side ^ 1) * blocks + base + other) * FUNCTIONS**2
                    found.append((b * FUNCTIONS, other * FUNCTIONS, block))
        level[FIRST + 1] = len(found)
    return np.array(found, np.int64).reshape(-1, 3)


def lanes_of(layout: Layout) -> dict[str, np.ndarray]:
    """cell and place, see `Data`."""
    at, (ny, nx) = layout.place.numpy(), layout.grid
    tile, c = at // CELLS, at % CELLS
    batch, lane = tile // LANES, tile % LANES
    cell = np.full(-(-layout.count // LANES) * CELLS * LANES, ny * nx, np.uint32)
    cell[(batch * CELLS + c) * LANES + lane] = np.arange(ny * nx)
    return {"cell": cell, "place": ((batch * DEEP + SIDE + c) * LANES + lane).astype(np.uint32)}


def across(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """(T, 32) each: which of the links (see tiles.py) leads across a rim, and to which cell; N where there is none."""
    ny, nx = layout.grid
    n = ny * nx
    own = layout.cell.numpy()[:, layout.rim.numpy()].reshape(layout.count, 4, SIDE)
    j, i = own // nx, own % nx
    link, there = np.full_like(own, n), np.full_like(own, n)
    for side, (inside, step) in enumerate(((i > 0, -1), (i < nx - 1, 1), (j > 0, -nx), (j < ny - 1, nx))):
        open_ = inside[:, side] & (own[:, side] < n)
        other = own[:, side] + step
        there[:, side] = np.where(open_, other, n)
        first = np.minimum(own[:, side], other)  # a link belongs to the cell west or south of it
        link[:, side] = np.where(open_, first + (n + 1 if side >= 2 else 0), n)
    return link.reshape(-1, RIM).astype(np.uint32), there.reshape(-1, RIM).astype(np.uint32)


def opposite_rims(layout: Layout) -> np.ndarray:
    """(T, 32): where the cell beyond a rim's cell is among all rims, -1 beyond the grid."""
    table = layout.opposite.numpy().transpose(1, 0, 2).reshape(layout.count, RIM)
    return np.where(table < layout.count * RIM, table, -1).astype(np.int64)


class Hierarchy(torch_hierarchy.Hierarchy):
    """See htp/hierarchy.py."""

    capturable = False

    def _allocate(self, system: PoissonSystem) -> torch_galerkin.Constants:
        constants = super()._allocate(system)
        self.workspace = Workspace(constants)
        self._said: object = None
        return constants

    def _build(self, system: PoissonSystem, constants: torch_galerkin.Constants) -> None:
        work = self.workspace
        if self._said is not self._functions():
            self._said = self._functions()
            self._tell(work)
        work.set_pins(self.pockets)
        work.set_visits(self.visits_now)
        work.build(system, self.continued, self.closed)
        self._built = system

    def _functions(self) -> object:
        """What the functions are continued from; another object when it has changed."""
        return self.polynomials

    def _tell(self, work: Workspace) -> None:
        work.set_traces(self.polynomials)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        hierarchy_product(r.reshape(-1).numpy(), self.workspace.data, out.view(-1).numpy())

    def functions_of(self, tile: int) -> tuple[np.ndarray, np.ndarray] | None:
        """See htp/hierarchy.py."""
        work = self.workspace
        if not work.kept.size:
            work.kept = np.zeros(work.batches * FUNCTIONS * CELLS * LANES)
            work.build(self._built, self.continued, self.closed)
        batch, lane = divmod(tile, LANES)
        root = work.roots.reshape(-1, CELLS, LANES)[batch, :, lane]
        return root, work.kept.reshape(-1, FUNCTIONS, CELLS, LANES)[batch, :, :, lane]

    def compiled(self) -> CompiledForm:
        """For the loop."""
        return CompiledForm(iterate_hierarchy, self.workspace.data)


class Polynomials(Hierarchy):
    """See htp/hierarchy.py."""

    continued = False


EVERY, EXTRA = 128, 64  # see htp/method.py; here a run of the network costs as much as some 80 iterations, not 16


class Htp(Hierarchy, torch_method.Htp):
    """See htp/method.py."""

    solves_between, extra_iterations = EVERY, EXTRA

    def _functions(self) -> object:
        return self.proposed

    def _tell(self, work: Workspace) -> None:
        work.set_traces(self.proposed[0])
        work.set_corrections(self.proposed[1:])
