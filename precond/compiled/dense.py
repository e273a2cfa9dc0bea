"""Compiled: inverses of small dense blocks."""

from __future__ import annotations

import numpy as np

from .jit import kernel

U = np.uint64  # as indices: with signed ones the compiler allows for negative ones and uses no vector instructions
ONE = U(1)


@kernel
def invert(A, n, rows):
    """A = A^-1 in place for a symmetric positive definite A, flat with n numbers a row, n a multiple of 4.

    Gauss-Jordan elimination without pivots, which such an A does not need: whole rows are what vector units like best.
    Four pivots at a time, so that a row is read and written once for four of them.  rows (4 n,): scratch.
    """
    N, four = U(n), U(4)
    for i in range(U(0), N, four):
        for p in range(four):  # among the four rows themselves
            o = (i + p) * N
            pivot = 1.0 / A[o + i + p]
            A[o + i + p] = 1.0
            for m in range(N):
                A[o + m] *= pivot
            for q in range(four):
                if q != p:
                    x = (i + q) * N
                    weight = A[x + i + p]
                    A[x + i + p] = 0.0
                    for m in range(N):
                        A[x + m] -= weight * A[o + m]
        for m in range(four * N):  # a copy, so that nothing is read and written in one loop
            rows[m] = A[i * N + m]
        for j in range(N):
            if i <= j < i + four:
                continue
            o = j * N
            w0, w1, w2, w3 = A[o + i], A[o + i + ONE], A[o + i + U(2)], A[o + i + U(3)]
            A[o + i] = A[o + i + ONE] = A[o + i + U(2)] = A[o + i + U(3)] = 0.0
            for m in range(N):
                A[o + m] -= w0 * rows[m] + w1 * rows[N + m] + w2 * rows[U(2) * N + m] + w3 * rows[U(3) * N + m]


@kernel
def symmetric_part(A, n, out):
    """out (n, n) or more = (A + A^T) / 2, symmetric to the bit; A flat."""
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = out[j, i] = 0.5 * (A[i * n + j] + A[j * n + i])


@kernel
def add_eight_rows(B, a, row, x, i, n, out, o):
    """out (n,) += x B for 8 numbers x and 8 rows of B, `row` apart; all of them flat, from a, i and o on."""
    x0, x1, x2, x3 = x[i], x[i + ONE], x[i + U(2)], x[i + U(3)]
    x4, x5, x6, x7 = x[i + U(4)], x[i + U(5)], x[i + U(6)], x[i + U(7)]
    for j in range(n):
        out[o + j] += (
            x0 * B[a + j]
            + x1 * B[a + row + j]
            + x2 * B[a + U(2) * row + j]
            + x3 * B[a + U(3) * row + j]
            + x4 * B[a + U(4) * row + j]
            + x5 * B[a + U(5) * row + j]
            + x6 * B[a + U(6) * row + j]
            + x7 * B[a + U(7) * row + j]
        )
