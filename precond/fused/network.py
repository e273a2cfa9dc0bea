"""The network of `htp` in Triton's kernels, float32, with the weights of htp/network.py: one program per tile.

Tokens are 4x4 patches of 2x2 cells to a tile, d numbers each. A block is three kernels: attention, the means for the
highways, which need all tiles, and the feed-forward step.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def gelu(x):
    """GELU by its tanh approximation."""
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return x * (1.0 - 1.0 / (tl.exp(2.0 * inner) + 1.0))


@triton.jit
def normed(x, weight, bias, d: tl.constexpr):
    """Layer norm of rows (n, d)."""
    i = tl.arange(0, d)
    x = x - (tl.sum(x, axis=1) / d)[:, None]
    x = x / tl.sqrt(tl.sum(x * x, axis=1) / d + 1e-5)[:, None]
    return x * tl.load(weight + i)[None, :] + tl.load(bias + i)[None, :]


@triton.jit
def times(x, weight, first, row: tl.constexpr, n: tl.constexpr, m: tl.constexpr, used: tl.constexpr):
    """x (k, n) times the columns from `first` on of a layer's weight (used, row), transposed: (k, m), 0 from `used`."""
    i, o = tl.arange(0, n), tl.arange(0, m)
    inside = (o < used)[None, :] & (first + i < row)[:, None]
    W = tl.load(weight + o[None, :] * row + first + i[:, None], mask=inside, other=0.0)
    return tl.dot(x, W, input_precision="ieee")


@triton.jit
def linear(x, weight, bias, n: tl.constexpr, m: tl.constexpr):
    """A layer, (k, n) to (k, m)."""
    return times(x, weight, 0, n, n, m, m) + tl.load(bias + tl.arange(0, m))[None, :]


