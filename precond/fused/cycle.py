"""The cycle of htp/cycle.py with one kernel for every block solve of a level, one program per block.

In every kernel a program gathers what its block needs of its neighbours from what the kernel before has written. The
recurrences of a level, for s the last step and f what the last correction added to the residual:
    first      s = B r,                            x = s
    visit      d = W s - f,  f = W V e,            s = B (d + f),  x = x + s      with e from the level above,
whose right-hand side is V^T d. Tiles are float32, the other levels float64. What depends on nothing is loaded first:
loads keep their order, and a gather waits for its places.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .launch import launch
from .tiles import edge_cell
from .workspace import Workspace


@triton.jit
def solve_tiles(r, cell_of, scale, inverse, s, N):
    """s (T, 64) = B S r for r (N,), float64, in the grid's order."""
    t = tl.program_id(0)
    i, j = tl.arange(0, 64), tl.arange(0, 64)
    cell, S = tl.load(cell_of + t * 64 + i), tl.load(scale + t * 64 + i)
    B = tl.load(inverse + t * 4096 + i[:, None] * 64 + j[None, :])
    value = tl.load(r + cell, mask=cell < N, other=0.0).to(tl.float32) * S
    tl.store(s + t * 64 + j, tl.sum(value[:, None] * B, axis=0))


