"""The pressure system of one step, written straight into a PoissonSystem, and the correction that it stands for.

    beta = dt / (rho_face dx^2),   rho_face = mean of the two cells,   b = -div u*,   A p = b
    u = u* - beta dx (p_i - p_{i-1})                                   (so that div u = -(A p - b) = 0)

Walls and faces of solids have beta = 0 and move as told (0, an inlet's velocity or a moving solid's). An open top is
p = 0 on the top face: half a cell away, beta doubles.
"""

import taichi as ti

from sim.advect import crowding
from sim.advect import weigh as weigh_cells
from sim.plic import Array1, Array2, Array3, Mask2


@ti.kernel
def weigh(F: Array3, jump: Array1, out: Array2):
    """out = jump[K] + sum of jump[k] F[k], (ny, nx): density or viscosity of the mixture; see sim.advect."""
    weigh_cells(F, jump, out)


@ti.kernel
def coefficients(
    rho: Array2,
    solid: Mask2,
    wall_u: Array2,
    wall_v: Array2,
    u: Array2,
    v: Array2,
    beta_x: Array2,
    beta_y: Array2,
    dt: ti.f64,
    dx: ti.f64,
    open_top: ti.i32,
):
    """Fill beta_x (ny, nx + 1) and beta_y (ny + 1, nx); wall faces take the velocities of wall_u and wall_v."""
    ny, nx = rho.shape[0], rho.shape[1]
    scale = dt / (dx * dx)
    for j in range(ny):
        for i in range(nx + 1):
            beta = 0.0
            if 0 < i < nx:
                if solid[j, i - 1] == 0 and solid[j, i] == 0:
                    beta = scale / (0.5 * (rho[j, i - 1] + rho[j, i]))
            if beta == 0.0:
                u[j, i] = wall_u[j, i]
            beta_x[j, i] = beta
    for j in range(ny + 1):
        for i in range(nx):
            beta = 0.0
            if 0 < j < ny:
                if solid[j - 1, i] == 0 and solid[j, i] == 0:
                    beta = scale / (0.5 * (rho[j - 1, i] + rho[j, i]))
            elif j == ny and open_top != 0:
                if solid[j - 1, i] == 0:
                    beta = 2.0 * scale / rho[j - 1, i]
            if beta == 0.0:
                v[j, i] = wall_v[j, i]
            beta_y[j, i] = beta


@ti.kernel
def divergence(u: Array2, v: Array2, b: Array2, dx: ti.f64):
    """b = -div u [1/s] of every cell, (ny, nx)."""
    for j in range(b.shape[0]):
        for i in range(b.shape[1]):
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


NUMBERS = 6  # of a row besides the volumes


@ti.kernel
def survey(F: Array3, rho: Array2, solid: Mask2, u: Array2, v: Array2, rows: Array2, dx: ti.f64):
    """One line of numbers for each row of cells, to be reduced in a fixed order (atomics would not repeat bit for bit).

    rows[j] = (max |u|_1 times `crowding` [m/s], max |div u| [1/s], max speed [m/s], volume of all fluid [m^2],
               kinetic energy [J/m], potential energy / g [kg], then the volume of every nested fraction [m^2])
    """
    ny, nx = rho.shape[0], rho.shape[1]
    cell = dx * dx
    for j in range(ny):
        courant, divergence_max, speed, fluid, kinetic, potential = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(F.shape[0]):
            rows[j, NUMBERS + k] = 0.0
        for i in range(nx):
            if solid[j, i] == 0:
                w, e, s, n = u[j, i], u[j, i + 1], v[j, i], v[j + 1, i]
                sum_of_axes = ti.max(ti.abs(w), ti.abs(e)) + ti.max(ti.abs(s), ti.abs(n))
                courant = ti.max(courant, sum_of_axes * crowding(F, j, i))
                divergence_max = ti.max(divergence_max, ti.abs(e - w + n - s) / dx)
                square = 0.5 * (w * w + e * e + s * s + n * n)
                speed = ti.max(speed, ti.sqrt(square))
                fluid += 1.0
                kinetic += 0.5 * rho[j, i] * square
                potential += rho[j, i] * (j + 0.5) * dx
                for k in range(F.shape[0]):
                    rows[j, NUMBERS + k] += cell * F[k, j, i]
        rows[j, 0], rows[j, 1], rows[j, 2] = courant, divergence_max, speed
        rows[j, 3], rows[j, 4], rows[j, 5] = fluid * cell, kinetic * cell, potential * cell
