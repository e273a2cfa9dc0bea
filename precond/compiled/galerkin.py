"""Compiled: the coarse levels above the tiles, groups of blocks with 8 functions each, up to a dense block at the top.

Blocks of all levels are numbered one level after the other, the tiles first; see htp/layout.py for what lies where and
htp/galerkin.py for the same algebra in torch.
"""

from __future__ import annotations

import math

import numpy as np

from ..htp.blocks import SHIFT, TOP_SHIFT
from .jit import kernel
from .tiles import FUNCTIONS, GRAM_SHIFT, LANES, ONE, SIDE, L, U, orthonormalise, product_with

# columns of the table of levels
COUNT, BASE, MEMBERS, SLOTS, GROUPS, PLACE, FIRST = range(7)
"""Blocks; the first one's number; blocks in a group of the next level; outward sides of a group's members; the first
group's number among all groups; where vectors over this level's functions begin; the first of its crossings, and in
the next column the end of them (see hierarchy.py)."""
GROUP = 32  # most unknowns in a group


@kernel
def invert(A, n, row, out):
    """out (n, n) = A^-1 for a symmetric positive definite A, flat with n numbers a row; symmetric to the bit.

    Gauss-Jordan elimination without pivots, which such an A does not need: whole rows are what vector units like best.
    A is spent, row (n,) scratch.
    """
    N = np.uint64(n)
    for i in range(N):
        pivot = 1.0 / A[i * N + i]
        A[i * N + i] = 1.0
        for m in range(N):
            row[m] = A[i * N + m] * pivot
        for j in range(N):
            o, weight = j * N, A[j * N + i]
            A[o + i] = 0.0
            for m in range(N):
                A[o + m] -= weight * row[m]
        for m in range(N):
            A[i * N + m] = row[m]
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = out[j, i] = 0.5 * (A[i * n + j] + A[j * n + i])


@kernel
def couple_tiles(on_rim, rim, neighbours, tiles, towards):
    """towards (4, blocks, 8, 8) of the tiles: across the faces between two of them."""
    for t in range(tiles):
        for side in (1, 3):
            u = neighbours[side, t]
            if u < 0:
                continue
            for p in range(FUNCTIONS):
                out = towards[side, t, p]
                for q in range(FUNCTIONS):
                    out[q] = 0.0
                for k in range(SIDE):
                    weight = on_rim[t, side * SIDE + k, p] * rim[t, side * SIDE + k]
                    other = on_rim[u, (side - 1) * SIDE + k]
                    for q in range(FUNCTIONS):
                        out[q] += weight * other[q]
                for q in range(FUNCTIONS):
                    towards[side - 1, u, q, p] = out[q]


@kernel
def subtract_products(A, x, step, B, y, eighths, total):
    """total (LANES,) = minus the sum of A[x + m step] B[y + m LANES] over so many eights of m.

    Sums are taken apart from where they are stored, so that the compiler sees nothing read and written in one loop.
    """
    for l in range(L):
        total[l] = 0.0
    for _ in range(eighths):
        for l in range(L):
            total[l] -= (
                A[x + l] * B[y + l]
                + A[x + step + l] * B[y + L + l]
                + A[x + U(2) * step + l] * B[y + U(2) * L + l]
                + A[x + U(3) * step + l] * B[y + U(3) * L + l]
                + A[x + U(4) * step + l] * B[y + U(4) * L + l]
                + A[x + U(5) * step + l] * B[y + U(5) * L + l]
                + A[x + U(6) * step + l] * B[y + U(6) * L + l]
                + A[x + U(7) * step + l] * B[y + U(7) * L + l]
            )
        x += U(8) * step
        y += U(8) * L


