"""What the user's brush does to the fluid: capsules around a stroke from (x0, y0) to (x1, y1) [m]."""

import taichi as ti

from sim.kernels.plic import Array2, Array3, Mask2


@ti.func
def distance(x: ti.f64, y: ti.f64, x0: ti.f64, y0: ti.f64, x1: ti.f64, y1: ti.f64) -> ti.f64:
    """Distance [m] of a point from the segment."""
    along_x, along_y = x1 - x0, y1 - y0
    square = along_x * along_x + along_y * along_y
    t = 0.0
    if square > 0.0:
        t = ti.min(ti.max(((x - x0) * along_x + (y - y0) * along_y) / square, 0.0), 1.0)
    return ti.sqrt((x - x0 - t * along_x) ** 2 + (y - y0 - t * along_y) ** 2)


@ti.kernel
def push(
    u: Array2,
    v: Array2,
    x0: ti.f64,
    y0: ti.f64,
    x1: ti.f64,
    y1: ti.f64,
    radius: ti.f64,
    to_u: ti.f64,
    to_v: ti.f64,
    dx: ti.f64,
):
    """Blend the velocity towards (to_u, to_v) [m/s], fully on the stroke's axis, not at all from `radius` on."""
    for j in range(u.shape[0]):
        for i in range(u.shape[1]):
            r = distance(i * dx, (j + 0.5) * dx, x0, y0, x1, y1) / radius
            if r < 1.0:
                weight = (1.0 - r * r) ** 2
                u[j, i] += weight * (to_u - u[j, i])
    for j in range(v.shape[0]):
        for i in range(v.shape[1]):
            r = distance((i + 0.5) * dx, j * dx, x0, y0, x1, y1) / radius
            if r < 1.0:
                weight = (1.0 - r * r) ** 2
                v[j, i] += weight * (to_v - v[j, i])


@ti.kernel
def pour(
    F: Array3, solid: Mask2, x0: ti.f64, y0: ti.f64, x1: ti.f64, y1: ti.f64, radius: ti.f64, phase: ti.i32, dx: ti.f64
):
    """Replace the fluid in the capsule by this phase.

    The edge is one cell wide, so that what is poured is round.
    """
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            if solid[j, i] == 0:
                r = distance((i + 0.5) * dx, (j + 0.5) * dx, x0, y0, x1, y1)
                weight = ti.min(ti.max((radius - r) / dx + 0.5, 0.0), 1.0)
                for k in range(F.shape[0]):
                    target = 1.0 if k >= phase else 0.0
                    F[k, j, i] += weight * (target - F[k, j, i])


@ti.kernel
def wall(
    F: Array3, solid: Mask2, x0: ti.f64, y0: ti.f64, x1: ti.f64, y1: ti.f64, radius: ti.f64, state: ti.i32, dx: ti.f64
):
    """Make cells whose centre lies in the capsule wall (state 1), or fluid of the last phase (state 0)."""
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            if distance((i + 0.5) * dx, (j + 0.5) * dx, x0, y0, x1, y1) < radius:
                if state == 1:
                    solid[j, i] = ti.u8(1)
                elif solid[j, i] != 0:
                    solid[j, i] = ti.u8(0)
                    for k in range(F.shape[0]):
                        F[k, j, i] = 0.0
