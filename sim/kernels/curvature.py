"""Curvature of an interface from the fractions around it, by height functions and, where there are none, by a circle.

F[k] = fraction of the phases 0 to k together (K, ny, nx), K = phases - 1. Popinet 2009: the second difference of the
heights of three columns of cells along the axis nearer to the normal, else along the other axis, else a circle through
the PLIC segments around the cell.

Largest error of kappa R on discs with random centres: R/dx = 2: 0.14, 4: 0.061, 8: 0.019, 16: 0.0033, 32: 7.7e-4,
64: 1.9e-4 (order 2.2 from 8 to 64). The circle replaces Popinet's parabola, whose error was 0.95 at R/dx = 2.
"""

import taichi as ti

from sim.kernels.flat import BLOCK
from sim.kernels.plic import TINY, Array3, Array4, Mask2, block_of, normal, offset

ABSENT = 1e30  # curvature of a cell that holds no interface, or one whose curvature is unknown
PURE = 1e-6  # fractions closer than this to 0 or 1 end a column; wisps left by the transport are not interfaces
REACH = 5  # cells that a column may extend each way; slope 1, half a cell of bend and two mixed cells need 4
RIPPLE = 0.01  # rise of the fraction along a column, beyond which the interface is folded and has no height
FIT = 2  # cells each way from which the circle takes its points; with 1 its error is 30%, with 2 it is 3%


@ti.func
def is_wall(solid: ti.template(), cell: ti.template()) -> bool:
    """Whether the cell is solid or lies outside of the domain."""
    wall = True
    if cell[0] >= 0 and cell[1] >= 0 and cell[0] < solid.shape[0] and cell[1] < solid.shape[1]:
        wall = solid[cell] != 0
    return wall


@ti.func
def is_mixed(c: ti.f64) -> bool:
    """Whether a fraction is neither 0 nor 1."""
    return c > PURE and c < 1.0 - PURE


@ti.func
def is_opposite(a: ti.f64, b: ti.f64) -> bool:
    """Whether one of two fractions is pure 1 and the other pure 0."""
    return (a >= 1.0 - PURE and b <= PURE) or (b >= 1.0 - PURE and a <= PURE)


@ti.func
def normal_at(normals: ti.template(), k: ti.i32, cell: ti.template()):
    """(n_x, n_y) of fraction k, out of it, |n_x| + |n_y| = 1, as `find_normals` left it."""
    return ti.Vector([normals[k, 0, cell[0], cell[1]], normals[k, 1, cell[0], cell[1]]])


@ti.func
def differ(a: ti.f64, b: ti.f64) -> ti.i32:
    """1 where `is_opposite` may hold, without a branch."""
    return ti.select(ti.abs(a - b) > 0.5, 1, 0)


@ti.func
def may_hold_interface(F: ti.template(), k: ti.i32, j: ti.i32, first: ti.i32, end: ti.i32) -> bool:
    """Whether fraction k may be mixed, or next to its opposite, in the cells first .. end - 1 of row j."""
    some = 0
    south, north = ti.max(j - 1, 0), ti.min(j + 1, F.shape[1] - 1)
    for i in range(first, end):
        c = F[k, j, i]
        some += ti.select((c > PURE) & (c < 1.0 - PURE), 1, 0) + differ(c, F[k, south, i]) + differ(c, F[k, north, i])
    for i in range(ti.max(first, 1), end):
        some += differ(F[k, j, i], F[k, j, i - 1])
    for i in range(first, ti.min(end, F.shape[2] - 1)):
        some += differ(F[k, j, i], F[k, j, i + 1])
    return some > 0


