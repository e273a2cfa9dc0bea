"""Compiled: tiles of 8x8 cells, LANES of them side by side in the innermost index, so that vector units hold them.

A tile's block of A^ is banded, 8 to either side: its Cholesky factor has 64 x 9 numbers where an inverse has 64 x 64.
Everything is in the scaled variables of htp/blocks.py. Indices are unsigned: with signed ones the compiler would have
to allow for negative ones and could not use vector instructions.
"""

from __future__ import annotations

import math

import numpy as np

from ..htp.blocks import SHIFT
from ..htp.layout import CELLS, SIDE
from .jit import kernel

LANES = 16
FUNCTIONS = 8
RIM = 4 * SIDE
U = np.uint64
L, ONE, BAND = U(LANES), U(1), U(SIDE)
ROWS = U(CELLS + SIDE)  # of a factor: zeros behind, so that no row is a special case
DEEP = U(CELLS + 2 * SIDE)  # of a vector: zeros before and behind
WIDE = U(SIDE + 1)
GRAM_SHIFT = 1e-6  # relative: see htp/bases.py
PIN = 1.0  # added to one cell of a closed region that lies within a tile; its constant is projected away


@kernel
def scale_cells(beta_x, beta_y, reaction, root, inverse_root, links):
    """d^1/2 and d^-1/2 of every cell (N + 1,) relative to the largest d, and couplings of A^, `links` (2 N + 2,).

    Both are 0 where d is 0, and behind the last cell. links: every cell's to the east, then every cell's to the north.
    """
    ny, nx = beta_x.shape[0], beta_y.shape[1]
    largest, n = 0.0, ny * nx
    for j in range(ny):
        row, here, above, out = beta_x[j], beta_y[j], beta_y[j + 1], root[j * nx : (j + 1) * nx]
        own = reaction[j]
        for i in range(nx):
            d = row[i] + row[i + 1] + here[i] + above[i] + own[i]
            out[i] = d
            largest = d if d > largest else largest
    unit = 1.0 / largest if largest > 0.0 else 1.0
    for k in range(n):
        value = math.sqrt(root[k] * unit)
        root[k] = value
        inverse_root[k] = 1.0 / value if value > 0.0 else 0.0
    for j in range(ny):
        o = j * nx
        row, above, s, t = beta_x[j], beta_y[j + 1], inverse_root[o : o + nx], inverse_root[o + nx :]
        east, north = links[o : o + nx], links[n + 1 + o : n + 1 + o + nx]
        for i in range(nx - 1):
            east[i] = row[i + 1] * unit * s[i] * s[i + 1]
        if j + 1 < ny:
            for i in range(nx):
                north[i] = above[i] * unit * s[i] * t[i]


@kernel
def load_tiles(cell, rim_link, ring_cell, root, inverse_root, links, factor, roots, scale, rim, ring, measure):
    """LANES tiles' blocks A^ + shift in `factor`, (72, 9, LANES) flat, and what lies around them.

    cell (64, LANES), rim_link, ring_cell (T, 32): where to find a cell, the link across a rim and the cell beyond it.
    roots, scale (64, LANES): d^1/2 relative to `measure` (T,), and d^-1/2.  rim (T, 32): couplings across;  ring
    (T, 32): d^1/2 there.
    """
    row, north = WIDE * L, U(root.size)
    factor[:] = 0.0
    size = np.full(LANES, 1e-30)
    for c in range(U(CELLS)):
        o, a = c * L, c * row
        for l in range(L):
            k = U(cell[o + l])
            roots[o + l] = root[k]
            scale[o + l] = inverse_root[k]
            factor[a + l] = 1.0 + SHIFT
            size[l] = roots[o + l] if roots[o + l] > size[l] else size[l]
        if c % BAND < BAND - ONE:
            a = (c + ONE) * row + L
            for l in range(L):
                factor[a + l] = -links[U(cell[o + l])]
        if c < U(CELLS) - BAND:
            a = (c + BAND) * row + BAND * L
            for l in range(L):
                factor[a + l] = -links[north + U(cell[o + l])]
    tiles = rim.shape[0]
    for t in range(tiles):
        across, beyond, couplings, values = rim_link[t], ring_cell[t], rim[t], ring[t]
        largest = size[t]
        for k in range(RIM):
            couplings[k] = links[U(across[k])]
            values[k] = root[U(beyond[k])]
            largest = values[k] if values[k] > largest else largest
        size[t] = measure[t] = largest
        for k in range(RIM):
            values[k] /= largest
    for c in range(U(CELLS)):
        o = c * L
        for l in range(L):
            roots[o + l] /= size[l]