@triton.jit
def embed_patches(
    root, east, north, rim, first, first_bias, second, second_bias, place, x,
    d: tl.constexpr, FEATURES: tl.constexpr, SMALLEST: tl.constexpr,
):  # fmt: skip
    """x (T, 16, d) from the patches' features, which are those of htp/network.features."""
    t = tl.program_id(0)
    n, i = tl.arange(0, 16), tl.arange(0, d)
    patch, f = n[:, None], tl.arange(0, 32)[None, :]
    own, to_west, to_south = f < 16, (f >= 16) & (f < 18), (f >= 18) & (f < 20)
    dy, dx = (
        tl.where(own, f // 8, tl.where(to_west, f - 16, 0)),
        tl.where(own, f // 4 % 2, tl.where(to_south, f - 18, 0)),
    )
    row, column, kind = patch // 4 * 2 + dy, patch % 4 * 2 + dx, f % 4
    cell = t * 64 + row * 8 + column
    value = tl.load(east + cell, mask=own & (kind == 0), other=0.0)
    value += tl.load(north + cell, mask=own & (kind == 1), other=0.0)
    value += tl.load(east + cell - 1, mask=to_west & (column > 0), other=0.0)
    value += tl.load(rim + t * 32 + row, mask=to_west & (column == 0), other=0.0)
    value += tl.load(north + cell - 8, mask=to_south & (row > 0), other=0.0)
    value += tl.load(rim + t * 32 + 16 + column, mask=to_south & (row == 0), other=0.0)
    here = tl.load(root + cell, mask=own & (kind >= 2), other=0.0)
    log = tl.log(tl.maximum(here, SMALLEST)) / 4 + 0.5
    value = 4 * value + tl.where(here > 0, tl.where(kind == 2, log, 1.0), 0.0)
    hidden = times(value, first, 0, FEATURES, 32, 2 * d, 2 * d) + tl.load(first_bias + tl.arange(0, 2 * d))[None, :]
    made = linear(gelu(hidden), second, second_bias, 2 * d, d)
    made += tl.load(place + n[:, None] * d + i[None, :])
    tl.store(x + (t * 16 + n)[:, None] * d + i[None, :], made)


@triton.jit
def tokens(x, across, ring, t, n, d: tl.constexpr):
    """Rows n of a tile's tokens: 16 of its own, then 16 across the rim; beyond the grid these are `ring` alone."""
    i = tl.arange(0, d)
    beyond = n >= 16
    row = tl.where(beyond, tl.load(across + t * 16 + n - 16, mask=beyond, other=-1), t * 16 + n)
    values = tl.load(x + row[:, None] * d + i[None, :], mask=(row >= 0)[:, None], other=0.0)
    return values + tl.load(ring + (n - 16)[:, None] * d + i[None, :], mask=beyond[:, None], other=0.0)


@triton.jit
def couplings(east, north, rim, t, i, j):
    """A's couplings between tokens i (k, 1) and j (1, m), summed; see htp/network.bias."""
    low, high = tl.minimum(i, j), tl.maximum(i, j)
    cell = t * 64 + low // 4 * 16 + low % 4 * 2  # the patch's first
    inside = high < 16
    beside, over = inside & (high == low + 1) & (low % 4 < 3), inside & (high == low + 4)
    value = tl.load(east + cell + 1, mask=beside, other=0.0) + tl.load(east + cell + 9, mask=beside, other=0.0)
    value += tl.load(north + cell + 8, mask=over, other=0.0) + tl.load(north + cell + 9, mask=over, other=0.0)
    side, along = (high - 16) // 4, high % 4
    far = tl.where(side % 2 == 1, 3, 0)
    nearest = tl.where(side < 2, along * 4 + far, far * 4 + along)
    meets = (low < 16) & (high >= 16) & (low == nearest)
    place = rim + t * 32 + (high - 16) * 2
    return value + tl.load(place, mask=meets, other=0.0) + tl.load(place + 1, mask=meets, other=0.0)


@triton.jit
def attend(
    x, across, ring, east, north, rim, before, before_bias, query, query_bias, key, key_bias, value, value_bias,
    out, out_bias, strength, y, mean, d: tl.constexpr, HEADS: tl.constexpr, OF_RING: tl.constexpr,
):  # fmt: skip
    """y (T, 16, d) = own tokens, or those of the ring, after attention to all 32; mean (T, d) of them.

    across (T, 16): the rows of x beyond the rim, -1 beyond the grid.  Weights as in htp/network.Block.
    """
    t = tl.program_id(0)
    n, m, i = tl.arange(0, 16), tl.arange(0, 32), tl.arange(0, d)
    asking = n + 16 if OF_RING else n
    own = tokens(x, across, ring, t, asking, d)
    context = normed(tokens(x, across, ring, t, m, d), before, before_bias, d)
    Q = linear(normed(own, before, before_bias, d), query, query_bias, d, d)
    K = tl.trans(linear(context, key, key_bias, d, d))
    V = linear(context, value, value_bias, d, d)
    A = couplings(east, north, rim, t, asking[:, None], m[None, :])
    size: tl.constexpr = d // HEADS
    found = tl.zeros((16, d), dtype=tl.float32)
    for h in range(HEADS):
        of_head = (i // size == h)[None, :]
        scores = tl.dot(tl.where(of_head, Q, 0.0), K, input_precision="ieee") / tl.sqrt(size * 1.0)
        scores += A * tl.load(strength + h)
        scores = tl.exp(scores - tl.max(scores, axis=1)[:, None])
        scores = scores / tl.sum(scores, axis=1)[:, None]
        found += tl.dot(scores, tl.where(of_head, V, 0.0), input_precision="ieee")
    made = own + linear(found, out, out_bias, d, d)
    tl.store(y + (t * 16 + n)[:, None] * d + i[None, :], made)
    tl.store(mean + t * d + i, tl.sum(made, axis=0) / 16)


@triton.jit
def mean_tiles(mean, grid, out, ty, tx, d: tl.constexpr):
    """out (ty + tx + 1, d): means of the tiles' vectors over every row, every column, and the grid; grid (ty, tx)."""
    k = tl.program_id(0)
    i, n = tl.arange(0, d), tl.arange(0, 32)
    is_row, is_column = k < ty, (k >= ty) & (k < ty + tx)
    first = tl.where(is_row, k * tx, tl.where(is_column, k - ty, 0))
    step = tl.where(is_column, tx, 1)
    count = tl.where(is_row, tx, tl.where(is_column, ty, ty * tx))
    total = tl.zeros((d,), dtype=tl.float32)
    for start in range(0, count, 32):
        inside = start + n < count
        tile = tl.load(grid + first + (start + n) * step, mask=inside, other=0)
        total += tl.sum(tl.load(mean + tile[:, None] * d + i[None, :], mask=inside[:, None], other=0.0), axis=0)
    tl.store(out + k * d + i, total / count)


@triton.jit
def highway(means, which, weight, block: tl.constexpr, d: tl.constexpr):
    """(2 d,) one of the three means through its part of the highways' weight (2 d, 3 d)."""
    i, o = tl.arange(0, d), tl.arange(0, 2 * d)
    W = tl.load(weight + o[None, :] * (3 * d) + block * d + i[:, None])
    return tl.sum(tl.load(means + which * d + i)[:, None] * W, axis=0)


@triton.jit
def feed_forward(
    y, between, between_bias, means, row_of, column_of, ways, ways_bias, first, first_bias, second, second_bias, x,
    last, last_bias, polynomials, traces, ty, tx, d: tl.constexpr, HIGHWAYS: tl.constexpr, LAST: tl.constexpr,
):  # fmt: skip
    """x (T, 16, d) = y + the feed-forward step. LAST: traces (T, 8, 32) instead, polynomials + the last layer of it."""
    t = tl.program_id(0)
    n, i, wide = tl.arange(0, 16), tl.arange(0, d), tl.arange(0, 2 * d)
    own = tl.load(y + (t * 16 + n)[:, None] * d + i[None, :])
    hidden = linear(normed(own, between, between_bias, d), first, first_bias, d, 2 * d)
    if HIGHWAYS:
        seen = highway(means, tl.load(row_of + t), ways, 0, d)
        seen += highway(means, ty + tl.load(column_of + t), ways, 1, d)
        seen += highway(means, ty + tx, ways, 2, d) + tl.load(ways_bias + wide)
        hidden += seen[None, :]
    made = own + linear(gelu(hidden), second, second_bias, 2 * d, d)
    if LAST:
        o, k = tl.arange(0, 16), tl.arange(0, 32)
        delta = times(made, last, 0, d, d, 16, 14)  # (ring, 2 cells x 7 functions)
        delta += tl.load(last_bias + o, mask=o < 14, other=0.0)[None, :]
        place = ((1 + o % 7) * 32 + o // 7)[None, :] + (n * 2)[:, None]
        used = (o < 14)[None, :] & (n >= 0)[:, None]
        delta += tl.load(polynomials + place, mask=used, other=0.0)
        tl.store(traces + t * 256 + place, delta, mask=used)
        tl.store(traces + t * 256 + k, tl.load(polynomials + k))  # the constant is never touched
    else:
        tl.store(x + (t * 16 + n)[:, None] * d + i[None, :], made)


@triton.jit
def mix_tiles(x, first, first_bias, second, second_bias, blocks, T, d: tl.constexpr):
    """blocks (T, d) from the means of each tile's quadrants, for 16 tiles."""
    n, i = tl.arange(0, 16), tl.arange(0, d)
    tile = tl.program_id(0) * 16 + n
    real = (tile < T)[:, None]
    hidden = tl.zeros((16, 2 * d), dtype=tl.float32) + tl.load(first_bias + tl.arange(0, 2 * d))[None, :]
    for quadrant in range(4):
        token = quadrant // 2 * 8 + quadrant % 2 * 2
        place = x + (tile * 16 + token)[:, None] * d + i[None, :]
        total = tl.load(place, mask=real, other=0.0) + tl.load(place + d, mask=real, other=0.0)
        total += tl.load(place + 4 * d, mask=real, other=0.0) + tl.load(place + 5 * d, mask=real, other=0.0)
        hidden += times(total / 4, first, quadrant * d, 4 * d, d, 2 * d, 2 * d)
    tl.store(blocks + tile[:, None] * d + i[None, :], linear(gelu(hidden), second, second_bias, 2 * d, d), mask=real)


@triton.jit
def propose_groups(
    blocks, slots, neighbours, slot_tokens, first, first_bias, second, second_bias, whole, corrections,
    B, M: tl.constexpr, SLOTS: tl.constexpr, d: tl.constexpr,
):  # fmt: skip
    """corrections (G, SLOTS 8, 8) of the monomials around a group, from its members, the blocks beyond and their mean.

    whole (G, d): that mean, for the next level.  See groups.py for slots, neighbours, B, M.
    """
    g = tl.program_id(0)
    s, i, m = tl.arange(0, 16), tl.arange(0, d), tl.arange(0, 4)
    used = s < SLOTS
    member, side = tl.load(slots + s * 2, mask=used, other=0), tl.load(slots + s * 2 + 1, mask=used, other=0)
    there = tl.load(neighbours + g * SLOTS + s, mask=used, other=B)
    all_members = tl.load(blocks + (g * M + m)[:, None] * d + i[None, :], mask=(m < M)[:, None], other=0.0)
    mean = tl.sum(all_members, axis=0) / M
    tl.store(whole + g * d + i, mean)
    own = tl.load(blocks + (g * M + member)[:, None] * d + i[None, :], mask=used[:, None], other=0.0)
    own += tl.load(slot_tokens + (side * 2 + s % 2)[:, None] * d + i[None, :], mask=used[:, None], other=0.0)
    beyond = tl.load(blocks + there[:, None] * d + i[None, :], mask=(there < B)[:, None], other=0.0)
    hidden = times(own, first, 0, 3 * d, d, 4 * d, 4 * d) + times(beyond, first, d, 3 * d, d, 4 * d, 4 * d)
    everywhere = tl.zeros((16, d), dtype=tl.float32) + mean[None, :]
    hidden += (
        times(everywhere, first, 2 * d, 3 * d, d, 4 * d, 4 * d) + tl.load(first_bias + tl.arange(0, 4 * d))[None, :]
    )
    o = tl.arange(0, 64)
    made = times(gelu(hidden), second, 0, 4 * d, 4 * d, 64, 56)  # (slots, 8 unknowns x 7 functions)
    made += tl.load(second_bias + o, mask=o < 56, other=0.0)[None, :]
    place = (g * SLOTS + s)[:, None] * 64
    tl.store(corrections + place + (o // 7 * 8 + 1 + o % 7)[None, :], made, mask=used[:, None] & (o < 56)[None, :])
    q = tl.arange(0, 8)
    tl.store(
        corrections + place + q[None, :] * 8,
        tl.zeros((16, 8), dtype=tl.float32),
        mask=used[:, None] & (q >= 0)[None, :],
    )
