"""Kernels of an iteration of conjugate gradients: sums of products ride on the passes that read their vectors.

A sum over all cells is written in parts, one by each program, and added up by every program of the next kernel: that
costs no kernel of its own, and its order never changes. Vectors are those of torch_loop.TorchLoop: flat and row-major,
N = n cells; x and p have nx zeros before and behind. `parts` is (7, PARTS); `numbers` as in torch_loop.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .. import torch_loop

MOST_PARTS = 512
SMALLEST_BLOCK, LARGEST_BLOCK = 1024, 8192
# rows of `parts`: sums over z r, z row, r row, z q, q row, p q, r r; row: the constant of the closed region, of norm 1
ZR, Z_ROW, R_ROW, ZQ, Q_ROW, PQ_PARTS, RR_PARTS = (tl.constexpr(k) for k in range(7))
ROWS = 7
RZ, PQ, LAST, RR = (tl.constexpr(k) for k in (torch_loop.RZ, torch_loop.PQ, torch_loop.LAST, torch_loop.RR))
TARGET, ENERGY = tl.constexpr(torch_loop.TARGET), tl.constexpr(torch_loop.ENERGY)
HISTORY, ROOM = tl.constexpr(torch_loop.HISTORY), tl.constexpr(torch_loop.ROOM)


def block_of(n: int) -> int:
    """Cells of a program, so that there are few enough parts for everyone to add up."""
    return max(SMALLEST_BLOCK, min(LARGEST_BLOCK, triton.next_power_of_2(-(-n // MOST_PARTS))))


@triton.jit
def total(parts, which: tl.constexpr, PARTS: tl.constexpr):
    """The sum whose parts they are."""
    return tl.sum(tl.load(parts + which * PARTS + tl.arange(0, PARTS)))


@triton.jit
def conclude(parts, numbers, active, count, pending, PARTS: tl.constexpr, FLEXIBLE: tl.constexpr):
    """What the iteration before comes to, if it is still to be said: its r.r, whether the next one goes on, the count.

    For one program, in a kernel whose others read none of these numbers.
    """
    waiting = tl.load(pending) != 0
    rz, pq, rr = tl.load(numbers + RZ), tl.load(numbers + PQ), total(parts, RR_PARTS, PARTS)
    before = tl.load(count)
    going = (tl.load(active) != 0) & (rz > 0.0) & (pq > 0.0)  # false for NaN
    tl.store(numbers + RR, rr, mask=waiting)
    tl.store(numbers + HISTORY + before % ROOM, rr, mask=waiting)
    tl.store(numbers + LAST, pq if FLEXIBLE else rz, mask=waiting & going)
    tl.store(numbers + ENERGY, tl.load(numbers + ENERGY) + rz * (rz / pq), mask=waiting & going)
    tl.store(count, before + 1, mask=waiting & going)
    tl.store(active, (going & (rr > tl.load(numbers + TARGET))).to(tl.uint8), mask=waiting)
    tl.store(pending, 0)


@triton.jit
def close(parts, numbers, active, count, pending, PARTS: tl.constexpr, FLEXIBLE: tl.constexpr):
    """`conclude` by itself, before somebody looks. One program."""
    conclude(parts, numbers, active, count, pending, PARTS, FLEXIBLE)


@triton.jit
def products(
    r, z, q, row, hidden, parts, numbers, active, count, pending, n,
    PARTS: tl.constexpr, FLEXIBLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The parts of z.r and of what projects z; in the flexible form of z.q as well. z counts as 0 where hidden."""
    program = tl.program_id(0)
    k = program * BLOCK + tl.arange(0, BLOCK)
    inside = k < n
    shown = inside & (tl.load(hidden + k, mask=inside, other=1) == 0)
    z_k = tl.load(z + k, mask=shown, other=0.0)
    r_k = tl.load(r + k, mask=inside, other=0.0)
    row_k = tl.load(row + k, mask=inside, other=0.0)
    tl.store(parts + ZR * PARTS + program, tl.sum(z_k * r_k))
    tl.store(parts + Z_ROW * PARTS + program, tl.sum(z_k * row_k))
    tl.store(parts + R_ROW * PARTS + program, tl.sum(r_k * row_k))
    if FLEXIBLE:
        q_k = tl.load(q + k, mask=inside, other=0.0)
        tl.store(parts + ZQ * PARTS + program, tl.sum(z_k * q_k))
        tl.store(parts + Q_ROW * PARTS + program, tl.sum(q_k * row_k))
    if program == 0:
        conclude(parts, numbers, active, count, pending, PARTS, FLEXIBLE)


