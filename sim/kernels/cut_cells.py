"""Fluxes out of cells at a body, whose outline and the fluid's surfaces are planes of their own.

Fraction 0 is the body's, the others are nested around it. Parallel planes, as for three fluids, would turn with the
water where it meets the body, and the body would leak into the corner. Here the share of phases 0 .. k among the fluid,

    r_k = (F_k - F_0) / (1 - F_0),

has its plane in the whole cell, and of what leaves the cell beside the body a phase takes its share of that strip, at
most what is there of it. Within bodies r continues along the row, so that still water stays level at any outline.
"""

import taichi as ti

from sim.kernels.flat import place
from sim.kernels.plic import TINY, area, clamp, normal, offset

SHUT = 1e-6  # of a cell: less fluid has no shares that could be trusted


@ti.func
def near_body(work: ti.template(), F: ti.i32, j: ti.i32, i: ti.i32, ny: ti.i32, nx: ti.i32) -> bool:
    """Whether there is any body in the 3 x 3 cells around (j, i)."""
    most = 0.0
    for dj in ti.static(range(-1, 2)):
        for di in ti.static(range(-1, 2)):
            most = ti.max(most, work[F + place(clamp(j + dj, ny), clamp(i + di, nx), nx)])
    return most > TINY


@ti.func
def share(work: ti.template(), F: ti.i32, first: ti.i32, last: ti.i32, size: ti.i32, x: ti.i32) -> ti.f64:
    """Mean of r_first .. r_last in the cell at place x, -1 where it has too little fluid."""
    room, total = 1.0 - work[F + x], 0.0
    for k in range(first, last + 1):
        total += work[F + k * size + x] - work[F + x]
    return total / (room * (last - first + 1)) if room > SHUT else -1.0


@ti.func
def shares_around(
    work: ti.template(),
    F: ti.i32,
    first: ti.i32,
    last: ti.i32,
    size: ti.i32,
    j: ti.i32,
    i: ti.i32,
    ny: ti.i32,
    nx: ti.i32,
):
    """`share` in 3 x 3 cells; within bodies that of the row's middle cell, else of the column's, else the middle's."""
    block = ti.Matrix.zero(ti.f64, 3, 3)
    for dj in ti.static(range(3)):
        for di in ti.static(range(3)):
            x = place(clamp(j + dj - 1, ny), clamp(i + di - 1, nx), nx)
            block[dj, di] = share(work, F, first, last, size, x)
    known = block
    for dj in ti.static(range(3)):
        for di in ti.static(range(3)):
            if known[dj, di] < 0.0:
                block[dj, di] = known[1, 1]
                if known[dj, 1] >= 0.0:
                    block[dj, di] = known[dj, 1]
                elif known[1, di] >= 0.0:
                    block[dj, di] = known[1, di]
    return block


@ti.func
def body_around(work: ti.template(), F: ti.i32, j: ti.i32, i: ti.i32, ny: ti.i32, nx: ti.i32):
    """F_0 in the 3 x 3 cells."""
    block = ti.Matrix.zero(ti.f64, 3, 3)
    for dj in ti.static(range(3)):
        for di in ti.static(range(3)):
            block[dj, di] = work[F + place(clamp(j + dj - 1, ny), clamp(i + di - 1, nx), nx)]
    return block


@ti.func
def strip(n: ti.template(), fraction: ti.f64, axis: ti.i32, thickness: ti.f64, middle: ti.f64) -> ti.f64:
    """Share of a strip across the cell, about `middle` of the axis, that a plane with this fraction fills."""
    n_along, n_across = (n[0], n[1]) if axis == 0 else (n[1], n[0])
    return area(n_along * thickness, n_across, offset(n[0], n[1], fraction) - n_along * middle)


@ti.func
def send_beside_body(
    axis: ti.i32,
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    G: ti.i32,
    size: ti.i32,
    w: ti.i32,
    j: ti.i32,
    i: ti.i32,
    ny: ti.i32,
    nx: ti.i32,
    dt_dx: ti.f64,
):
    """G of all fractions through the faces by which the cell (j, i) flows out."""
    x = place(j, i, nx)
    e = place(axis, 1 - axis, nx) - place(0, 0, nx)
    body = work[F + x]
    room = 1.0 - body
    if room > SHUT and (work[w + x] < 0.0 or work[w + x + e] > 0.0):
        low, high = 0, 0  # the first and the last share that has a plane; 0: none
        for k in ti.static(range(1, plan.count)):
            r = (work[F + k * size + x] - body) / room
            if r > TINY and r < 1.0 - TINY:
                low = k if low == 0 else low
                high = k
        n_body, n = ti.Vector([0.0, 1.0]), ti.Vector([0.0, 1.0])
        if body > TINY:
            n_body = normal(body_around(work, F, j, i, ny, nx))
        if low > 0:
            n = normal(shares_around(work, F, low, high, size, j, i, ny, nx))
        left = ti.Vector.zero(ti.f64, plan.count + 1)  # of every phase in the cell; 0 is the body's
        for k in ti.static(range(1, plan.count + 1)):
            left[k] = (work[F + k * size + x] if ti.static(k < plan.count) else 1.0) - work[F + (k - 1) * size + x]
        for side in range(2):
            courant = work[w + x + side * e] * dt_dx
            way = 2 * side - 1
            if courant * way > 0.0:
                thickness = ti.abs(courant)
                middle = 0.5 * (1.0 - thickness) * way
                gone = thickness * strip(n_body, body, axis, thickness, middle) if body > TINY else 0.0
                work[G + x + side * e] = way * gone
                behind = 0.0  # what is still there of phases after the present one
                for k in ti.static(range(1, plan.count + 1)):
                    behind += left[k]
                fluid, done = ti.min(thickness - gone, behind), 0.0
                for k in ti.static(range(1, plan.count)):
                    r = ti.min(ti.max((work[F + k * size + x] - body) / room, 0.0), 1.0)
                    wanted = r
                    if low > 0 and r > TINY and r < 1.0 - TINY:
                        wanted = strip(n, r, axis, thickness, middle)
                    behind -= left[k]
                    most = done + left[k]
                    taken = ti.min(ti.max(fluid * wanted, ti.max(done, fluid - behind)), most)
                    left[k] -= taken - done
                    done = taken
                    work[G + k * size + x + side * e] = way * (gone + done)
                left[plan.count] -= fluid - done
