"""The iteration of the viscous step on a CPU, as one compiled call without Python's lock; see viscosity.py.

All arrays are flat: both components one after the other, (2 M,), or one plane, (M,), with M = (ny + 2) (nx + 2) places
and `row` = nx + 2 of them in a row. p is 0 on prescribed faces, and so is `inverse`: what q holds there is not read.
"""

from __future__ import annotations

from precond.compiled.jit import kernel


@kernel
def product(p, mass, cell, corner, along, tau, q, row):
    """q = A p with the stresses in `along` (2 M,) and `tau` (M,); returns p . q."""
    M = cell.size
    u, v, au, av = p[:M], p[M:], along[:M], along[M:]
    corner_u, corner_v = corner[:M], corner[M:]
    east, north = u[1:], v[row:]
    for k in range(M - 1):
        au[k] = cell[k] * (east[k] - u[k])
    for k in range(M - row):
        av[k] = cell[k] * (north[k] - v[k])
    below, west = u, v[row - 1 :]
    shear, cu, cv, here, there = tau[row:], corner_u[row:], corner_v[row:], u[row:], v[row:]
    for k in range(M - row):
        shear[k] = cu[k] * (here[k] - below[k]) + cv[k] * (there[k] - west[k])
    total = 0.0
    a, before, t, above, m, o, w = au[1:], au, tau[1:], tau[1 + row :], mass[1:M], q[1:M], u[1:]
    for k in range(M - row - 1):
        value = t[k] - a[k] + before[k] - above[k] + m[k] * w[k]
        o[k] = value
        total += value * w[k]
    a, before, t, beside, m, o, w = av[row:], av, tau[row:], tau[row + 1 :], mass[M + row :], q[M + row :], v[row:]
    for k in range(M - row - 1):
        value = t[k] - a[k] + before[k] - beside[k] + m[k] * w[k]
        o[k] = value
        total += value * w[k]
    return total


@kernel
def iterate(x, p, q, r, b, inverse, mass, cell, corner, along, tau, row, rtol, smallest, limit):
    """Conjugate gradients from x and r = b - A x; returns the iterations, r . M r, and b . M b, with M = `inverse`.

    Ends where r . M r <= rtol^2 b . M b, at the limit, or where a number is no longer finite.
    """
    norm, now = 0.0, 0.0
    for k in range(b.size):
        norm += b[k] * b[k] * inverse[k]
        p[k] = inverse[k] * r[k]
        now += r[k] * p[k]
    along[:] = 0.0
    tau[:] = 0.0
    target, iterations = max(rtol * rtol * norm, smallest), 0
    while now > target and iterations < limit:
        alpha = now / product(p, mass, cell, corner, along, tau, q, row)
        last, now = now, 0.0
        for k in range(x.size):
            x[k] += alpha * p[k]
            r[k] -= alpha * q[k]
            now += r[k] * r[k] * inverse[k]
        beta = now / last
        for k in range(x.size):
            p[k] = inverse[k] * r[k] + beta * p[k]
        iterations += 1
    return iterations, now, norm