@ti.func
def is_interfacial(F: ti.template(), solid: ti.template(), k: ti.i32, j: ti.i32, i: ti.i32) -> bool:
    """Whether a fluid cell is mixed, or pure beside a cell that is pure the other way."""
    c = F[k, j, i]
    answer = is_mixed(c)
    if not answer:
        answer = (
            is_opposite(c, F[k, j, ti.max(i - 1, 0)])
            or is_opposite(c, F[k, j, ti.min(i + 1, F.shape[2] - 1)])
            or is_opposite(c, F[k, ti.max(j - 1, 0), i])
            or is_opposite(c, F[k, ti.min(j + 1, F.shape[1] - 1), i])
        )
    return answer and solid[j, i] == 0


@ti.func
def segment(n_x: ti.f64, n_y: ti.f64, alpha: ti.f64):
    """(x, y, length): middle and length of the line n . x = alpha inside the unit cell with centre 0."""
    m_x, m_y = ti.abs(n_x), ti.abs(n_y)
    minor, major = ti.min(m_x, m_y), ti.max(m_x, m_y)
    a = alpha + 0.5 * (m_x + m_y)  # seen from the corner that the line meets first
    low, high = 0.0, 1.0  # its extent along the axis of the minor component
    if minor > TINY:
        low, high = ti.max(0.0, (a - major) / minor), ti.min(1.0, a / minor)
    along = 0.5 * (low + high)
    across = (a - minor * along) / major
    x, y = along, across
    if m_x > m_y:
        x, y = across, along
    x = x - 0.5 if n_x >= 0.0 else 0.5 - x
    y = y - 0.5 if n_y >= 0.0 else 0.5 - y
    return ti.Vector([x, y, (high - low) * ti.sqrt(1.0 + (minor / major) ** 2)])


