"""The groups' part of the set-up: block inverses, functions and Galerkin products level by level, float64.

A group has M members, each with 8 unknowns; n = 8 M. Outward sides of its members are its slots, 8 in a group of 2x2
and 6 in one of 1x2. Blocks of A^ come as `entries` (5 B, 8, 8): the diagonal ones of B blocks, then the couplings
towards their four sides, without the sign that they have in A^. Equations: htp/galerkin.py, htp/blocks.py.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .dense import gram, inverted, orthonormal


@triton.jit
def among(entries, which_of, u, size, B, inside):
    """A^ among unknowns u, symmetric to the bit: its lower triangle, twice, as blocks agree to rounding only.

    which_of (size, size): the entry that couples two blocks, 5 B for none.
    """
    row, column = tl.maximum(u[:, None], u[None, :]), tl.minimum(u[:, None], u[None, :])
    which = tl.load(which_of + row // 8 * size + column // 8, mask=inside, other=5 * B)
    values = tl.load(entries + which * 64 + row % 8 * 8 + column % 8, mask=which < 5 * B, other=0.0)
    return tl.where(which < B, values, -values)


@triton.jit
def monomials_inside(coefficients, members, block, row, member, q):
    """(n,) monomial q of the group in its members' functions."""
    p = tl.arange(0, 8)
    own = tl.load(coefficients + block[:, None] * 64 + row[:, None] * 8 + p[None, :])
    return tl.sum(own * tl.load(members + member[:, None] * 64 + p[None, :] * 8 + q), axis=1)


@triton.jit
def build_groups(
    entries, coefficients, which_inside, slots, neighbours, members, outside, corrections,
    inverse, functions, scratch, down, entries_above, coefficients_above,
    B, M: tl.constexpr, SLOTS: tl.constexpr, K: tl.constexpr, SHIFT: tl.constexpr,
    GRAM_SHIFT: tl.constexpr, CONTINUED: tl.constexpr, CORRECTED: tl.constexpr,
):  # fmt: skip
    """One group: inverse (n, n) of its block + SHIFT, functions U (8, n), orthonormal rows; U A^ U^T, monomials in U.

    U continues the monomials around the group: (their values in the functions of the blocks there)^T off inverse.
    slots (8, 2): member and side;  neighbours (G, SLOTS): the block beyond, B beyond the grid;
    members, outside: (M or SLOTS, 8, 8) monomials of the
    group in those of a block;  corrections (G, SLOTS 8, 8) float32, added to `outside`.
    scratch (G, K, 8).  down (G, K, 8) = off U^T: what the neighbours' unknowns are restricted with.
    """
    n: tl.constexpr = M * 8
    g = tl.program_id(0)
    u, q, k, p = tl.arange(0, n), tl.arange(0, 8), tl.arange(0, K), tl.arange(0, 8)
    member, row = u // 8, u % 8
    block = g * M + member
    own = which_inside + g * M * M
    everywhere = (u >= 0)[:, None] & (u >= 0)[None, :]
    shift = tl.where(u[:, None] == u[None, :], SHIFT, 0.0)
    place = inverse + g * n * n + u[:, None] * n + u[None, :]
    tl.store(place, among(entries, own, u, M, B, everywhere) + shift)
    tl.debug_barrier()  # by way of memory A gets the layout among threads in which `inverted` is fast
    X = inverted(tl.load(place), n)
    tl.store(place, X)

    slot, component = k // 8, k % 8
    used = slot < SLOTS
    slot_member, slot_side = tl.load(slots + slot * 2), tl.load(slots + slot * 2 + 1)
    U = tl.zeros((8, n), dtype=tl.float64)
    if CONTINUED:
        there = tl.load(neighbours + g * SLOTS + slot, mask=used, other=B)
        values = tl.zeros((K, 8), dtype=tl.float64)
        for j in range(8):
            known = tl.load(coefficients + there * 64 + component * 8 + j, mask=there < B, other=0.0)
            table = tl.load(outside + slot[:, None] * 64 + j * 8 + q[None, :], mask=used[:, None], other=0.0)
            if CORRECTED:
                more = corrections + (g * SLOTS + slot)[:, None] * 64 + j * 8 + q[None, :]
                table += tl.load(more, mask=used[:, None], other=0.0).to(tl.float64)
            values += known[:, None] * table
        tl.store(scratch + g * K * 8 + k[:, None] * 8 + q[None, :], values)
        tl.debug_barrier()
        right = tl.zeros((n, 8), dtype=tl.float64)
        for s in range(SLOTS):
            its_member, its_side = tl.load(slots + s * 2), tl.load(slots + s * 2 + 1)
            of_it = member == its_member
            for j in range(8):
                value = tl.load(scratch + g * K * 8 + (s * 8 + j) * 8 + q)
                towards = entries + ((1 + its_side) * B + block) * 64 + row * 8 + j
                right += tl.load(towards, mask=of_it, other=0.0)[:, None] * value[None, :]
        for j in range(8):
            of_j = tl.sum(tl.where((q == j)[None, :], right, 0.0), axis=1)
            U += tl.where((q == j)[:, None], tl.sum(of_j[:, None] * X, axis=0)[None, :], 0.0)
    else:
        for j in range(8):
            U += tl.where(
                (q == j)[:, None], monomials_inside(coefficients, members, block, row, member, j)[None, :], 0.0
            )
    U = orthonormal(U, n, GRAM_SHIFT)
    tl.store(functions + g * 8 * n + q[:, None] * n + u[None, :], U)

    A = among(entries, own, u, M, B, everywhere)
    energy = tl.zeros((8, 8), dtype=tl.float64)
    kept = tl.zeros((8, 8), dtype=tl.float64)
    for j in range(8):
        of_j = tl.sum(tl.where((q == j)[:, None], U, 0.0), axis=0)
        in_A = tl.sum(A * of_j[None, :], axis=1)
        column = tl.sum(U * in_A[None, :], axis=1)
        energy += tl.where((q == j)[None, :], column[:, None], 0.0)
        within = monomials_inside(coefficients, members, block, row, member, j)
        column = tl.sum(U * within[None, :], axis=1)
        kept += tl.where((q == j)[None, :], column[:, None], 0.0)
    identity = tl.where(q[:, None] == q[None, :], 1.0, 0.0)
    tl.store(entries_above + g * 64 + q[:, None] * 8 + p[None, :], energy + identity - gram(U, U))
    tl.store(coefficients_above + g * 64 + q[:, None] * 8 + p[None, :], kept)

    tl.debug_barrier()  # U is read by other threads than wrote it
    product = tl.zeros((8, K), dtype=tl.float64)
    for j in range(8):
        mine = tl.load(functions + g * 8 * n + q[:, None] * n + (slot_member * 8 + j)[None, :])
        towards = entries + ((1 + slot_side) * B + g * M + slot_member) * 64 + j * 8 + component
        product += mine * tl.load(towards, mask=used, other=0.0)[None, :]
    tl.store(down + g * K * 8 + k[None, :] * 8 + q[:, None], product)


