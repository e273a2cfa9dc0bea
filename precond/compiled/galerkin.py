"""Compiled: the coarse levels above the tiles, groups of blocks with 8 functions each, up to a dense block at the top.

Blocks of all levels are numbered one level after the other, the tiles first; see htp/layout.py for what lies where and
htp/galerkin.py for the same algebra in torch.
"""

from __future__ import annotations

import math

import numpy as np

from ..htp.blocks import SHIFT, TOP_SHIFT
from .jit import kernel
from .tiles import FUNCTIONS, GRAM_SHIFT, SIDE

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
def orthonormalise_rows(V, n, gram):
    """Rows of V (8, n) made orthonormal in order; returns nothing. gram (8, 8): scratch."""
    for p in range(FUNCTIONS):
        total = 0.0
        for k in range(n):
            total += V[p, k] * V[p, k]
        scale = 1.0 / max(math.sqrt(total), 1e-30)
        for k in range(n):
            V[p, k] *= scale
    for p in range(FUNCTIONS):
        for q in range(p + 1):
            x, y, total = V[p], V[q], 0.0
            for k in range(n):
                total += x[k] * y[k]
            gram[p, q] = total + (GRAM_SHIFT if p == q else 0.0)
    for p in range(FUNCTIONS):
        for q in range(p + 1):
            total = gram[p, q]
            for m in range(q):
                total -= gram[p, m] * gram[q, m]
            gram[p, q] = 1.0 / math.sqrt(total) if p == q else total * gram[q, q]
    for p in range(FUNCTIONS):
        row = V[p]
        for q in range(p):
            other, weight = V[q], gram[p, q]
            for k in range(n):
                row[k] -= weight * other[k]
        for k in range(n):
            row[k] *= gram[p, p]


@kernel
def build_levels(
    levels,
    neighbours,
    slots,
    outside,
    members,
    corrections,
    continued,
    operator,
    towards,
    coefficients,
    inverses,
    bases,
):
    """Every group's inverse and functions, and the operators of all levels.

    slots (levels, 8, 2): member and side;  outside (levels, 8, 8, 8), members (levels, 4, 8, 8): tables of monomials;
    corrections (groups, 8, 8, 8): added to `outside`.  operator, coefficients (blocks, 8, 8) and towards
    (4, blocks, 8, 8) are given for the tiles.  inverses (groups, 32, 32), bases (groups, 8, 32).
    """
    r = FUNCTIONS
    block, scratch, pivot_row = np.zeros((GROUP, GROUP)), np.zeros(GROUP * GROUP), np.zeros(GROUP)
    source, within, product, gram = np.zeros((GROUP, r)), np.zeros((GROUP, r)), np.zeros((r, GROUP)), np.zeros((r, r))
    table, outer = np.zeros((r, r)), np.zeros((r, r))
    for k in range(levels.shape[0] - 1):
        base, M, count = levels[k, BASE], levels[k, MEMBERS], levels[k, SLOTS]
        n, next_base = M * r, levels[k + 1, BASE]
        for g in range(levels[k + 1, COUNT]):
            first, own, group = base + g * M, next_base + g, levels[k, GROUPS] + g
            block[:] = 0.0
            for m in range(M):
                for i in range(r):
                    for j in range(r):
                        block[m * r + i, m * r + j] = operator[first + m, i, j]
                for side in range(4):
                    other = neighbours[side, first + m] - first
                    if 0 <= other < M:
                        for i in range(r):
                            for j in range(r):
                                block[m * r + i, other * r + j] = -towards[side, first + m, i, j]
            for i in range(n):
                for j in range(n):
                    scratch[i * n + j] = block[i, j]
                scratch[i * n + i] += SHIFT
            invert(scratch, n, pivot_row, inverses[group])
            for m in range(M):
                for i in range(r):
                    row = within[m * r + i]
                    row[:] = 0.0
                    for p in range(r):
                        weight, other_row = coefficients[first + m, i, p], members[k, m, p]
                        for q in range(r):
                            row[q] += weight * other_row[q]
            V = bases[group]
            V[:] = 0.0
            if continued:
                source[:] = 0.0
                for slot in range(count):
                    m, side = slots[k, slot, 0], slots[k, slot, 1]
                    other = neighbours[side, first + m]
                    if other < 0:
                        continue
                    for p in range(r):
                        for q in range(r):
                            table[p, q] = outside[k, slot, p, q] + corrections[group, slot, p, q]
                    outer[:] = 0.0
                    for i in range(r):
                        out = outer[i]
                        for p in range(r):
                            weight, row = coefficients[other, i, p], table[p]
                            for q in range(r):
                                out[q] += weight * row[q]
                    for i in range(r):
                        for p in range(r):
                            weight = towards[side, first + m, i, p]
                            row, other_row = source[m * r + i], outer[p]
                            for q in range(r):
                                row[q] += weight * other_row[q]
                for q in range(r):
                    row = V[q]
                    for i in range(n):
                        weight, column = source[i, q], inverses[group, i]
                        for j in range(n):
                            row[j] += weight * column[j]
            else:
                for q in range(r):
                    for i in range(n):
                        V[q, i] = within[i, q]
            orthonormalise_rows(V, n, gram)
            for q in range(r):
                row = coefficients[own, q]
                row[:] = 0.0
                for i in range(n):
                    weight, other_row = V[q, i], within[i]
                    for p in range(r):
                        row[p] += weight * other_row[p]
                image = product[q]
                image[:] = 0.0
                for i in range(n):
                    weight, column = V[q, i], block[i]
                    for j in range(n):
                        image[j] += weight * column[j]
            for p in range(r):
                for q in range(p + 1):
                    total, lost = 0.0, 0.0
                    x, y, z = product[p], V[q], V[p]
                    for i in range(n):
                        total += x[i] * y[i]
                        lost += z[i] * y[i]
                    operator[own, p, q] = operator[own, q, p] = total - lost + (1.0 if p == q else 0.0)
        for g in range(levels[k + 1, COUNT]):
            first, own, V = base + g * M, next_base + g, bases[levels[k, GROUPS] + g]
            for side in (1, 3):
                there = neighbours[side, own]
                if there < 0:
                    continue
                W = bases[levels[k, GROUPS] + there - next_base]
                outer[:] = 0.0
                for slot in range(count):
                    if slots[k, slot, 1] != side:
                        continue
                    m = slots[k, slot, 0]
                    other = neighbours[side, first + m]
                    start = ((other - base) % M) * r
                    for q in range(r):  # the neighbour's functions as this member meets them: rows of towards W^T
                        image = product[q]
                        for i in range(r):
                            image[i] = 0.0
                        for p in range(r):
                            weight, row = W[q, start + p], towards[side - 1, other, p]
                            for i in range(r):
                                image[i] += weight * row[i]
                    for p in range(r):
                        mine = V[p, m * r : (m + 1) * r]
                        for q in range(r):
                            image, total = product[q], 0.0
                            for i in range(r):
                                total += mine[i] * image[i]
                            outer[p, q] += total
                for p in range(r):
                    for q in range(r):
                        towards[side, own, p, q] = outer[p, q]
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