@kernel
def factorise(factor, batches):
    """Banded Cholesky in place; the diagonal holds its reciprocal."""
    s = WIDE * L  # from one row to the next
    for b in range(U(batches)):
        first = b * ROWS * s
        for c in range(BAND):  # rows whose band is cut off
            row = first + c * s
            for back in range(c):
                k = c - back
                other, target = row - k * s, row + k * L
                for m in range(k + ONE, c + ONE):
                    x, y = row + m * L, other + (m - k) * L
                    for l in range(L):
                        factor[target + l] -= factor[x + l] * factor[y + l]
                for l in range(L):
                    factor[target + l] *= factor[other + l]
            for m in range(ONE, c + ONE):
                x = row + m * L
                for l in range(L):
                    factor[row + l] -= factor[x + l] * factor[x + l]
            for l in range(L):
                factor[row + l] = 1.0 / math.sqrt(factor[row + l])
        for c in range(BAND, U(CELLS)):
            o = first + c * s
            for l in range(L):  # one row as straight code: everything stays in registers
                k = o + l
                a8 = factor[k + U(8) * L] * factor[k - U(8) * s]
                t = k - U(7) * s
                a7 = (factor[k + U(7) * L] - a8 * factor[t + L]) * factor[t]
                t = k - U(6) * s
                a6 = (factor[k + U(6) * L] - a8 * factor[t + U(2) * L] - a7 * factor[t + L]) * factor[t]
                t = k - U(5) * s
                a5 = (
                    factor[k + U(5) * L] - a8 * factor[t + U(3) * L] - a7 * factor[t + U(2) * L] - a6 * factor[t + L]
                ) * factor[t]
                t = k - U(4) * s
                a4 = (
                    factor[k + U(4) * L]
                    - a8 * factor[t + U(4) * L]
                    - a7 * factor[t + U(3) * L]
                    - a6 * factor[t + U(2) * L]
                    - a5 * factor[t + L]
                ) * factor[t]
                t = k - U(3) * s
                a3 = (
                    factor[k + U(3) * L]
                    - a8 * factor[t + U(5) * L]
                    - a7 * factor[t + U(4) * L]
                    - a6 * factor[t + U(3) * L]
                    - a5 * factor[t + U(2) * L]
                    - a4 * factor[t + L]
                ) * factor[t]
                t = k - U(2) * s
                a2 = (
                    factor[k + U(2) * L]
                    - a8 * factor[t + U(6) * L]
                    - a7 * factor[t + U(5) * L]
                    - a6 * factor[t + U(4) * L]
                    - a5 * factor[t + U(3) * L]
                    - a4 * factor[t + U(2) * L]
                    - a3 * factor[t + L]
                ) * factor[t]
                t = k - s
                a1 = (
                    factor[k + L]
                    - a8 * factor[t + U(7) * L]
                    - a7 * factor[t + U(6) * L]
                    - a6 * factor[t + U(5) * L]
                    - a5 * factor[t + U(4) * L]
                    - a4 * factor[t + U(3) * L]
                    - a3 * factor[t + U(2) * L]
                    - a2 * factor[t + L]
                ) * factor[t]
                squares = a1 * a1 + a2 * a2 + a3 * a3 + a4 * a4 + a5 * a5 + a6 * a6 + a7 * a7 + a8 * a8
                factor[k] = 1.0 / math.sqrt(factor[k] - squares)
                factor[k + L], factor[k + U(2) * L], factor[k + U(3) * L], factor[k + U(4) * L] = a1, a2, a3, a4
                factor[k + U(5) * L], factor[k + U(6) * L], factor[k + U(7) * L], factor[k + U(8) * L] = a5, a6, a7, a8


