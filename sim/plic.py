"""Piecewise linear interfaces (PLIC) in the unit cell, and their reconstruction from volume fractions.

In a cell with centre 0 and side 1, phase 0 fills {x : n . x <= alpha}, with |n_x| + |n_y| = 1 and n pointing out of it.
Area and its inverse: Scardovelli & Zaleski 2000. Normals: mixed Youngs-centred, Aulisa et al. 2007.
"""

import taichi as ti

Array2 = ti.types.ndarray(dtype=ti.f64, ndim=2)
Array3 = ti.types.ndarray(dtype=ti.f64, ndim=3)
Mask2 = ti.types.ndarray(dtype=ti.u8, ndim=2)

TINY = 1e-12  # fractions closer than this to 0 or 1 count as pure: their plane would be decided by round-off


@ti.func
def area(n_x: ti.f64, n_y: ti.f64, alpha: ti.f64) -> ti.f64:
    """Fraction of the unit cell where n . x <= alpha; n need not be normalised but must not vanish."""
    size = ti.abs(n_x) + ti.abs(n_y)
    minor = ti.min(ti.abs(n_x), ti.abs(n_y)) / size
    major = 1.0 - minor
    a = ti.min(ti.max(alpha / size + 0.5, 0.0), 1.0)  # distance from the corner the plane meets first
    b = ti.min(a, 1.0 - a)
    small = 0.0
    if b < minor:
        small = b * b / (2.0 * minor * major)
    else:
        small = (b - 0.5 * minor) / major
    return small if a <= 0.5 else 1.0 - small


@ti.func
def offset(n_x: ti.f64, n_y: ti.f64, fraction: ti.f64) -> ti.f64:
    """alpha of the plane with normal n, |n_x| + |n_y| = 1, that fills `fraction` of the cell: the inverse of `area`."""
    minor = ti.min(ti.abs(n_x), ti.abs(n_y))
    major = 1.0 - minor
    small = ti.min(fraction, 1.0 - fraction)
    b = 0.0
    if small < minor / (2.0 * major):
        b = ti.sqrt(2.0 * minor * major * small)
    else:
        b = small * major + 0.5 * minor
    return b - 0.5 if fraction <= 0.5 else 0.5 - b


@ti.func
def clamp(value: ti.i32, size: ti.i32) -> ti.i32:
    """Index of the cell itself, or of its mirror image when it lies one cell outside of the domain."""
    return ti.min(ti.max(value, 0), size - 1)


@ti.func
def reconstruct(f: ti.template(), plane: ti.template()):
    """plane[:, j, i] = (n_x, n_y, alpha) of every mixed cell of the fractions f (ny, nx); pure cells are left alone."""
    ny, nx = f.shape[0], f.shape[1]
    for j in range(ny):
        for i in range(nx):
            c = f[j, i]
            if TINY < c < 1.0 - TINY:
                s, n, w, e = clamp(j - 1, ny), clamp(j + 1, ny), clamp(i - 1, nx), clamp(i + 1, nx)
                sw, ss, se = f[s, w], f[s, i], f[s, e]
                ww, ee = f[j, w], f[j, e]
                nw, nn, ne = f[n, w], f[n, i], f[n, e]
                # Slope of the column (row) sums: exact for a line that leaves through the sides of the 3x3 block.
                n_x = 0.5 * (sw + ww + nw - se - ee - ne)
                n_y = 0.5 * (sw + ss + se - nw - nn - ne)
                # Youngs: the gradient of the corner averages, better where the interface bends within the block.
                y_x = sw + 2.0 * ww + nw - se - 2.0 * ee - ne
                y_y = sw + 2.0 * ss + se - nw - 2.0 * nn - ne
                if ti.abs(n_x) <= ti.abs(n_y):
                    n_y = 1.0 if n_y > 0.0 else -1.0
                    if ti.abs(y_x) > ti.abs(n_x) * ti.abs(y_y):
                        n_x, n_y = y_x, y_y
                else:
                    n_x = 1.0 if n_x > 0.0 else -1.0
                    if ti.abs(y_y) > ti.abs(n_y) * ti.abs(y_x):
                        n_x, n_y = y_x, y_y
                size = ti.abs(n_x) + ti.abs(n_y)
                n_x /= size
                n_y /= size
                plane[0, j, i] = n_x
                plane[1, j, i] = n_y
                plane[2, j, i] = offset(n_x, n_y, c)


@ti.kernel
def extend_into_solid(f: Array2, solid: Mask2):
    """Give every solid cell the mean fraction of its fluid neighbours: interfaces meet walls at a right angle."""
    ny, nx = f.shape[0], f.shape[1]
    for j in range(ny):
        for i in range(nx):
            if solid[j, i] != 0:
                total, count = 0.0, 0
                for dj in ti.static(range(-1, 2)):
                    for di in ti.static(range(-1, 2)):
                        k, m = clamp(j + dj, ny), clamp(i + di, nx)
                        if solid[k, m] == 0:
                            total += f[k, m]
                            count += 1
                if count > 0:
                    f[j, i] = total / count
