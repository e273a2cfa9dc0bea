"""The pressure system of one step, written straight into a PoissonSystem, and the correction that it stands for.

    beta = dt / (rho_face dx^2),   rho_face = mean of the two cells,   b = -div u*,   A p = b
    u = u* - beta dx (p_i - p_{i-1})                                   (so that div u = -(A p - b) = 0)

Walls and faces of solids have beta = 0 and u = 0. An open top is p = 0 on the top face: half a cell away, beta doubles.
"""

import taichi as ti

from sim.plic import Array2, Mask2


@ti.kernel
def assemble(
    f: Array2,
    solid: Mask2,
    u: Array2,
    v: Array2,
    beta_x: Array2,
    beta_y: Array2,
    b: Array2,
    rho0: ti.f64,
    rho1: ti.f64,
    dt: ti.f64,
    dx: ti.f64,
    open_top: ti.i32,
):
    """Fill beta_x (ny, nx + 1), beta_y (ny + 1, nx) and b (ny, nx) [1/s]; velocities of wall faces become 0."""
    ny, nx = f.shape[0], f.shape[1]
    scale = dt / (dx * dx)
    for j in range(ny):
        for i in range(nx + 1):
            beta = 0.0
            if 0 < i < nx:
                if solid[j, i - 1] == 0 and solid[j, i] == 0:
                    beta = scale / (rho1 + (rho0 - rho1) * 0.5 * (f[j, i - 1] + f[j, i]))
            if beta == 0.0:
                u[j, i] = 0.0
            beta_x[j, i] = beta
    for j in range(ny + 1):
        for i in range(nx):
            beta = 0.0
            if 0 < j < ny:
                if solid[j - 1, i] == 0 and solid[j, i] == 0:
                    beta = scale / (rho1 + (rho0 - rho1) * 0.5 * (f[j - 1, i] + f[j, i]))
            elif j == ny and open_top != 0:
                if solid[j - 1, i] == 0:
                    beta = 2.0 * scale / (rho1 + (rho0 - rho1) * f[j - 1, i])
            if beta == 0.0:
                v[j, i] = 0.0
            beta_y[j, i] = beta
    for j in range(ny):
        for i in range(nx):
            b[j, i] = -(u[j, i + 1] - u[j, i] + v[j + 1, i] - v[j, i]) / dx


@ti.kernel
def correct(u: Array2, v: Array2, p: Array2, beta_x: Array2, beta_y: Array2, dx: ti.f64):
    """u -= beta dx dp on every face; outside of an open top p = 0."""
    ny, nx = p.shape[0], p.shape[1]
    for j in range(ny):
        for i in range(1, nx):
            u[j, i] -= beta_x[j, i] * dx * (p[j, i] - p[j, i - 1])
    for j in range(1, ny + 1):
        for i in range(nx):
            above = 0.0
            if j < ny:
                above = p[j, i]
            v[j, i] -= beta_y[j, i] * dx * (above - p[j - 1, i])


@ti.kernel
def survey(f: Array2, solid: Mask2, u: Array2, v: Array2, rows: Array2, rho0: ti.f64, rho1: ti.f64, dx: ti.f64):
    """One line of numbers for each row of cells, to be reduced in a fixed order (atomics would not repeat bit for bit).

    rows[j] = (max |u|_1 [m/s], max |div u| [1/s], max speed [m/s], volume of phase 0, of all fluid [m^2],
               kinetic energy [J/m], potential energy / g [kg])
    """
    ny, nx = f.shape[0], f.shape[1]
    for j in range(ny):
        courant, divergence, speed, volume, fluid, kinetic, potential = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(nx):
            if solid[j, i] == 0:
                w, e, s, n = u[j, i], u[j, i + 1], v[j, i], v[j + 1, i]
                courant = ti.max(courant, ti.max(ti.abs(w), ti.abs(e)) + ti.max(ti.abs(s), ti.abs(n)))
                divergence = ti.max(divergence, ti.abs(e - w + n - s) / dx)
                square = 0.5 * (w * w + e * e + s * s + n * n)
                speed = ti.max(speed, ti.sqrt(square))
                rho = rho1 + (rho0 - rho1) * f[j, i]
                volume += f[j, i]
                fluid += 1.0
                kinetic += 0.5 * rho * square
                potential += rho * (j + 0.5) * dx
        cell = dx * dx
        rows[j, 0], rows[j, 1], rows[j, 2] = courant, divergence, speed
        rows[j, 3], rows[j, 4], rows[j, 5], rows[j, 6] = volume * cell, fluid * cell, kinetic * cell, potential * cell