@kernel
def solve_batch(f, first, y, at):
    """y = B y for LANES tiles: y has its 64 rows from `at` on, 8 rows of zeros before and behind."""
    for c in range(U(CELLS)):
        a, o = first + c * WIDE * L, at + c * L
        for l in range(L):
            y[o + l] = (
                y[o + l]
                - f[a + U(8) * L + l] * y[o - U(8) * L + l]
                - f[a + U(7) * L + l] * y[o - U(7) * L + l]
                - f[a + U(6) * L + l] * y[o - U(6) * L + l]
                - f[a + U(5) * L + l] * y[o - U(5) * L + l]
                - f[a + U(4) * L + l] * y[o - U(4) * L + l]
                - f[a + U(3) * L + l] * y[o - U(3) * L + l]
                - f[a + U(2) * L + l] * y[o - U(2) * L + l]
                - f[a + L + l] * y[o - L + l]
            ) * f[a + l]
    s = (WIDE + ONE) * L  # to the same diagonal one row on
    for back in range(U(CELLS)):
        c = U(CELLS - 1) - back
        a, o = first + c * WIDE * L, at + c * L
        for l in range(L):
            y[o + l] = (
                y[o + l]
                - f[a + U(8) * s + l] * y[o + U(8) * L + l]
                - f[a + U(7) * s + l] * y[o + U(7) * L + l]
                - f[a + U(6) * s + l] * y[o + U(6) * L + l]
                - f[a + U(5) * s + l] * y[o + U(5) * L + l]
                - f[a + U(4) * s + l] * y[o + U(4) * L + l]
                - f[a + U(3) * s + l] * y[o + U(3) * L + l]
                - f[a + U(2) * s + l] * y[o + U(2) * L + l]
                - f[a + s + l] * y[o + L + l]
            ) * f[a + l]


@kernel
def solve_tiles(factor, y, batches):
    """y = B y for all tiles; y (batches, DEEP, LANES) flat."""
    for b in range(U(batches)):
        solve_batch(factor, b * ROWS * WIDE * L, y, (b * DEEP + BAND) * L)


@kernel
def solve_eight(f, first, y):
    """y = B y for LANES tiles and 8 vectors at once: y (DEEP, 8, LANES) flat, 8 rows of zeros before and behind."""
    row = U(FUNCTIONS) * L
    for c in range(U(CELLS)):
        a = first + c * WIDE * L
        for q in range(U(FUNCTIONS)):
            o = (c + BAND) * row + q * L
            for l in range(L):
                y[o + l] = (
                    y[o + l]
                    - f[a + U(8) * L + l] * y[o - U(8) * row + l]
                    - f[a + U(7) * L + l] * y[o - U(7) * row + l]
                    - f[a + U(6) * L + l] * y[o - U(6) * row + l]
                    - f[a + U(5) * L + l] * y[o - U(5) * row + l]
                    - f[a + U(4) * L + l] * y[o - U(4) * row + l]
                    - f[a + U(3) * L + l] * y[o - U(3) * row + l]
                    - f[a + U(2) * L + l] * y[o - U(2) * row + l]
                    - f[a + L + l] * y[o - row + l]
                ) * f[a + l]
    s = (WIDE + ONE) * L
    for back in range(U(CELLS)):
        c = U(CELLS - 1) - back
        a = first + c * WIDE * L
        for q in range(U(FUNCTIONS)):
            o = (c + BAND) * row + q * L
            for l in range(L):
                y[o + l] = (
                    y[o + l]
                    - f[a + U(8) * s + l] * y[o + U(8) * row + l]
                    - f[a + U(7) * s + l] * y[o + U(7) * row + l]
                    - f[a + U(6) * s + l] * y[o + U(6) * row + l]
                    - f[a + U(5) * s + l] * y[o + U(5) * row + l]
                    - f[a + U(4) * s + l] * y[o + U(4) * row + l]
                    - f[a + U(3) * s + l] * y[o + U(3) * row + l]
                    - f[a + U(2) * s + l] * y[o + U(2) * row + l]
                    - f[a + s + l] * y[o + row + l]
                ) * f[a + l]