@kernel
def factorise_groups(A, n, total):
    """Cholesky of LANES blocks in place: (32, 32, LANES), of which the lower half is given and the upper one is 0, then

    32 rows for the reciprocals of the diagonal, which itself becomes 0, so that sums may run over whole eights.
    """
    row, diagonal = U(GROUP) * L, U(GROUP * GROUP) * L
    for i in range(U(n)):
        for j in range(i):
            o = i * row + j * L
            subtract_products(A, i * row, L, A, j * row, (j + U(7)) // U(8), total)
            for l in range(L):
                A[o + l] = (A[o + l] + total[l]) * A[diagonal + j * L + l]
        o = i * row + i * L
        for l in range(L):
            A[diagonal + i * L + l] = A[o + l]
            A[o + l] = 0.0
        subtract_products(A, i * row, L, A, i * row, (i + U(7)) // U(8), total)
        for l in range(L):
            A[diagonal + i * L + l] = 1.0 / math.sqrt(A[diagonal + i * L + l] + total[l])


@kernel
def solve_lanes(A, first, y, at, n, total):
    """y = A^-1 y for LANES vectors (32, LANES) from `at` on, with the factor that begins at `first`."""
    row, diagonal = U(GROUP) * L, first + U(GROUP * GROUP) * L
    for i in range(U(n)):
        o, d = at + i * L, diagonal + i * L
        subtract_products(A, first + i * row, L, y, at, (i + U(7)) // U(8), total)
        for l in range(L):
            y[o + l] = (y[o + l] + total[l]) * A[d + l]
    for back in range(U(n)):
        i = U(n) - ONE - back
        o, d, start = at + i * L, diagonal + i * L, (i + ONE) // U(8)
        subtract_products(
            A, first + start * U(8) * row + i * L, row, y, at + start * U(8) * L, U(n) // U(8) - start, total
        )
        for l in range(L):
            y[o + l] = (y[o + l] + total[l]) * A[d + l]


@kernel
def invert_groups(A, n, X, total, here, out):
    """out (groups, 32, 32), the first `here` of them, = the inverses from their factors, symmetric to the bit.

    X (32, 32, LANES): scratch for the transpose of the factor's inverse.
    """
    row, diagonal = U(GROUP) * L, U(GROUP * GROUP) * L
    X[:] = 0.0
    for i in range(U(n)):
        d = diagonal + i * L
        for j in range(i):
            start = j // U(8)
            x, y = i * row + start * U(8) * L, j * row + start * U(8) * L
            subtract_products(A, x, L, X, y, (i + U(7)) // U(8) - start, total)
            o = j * row + i * L
            for l in range(L):
                X[o + l] = total[l] * A[d + l]
        for l in range(L):
            X[i * row + i * L + l] = A[d + l]
    for i in range(U(n)):
        start = i // U(8)
        for j in range(i + ONE):
            x, y = i * row + start * U(8) * L, j * row + start * U(8) * L
            subtract_products(X, x, L, X, y, U(n) // U(8) - start, total)
            for lane in range(here):
                out[lane, i, j] = out[lane, j, i] = -total[lane]


@kernel
def multiply_lanes(A, a, B, b, out, o, add):
    """out (8, 8, LANES) = A B, or added to it, for LANES pairs of 8 x 8 blocks."""
    r = U(FUNCTIONS)
    for i in range(r):
        for q in range(r):
            t, x, y = o + (i * r + q) * L, a + i * r * L, b + q * L
            if not add:
                for l in range(L):
                    out[t + l] = 0.0
            for l in range(L):
                out[t + l] += (
                    A[x + l] * B[y + l]
                    + A[x + L + l] * B[y + U(8) * L + l]
                    + A[x + U(2) * L + l] * B[y + U(16) * L + l]
                    + A[x + U(3) * L + l] * B[y + U(24) * L + l]
                    + A[x + U(4) * L + l] * B[y + U(32) * L + l]
                    + A[x + U(5) * L + l] * B[y + U(40) * L + l]
                    + A[x + U(6) * L + l] * B[y + U(48) * L + l]
                    + A[x + U(7) * L + l] * B[y + U(56) * L + l]
                )


def scratch() -> tuple[np.ndarray, ...]:
    """What `build_levels` works on, for LANES groups: A, X, T, own, beyond, table, outer, within, source, V, image,

    gram, weights and lost, each so many blocks of 8 x 8.
    """
    sizes = (16.5, 16, 8, 4, 8, 1, 1, 4, 4, 4, 16, 1, 1, 1)
    return tuple(np.zeros(int(size * FUNCTIONS**2 * LANES)) for size in sizes)


@kernel
def gather_group(lane, first, M, count, neighbours, slots, towards, operator, coefficients, A, T, own, beyond):
    """One group's blocks into its lane: its matrix, the couplings of its slots, the coefficients in and around it."""
    r, lanes = FUNCTIONS, LANES
    for m in range(M):
        for i in range(r):
            for j in range(i + 1):
                A[((m * r + i) * GROUP + m * r + j) * lanes + lane] = operator[first + m, i, j]
            for p in range(r):
                own[((m * r + i) * r + p) * lanes + lane] = coefficients[first + m, i, p]
            A[((m * r + i) * GROUP + m * r + i) * lanes + lane] += SHIFT
        for side in range(4):
            other = neighbours[side, first + m] - first
            if 0 <= other < m:
                for i in range(r):
                    for j in range(r):
                        A[((m * r + i) * GROUP + other * r + j) * lanes + lane] = -towards[side, first + m, i, j]
    for slot in range(count):
        m, side = slots[slot, 0], slots[slot, 1]
        other = neighbours[side, first + m]
        start = slot * r * r
        for i in range(r):
            for p in range(r):
                place = (start + i * r + p) * lanes + lane
                T[place] = towards[side, first + m, i, p] if other >= 0 else 0.0
                beyond[place] = coefficients[other, i, p] if other >= 0 else 0.0


@kernel
def build_levels(
    levels, neighbours, slots, outside, members, corrections, continued,
    operator, towards, coefficients, inverses, bases, scratch,
):  # fmt: skip
    """Every group's factor and functions, and the operators of all levels; LANES groups at a time, as tiles.py does.

    slots (levels, 8, 2): member and side;  outside (levels, 8, 8, 8), members (levels, 4, 8, 8): tables of monomials;
    corrections (groups, 8, 8, 8): added to `outside`.  operator, coefficients (blocks, 8, 8) and towards
    (4, blocks, 8, 8) are given for the tiles.  inverses (groups, 32, 32), bases (groups, 8, 32).
    """
    r, lanes = FUNCTIONS, LANES
    A, X, T, own, beyond, table, outer, within, source, V, image, gram, weights, lost = scratch
    sums = np.zeros(lanes)
    for k in range(levels.shape[0] - 1):
        base, M, count, n = levels[k, BASE], levels[k, MEMBERS], levels[k, SLOTS], levels[k, MEMBERS] * r
        next_base, groups = levels[k + 1, BASE], levels[k + 1, COUNT]
        for batch in range(-(-groups // lanes)):
            A[:] = 0.0
            for i in range(GROUP):
                for lane in range(lanes):
                    A[(i * GROUP + i) * lanes + lane] = 1.0
            T[:] = 0.0
            own[:] = 0.0
            beyond[:] = 0.0
            here = min(lanes, groups - batch * lanes)
            for lane in range(here):
                g = batch * lanes + lane
                gather_group(
                    lane,
                    base + g * M,
                    M,
                    count,
                    neighbours,
                    slots[k],
                    towards,
                    operator,
                    coefficients,
                    A,
                    T,
                    own,
                    beyond,
                )
            if not continued:
                image[:] = A[: GROUP * GROUP * lanes]  # the matrix itself, its lower half
            factorise_groups(A, n, sums)
            first = levels[k, GROUPS] + batch * lanes
            invert_groups(A, n, X, sums, here, inverses[first : first + here])
            for m in range(M):
                for p in range(r):
                    for q in range(r):
                        for lane in range(lanes):
                            table[(p * r + q) * lanes + lane] = members[k, m, p, q]
                multiply_lanes(own, U(m * r * r) * L, table, U(0), within, U(m * r * r) * L, False)
            source[:] = 0.0
            if continued:
                for slot in range(count):
                    for p in range(r):
                        for q in range(r):
                            for lane in range(here):
                                group = levels[k, GROUPS] + batch * lanes + lane
                                table[(p * r + q) * lanes + lane] = (
                                    outside[k, slot, p, q] + corrections[group, slot, p, q]
                                )
                    multiply_lanes(beyond, U(slot * r * r) * L, table, U(0), outer, U(0), False)
                    member = slots[k, slot, 0]
                    multiply_lanes(T, U(slot * r * r) * L, outer, U(0), source, U(member * r * r) * L, True)
            for q in range(U(r)):  # (32, 8) to (8, 32)
                for i in range(U(GROUP)):
                    x, o = (i * U(r) + q) * L, (q * U(GROUP) + i) * L
                    for l in range(L):
                        V[o + l] = source[x + l] if continued else within[x + l]
            source[:] = V
            if continued:
                for q in range(r):
                    solve_lanes(A, U(0), V, U(q * GROUP) * L, n, sums)
            orthonormalise(V, GROUP, source, GROUP, 1, gram, weights, lost)
            for q in range(r):
                if not continued:
                    symmetric_product(image, V, q * GROUP * lanes, n, source)
                for p in range(q + 1):
                    if continued:
                        product_with(V, U(p * GROUP) * L, source, U(q * GROUP) * L, GROUP, sums, U(0))
                    else:
                        product_with(V, U(p * GROUP) * L, source, U(0), GROUP, sums, U(0))
                    for lane in range(here):
                        own_block = next_base + batch * lanes + lane
                        extra = GRAM_SHIFT * lost[(q * r + p) * lanes + lane]
                        value = sums[lane] + extra + SHIFT * extra - (SHIFT if p == q else 0.0)
                        operator[own_block, p, q] = value
                        operator[own_block, q, p] = value
            for q in range(r):
                for i in range(GROUP):
                    for lane in range(lanes):
                        image[i * lanes + lane] = within[(i * r + q) * lanes + lane]
                for p in range(r):
                    product_with(V, U(p * GROUP) * L, image, U(0), GROUP, sums, U(0))
                    for lane in range(here):
                        coefficients[next_base + batch * lanes + lane, p, q] = sums[lane]
            for lane in range(here):
                out = bases[levels[k, GROUPS] + batch * lanes + lane]
                for q in range(r):
                    for i in range(GROUP):
                        out[q, i] = V[(q * GROUP + i) * lanes + lane]
        couple_groups(k, levels, neighbours, slots, bases, towards, outer)


@kernel
def symmetric_product(A, V, v, n, out):
    """out (32, LANES) = A V for one function, from the lower half of A."""
    lanes = LANES
    for i in range(GROUP):
        for lane in range(lanes):
            out[i * lanes + lane] = 0.0
    for i in range(n):
        for j in range(n):
            row, column = max(i, j), min(i, j)
            for lane in range(lanes):
                out[i * lanes + lane] += A[(row * GROUP + column) * lanes + lane] * V[v + j * lanes + lane]


@kernel
def couple_groups(k, levels, neighbours, slots, bases, towards, work):
    """towards of level k + 1 from the functions on both sides."""
    r, base, M, count = FUNCTIONS, levels[k, BASE], levels[k, MEMBERS], levels[k, SLOTS]
    next_base = levels[k + 1, BASE]
    for g in range(levels[k + 1, COUNT]):
        first, own, V = base + g * M, next_base + g, bases[levels[k, GROUPS] + g]
        for side in (1, 3):
            there = neighbours[side, own]
            if there < 0:
                continue
            W = bases[levels[k, GROUPS] + there - next_base]
            outer = towards[side, own]
            outer[:] = 0.0
            for slot in range(count):
                if slots[k, slot, 1] != side:
                    continue
                m = slots[k, slot, 0]
                other = neighbours[side, first + m]
                start = ((other - base) % M) * r
                for p in range(r):  # rows of V T: this group's functions as the neighbour meets them
                    row = work[p * r : (p + 1) * r]
                    for i in range(r):
                        row[i] = 0.0
                    for i in range(r):
                        weight, block = V[p, m * r + i], towards[side, first + m, i]
                        for q in range(r):
                            row[q] += weight * block[q]
                for q in range(r):
                    theirs = W[q, start : start + r]
                    for p in range(r):
                        row, total = work[p * r : (p + 1) * r], 0.0
                        for i in range(r):
                            total += row[i] * theirs[i]
                        outer[p, q] += total
            for p in range(r):
                for q in range(r):
                    towards[side - 1, there, q, p] = outer[p, q]


@kernel
def invert_top(levels, neighbours, operator, towards, coefficients, closed, matrix, top):
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
    invert(matrix.reshape(-1), n, np.zeros(n), top)