@triton.jit
def couple_groups(entries, functions, outer, lift, entries_above, B, G, M: tl.constexpr):
    """lift (G, 4 x 8, n): the residual that each unknown of the groups around a group causes in it; U lift^T towards
    each side, into entries_above (5 G, 8, 8).
    """
    n: tl.constexpr = M * 8
    g = tl.program_id(0)
    u, k = tl.arange(0, n), tl.arange(0, 32)
    side, function = k // 8, k % 8
    block, row = g * M + u // 8, u % 8
    there = tl.load(outer + side[:, None] * B + block[None, :])  # (32, n)
    beyond = there >= 0
    theirs = functions + (there // M) * 8 * n + function[:, None] * n + there % M * 8
    towards = entries + ((1 + side)[:, None] * B + block[None, :]) * 64 + row[None, :] * 8
    values = tl.zeros((32, n), dtype=tl.float64)
    for a in range(8):
        values += tl.load(theirs + a, mask=beyond, other=0.0) * tl.load(towards + a, mask=beyond, other=0.0)
    tl.store(lift + g * 32 * n + k[:, None] * n + u[None, :], values)
    for p in range(8):
        own = tl.load(functions + g * 8 * n + p * n + u)
        products = tl.sum(values * own[None, :], axis=1)
        tl.store(entries_above + ((1 + side) * G + g) * 64 + p * 8 + function, products)


@triton.jit
def invert_top(entries, coefficients, which, top, B, n: tl.constexpr, SHIFT: tl.constexpr, CLOSED: tl.constexpr):
    """top (n, n) = the inverse of A^ + SHIFT among the 8 B unknowns of the last level, by one program.

    CLOSED: the constant is in the null space and projected away afterwards, so there M may be 1 instead of 1 / SHIFT.
    """
    u = tl.arange(0, n)
    real = u < 8 * B
    A = among(entries, which, u, B, B, real[:, None] & real[None, :])
    A += tl.where(u[:, None] == u[None, :], tl.where(real, SHIFT, 1.0)[:, None], 0.0)
    if CLOSED:
        constant = tl.load(coefficients + u * 8, mask=real, other=0.0)
        constant = constant / tl.sqrt(tl.maximum(tl.sum(constant * constant, axis=0), 1e-30))
        A += constant[:, None] * constant[None, :]
    place = top + u[:, None] * n + u[None, :]
    tl.store(place, A)
    tl.debug_barrier()  # as in `build_groups`
    tl.store(place, inverted(tl.load(place), n))