@kernel
def continue_functions(factor, traces, rim, ring, edge, work, V, source, batches):
    """V = B W T: functions that solve A p = 0 in their tile for these traces beyond its rim.

    traces (batches, 8, 32, LANES);  edge (32,): the cells along the rim.  V (batches, 8, 64, LANES);
    source (batches, 8, 32, LANES): W T, side by side as the rim is.  work (DEEP, 8, LANES): scratch.
    """
    tiles, row = rim.shape[0], U(FUNCTIONS) * L
    weight = np.zeros(LANES)
    for b in range(U(batches)):
        work[:] = 0.0
        for k in range(U(RIM)):
            cell = (BAND + U(edge[k])) * row
            for lane in range(LANES):
                tile = np.int64(b) * LANES + lane
                weight[lane] = ring[tile, k] * rim[tile, k] if tile < tiles else 0.0
            for q in range(U(FUNCTIONS)):
                s, o = ((b * U(FUNCTIONS) + q) * U(RIM) + k) * L, cell + q * L
                for l in range(L):
                    source[s + l] = traces[s + l] * weight[l]
                    work[o + l] += source[s + l]
        solve_eight(factor, b * ROWS * WIDE * L, work)
        for q in range(U(FUNCTIONS)):
            for c in range(U(CELLS)):
                v, o = ((b * U(FUNCTIONS) + q) * U(CELLS) + c) * L, (c + BAND) * row + q * L
                for l in range(L):
                    V[v + l] = work[o + l]


@kernel
def take_monomials(roots, monomials, V, batches):
    """V = root x monomials (64, 8), for functions that are not continued."""
    lanes = LANES
    for b in range(batches):
        for q in range(FUNCTIONS):
            v = (b * FUNCTIONS + q) * CELLS * lanes
            for c in range(CELLS):
                for lane in range(lanes):
                    V[v + c * lanes + lane] = roots[(b * CELLS + c) * lanes + lane] * monomials[c, q]


