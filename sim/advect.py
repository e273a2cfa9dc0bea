"""Transport of the phases and of momentum by one and the same geometric fluxes.

Volume: split sweeps of Weymouth & Yue 2010. In a sweep along one axis, with Courant numbers U = w dt / dx on the faces,

    f' = f - (F[+] - F[-]) + c (U[+] - U[-]),      c = 1 where f > 1/2 at the start of the step, else 0,

where F is the volume of phase 0 (in cells) that the PLIC plane of the upwind cell sends through a face. The last term
adds up to c div u dt = 0 over both sweeps, so volume is exact, and 0 <= f' <= 1 while sum |U| < 1/2.

Momentum: the mass flux of a cell face is m = rho0 F + rho1 (U - F). The staggered volume of a velocity face consists of
half of each of its two cells; its density, its mass fluxes and its dilation are the means of theirs. A uniform velocity
therefore stays uniform exactly, whatever the density ratio (Rudman 1998), and the carried velocity is a limited
upwind value. Everything takes the axis of the sweep at compile time: 0 along x (normal velocity u), 1 along y (v).

A launch from Python costs about 50 us and 20 us for each array, as much as the work on 128 x 128 cells: so a sweep
is one kernel, and its parts are functions whose loops Taichi runs one after the other, each on all threads.
"""

import taichi as ti

from sim.plic import TINY, Array2, Array3, Mask2, area, reconstruct


@ti.func
def unit(axis: ti.template()):
    """Index step of one cell along the axis."""
    return ti.Vector([0, 1]) if ti.static(axis == 0) else ti.Vector([1, 0])


@ti.func
def van_leer(a: ti.f64, b: ti.f64) -> ti.f64:
    """Slope between the differences a and b: their harmonic mean, 0 at an extremum (van Leer 1974)."""
    return 2.0 * a * b / (a + b) if a * b > 0.0 else 0.0


@ti.func
def upwind(far: ti.f64, donor: ti.f64, receiver: ti.f64, courant: ti.f64) -> ti.f64:
    """Value that a flux of the given Courant number carries from `donor` to `receiver`, second order where smooth."""
    return donor + 0.5 * (1.0 - courant) * van_leer(donor - far, receiver - donor)


@ti.kernel
def mark(f: Array2, c: Array2):
    """c = 1 where f > 1/2, else 0: the dilation colour of Weymouth & Yue, frozen over both sweeps."""
    for j in range(f.shape[0]):
        for i in range(f.shape[1]):
            c[j, i] = 1.0 if f[j, i] > 0.5 else 0.0


@ti.func
def inside(cell: ti.template(), f: ti.template()) -> bool:
    """Whether the index names a cell of the domain."""
    return cell[0] >= 0 and cell[1] >= 0 and cell[0] < f.shape[0] and cell[1] < f.shape[1]