@triton.jit
def direct(
    z, p, row, hidden, parts, numbers, active, n, nx,
    PARTS: tl.constexpr, FLEXIBLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """p = P z + beta p, with beta = z.r / last, or -z.q / last in the flexible form; 0 after the end.

    There p would grow without bound while the last denominator stays.
    """
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = k < n
    shift = total(parts, Z_ROW, PARTS)
    if FLEXIBLE:
        weight = shift * total(parts, Q_ROW, PARTS) - total(parts, ZQ, PARTS)
    else:
        weight = total(parts, ZR, PARTS) - shift * total(parts, R_ROW, PARTS)
    beta = tl.where(tl.load(active) != 0, weight / tl.load(numbers + LAST), 0.0)
    shown = inside & (tl.load(hidden + k, mask=inside, other=1) == 0)
    z_k = tl.load(z + k, mask=shown, other=0.0) - shift * tl.load(row + k, mask=inside, other=0.0)
    p_k = tl.load(p + nx + k, mask=inside, other=0.0)
    tl.store(p + nx + k, z_k + beta * p_k, mask=inside)


@triton.jit
def multiply(p, q, diagonal, faces_x, faces_y, parts, n, nx, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    """q = A p, and the parts of p.q."""
    program = tl.program_id(0)
    k = program * BLOCK + tl.arange(0, BLOCK)
    inside = k < n
    at = p + nx + k
    p_k = tl.load(at, mask=inside, other=0.0)
    q_k = tl.load(diagonal + k, mask=inside, other=0.0) * p_k
    q_k -= tl.load(faces_x + k, mask=inside, other=0.0) * tl.load(at - 1, mask=inside, other=0.0)
    q_k -= tl.load(faces_x + k + 1, mask=inside, other=0.0) * tl.load(at + 1, mask=inside, other=0.0)
    q_k -= tl.load(faces_y + k, mask=inside, other=0.0) * tl.load(at - nx, mask=inside, other=0.0)
    q_k -= tl.load(faces_y + k + nx, mask=inside, other=0.0) * tl.load(at + nx, mask=inside, other=0.0)
    tl.store(q + k, q_k, mask=inside)
    tl.store(parts + PQ_PARTS * PARTS + program, tl.sum(p_k * q_k))


@triton.jit
def step(
    x, r, p, q, row, parts, numbers, active, pending, n, nx, PARTS: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """x += alpha p, r = P r - alpha q with alpha = z.r / p.q while the solve is active, and the parts of r.r."""
    program = tl.program_id(0)
    k = program * BLOCK + tl.arange(0, BLOCK)
    inside = k < n
    constant = total(parts, R_ROW, PARTS)
    rz = total(parts, ZR, PARTS) - total(parts, Z_ROW, PARTS) * constant
    pq = total(parts, PQ_PARTS, PARTS)
    going = (tl.load(active) != 0) & (rz > 0.0) & (pq > 0.0)
    alpha = rz / pq
    x_k, r_k = tl.load(x + nx + k, mask=inside, other=0.0), tl.load(r + k, mask=inside, other=0.0)
    p_k, q_k = tl.load(p + nx + k, mask=inside, other=0.0), tl.load(q + k, mask=inside, other=0.0)
    row_k = tl.load(row + k, mask=inside, other=0.0)
    # chosen and not multiplied by 0, which would keep a NaN
    x_k, r_k = tl.where(going, x_k + alpha * p_k, x_k), tl.where(going, r_k - row_k * constant - alpha * q_k, r_k)
    tl.store(x + nx + k, x_k, mask=inside)
    tl.store(r + k, r_k, mask=inside)
    tl.store(parts + RR_PARTS * PARTS + program, tl.sum(r_k * r_k))
    if program == 0:
        tl.store(numbers + RZ, rz)
        tl.store(numbers + PQ, pq)
        tl.store(pending, 1)