@kernel
def product_with(V, v, W, w, count, out, o):
    """out[o:] (LANES,) = V[v] . W[w] over `count` rows, a multiple of 8."""
    for l in range(L):
        out[o + l] = 0.0
    for c in range(U(count) // U(8)):
        x, y = v + c * U(8) * L, w + c * U(8) * L
        for l in range(L):
            out[o + l] += (
                V[x + l] * W[y + l]
                + V[x + L + l] * W[y + L + l]
                + V[x + U(2) * L + l] * W[y + U(2) * L + l]
                + V[x + U(3) * L + l] * W[y + U(3) * L + l]
                + V[x + U(4) * L + l] * W[y + U(4) * L + l]
                + V[x + U(5) * L + l] * W[y + U(5) * L + l]
                + V[x + U(6) * L + l] * W[y + U(6) * L + l]
                + V[x + U(7) * L + l] * W[y + U(7) * L + l]
            )


@kernel
def combine(V, start, rows, weights):
    """Functions of `rows` rows replaced by their combinations: q by the sum of weights[q, p] over p <= q."""
    s = U(rows) * L
    for c in range(U(rows)):
        x = start + c * L
        for l in range(L):
            x0, x1, x2, x3 = V[x + l], V[x + s + l], V[x + U(2) * s + l], V[x + U(3) * s + l]
            x4, x5, x6, x7 = V[x + U(4) * s + l], V[x + U(5) * s + l], V[x + U(6) * s + l], V[x + U(7) * s + l]
            V[x + U(0) * s + l] = weights[l + U(0) * L] * x0
            V[x + U(1) * s + l] = weights[l + U(8) * L] * x0 + weights[l + U(9) * L] * x1
            V[x + U(2) * s + l] = (
                weights[l + U(16) * L] * x0 + weights[l + U(17) * L] * x1 + weights[l + U(18) * L] * x2
            )
            V[x + U(3) * s + l] = (
                weights[l + U(24) * L] * x0
                + weights[l + U(25) * L] * x1
                + weights[l + U(26) * L] * x2
                + weights[l + U(27) * L] * x3
            )
            V[x + U(4) * s + l] = (
                weights[l + U(32) * L] * x0
                + weights[l + U(33) * L] * x1
                + weights[l + U(34) * L] * x2
                + weights[l + U(35) * L] * x3
                + weights[l + U(36) * L] * x4
            )
            V[x + U(5) * s + l] = (
                weights[l + U(40) * L] * x0
                + weights[l + U(41) * L] * x1
                + weights[l + U(42) * L] * x2
                + weights[l + U(43) * L] * x3
                + weights[l + U(44) * L] * x4
                + weights[l + U(45) * L] * x5
            )
            V[x + U(6) * s + l] = (
                weights[l + U(48) * L] * x0
                + weights[l + U(49) * L] * x1
                + weights[l + U(50) * L] * x2
                + weights[l + U(51) * L] * x3
                + weights[l + U(52) * L] * x4
                + weights[l + U(53) * L] * x5
                + weights[l + U(54) * L] * x6
            )
            V[x + U(7) * s + l] = (
                weights[l + U(56) * L] * x0
                + weights[l + U(57) * L] * x1
                + weights[l + U(58) * L] * x2
                + weights[l + U(59) * L] * x3
                + weights[l + U(60) * L] * x4
                + weights[l + U(61) * L] * x5
                + weights[l + U(62) * L] * x6
                + weights[l + U(63) * L] * x7
            )


@kernel
def orthonormalise(V, rows, source, more, batches, gram, weights, lost):
    """V (batches, 8, rows, LANES) made orthonormal in order, by Cholesky of the Gram matrix of unit functions; `source`
    (batches, 8, more, LANES) is combined likewise. rows, more: multiples of 8.

    gram, weights (8, 8, LANES) flat: scratch.  lost (batches, 8, 8, LANES): Linv Linv^T, of which GRAM_SHIFT times is
    what orthonormality lacks.
    """
    r, step = U(FUNCTIONS), U(rows) * L
    weights[:] = 0.0
    for b in range(U(batches)):
        v = b * r * step
        for p in range(r):
            for q in range(p + ONE):
                product_with(V, v + p * step, V, v + q * step, rows, gram, (p * r + q) * L)
        for p in range(r):  # of unit length
            for l in range(L):
                size = math.sqrt(gram[(p * r + p) * L + l])
                weights[(p * r + p) * L + l] = 1.0 / max(size, 1e-30)
        for p in range(r):
            for q in range(p + ONE):
                for l in range(L):
                    gram[(p * r + q) * L + l] *= weights[(p * r + p) * L + l] * weights[(q * r + q) * L + l]
            for l in range(L):
                gram[(p * r + p) * L + l] += GRAM_SHIFT
        for p in range(r):  # Cholesky, the diagonal as its reciprocal
            for q in range(p + ONE):
                o = (p * r + q) * L
                for m in range(q):
                    x, y = (p * r + m) * L, (q * r + m) * L
                    for l in range(L):
                        gram[o + l] -= gram[x + l] * gram[y + l]
                if q < p:
                    for l in range(L):
                        gram[o + l] *= gram[(q * r + q) * L + l]
                else:
                    for l in range(L):
                        gram[o + l] = 1.0 / math.sqrt(gram[o + l])
        # the inverse of that factor, which also divides by the lengths
        for q in range(r):
            for l in range(L):
                lost[(b * r * r + q * r + q) * L + l] = gram[(q * r + q) * L + l]
            for p in range(q + ONE, r):
                o = (b * r * r + p * r + q) * L
                for l in range(L):
                    lost[o + l] = 0.0
                for m in range(q, p):
                    x, y = (p * r + m) * L, (b * r * r + m * r + q) * L
                    for l in range(L):
                        lost[o + l] -= gram[x + l] * lost[y + l]
                for l in range(L):
                    lost[o + l] *= gram[(p * r + p) * L + l]
        for p in range(r):
            for back in range(p + ONE):
                q = p - back
                for l in range(L):
                    weights[(p * r + q) * L + l] = (
                        lost[(b * r * r + p * r + q) * L + l] * weights[(q * r + q) * L + l]
                        if q < p
                        else weights[(p * r + p) * L + l]
                    )
        for p in range(r):
            for l in range(L):
                weights[(p * r + p) * L + l] *= lost[(b * r * r + p * r + p) * L + l]
        combine(V, v, rows, weights)
        combine(source, b * r * U(more) * L, more, weights)
        for p in range(r):  # Linv Linv^T, from the last row up so that Linv is still there
            row = r - ONE - p
            for q in range(row + ONE):
                o = (row * r + q) * L
                for l in range(L):
                    gram[o + l] = 0.0
                for m in range(q + ONE):
                    x, y = (b * r * r + row * r + m) * L, (b * r * r + q * r + m) * L
                    for l in range(L):
                        gram[o + l] += lost[x + l] * lost[y + l]
        for p in range(r):
            for q in range(p + ONE):
                for l in range(L):
                    lost[(b * r * r + p * r + q) * L + l] = gram[(p * r + q) * L + l]


@kernel
def five_point(factor_free, V, v, out):
    """out (64, LANES) = A^ times one function, from couplings (64, 2, LANES) to the east and north within the tile."""
    lanes = LANES
    for c in range(CELLS):
        for lane in range(lanes):
            o = c * lanes + lane
            value = V[v + o]
            if c % SIDE < SIDE - 1:
                value -= factor_free[(2 * c) * lanes + lane] * V[v + o + lanes]
            if c % SIDE > 0:
                value -= factor_free[(2 * (c - 1)) * lanes + lane] * V[v + o - lanes]
            if c < CELLS - SIDE:
                value -= factor_free[(2 * c + 1) * lanes + lane] * V[v + o + SIDE * lanes]
            if c >= SIDE:
                value -= factor_free[(2 * (c - SIDE) + 1) * lanes + lane] * V[v + o - SIDE * lanes]
            out[o] = value


@kernel
def describe(V, source, lost, roots, monomials, edge, continued, couplings, tiles, on_rim, energy, coefficients):
    """What the coarse level needs of every tile: on_rim (T, 8, 32), energy (T, 8, 8), coefficients (T, 8, 8)."""
    r, lanes = FUNCTIONS, LANES
    sums, field, rims = np.zeros(lanes), np.zeros(CELLS * lanes), np.zeros(FUNCTIONS * RIM * lanes)
    for b in range(-(-tiles // lanes)):
        count = min(lanes, tiles - b * lanes)
        first = b * r * CELLS * lanes
        for q in range(U(r)):
            for k in range(U(RIM)):
                v, o = U(first) + (q * U(CELLS) + U(edge[k])) * L, (q * U(RIM) + k) * L
                for l in range(L):
                    rims[o + l] = V[v + l]
        for lane in range(count):
            out = on_rim[b * lanes + lane]
            for q in range(r):
                for k in range(RIM):
                    out[q, k] = rims[(q * RIM + k) * lanes + lane]
        for q in range(r):
            if not continued:
                five_point(
                    couplings[b * CELLS * 2 * lanes : (b + 1) * CELLS * 2 * lanes], V, first + q * CELLS * lanes, field
                )
            for p in range(q + 1):
                if continued:
                    product_with(rims, U(p * RIM) * L, source, U((b * r + q) * RIM) * L, RIM, sums, U(0))
                else:
                    product_with(V, U(first) + U(p * CELLS) * L, field, U(0), CELLS, sums, U(0))
                for lane in range(count):
                    extra = GRAM_SHIFT * lost[(b * r * r + q * r + p) * lanes + lane]
                    value = sums[lane] + extra
                    if continued:
                        value += SHIFT * extra - (SHIFT if p == q else 0.0)
                    energy[b * lanes + lane, p, q] = value
                    energy[b * lanes + lane, q, p] = value
        for q in range(r):
            for c in range(U(CELLS)):
                weight, x, o = monomials[c, U(q)], (U(b * CELLS) + c) * L, c * L
                for l in range(L):
                    field[o + l] = roots[x + l] * weight
            for p in range(r):
                product_with(V, U(first) + U(p * CELLS) * L, field, U(0), CELLS, sums, U(0))
                for lane in range(count):
                    coefficients[b * lanes + lane, p, q] = sums[lane]


@kernel
def keep_couplings(factor, couplings, batches):
    """Couplings (batches, 64, 2, LANES) to the east and north within tiles, before `factorise`."""
    lanes, rows, wide = LANES, CELLS + SIDE, SIDE + 1
    for b in range(batches):
        for c in range(CELLS):
            for lane in range(lanes):
                o = ((b * CELLS + c) * 2) * lanes + lane
                couplings[o] = -factor[((b * rows + c + 1) * wide + 1) * lanes + lane]
                couplings[o + lanes] = -factor[((b * rows + c + SIDE) * wide + SIDE) * lanes + lane]


@kernel
def pin(pins, first, count, factor):
    """Adds to one cell of every closed region within these tiles, which `factor` begins with."""
    lanes, rows, wide = LANES, CELLS + SIDE, SIDE + 1
    for k in range(pins.size):
        t, c = pins[k] // CELLS - first, pins[k] % CELLS
        if 0 <= t < count:
            factor[(t // lanes * rows + c) * wide * lanes + t % lanes] += PIN


@kernel
def build_tiles(
    beta_x, beta_y, reaction, root, inverse_root, links, cell, rim_link, ring_cell, pins, traces, monomials, edge,
    continued, scratch, factor, scale, rim, measure, on_rim, energy, coefficients, roots, kept,
):  # fmt: skip
    """Everything about the tiles, LANES of them at a time so that what lies between stays in the cache.

    root, inverse_root (N + 1,), links (2 N + 2,): scratch, 0 behind the cells.  kept (batches, 8, 64, LANES) flat:
    takes the functions, unless it is empty.
    """
    scale_cells(beta_x, beta_y, reaction, root, inverse_root, links)
    eight, V, source, gram, weights, lost, couplings, ring = scratch
    tiles, size = rim.shape[0], (CELLS + SIDE) * (SIDE + 1) * LANES
    for b in range(-(-tiles // LANES)):
        first, last = b * LANES, min((b + 1) * LANES, tiles)
        f, n = factor[b * size : (b + 1) * size], last - first
        own = roots[b * CELLS * LANES : (b + 1) * CELLS * LANES]
        load_tiles(
            cell[b * CELLS * LANES : (b + 1) * CELLS * LANES], rim_link[first:last], ring_cell[first:last], root,
            inverse_root, links, f, own, scale[b * CELLS * LANES : (b + 1) * CELLS * LANES], rim[first:last], ring[:n],
            measure[first:last],
        )  # fmt: skip
        pin(pins, first, n, f)
        if not continued:
            keep_couplings(f, couplings, 1)
        factorise(f, 1)
        if continued:
            given = traces[b * FUNCTIONS * RIM * LANES : (b + 1) * FUNCTIONS * RIM * LANES]
            continue_functions(f, given, rim[first:last], ring[:n], edge, eight, V, source, 1)
        else:
            take_monomials(own, monomials, V, 1)
        orthonormalise(V, CELLS, source, RIM, 1, gram, weights, lost)
        describe(
            V, source, lost, own, monomials, edge, continued, couplings, n,
            on_rim[first:last], energy[first:last], coefficients[first:last],
        )  # fmt: skip
        for t in range(first, last):
            for p in range(FUNCTIONS):
                for q in range(FUNCTIONS):
                    coefficients[t, p, q] *= measure[t]
        if kept.size:
            kept[b * FUNCTIONS * CELLS * LANES : (b + 1) * FUNCTIONS * CELLS * LANES] = V


def scratch() -> tuple[np.ndarray, ...]:
    """What `build_tiles` works on: eight, V, source, gram, weights, lost, couplings, ring."""
    sizes = ((CELLS + 2 * SIDE) * FUNCTIONS, CELLS * FUNCTIONS, RIM * FUNCTIONS, 64, 64, 64, CELLS * 2)
    return (*(np.zeros(size * LANES) for size in sizes), np.zeros((LANES, RIM)))