@ti.func
def find_flux(
    axis: ti.template(),
    f: ti.template(),
    plane: ti.template(),
    solid: ti.template(),
    w: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """out = signed volume [cells] of phase 0 through every face with normal velocity w in one sweep.

    w and out are (ny, nx + 1) along x, (ny + 1, nx) along y. What enters from outside of the domain is the last phase.
    A film thinner than its cell would stick to a wall for ever, since its plane never reaches the far face: where it
    leaves the wall for a pure cell, the mean of the cell flows instead.
    """
    e = unit(axis)
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            courant = w[face] * dt_dx
            donor, receiver, behind = face, face - e, face + e
            if courant > 0.0:
                donor, receiver, behind = face - e, face, face - e - e
            volume = 0.0
            if courant != 0.0 and inside(donor, f):
                c = f[donor]
                at_wall = True
                if inside(behind, f):
                    at_wall = solid[behind] != 0
                into_pure = False
                if inside(receiver, f):
                    into_pure = f[receiver] < TINY or f[receiver] > 1.0 - TINY
                if TINY < c < 1.0 - TINY and not (at_wall and into_pure):
                    n_along, n_across = plane[axis, donor[0], donor[1]], plane[1 - axis, donor[0], donor[1]]
                    thickness = ti.abs(courant)
                    middle = 0.5 * (1.0 - thickness) if courant > 0.0 else 0.5 * (thickness - 1.0)
                    alpha = plane[2, donor[0], donor[1]] - n_along * middle
                    volume = courant * area(n_along * thickness, n_across, alpha)
                else:
                    volume = courant * c
            out[face] = volume


@ti.func
def move(
    axis: ti.template(),
    f: ti.template(),
    c: ti.template(),
    w: ti.template(),
    flux: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """out = f - (F[+] - F[-]) + c (U[+] - U[-]), clipped to [0, 1] (round-off and the solver's tolerance only)."""
    e = unit(axis)
    for j in range(f.shape[0]):
        for i in range(f.shape[1]):
            cell = ti.Vector([j, i])
            value = f[cell] - (flux[cell + e] - flux[cell]) + c[cell] * (w[cell + e] - w[cell]) * dt_dx
            out[cell] = ti.min(ti.max(value, 0.0), 1.0)


@ti.func
def carry_normal(
    axis: ti.template(),
    f: ti.template(),
    f_new: ti.template(),
    c: ti.template(),
    flux: ti.template(),
    w_start: ti.template(),
    w: ti.template(),
    out: ti.template(),
    rho0: ti.f64,
    rho1: ti.f64,
    dt_dx: ti.f64,
):
    """Velocity along the sweep after it: out = (R w - (M[+] w^[+] - M[-] w^[-]) + D w_start) / R_new on inner faces.

    w_start is the velocity at the start of the step (it moves everything), w the one that the sweep before left.
    """
    e = unit(axis)
    last = f.shape[1 - axis]  # index of the far wall's face
    rho = rho0 - rho1
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            t = i if ti.static(axis == 0) else j
            if t == 0 or t == last:
                out[face] = w[face]
            else:
                a, b = face - e, face  # the cells before and behind the face
                m_before = rho * flux[a] + rho1 * w_start[a] * dt_dx
                m_here = rho * flux[face] + rho1 * w_start[face] * dt_dx
                m_behind = rho * flux[face + e] + rho1 * w_start[face + e] * dt_dx
                mass_a, mass_b = 0.5 * (m_before + m_here), 0.5 * (m_here + m_behind)
                courant_a = ti.abs(0.5 * (w_start[a] + w_start[face])) * dt_dx
                courant_b = ti.abs(0.5 * (w_start[face] + w_start[face + e])) * dt_dx
                far_a, far_b = w[a], w[face + e]  # two faces away; at a wall the difference counts as 0
                if t > 1:
                    far_a = w[a - e]
                if t < last - 1:
                    far_b = w[face + e + e]
                carried_a, carried_b = 0.0, 0.0
                if mass_a > 0.0:
                    carried_a = upwind(far_a, w[a], w[face], courant_a)
                else:
                    carried_a = upwind(w[face + e], w[face], w[a], courant_a)
                if mass_b > 0.0:
                    carried_b = upwind(w[a], w[face], w[face + e], courant_b)
                else:
                    carried_b = upwind(far_b, w[face + e], w[face], courant_b)
                rho_c_a, rho_c_b = rho1 + rho * c[a], rho1 + rho * c[b]
                dilation = (
                    0.5
                    * dt_dx
                    * (rho_c_a * (w_start[face] - w_start[a]) + rho_c_b * (w_start[face + e] - w_start[face]))
                )
                old, new = rho1 + rho * 0.5 * (f[a] + f[b]), rho1 + rho * 0.5 * (f_new[a] + f_new[b])
                momentum = old * w[face] - (mass_b * carried_b - mass_a * carried_a) + dilation * w_start[face]
                out[face] = momentum / new


@ti.func
def carry_across(
    axis: ti.template(),
    f: ti.template(),
    f_new: ti.template(),
    c: ti.template(),
    flux: ti.template(),
    w_start: ti.template(),
    q_start: ti.template(),
    q: ti.template(),
    out: ti.template(),
    rho0: ti.f64,
    rho1: ti.f64,
    dt_dx: ti.f64,
):
    """Velocity across the sweep after it, by the same balance; q and out live on the faces of the other axis."""
    e, d = unit(axis), unit(1 - axis)
    size, last = f.shape[1 - axis], f.shape[axis]
    rho = rho0 - rho1
    for j in range(q.shape[0]):
        for i in range(q.shape[1]):
            face = ti.Vector([j, i])
            t, s = (i, j) if ti.static(axis == 0) else (j, i)
            if s == 0 or s == last:
                out[face] = q[face]
            else:
                a, b = face - d, face  # the cells on both sides; their faces along the sweep are a, a + e and b, b + e
                u_minus, u_plus = (
                    0.5 * (w_start[a] + w_start[b]) * dt_dx,
                    0.5 * (w_start[a + e] + w_start[b + e]) * dt_dx,
                )
                mass_minus = 0.5 * rho * (flux[a] + flux[b]) + rho1 * u_minus
                mass_plus = 0.5 * rho * (flux[a + e] + flux[b + e]) + rho1 * u_plus
                here = q[face]
                left, right = here, here  # beyond a wall: its mirror image, free slip
                if t > 0:
                    left = q[face - e]
                if t < size - 1:
                    right = q[face + e]
                far_left, far_right = left, right
                if t > 1:
                    far_left = q[face - e - e]
                if t < size - 2:
                    far_right = q[face + e + e]
                carried_minus, carried_plus = 0.0, 0.0
                if mass_minus > 0.0:
                    carried_minus = upwind(far_left, left, here, ti.abs(u_minus))
                else:
                    carried_minus = upwind(right, here, left, ti.abs(u_minus))
                if mass_plus > 0.0:
                    carried_plus = upwind(left, here, right, ti.abs(u_plus))
                else:
                    carried_plus = upwind(far_right, right, here, ti.abs(u_plus))
                rho_c_a, rho_c_b = rho1 + rho * c[a], rho1 + rho * c[b]
                dilation = (
                    0.5 * dt_dx * (rho_c_a * (w_start[a + e] - w_start[a]) + rho_c_b * (w_start[b + e] - w_start[b]))
                )
                old, new = rho1 + rho * 0.5 * (f[a] + f[b]), rho1 + rho * 0.5 * (f_new[a] + f_new[b])
                momentum = (
                    old * here - (mass_plus * carried_plus - mass_minus * carried_minus) + dilation * q_start[face]
                )
                out[face] = momentum / new


@ti.kernel
def sweep_volume(
    axis: ti.template(),
    f: Array2,
    f_new: Array2,
    plane: Array3,
    solid: Mask2,
    c: Array2,
    w: Array2,
    flux: Array2,
    dt_dx: ti.f64,
):
    """One sweep of the phases alone, by the given normal velocity w."""
    reconstruct(f, plane)
    find_flux(axis, f, plane, solid, w, flux, dt_dx)
    move(axis, f, c, w, flux, f_new, dt_dx)


@ti.kernel
def sweep(
    axis: ti.template(),
    f: Array2,
    f_new: Array2,
    plane: Array3,
    solid: Mask2,
    c: Array2,
    w_start: Array2,
    flux: Array2,
    w: Array2,
    w_new: Array2,
    q_start: Array2,
    q: Array2,
    q_new: Array2,
    rho0: ti.f64,
    rho1: ti.f64,
    dt_dx: ti.f64,
):
    """One sweep of phases and momentum: f, w (along) and q (across) into f_new, w_new and q_new.

    w_start and q_start are the velocities at the start of the step, w and q what the sweep before has left of them;
    plane and flux are work space. rho0, rho1 [kg/m^3];  dt_dx [s/m].
    """
    reconstruct(f, plane)
    find_flux(axis, f, plane, solid, w_start, flux, dt_dx)
    move(axis, f, c, w_start, flux, f_new, dt_dx)
    carry_normal(axis, f, f_new, c, flux, w_start, w, w_new, rho0, rho1, dt_dx)
    carry_across(axis, f, f_new, c, flux, w_start, q_start, q, q_new, rho0, rho1, dt_dx)