@ti.func
def find_normals(serial: ti.template(), F: ti.template(), solid: ti.template(), normals: ti.template()):
    """normals (K, 5, ny, nx): n_x, n_y in interfacial cells, and x, y, length of the `segment` in those that are mixed.

    Nothing is written elsewhere.
    """
    ti.loop_config(serialize=serial)
    for j in range(F.shape[1]):
        for k in range(F.shape[0]):
            for block in range((F.shape[2] + BLOCK - 1) // BLOCK):
                first, end = block * BLOCK, ti.min((block + 1) * BLOCK, F.shape[2])
                if may_hold_interface(F, k, j, first, end):
                    for i in range(first, end):
                        if is_interfacial(F, solid, k, j, i):
                            n = normal(block_of(F, k, k, j, i))
                            normals[k, 0, j, i], normals[k, 1, j, i] = n[0], n[1]
                            if is_mixed(F[k, j, i]):
                                s = segment(n[0], n[1], offset(n[0], n[1], F[k, j, i]))
                                for part in ti.static(range(3)):
                                    normals[k, 2 + part, j, i] = s[part]


@ti.kernel
def normals_of(serial: ti.template(), F: Array3, solid: Mask2, normals: Array4):
    """See `find_normals`."""
    find_normals(serial, F, solid, normals)


@ti.func
def height(F: ti.template(), solid: ti.template(), k: ti.i32, start: ti.template(), out: ti.template()):
    """(height [cells] above the middle of `start` along the step `out`, 1 if it was found, 2 if up to a wall, else 0).

    The column grows both ways until it is pure: empty outwards, full inwards, or until it meets a wall.
    """
    h, found = F[k, start[0], start[1]] - 0.5, 1.0
    for way in range(2):  # outwards, then inwards, where full and empty change their parts
        sign = 1 - 2 * way
        cell = start
        c = F[k, cell[0], cell[1]]
        rest = c if way == 0 else 1.0 - c  # vanishes where the column ends
        steps = 0
        while rest > PURE and found > 0.0:
            cell += sign * out
            if is_wall(solid, cell):
                found = 2.0
                rest = 0.0
            else:
                c = F[k, cell[0], cell[1]]
                further = c if way == 0 else 1.0 - c
                if steps == REACH or further > rest + RIPPLE:
                    found = 0.0
                h += sign * further
                rest = further
                steps += 1
    return ti.Vector([h, found])


@ti.func
def phase_fraction(F: ti.template(), k: ti.i32, cell: ti.template()) -> ti.f64:
    """Fraction of phase k alone."""
    value = 1.0
    if k < F.shape[0]:
        value = F[k, cell[0], cell[1]]
    if k > 0:
        value -= F[k - 1, cell[0], cell[1]]
    return value


@ti.func
def rise_into_wall(F: ti.template(), wetting: ti.template(), k: ti.i32, cell: ti.template()) -> ti.f64:
    """By how many cells the height of fraction k grows from a cell at a wall to the one behind it: cot of the angle.

    The angle is that between the two phases of the cell that fraction k parts, measured through the first of them.
    """
    inner, outer = 0, F.shape[0]
    for i in range(k + 1):
        if phase_fraction(F, i, cell) > PURE:
            inner = i
    for i in range(k + 1, F.shape[0] + 1):
        if outer == F.shape[0] and phase_fraction(F, i, cell) > PURE:
            outer = i
    return wetting[inner, outer]


@ti.func
def from_heights(
    F: ti.template(),
    solid: ti.template(),
    wetting: ti.template(),
    k: ti.i32,
    cell: ti.template(),
    out: ti.template(),
) -> ti.f64:
    """kappa dx = -h'' / (1 + h'^2)^(3/2) of the heights along `out` of the cell's column and the two beside it.

    Behind a wall lies a column whose height goes on at the contact angle (Afkhami & Bussmann 2008); without angles,
    wetting = (False, None), it is its own mirror image: the interface meets walls at a right angle. Where some of the
    columns end at a wall and others before (the foot of a drop) the interface is no graph; where all do, it is a film.
    """
    slope, bend, found, ends = 0.0, 0.0, 1.0, 0
    for side in range(-1, 2):
        if found > 0.0:
            start = cell + side * ti.Vector([out[1], out[0]])
            rise = 0.0
            if is_wall(solid, start):
                start = cell
                if ti.static(wetting[0]):
                    rise = rise_into_wall(F, wetting[1], k, cell)
            column = height(F, solid, k, start, out)
            if ti.static(wetting[0]):
                column[0] += rise
            slope += 0.5 * side * column[0]
            bend += (1 - 3 * (1 - side * side)) * column[0]
            found = column[1]
            ends += 1 if found == 2.0 else 0
    value = ABSENT
    if found > 0.0 and (ends == 0 or ends == 3):
        value = -bend / (1.0 + slope * slope) ** 1.5
    return value


@ti.func
def add_point(A: ti.template(), r: ti.template(), t: ti.f64, n: ti.f64, weight: ti.f64):
    """Add the point (t, n) to the normal equations A (a, b, c) = r of n = a + b t + c (t^2 + n^2)."""
    row = ti.Vector([1.0, t, t * t + n * n])
    A += weight * row.outer_product(row)
    r += weight * n * row


@ti.func
def from_circle(
    F: ti.template(),
    solid: ti.template(),
    normals: ti.template(),
    k: ti.i32,
    cell: ti.template(),
    n: ti.template(),
) -> ti.f64:
    """kappa dx of the least-squares circle or line n = a + b t + c (t^2 + n^2), in the frame of the normal n and the
    tangent t, through the segments around the cell: kappa = -2 c / sqrt(1 + b^2 - 4 a c).

    Its points are the middles of PLIC segments and of faces between full and empty cells, weighted by length.
    """
    size = ti.sqrt(n[0] * n[0] + n[1] * n[1])
    n_x, n_y = n[0] / size, n[1] / size
    A = ti.Matrix.zero(ti.f64, 3, 3)
    r = ti.Vector.zero(ti.f64, 3)
    for dj in range(-FIT, FIT + 1):
        for di in range(-FIT, FIT + 1):
            other = cell + ti.Vector([dj, di])
            if not is_wall(solid, other):
                c = F[k, other[0], other[1]]
                if is_mixed(c):
                    m = normal_at(normals, k, other)
                    if m[0] * n_x + m[1] * n_y > 0.0:  # not the far side of a film
                        x, y = di + normals[k, 2, other[0], other[1]], dj + normals[k, 3, other[0], other[1]]
                        length = normals[k, 4, other[0], other[1]]
                        add_point(A, r, n_x * y - n_y * x, n_x * x + n_y * y, length)
                else:
                    for axis in range(2):
                        beyond = other + ti.Vector([axis, 1 - axis])
                        if not is_wall(solid, beyond):
                            d = F[k, beyond[0], beyond[1]]
                            outwards = (c - d) * (n_y if axis == 1 else n_x)
                            if is_opposite(c, d) and outwards > 0.0:
                                x, y = di + 0.5 * (1 - axis), dj + 0.5 * axis
                                add_point(A, r, n_x * y - n_y * x, n_x * x + n_y * y, 1.0)
    value = ABSENT
    determinant = A.determinant()
    if determinant > 1e-3 * A[0, 0] * A[1, 1] * A[2, 2]:  # three places at least
        a_b_c = A.inverse() @ r
        root = 1.0 + a_b_c[1] * a_b_c[1] - 4.0 * a_b_c[0] * a_b_c[2]
        if root > 0.0:
            value = -2.0 * a_b_c[2] / ti.sqrt(root)
    return value


@ti.func
def curvature_at(
    F: ti.template(),
    solid: ti.template(),
    normals: ti.template(),
    wetting: ti.template(),
    k: ti.i32,
    j: ti.i32,
    i: ti.i32,
):
    """kappa dx of fraction k in an interfacial cell, or ABSENT."""
    cell = ti.Vector([j, i])
    n = normal_at(normals, k, cell)
    value, axis = ABSENT, 0 if ti.abs(n[0]) > ti.abs(n[1]) else 1
    for _ in range(2):
        if value == ABSENT:
            sign = 1 if n[axis] > 0.0 else -1
            value = from_heights(F, solid, wetting, k, cell, sign * ti.Vector([axis, 1 - axis]))
            axis = 1 - axis
    if value == ABSENT:
        value = from_circle(F, solid, normals, k, cell, n)
    if value != ABSENT:
        value = ti.min(ti.max(value, -1.0), 1.0)
    return value


@ti.func
def find_curvatures(
    serial: ti.template(),
    F: ti.template(),
    solid: ti.template(),
    normals: ti.template(),
    wetting: ti.template(),
    kappa: ti.template(),
    dx: ti.f64,
):
    """kappa (K, ny, nx) [1/m] of every fraction in its interfacial cells, ABSENT elsewhere; 1/R in a disc of F = 1.

    A cell is interfacial when it is mixed, or pure beside a cell that is pure the other way. |kappa| <= 1 / dx: nothing
    smaller than a disc of one cell's radius is resolved. ABSENT remains where fewer than three places of the interface
    are near, as in a wisp. Popinet 2009, section 5. normals (K, 5, ny, nx): see `find_normals`. wetting = (True,
    (phases, phases) cot of the contact angle of phase i against phase j, i < j), or (False, None): all 90 degrees.
    """
    find_normals(serial, F, solid, normals)
    ti.loop_config(serialize=serial)
    for j in range(F.shape[1]):
        for k in range(F.shape[0]):
            for block in range((F.shape[2] + BLOCK - 1) // BLOCK):
                first, end = block * BLOCK, ti.min((block + 1) * BLOCK, F.shape[2])
                for i in range(first, end):
                    kappa[k, j, i] = ABSENT
                if may_hold_interface(F, k, j, first, end):
                    for i in range(first, end):
                        if is_interfacial(F, solid, k, j, i):
                            value = curvature_at(F, solid, normals, wetting, k, j, i)
                            kappa[k, j, i] = value if value == ABSENT else value / dx


@ti.kernel
def from_fractions(serial: ti.template(), F: Array3, solid: Mask2, normals: Array4, kappa: Array3, dx: ti.f64):
    """See `find_curvatures`."""
    find_curvatures(serial, F, solid, normals, (False, None), kappa, dx)
