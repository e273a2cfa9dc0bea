"""Compiled: the coarse levels above the tiles, groups of blocks with 8 functions each, up to a dense block at the top.

Blocks of all levels are numbered one level after the other, the tiles first; see htp/layout.py for what lies where and
htp/galerkin.py for the same algebra in torch.
"""

from __future__ import annotations

import numpy as np

from ..htp.blocks import SHIFT, TOP_SHIFT
from .dense import add_eight_rows, invert, symmetric_part
from .jit import kernel
from .tiles import FUNCTIONS, GRAM_SHIFT, LANES, SIDE, L, U, orthonormalise, product_with

# columns of the table of levels
COUNT, BASE, MEMBERS, SLOTS, GROUPS, PLACE, FIRST = range(7)
"""Blocks; the first one's number; blocks in a group of the next level; outward sides of a group's members; the first
group's number among all groups; where vectors over this level's functions begin; the first of its crossings, and in
the next column the end of them (see hierarchy.py)."""
GROUP = 32  # most unknowns in a group


@kernel
def add_product(A, a, stride, B, b, out, o):
    """out += A B for blocks of 8 x 8 that begin at o, a, b; rows of A lie `stride` apart, those of the others 8."""
    for i in range(U(FUNCTIONS)):
        add_eight_rows(B, b, U(8), A, a + i * stride, U(8), out, o + i * U(8))


