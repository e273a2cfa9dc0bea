"""What the kernels of the hierarchy share: small dense linear algebra inside one program, in float64."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def inverted(A, n: tl.constexpr):
    """A^-1 (n, n) of a symmetric positive definite A, symmetric to the bit, by n sweeps.

    A sweep of k turns A_ij into A_ij - A_ik A_kj / A_kk, row and column k into themselves / A_kk and A_kk into
    -1 / A_kk; n of them make -A^-1. Goodnight 1979. With a_i = A_ik / sqrt(A_kk) but a_k = (A_kk - 1) / sqrt(A_kk)
    all of it is one outer product, A - a a^T, except that A_kk becomes 2 - 1 / A_kk; the 2 is taken away at the end.
    """
    i = tl.arange(0, n)
    for k in range(n):
        row = tl.sum(tl.where((i == k)[:, None], A, 0.0), axis=0)  # a thread has many rows of few columns
        pivot = tl.sum(tl.where(i == k, row, 0.0), axis=0)
        a = tl.where(i == k, row - 1.0, row) * (1.0 / tl.sqrt(pivot))
        A = A - a[:, None] * a[None, :]
    return tl.where(i[:, None] == i[None, :], 2.0 - A, -A)


@triton.jit
def orthonormal(V, n: tl.constexpr, shift: tl.constexpr):
    """Rows of V (8, n) made orthonormal in order; zero rows stay zero. See htp/bases.py.

    Cholesky of the Gram matrix G + shift and its forward substitution in V go hand in hand, as elimination of rows.
    """
    q = tl.arange(0, 8)
    lengths = tl.sqrt(tl.sum(V * V, axis=1))
    V = V * (1.0 / tl.maximum(lengths, 1e-30))[:, None]
    G = gram(V, V) + tl.where(q[:, None] == q[None, :], shift, 0.0)
    for k in range(8):
        pivot_row = tl.sum(tl.where((q == k)[:, None], G, 0.0), axis=0)
        column = tl.sum(tl.where((q == k)[None, :], G, 0.0), axis=1)
        pivot = tl.sum(tl.where(q == k, pivot_row, 0.0), axis=0)
        factor = tl.where(q > k, column * (1.0 / pivot), 0.0)
        row = tl.sum(tl.where((q == k)[:, None], V, 0.0), axis=0)
        G = G - factor[:, None] * pivot_row[None, :]
        V = tl.where((q == k)[:, None], V * (1.0 / tl.sqrt(pivot)), V - factor[:, None] * row[None, :])
    return V


@triton.jit
def gram(U, V):
    """U V^T (8, 8) of U and V (8, n), float64."""
    q = tl.arange(0, 8)
    G = tl.zeros((8, 8), dtype=tl.float64)
    for p in range(8):
        row = tl.sum(tl.where((q == p)[:, None], V, 0.0), axis=0)
        G += tl.where((q == p)[None, :], tl.sum(U * row[None, :], axis=1)[:, None], 0.0)
    return G
