"""Transport of the phases by geometric fluxes: split sweeps of Weymouth & Yue 2010.

In a sweep along one axis, with Courant numbers U = w dt / dx on the faces,

    F' = F - (G[+] - G[-]) + c (U[+] - U[-]),      c = 1 where F holds the largest phase at the start, else 0,

where G is the volume of a nested fraction F[k] (in cells) that the PLIC plane of the upwind cell sends through a face.
The last term adds up to c div u dt = 0 over both sweeps, so volume is exact, and 0 <= F' <= 1 while sum |U| stays below
the largest fraction in the cell. The planes of a cell are nested, so F[k] <= F[k + 1] holds by the same argument: no
phase becomes negative.

All fields lie in the planes of one flat array `work` (see kernels/flat.py). An axis is 0 along x (normal velocity u) or
1 along y (v); F, c and G name the first of K planes, w the plane of the normal velocity, e is the step along the axis.
"""

import taichi as ti

from sim.kernels.cut_cells import near_body, send_beside_body
from sim.kernels.flat import BLOCK, HALO, fill, place
from sim.kernels.plic import TINY, area, clamp, normal, offset


@ti.func
def marked(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """c[k] = 1 where the phase that fills most of the cell is one of 0 .. k, else 0; F is that of the step's start.

    For two phases the dilation colour of Weymouth & Yue. The phase that is marked must fill at least sum |U| of its
    cell, or compression could make it negative: see `crowding`.
    """
    _, F, size, k = given
    lower, upper, below = 0.0, 0.0, 0.0  # the largest of the phases 0 .. k and of the others
    for n in ti.static(range(given[0])):
        above = work[F + n * size + x]
        lower = ti.max(lower, ti.select(n <= k, above - below, 0.0))
        upper = ti.max(upper, ti.select(n > k, above - below, 0.0))
        below = above
    return ti.select(lower > ti.max(upper, 1.0 - below), 1.0, 0.0)


@ti.func
def crowding(plan: ti.template(), F: ti.template(), j: ti.i32, i: ti.i32) -> ti.f64:
    """Factor by which a cell's Courant number must be smaller: 1/2 over its largest fraction, at least 1."""
    largest, below = 0.0, 0.0
    for k in ti.static(range(plan.count)):
        largest = ti.max(largest, F[k, j, i] - below)
        below = F[k, j, i]
    return 0.5 / ti.min(ti.max(largest, 1.0 - below), 0.5)


@ti.func
def surround(
    axis: ti.i32,
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    size: ti.i32,
    solid: ti.template(),
    enter: ti.template(),
):
    """Put the fractions enter (K, 4, longer side) into the margin of F on the two sides that a sweep passes.

    They are what flows in from outside of the left, right, bottom and top side.
    """
    ny, nx = solid.shape[0], solid.shape[1]
    ti.loop_config(serialize=plan.serial)
    for p in range(ny if axis == 0 else nx):
        before = place(p, -1, nx) if axis == 0 else place(-1, p, nx)
        behind = place(p, nx, nx) if axis == 0 else place(ny, p, nx)
        for k in range(plan.count):
            work[F + k * size + before] = enter[k, 2 * axis, p]
            work[F + k * size + behind] = enter[k, 2 * axis + 1, p]


@ti.func
def mean_flux(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """G = U F of the upwind cell: what flows out of pure cells, and out of mixed ones until `flux_of_planes`."""
    F, w, e, dt_dx = given
    courant = work[w + x] * dt_dx
    return courant * ti.select(courant > 0.0, work[F + x - e], work[F + x])


@ti.func
def mixed(value: ti.f64) -> bool:
    """Whether a fraction has a plane."""
    return (value > TINY) & (value < 1.0 - TINY)


@ti.func
def pure(plan: ti.template(), work: ti.template(), F: ti.i32, size: ti.i32, x: ti.i32) -> bool:
    """Whether the cell at place x holds one phase only."""
    answer = True
    for k in ti.static(range(plan.count)):
        answer = answer & (not mixed(work[F + k * size + x]))
    return answer


@ti.func
def wall(solid: ti.template(), j: ti.i32, i: ti.i32) -> bool:
    """Whether the cell is solid or lies outside of the domain."""
    answer = True
    if j >= 0 and i >= 0 and j < solid.shape[0] and i < solid.shape[1]:
        answer = solid[j, i] != 0
    return answer


@ti.func
def normal_at(
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
    """(n_x, n_y) of the mean of the fractions first .. last in the cell (j, i), mirrored at the sides of the domain."""
    block = ti.Matrix.zero(ti.f64, 3, 3)
    for k in range(first, last + 1):
        for dj in ti.static(range(3)):
            for di in ti.static(range(3)):
                x = place(clamp(j + dj - 1, ny), clamp(i + di - 1, nx), nx)
                block[dj, di] += work[F + k * size + x]
    return normal(block / (last - first + 1))


@ti.func
def send(
    axis: ti.i32,
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    G: ti.i32,
    size: ti.i32,
    w: ti.i32,
    solid: ti.template(),
    j: ti.i32,
    i: ti.i32,
    dt_dx: ti.f64,
):
    """The fluxes out of one cell, if it is mixed; see `flux_of_planes`."""
    ny, nx = solid.shape[0], solid.shape[1]
    x, e_j, e_i = place(j, i, nx), axis, 1 - axis
    e = place(e_j, e_i, nx) - place(0, 0, nx)
    low, high = -1, -1  # the first and the last mixed fraction
    for k in ti.static(range(plan.count)):
        if mixed(work[F + k * size + x]):
            low = k if low < 0 else low
            high = k
    if low >= 0 and solid[j, i] == 0 and (work[w + x] < 0.0 or work[w + x + e] > 0.0):
        if work[F + high * size + x] - work[F + low * size + x] <= TINY:
            high = low  # one plane for all of them
        n = normal_at(work, F, low, high, size, j, i, ny, nx)
        n_along = n[0] if axis == 0 else n[1]
        n_across = n[1] if axis == 0 else n[0]
        for side in range(2):  # the face that has the cell's place, or the next one
            courant = work[w + x + side * e] * dt_dx
            way = 2 * side - 1
            if courant * way > 0.0:
                whole = False
                ahead_j, ahead_i = j + way * e_j, i + way * e_i
                leaves = ahead_j < 0 or ahead_i < 0 or ahead_j >= ny or ahead_i >= nx
                if not leaves and wall(solid, j - way * e_j, i - way * e_i):
                    whole = work[w + x + (1 - side) * e] == 0.0 and pure(plan, work, F, size, x + way * e)
                thickness = ti.abs(courant)
                middle = 0.5 * (1.0 - thickness) * way
                for k in range(low, plan.count):
                    value = work[F + k * size + x]
                    if mixed(value) and not whole:
                        alpha = offset(n[0], n[1], value) - n_along * middle
                        volume = courant * area(n_along * thickness, n_across, alpha)
                        work[G + k * size + x + side * e] = volume


@ti.func
def flux_of_planes(
    axis: ti.i32,
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    G: ti.i32,
    size: ti.i32,
    w: ti.i32,
    solid: ti.template(),
    dt_dx: ti.f64,
):
    """G[k] = signed volume [cells] that the planes of mixed cells send through the faces by which they flow out.

    Where a cell holds more than two phases its planes are parallel, with the normal of the sum of the fractions, so
    that they stay nested: no flux can then take more of a phase than is there. What a moving solid sends out is the
    mean of what surrounds it. A film thinner than its cell would stick to a wall for ever, since its plane never
    reaches the far face: where it leaves a wall at rest for a pure cell, the mean of the cell flows instead.
    """
    ny, nx = solid.shape[0], solid.shape[1]
    ti.loop_config(serialize=plan.serial)
    for j in range(ny):
        for block in range((nx + BLOCK - 1) // BLOCK):
            first, end = block * BLOCK, ti.min((block + 1) * BLOCK, nx)
            some = 0  # mixed fractions in the block: most have none
            for i in range(first, end):
                for k in ti.static(range(plan.count)):
                    some += ti.select(mixed(work[F + k * size + place(j, i, nx)]), 1, 0)
            if some > 0:
                for i in range(first, end):
                    if ti.static(plan.bodies):
                        if near_body(work, F, j, i, ny, nx):
                            if solid[j, i] == 0:
                                send_beside_body(axis, plan, work, F, G, size, w, j, i, ny, nx, dt_dx)
                        else:
                            send(axis, plan, work, F, G, size, w, solid, j, i, dt_dx)
                    else:
                        send(axis, plan, work, F, G, size, w, solid, j, i, dt_dx)


@ti.func
def move(
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    c: ti.i32,
    G: ti.i32,
    size: ti.i32,
    w: ti.i32,
    e: ti.i32,
    ny: ti.i32,
    nx: ti.i32,
    dt_dx: ti.f64,
):
    """F += -(G[+] - G[-]) + c (U[+] - U[-]), clipped to 0 <= F[k - 1] <= F[k] <= 1.

    There is nothing to clip but round-off and what the solver's tolerance leaves of div u.
    """
    ti.loop_config(serialize=plan.serial)
    for j in range(ny):
        line = ti.Vector.zero(ti.f64, BLOCK)
        for block in range((nx + BLOCK - 1) // BLOCK):
            start, count = place(j, block * BLOCK, nx), ti.min(BLOCK, nx - block * BLOCK)
            for l in range(count):
                line[l] = 0.0
            for k in range(plan.count):
                for l in range(count):
                    x, n = start + l, k * size
                    gone = work[G + n + x + e] - work[G + n + x]
                    stretch = work[c + n + x] * (work[w + x + e] - work[w + x]) * dt_dx
                    line[l] = ti.min(ti.max(work[F + n + x] - gone + stretch, line[l]), 1.0)
                for l in range(count):
                    work[F + k * size + start + l] = line[l]


@ti.func
def sweep_volume(
    axis: ti.i32,
    plan: ti.template(),
    work: ti.template(),
    F: ti.i32,
    c: ti.i32,
    G: ti.i32,
    size: ti.i32,
    w: ti.i32,
    solid: ti.template(),
    enter: ti.template(),
    dt_dx: ti.f64,
):
    """G and then F of one sweep by the velocity w. Fractions that enter from outside: see `surround`."""
    ny, nx = solid.shape[0], solid.shape[1]
    width = nx + 2 * HALO + 1
    e = 1 if axis == 0 else width
    surround(axis, plan, work, F, size, solid, enter)
    for k in ti.static(range(plan.count)):
        to, first = G + k * size, place(0, 0, nx)
        fill(plan.serial, work, to, first, ny + axis, nx + 1 - axis, width, mean_flux, (F + k * size, w, e, dt_dx))
    flux_of_planes(axis, plan, work, F, G, size, w, solid, dt_dx)
    move(plan, work, F, c, G, size, w, e, ny, nx, dt_dx)