@kernel
def combine_rows(weights, A, n, out):
    """out (8, 32) flat = weights^T A for weights (n, 8) and n rows of A, 32 numbers each."""
    r, row = U(FUNCTIONS), U(GROUP)
    for q in range(r):
        o = q * row
        for m in range(row):
            out[o + m] = 0.0
        for eight in range(U(n) // U(8)):
            w, a = eight * U(64) + q, eight * U(8) * row
            x0, x1, x2, x3 = weights[w], weights[w + r], weights[w + U(2) * r], weights[w + U(3) * r]
            w += U(4) * r
            x4, x5, x6, x7 = weights[w], weights[w + r], weights[w + U(2) * r], weights[w + U(3) * r]
            for m in range(row):
                out[o + m] += (
                    x0 * A[a + m]
                    + x1 * A[a + row + m]
                    + x2 * A[a + U(2) * row + m]
                    + x3 * A[a + U(3) * row + m]
                    + x4 * A[a + U(4) * row + m]
                    + x5 * A[a + U(5) * row + m]
                    + x6 * A[a + U(6) * row + m]
                    + x7 * A[a + U(7) * row + m]
                )


@kernel
def couple_tiles(on_rim, rim, neighbours, tiles, towards):
    """towards (4, blocks, 8, 8) of the tiles: across the faces between two of them. on_rim (T, 8, 32)."""
    r, weighted, theirs, outer = FUNCTIONS, np.zeros(64), np.zeros(64), np.zeros(64)
    for t in range(tiles):
        for side in (1, 3):
            u = neighbours[side, t]
            if u < 0:
                continue
            for p in range(r):
                for k in range(SIDE):
                    weighted[p * 8 + k] = on_rim[t, p, side * SIDE + k] * rim[t, side * SIDE + k]
                    theirs[k * 8 + p] = on_rim[u, p, (side - 1) * SIDE + k]
            outer[:] = 0.0
            add_product(weighted, U(0), U(8), theirs, U(0), outer, U(0))
            for p in range(r):
                for q in range(r):
                    towards[side, t, p, q] = towards[side - 1, u, q, p] = outer[p * 8 + q]


def scratch() -> tuple[np.ndarray, ...]:
    """What `build_levels` works on: for one group A, rows, table, within, right, vectors, for LANES of them V, source,

    gram, weights, lost; each so many blocks of 8 x 8.
    """
    r = FUNCTIONS**2
    one, lanes = (16, 2, 1, 4, 4, 4), (4, 4, 1, 1, 1)
    return *(np.zeros(size * r) for size in one), *(np.zeros(size * r * LANES) for size in lanes)


@kernel
def gather_group(first, M, neighbours, towards, operator, A):
    """A (n, n) flat = the matrix of the M blocks from `first` on, shifted."""
    r, n = FUNCTIONS, M * FUNCTIONS
    A[: n * n] = 0.0
    for m in range(M):
        for i in range(r):
            start = (m * r + i) * n
            row, own = A[start + m * r : start + m * r + r], operator[first + m, i]
            for j in range(r):
                row[j] = own[j]
            row[i] += SHIFT
        for side in range(4):
            other = neighbours[side, first + m] - first
            if 0 <= other < M:
                for i in range(r):
                    start = (m * r + i) * n + other * r
                    row, block = A[start : start + r], towards[side, first + m, i]
                    for j in range(r):
                        row[j] = -block[j]


@kernel
def monomials_within(first, M, coefficients, members, within):
    """within (M, 8, 8) flat = the group's monomials in its members' functions."""
    within[:] = 0.0
    flat, table = coefficients.reshape(-1), members.reshape(-1)
    for m in range(U(M)):
        block = m * U(64)
        add_product(flat, U(first) * U(64) + block, U(8), table, block, within, block)


@kernel
def sources(first, count, neighbours, slots, outside, corrections, towards, coefficients, table, right):
    """right (M, 8, 8) flat = what the group's functions, continued beyond its slots, let into its members."""
    right[:] = 0.0
    flat, couplings, blocks = coefficients.reshape(-1), towards.reshape(-1), towards.shape[1]
    outer, sums = table[:64], np.zeros(64)
    for slot in range(count):
        m, side = slots[slot, 0], slots[slot, 1]
        other = neighbours[side, first + m]
        if other < 0:
            continue
        given, added = outside[slot].reshape(-1), corrections[slot].reshape(-1)
        for k in range(64):
            sums[k] = given[k] + added[k]
            outer[k] = 0.0
        add_product(flat, U(other) * U(64), U(8), sums, U(0), outer, U(0))
        add_product(couplings, U(side * blocks + first + m) * U(64), U(8), outer, U(0), right, U(m) * U(64))


@kernel
def put_into_lane(values, turned, n, out, lane):
    """out (8, 32, LANES) of one lane = values (8, 32), or turned (n, 8)."""
    for q in range(FUNCTIONS):
        for i in range(n):
            out[(q * GROUP + i) * LANES + lane] = values[i * FUNCTIONS + q if turned else q * GROUP + i]


@kernel
def build_levels(
    levels, neighbours, slots, outside, members, corrections, continued,
    operator, towards, coefficients, inverses, bases, columns, scratch,
):  # fmt: skip
    """Every group's inverse and functions, and the operators of all levels; LANES groups share what tiles.py does.

    slots (levels, 8, 2): member and side;  outside (levels, 8, 8, 8), members (levels, 4, 8, 8): tables of monomials;
    corrections (groups, 8, 8, 8): added to `outside`.  operator, coefficients (blocks, 8, 8) and towards
    (4, blocks, 8, 8) are given for the tiles.  inverses (groups, 32, 32), bases (groups, 8, 32) and their transposes
    columns (groups, 32, 8).
    """
    r, lanes = FUNCTIONS, LANES
    A, rows, table, within, right, vectors, V, source, gram, weights, lost = scratch
    sums = np.zeros(lanes)
    for k in range(levels.shape[0] - 1):
        base, M, count, n = levels[k, BASE], levels[k, MEMBERS], levels[k, SLOTS], levels[k, MEMBERS] * r
        next_base, groups, own = levels[k + 1, BASE], levels[k + 1, COUNT], levels[k, GROUPS]
        for batch in range(-(-groups // lanes)):
            V[:] = 0.0
            source[:] = 0.0
            here = min(lanes, groups - batch * lanes)
            for lane in range(here):
                g = batch * lanes + lane
                first, B = base + g * M, inverses[own + g]
                gather_group(first, M, neighbours, towards, operator, A)
                if continued:
                    sources(
                        first, count, neighbours, slots[k], outside[k], corrections[own + g], towards, coefficients,
                        table, right,
                    )  # fmt: skip
                    invert(A, n, rows)
                    symmetric_part(A, n, B)
                    combine_rows(right, B.reshape(-1), n, vectors)
                    put_into_lane(right, True, n, source, lane)
                    put_into_lane(vectors, False, n, V, lane)
                else:  # the monomials themselves, and A times them
                    monomials_within(first, M, coefficients, members[k], within)
                    symmetric_part(A, n, B)
                    combine_rows(within, B.reshape(-1), n, vectors)
                    put_into_lane(within, True, n, V, lane)
                    put_into_lane(vectors, False, n, source, lane)
                    invert(A, n, rows)
                    symmetric_part(A, n, B)
            orthonormalise(V, GROUP, source, GROUP, 1, gram, weights, lost)
            for q in range(r):
                for p in range(q + 1):
                    product_with(V, U(p * GROUP) * L, source, U(q * GROUP) * L, GROUP, sums, U(0))
                    for lane in range(here):
                        block = next_base + batch * lanes + lane
                        extra = GRAM_SHIFT * lost[(q * r + p) * lanes + lane]
                        value = sums[lane] + extra + SHIFT * extra - (SHIFT if p == q else 0.0)
                        operator[block, p, q] = value
                        operator[block, q, p] = value
            for lane in range(here):
                g = batch * lanes + lane
                out, turned = bases[own + g], columns[own + g]
                for q in range(r):
                    for i in range(GROUP):
                        out[q, i] = turned[i, q] = V[(q * GROUP + i) * lanes + lane]
                monomials_within(base + g * M, M, coefficients, members[k], within)
                block = coefficients[next_base + g]
                block[:] = 0.0
                flat = block.reshape(-1)
                for m in range(U(M)):
                    add_product(out.reshape(-1), m * U(r), U(GROUP), within, m * U(64), flat, U(0))
        couple_groups(k, levels, neighbours, slots, bases, columns, towards)


@kernel
def couple_groups(k, levels, neighbours, slots, bases, columns, towards):
    """towards of level k + 1 from the functions on both sides."""
    r, base, M, count = FUNCTIONS, levels[k, BASE], levels[k, MEMBERS], levels[k, SLOTS]
    next_base, flat, couplings = levels[k + 1, BASE], bases.reshape(-1), towards.reshape(-1)
    blocks, table = towards.shape[1], np.zeros(64)
    for g in range(levels[k + 1, COUNT]):
        first, own = base + g * M, next_base + g
        for side in (1, 3):
            there = neighbours[side, own]
            if there < 0:
                continue
            W = columns[levels[k, GROUPS] + there - next_base].reshape(-1)
            outer = towards[side, own]
            outer[:] = 0.0
            for slot in range(count):
                if slots[k, slot, 1] != side:
                    continue
                m = slots[k, slot, 0]
                start = (neighbours[side, first + m] - base) % M * r
                table[:] = 0.0  # this group's functions as the neighbour meets them
                add_product(
                    flat, U((levels[k, GROUPS] + g) * r * GROUP + m * r), U(GROUP),
                    couplings, U(side * blocks + first + m) * U(64), table, U(0),
                )  # fmt: skip
                add_product(table, U(0), U(8), W, U(start * r), outer.reshape(-1), U(0))
            for p in range(r):
                for q in range(r):
                    towards[side - 1, there, q, p] = outer[p, q]


@kernel
def invert_top(levels, neighbours, operator, towards, coefficients, closed, matrix, rows, top):
    """The dense inverse of the last level."""
    r, last = FUNCTIONS, levels.shape[0] - 1
    count, base = levels[last, COUNT], levels[last, BASE]
    n = count * r
    matrix[:] = 0.0
    norm = 0.0
    for b in range(count):
        for i in range(r):
            for j in range(r):
                matrix[b * r + i, b * r + j] = operator[base + b, i, j]
            matrix[b * r + i, b * r + i] += TOP_SHIFT
            norm += coefficients[base + b, i, 0] ** 2
        for side in range(4):
            other = neighbours[side, base + b] - base
            if other >= 0:
                for i in range(r):
                    for j in range(r):
                        matrix[b * r + i, other * r + j] = -towards[side, base + b, i, j]
    if closed:  # the constant is projected away afterwards: M may be 1 there instead of 1 / shift
        scale = 1.0 / max(norm, 1e-30)
        for i in range(n):
            weight = coefficients[base + i // r, i % r, 0] * scale
            for j in range(n):
                matrix[i, j] += weight * coefficients[base + j // r, j % r, 0]
    invert(matrix.reshape(-1), n, rows)
    symmetric_part(matrix.reshape(-1), n, top)
