"""The tiles' part of the set-up: block inverses, functions, and their Galerkin couplings. One program per tile.

Cells of a tile are numbered row by row; along the rim they are counted west, east, south, north, 8 each. Numbers are
stored in float32, the coarse operator in float64, and computed in float64. Equations: htp/galerkin.py, htp/blocks.py.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .dense import gram, inverted, orthonormal


@triton.jit
def edge_cell(k):
    """The tile's cell at place k of its rim; k ^ 8 is the neighbour's that touches it."""
    side, along = k // 8, k % 8
    across = tl.where(side % 2 == 1, 7, 0)
    return tl.where(side < 2, along * 8 + across, across * 8 + along)


@triton.jit
def shifted(functions, links, inside, step: tl.constexpr, link: tl.constexpr):
    """(8, 64) float64: functions so many cells further on, times the couplings to there; 0 where not `inside`."""
    values = tl.load(functions + step, mask=inside[None, :], other=0.0).to(tl.float64)
    return values * tl.load(links + link, mask=inside, other=0.0).to(tl.float64)[None, :]


@triton.jit
def invert_tiles(root, east, north, pocket, inverse, SHIFT, POCKET):
    """inverse (T, 64, 64) of A^ + SHIFT on every tile, and of 1 on the constants of regions that lie within it.

    pocket: (T, 64) numbers of such regions, -1 elsewhere.
    """
    t = tl.program_id(0)
    c = tl.arange(0, 64)
    i, j = c[:, None], c[None, :]
    to_east = tl.where(c % 8 < 7, tl.load(east + t * 64 + c), 0.0).to(tl.float64)
    to_north = tl.load(north + t * 64 + c).to(tl.float64)
    A = tl.where(i == j, 1.0 + SHIFT, tl.zeros((64, 64), dtype=tl.float64))
    A = tl.where(j == i + 1, -to_east[:, None], tl.where(i == j + 1, -to_east[None, :], A))
    A = tl.where(j == i + 8, -to_north[:, None], tl.where(i == j + 8, -to_north[None, :], A))
    if POCKET:
        label, r = tl.load(pocket + t * 64 + c), tl.load(root + t * 64 + c).to(tl.float64)
        same = (label[:, None] == label[None, :]) & (label[None, :] >= 0)
        squares = tl.sum(tl.where(same, (r * r)[None, :], 0.0), axis=1)
        r = r / tl.maximum(tl.sqrt(squares), 1e-30)
        A += tl.where(same, r[:, None] * r[None, :], 0.0)
    tl.store(inverse + t * 4096 + i * 64 + j, inverted(A, 64).to(tl.float32))


@triton.jit
def tile_functions(
    inverse, traces, trace_stride, root, ring, rim, measure, inside, functions, coefficients,
    GRAM_SHIFT, CONTINUED: tl.constexpr,
):  # fmt: skip
    """functions V (T, 8, 64), orthonormal rows: B W T for the traces T (8, 32), or the monomials themselves.

    coefficients (T, 8, 8), float64: column q holds monomial q in the functions, in the measure of the whole grid.
    inside: (64, 8) the monomials.  trace_stride: from one tile's traces to the next one's, 0 where all have the same.
    """
    t = tl.program_id(0)
    c, k, q = tl.arange(0, 64), tl.arange(0, 32), tl.arange(0, 8)
    constant = tl.load(root + t * 64 + c).to(tl.float64)
    V = tl.zeros((8, 64), dtype=tl.float64)
    if CONTINUED:
        weights = (tl.load(ring + t * 32 + k) * tl.load(rim + t * 32 + k)).to(tl.float64)
        B = tl.load(inverse + t * 4096 + edge_cell(k)[:, None] * 64 + c[None, :]).to(tl.float64)
        for p in range(8):
            source = tl.load(traces + t * trace_stride + p * 32 + k).to(tl.float64) * weights
            V += tl.where((q == p)[:, None], tl.sum(source[:, None] * B, axis=0)[None, :], 0.0)
    else:
        V += tl.load(inside + c[None, :] * 8 + q[:, None]).to(tl.float64) * constant[None, :]
    V = orthonormal(V, 64, GRAM_SHIFT)
    tl.store(functions + t * 512 + q[:, None] * 64 + c[None, :], V.to(tl.float32))
    monomials = tl.load(inside + c[None, :] * 8 + q[:, None]).to(tl.float64) * constant[None, :]
    in_functions = gram(V, monomials) * tl.load(measure + t).to(tl.float64)
    tl.store(coefficients + t * 64 + q[:, None] * 8 + q[None, :], in_functions)


@triton.jit
def couple_tiles(functions, east, north, rim, around, entries, down, coupling, T):
    """entries (5 T, 8, 8), float64: V A^ V^T of every tile, then the couplings towards each side.

    Functions that a tile of solids has lost get a 1 on the diagonal: + I - V V^T.
    down (T, 32, 8) = V on the rim times the couplings there: what the neighbours' cells are restricted with.
    coupling (T, 32, 8) = the neighbours' V across the rim, likewise.  around (T, 4): -1 beyond the grid.
    """
    t = tl.program_id(0)
    c, k, q = tl.arange(0, 64), tl.arange(0, 32), tl.arange(0, 8)
    own = functions + t * 512 + q[:, None] * 64 + c[None, :]
    V, column, row = tl.load(own).to(tl.float64), c % 8, c // 8
    AV = V - shifted(own, east + t * 64 + c, column < 7, 1, 0) - shifted(own, east + t * 64 + c, column > 0, -1, -1)
    AV -= shifted(own, north + t * 64 + c, row < 7, 8, 0) + shifted(own, north + t * 64 + c, row > 0, -8, -8)
    energy = gram(AV - V, V) + tl.where(q[:, None] == q[None, :], 1.0, 0.0)
    tl.store(entries + t * 64 + q[:, None] * 8 + q[None, :], energy)

    weights = tl.load(rim + t * 32 + k)
    on_rim = tl.load(functions + t * 512 + q[None, :] * 64 + edge_cell(k)[:, None])
    tl.store(down + t * 256 + k[:, None] * 8 + q[None, :], on_rim * weights[:, None])
    there = tl.load(around + t * 4 + k // 8)
    beyond = tl.load(
        functions + there[:, None] * 512 + q[None, :] * 64 + edge_cell(k ^ 8)[:, None],
        mask=(there >= 0)[:, None],
        other=0.0,
    )
    tl.store(coupling + t * 256 + k[:, None] * 8 + q[None, :], beyond * weights[:, None])

    side, function, along = k // 8, k % 8, q  # rows of a table of 4 x 8 functions, columns along the side
    place = side[:, None] * 8 + along[None, :]
    here = tl.load(functions + t * 512 + function[:, None] * 64 + edge_cell(place)).to(tl.float64)
    here *= tl.load(rim + t * 32 + place).to(tl.float64)
    for p in range(8):
        across = tl.load(
            functions + there[:, None] * 512 + p * 64 + edge_cell(place ^ 8), mask=(there >= 0)[:, None], other=0.0
        )
        values = tl.sum(here * across.to(tl.float64), axis=1)
        tl.store(entries + ((1 + side) * T + t) * 64 + function * 8 + p, values)