@triton.jit
def correct_tiles(s, places, rim, coupling, around, e, inverse, scale, cell_of, out, N):
    """out (N,) = S (s + B (W s + W V e)), float64, in the grid's order; e (T, 8) from the level above."""
    t = tl.program_id(0)
    k, q, j = tl.arange(0, 32), tl.arange(0, 8), tl.arange(0, 64)
    place, there = tl.load(places + t * 32 + k), tl.load(around + t * 4 + k // 8)
    B = tl.load(inverse + t * 4096 + edge_cell(k)[:, None] * 64 + j[None, :])
    across = tl.load(coupling + t * 256 + k[:, None] * 8 + q[None, :])
    own, S, cell = tl.load(s + t * 64 + j), tl.load(scale + t * 64 + j), tl.load(cell_of + t * 64 + j)
    links = tl.load(rim + t * 32 + k)
    theirs = tl.load(e + there[:, None] * 8 + q[None, :], mask=(there >= 0)[:, None], other=0.0).to(tl.float32)
    d = links * tl.load(s + place) + tl.sum(theirs * across, axis=1)
    x = own + tl.sum(d[:, None] * B, axis=0)
    tl.store(out + cell, (x * S).to(tl.float64), mask=cell < N)


@triton.jit
def restricted(first, s, places, down, told, B, M: tl.constexpr, K: tl.constexpr, FIRST: tl.constexpr):
    """(8 M,) V^T d of M of the B blocks below: sums of their down (B, K, 8) times s at places (B, K), minus `told`."""
    k, block, q = tl.arange(0, K), first + tl.arange(0, M), tl.arange(0, 8)
    real = block < B
    at = block[None, :] * K + k[:, None]
    near = tl.load(places + at, mask=real[None, :], other=0)
    weights = tl.load(down + at[:, :, None] * 8 + q[None, None, :], mask=real[None, :, None], other=0.0)
    values = tl.load(s + near).to(tl.float64)
    total = tl.reshape(tl.sum(values[:, :, None] * weights.to(tl.float64), axis=0), (M * 8,))
    if not FIRST:
        u = first * 8 + tl.arange(0, M * 8)
        total -= tl.load(told + u, mask=u < B * 8, other=0.0)
    return total


@triton.jit
def solve_groups(s_below, places, down, told, inverse, s, B, M: tl.constexpr, K: tl.constexpr, FIRST: tl.constexpr):
    """s (G, n) = B r with r = V^T d of the level below.  FIRST: its d has no f."""
    n: tl.constexpr = M * 8
    g = tl.program_id(0)
    i, j = tl.arange(0, n), tl.arange(0, n)
    X = tl.load(inverse + g * n * n + i[:, None] * n + j[None, :])
    r = restricted(g * M, s_below, places, down, told, B, M, K, FIRST)
    tl.store(s + g * n + j, tl.sum(r[:, None] * X, axis=0))


@triton.jit
def correct_groups(
    s, entries, outer, around, lift, e, inverse, functions, x, f, told, s_out, out,
    B, M: tl.constexpr, FIRST: tl.constexpr, LAST: tl.constexpr,
):  # fmt: skip
    """One visit of the level above. LAST: out (G, n) = x; else s_out = s, and `told` (G, 8) = V^T f for `restricted`.

    entries (5 B, 8, 8), outer (4, B): couplings towards blocks around, and these where they are another group's, else
    -1; see groups.py.
    lift (G, 32, n) = W V from the groups around (G, 4).  FIRST: f is 0 and x is s.
    """
    n: tl.constexpr = M * 8
    g = tl.program_id(0)
    u, k, q = tl.arange(0, n), tl.arange(0, 32), tl.arange(0, 8)
    side, component = k // 8, k % 8
    block = g * M + tl.arange(0, M)
    there, group = tl.load(outer + side[:, None] * B + block[None, :]), tl.load(around + g * 4 + side)
    i = tl.arange(0, n)
    X = tl.load(inverse + g * n * n + i[:, None] * n + u[None, :])
    WV = tl.load(lift + g * 32 * n + k[:, None] * n + u[None, :])
    if FIRST:
        whole = tl.load(s + g * n + u)
    else:
        whole = tl.load(x + g * n + u)
        before = tl.load(f + g * n + u)
    above = tl.load(e + group * 8 + component, mask=group >= 0, other=0.0)
    beyond = there >= 0
    values = tl.load(s + there * 8 + component[:, None], mask=beyond, other=0.0)
    place = ((1 + (side ^ 1))[:, None] * B + there) * 64 + component[:, None] * 8  # of their couplings towards us
    W = tl.load(entries + place[:, :, None] + q[None, None, :], mask=beyond[:, :, None], other=0.0)
    d = tl.reshape(tl.sum(values[:, :, None] * W, axis=0), (n,))
    if not FIRST:
        d -= before
    added = tl.sum(above[:, None] * WV, axis=0)
    right = d + added
    step = tl.sum(right[:, None] * X, axis=0)
    if LAST:
        tl.store(out + g * n + u, whole + step)
    else:
        tl.store(x + g * n + u, whole + step)
        tl.store(s_out + g * n + u, step)
        tl.store(f + g * n + u, added)
        V = tl.load(functions + g * 8 * n + q[:, None] * n + u[None, :])
        tl.store(told + g * 8 + q, tl.sum(V * added[None, :], axis=1))


@triton.jit
def solve_top(s_below, places, down, told, top, e, B, n: tl.constexpr, K: tl.constexpr, FIRST: tl.constexpr):
    """e (B, 8) = top (n, n) times V^T d of the level below; every program sums all of that for 8 rows."""
    b = tl.program_id(0)
    u, q = tl.arange(0, n), tl.arange(0, 8)
    rows = tl.load(top + (b * 8 + q)[:, None] * n + u[None, :])
    r = restricted(0, s_below, places, down, told, B, n // 8, K, FIRST)
    tl.store(e + b * 8 + q, tl.sum(rows * r[None, :], axis=1))


class Cycle:
    """z = M r from what `hierarchy` has built in a workspace.

    visits: of the next coarser level from the tiles (1), from the groups and so on; see htp/cycle.VISITS.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.visits: tuple[int, ...] = (1,)

    def __call__(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, both of as many float64 as the grid has cells."""
        w, tiles = self.workspace, self.workspace.tiles
        scale, N = w.cells.scale, w.cell_count
        launch(solve_tiles, tiles.count, r, w.cell, scale, tiles.inverse, tiles.s, N)
        e = self._above(0, tiles.s, True)
        launch(
            correct_tiles, tiles.count, tiles.s, tiles.places, w.cells.rim, tiles.coupling, tiles.around, e,
            tiles.inverse, scale, w.cell, out, N,
        )  # fmt: skip

    def _above(self, k: int, s: torch.Tensor, first: bool) -> torch.Tensor:
        """The unknowns of level k, the groups of the tiles being level 0, for a step s of the level below."""
        w, below = self.workspace, self.workspace.below(k)
        given = s, below.places, below.down, below.told
        if k == len(w.groups):
            launch(
                solve_top, w.top_blocks, *given, w.top, w.e, w.top_blocks,
                n=w.top.shape[0], K=below.K, FIRST=first, num_warps=8,
            )  # fmt: skip
            return w.e
        level = w.groups[k]
        sizes = {"M": level.members, "K": below.K, "FIRST": first}
        launch(solve_groups, level.count, *given, level.inverse, level.s[0], below.count, **sizes)
        visits = self.visits[min(k + 1, len(self.visits) - 1)]
        for visit in range(visits):
            step, other = level.s[visit % 2], level.s[1 - visit % 2]
            e = self._above(k + 1, step, visit == 0)
            launch(
                correct_groups, level.count, step, below.entries, level.outer, level.around, level.lift, e,
                level.inverse, level.functions, level.x, level.f, level.told, other, level.out, below.count,
                M=level.members, FIRST=visit == 0, LAST=visit == visits - 1,
            )  # fmt: skip
        return level.out
