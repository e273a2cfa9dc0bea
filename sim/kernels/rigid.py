"""Rigid bodies on the grid: the share of every cell that a polygon covers, and fractions that follow it."""

import taichi as ti

from sim.kernels.plic import Array2, Array3, Mask2

ROUNDING = 1e-13  # of a cell; differences below it are left alone
SHUT = 1e-6  # of a cell: less fluid has no composition that could be trusted
UNLIKE = 400.0  # square of the cells further that one goes rather than exchange one phase for another
Index1 = ti.types.ndarray(dtype=ti.i32, ndim=1)


@ti.func
def mean_clamped(a: ti.f64, b: ti.f64) -> ti.f64:
    """Mean of min(max(x, 0), 1) for x from a to b; differences are taken such that nothing cancels."""
    low, high = ti.min(a, b), ti.max(a, b)
    value = ti.min(ti.max(a, 0.0), 1.0)
    if high > low:
        start, end = ti.min(ti.max(low, 0.0), 1.0), ti.min(ti.max(high, 0.0), 1.0)
        slope = 0.5 * (end - start) * (end + start)
        value = (slope + ti.max(high, 1.0) - ti.max(low, 1.0)) / (high - low)
    return value


@ti.kernel
def cover(points: Array2, chi: Array2, j0: ti.i32, j1: ti.i32, i0: ti.i32, i1: ti.i32):
    """chi (ny, nx) = share of each cell inside a polygon, exact; 0 outside of rows j0 .. j1 - 1, columns i0 .. i1 - 1.

    points (n, 2): x and y of the corners in cells, anticlockwise, all within these rows and columns. By Green's theorem
    chi = sum over edges of the integral of min(max(x - i, 0), 1) dy over the part in the cell's row.
    """
    ti.loop_config(serialize=True)
    for j in range(chi.shape[0]):
        for i in range(chi.shape[1]):
            chi[j, i] = 0.0
    ti.loop_config(serialize=True)
    for j in range(j0, j1):
        for n in range(points.shape[0]):
            m = n + 1 if n + 1 < points.shape[0] else 0
            xa, ya, xb, yb = points[n, 0], points[n, 1], points[m, 0], points[m, 1]
            start, end = ti.min(ti.max(ya, j), j + 1.0), ti.min(ti.max(yb, j), j + 1.0)
            if start != end:
                slope = (xb - xa) / (yb - ya)
                left, right = xa + (start - ya) * slope, xa + (end - ya) * slope
                for i in range(i0, i1):
                    chi[j, i] += (end - start) * mean_clamped(left - i, right - i)
        for i in range(i0, i1):
            chi[j, i] = ti.min(ti.max(chi[j, i], 0.0), 1.0)


@ti.func
def change_places(F: ti.template(), a: ti.template(), b: ti.template(), amount: ti.f64):
    """Move body (fraction 0) from cell a to cell b, and as much fluid of b's mixture back."""
    share = amount / (1.0 - F[0, b[0], b[1]])
    for k in range(1, F.shape[0]):
        back = amount - (F[k, b[0], b[1]] - F[0, b[0], b[1]]) * share
        F[k, a[0], a[1]] = ti.max(F[k, a[0], a[1]] - back, F[k - 1, a[0], a[1]] - ti.select(k == 1, amount, 0.0))
        F[k, b[0], b[1]] = ti.min(F[k, b[0], b[1]] + back, 1.0)
    F[0, a[0], a[1]] -= amount
    F[0, b[0], b[1]] += amount


@ti.func
def cost(F: ti.template(), j: ti.i32, i: ti.i32, m: ti.i32, n: ti.i32) -> ti.f64:
    """Square of the distance of two cells, and more where their fluids differ: water is not to creep up a wall."""
    distance = ti.cast((m - j) * (m - j) + (n - i) * (n - i), ti.f64)
    here, there = 1.0 - F[0, j, i], 1.0 - F[0, m, n]
    if here > SHUT and there > SHUT:
        for k in range(1, F.shape[0]):
            mine, other = (F[k, j, i] - F[0, j, i]) / here, (F[k, m, n] - F[0, m, n]) / there
            distance += UNLIKE * ti.abs(mine - other)
    return distance


@ti.kernel
def follow(F: Array3, solid: Mask2, chi: Array2, lacking: Index1, j0: ti.i32, j1: ti.i32, i0: ti.i32, i1: ti.i32):
    """Make fraction 0 equal to chi (ny, nx) without change of any phase's volume.

    Transport leaves a polygon's corners round and its place exact to second order; body in the wrong cell changes
    places with fluid where body is missing, nearby and where the fluid is alike. j0 .. j1 - 1 and i0 .. i1 - 1 are the
    rows and columns around all bodies; lacking (ny nx) is scratch. In a fixed order, so that runs repeat bit for bit.
    """
    nx, count = F.shape[2], 0
    ti.loop_config(serialize=True)
    for _ in range(1):
        for j in range(j0, j1):
            for i in range(i0, i1):
                if solid[j, i] == 0 and chi[j, i] - F[0, j, i] > ROUNDING:
                    lacking[count] = j * nx + i
                    count += 1
        for j in range(j0, j1):
            for i in range(i0, i1):
                going = solid[j, i] == 0
                while going and F[0, j, i] - chi[j, i] > ROUNDING:
                    least, m, n = 1e30, 0, 0
                    for entry in range(count):
                        y, x = lacking[entry] // nx, lacking[entry] % nx
                        if chi[y, x] - F[0, y, x] > ROUNDING:
                            price = cost(F, j, i, y, x)
                            if price < least:
                                least, m, n = price, y, x
                    going = least < 1e30
                    if going:
                        amount = ti.min(F[0, j, i] - chi[j, i], chi[m, n] - F[0, m, n])
                        change_places(F, ti.Vector([j, i]), ti.Vector([m, n]), amount)
