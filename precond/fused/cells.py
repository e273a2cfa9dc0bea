"""From the system's coefficients to the tensors of htp/blocks.Cells: one program per tile of 8x8 cells."""

from __future__ import annotations

import triton
import triton.language as tl

PARTS = 1024  # programs, at most, that look for the largest diagonal


@triton.jit
def diagonal(beta_x, beta_y, reaction, solid, cell, inside, nx):
    """A's diagonal [m s / kg], float64, at cells of the row-major grid; 0 in solids and where `inside` is false."""
    x = cell + cell // nx  # rows of beta_x are one longer
    d = tl.load(beta_x + x, mask=inside, other=0.0) + tl.load(beta_x + x + 1, mask=inside, other=0.0)
    d += tl.load(beta_y + cell, mask=inside, other=0.0)
    d += tl.load(beta_y + cell + nx, mask=inside, other=0.0) + tl.load(reaction + cell, mask=inside, other=0.0)
    return tl.where(tl.load(solid + cell, mask=inside, other=1) != 0, 0.0, d)


@triton.jit
def root_of(d, largest):
    """sqrt(d / largest), 0 where d is 0."""
    return tl.sqrt(tl.where(d > 0, d / largest, 0.0))


@triton.jit
def inverse_of(root):
    """1 / root, 0 where root is 0."""
    return tl.where(root > 0, 1.0 / tl.where(root > 0, root, 1.0), 0.0)


@triton.jit
def largest_diagonals(beta_x, beta_y, reaction, solid, out, N, nx, CHUNK: tl.constexpr):
    """out[k] = largest diagonal of the k-th CHUNK cells."""
    k = tl.program_id(0)
    cell = k * CHUNK + tl.arange(0, CHUNK)
    tl.store(out + k, tl.max(diagonal(beta_x, beta_y, reaction, solid, cell, cell < N, nx), axis=0))


@triton.jit
def tile_cells(
    beta_x, beta_y, reaction, solid, largest_of, parts, cell_of, ring_of, scale, measure, root, ring, east, north, rim,
    N, nx, PARTS: tl.constexpr,
):  # fmt: skip
    """A tile's cells, float32: d^-1/2, d^1/2 / measure, couplings beta / sqrt(d_i d_j); see htp/blocks.Cells.

    d is divided by its largest value, which keeps float32 in range.  cell_of (T, 64), ring_of (T, 32): places in the
    grid, N where there is none.
    """
    t = tl.program_id(0)
    part = tl.arange(0, PARTS)
    largest = tl.max(tl.load(largest_of + part, mask=part < parts, other=0.0), axis=0)
    largest = tl.where(largest > 0, largest, 1.0)

    c = tl.arange(0, 64)
    cell = tl.load(cell_of + t * 64 + c)
    inside = cell < N
    own = root_of(diagonal(beta_x, beta_y, reaction, solid, cell, inside, nx), largest)
    s = inverse_of(own)
    x = cell + cell // nx
    has_east, has_north = inside & (cell % nx < nx - 1), inside & (cell < N - nx)
    there = root_of(diagonal(beta_x, beta_y, reaction, solid, cell + 1, has_east, nx), largest)
    to_east = tl.load(beta_x + x + 1, mask=has_east, other=0.0) / largest * s * inverse_of(there)
    there = root_of(diagonal(beta_x, beta_y, reaction, solid, cell + nx, has_north, nx), largest)
    to_north = tl.load(beta_y + cell + nx, mask=has_north, other=0.0) / largest * s * inverse_of(there)

    k = tl.arange(0, 32)
    side, along = k // 8, k % 8
    edge = tl.where(side == 0, along * 8, tl.where(side == 1, along * 8 + 7, tl.where(side == 2, along, 56 + along)))
    rim_cell, beyond = tl.load(cell_of + t * 64 + edge), tl.load(ring_of + t * 32 + k)
    outside = root_of(diagonal(beta_x, beta_y, reaction, solid, beyond, beyond < N, nx), largest)
    at_rim = root_of(diagonal(beta_x, beta_y, reaction, solid, rim_cell, rim_cell < N, nx), largest)
    open_ = (rim_cell < N) & (beyond < N)
    face_x = tl.maximum(rim_cell, beyond) + rim_cell // nx  # of the eastern of the two cells, its western face
    across = tl.load(beta_x + face_x, mask=open_ & (side < 2), other=0.0)
    across += tl.load(beta_y + tl.maximum(rim_cell, beyond), mask=open_ & (side >= 2), other=0.0)
    across = across / largest * inverse_of(at_rim) * inverse_of(outside)

    own, outside = own.to(tl.float32), outside.to(tl.float32)
    largest_root = tl.maximum(tl.maximum(tl.max(own, axis=0), tl.max(outside, axis=0)), 1e-30)
    tl.store(scale + t * 64 + c, s.to(tl.float32))
    tl.store(measure + t, largest_root)
    tl.store(root + t * 64 + c, own / largest_root)
    tl.store(ring + t * 32 + k, outside / largest_root)
    tl.store(east + t * 64 + c, to_east.to(tl.float32))
    tl.store(north + t * 64 + c, to_north.to(tl.float32))
    tl.store(rim + t * 32 + k, across.to(tl.float32))
