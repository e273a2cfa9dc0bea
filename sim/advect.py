"""Transport of the phases and of momentum by one and the same geometric fluxes.

Volume: split sweeps of Weymouth & Yue 2010. In a sweep along one axis, with Courant numbers U = w dt / dx on the faces,

    F' = F - (G[+] - G[-]) + c (U[+] - U[-]),      c = 1 where F holds the largest phase at the start, else 0,

where G is the volume of a nested fraction F[k] (in cells) that the PLIC plane of the upwind cell sends through a face.
The last term adds up to c div u dt = 0 over both sweeps, so volume is exact, and 0 <= F' <= 1 while sum |U| stays below
the largest fraction in the cell. The planes of a cell are nested, so F[k] <= F[k + 1] holds by the same argument: no
phase becomes negative.

Momentum: the mass flux of a cell face is m = rho_last U + sum (rho_k - rho_{k+1}) G[k]. The staggered volume of a
velocity face consists of half of each of its two cells; its density, its mass fluxes and its dilation are the means of
theirs. A uniform velocity therefore stays uniform exactly, whatever the density ratio (Rudman 1998), and the carried
velocity is a limited upwind value. Everything takes the axis of the sweep at compile time: 0 along x (normal velocity
u), 1 along y (v).

A launch from Python costs about 50 us and 20 us for each array, as much as the work on 128 x 128 cells: so a sweep
is one kernel, and its parts are functions whose loops Taichi runs one after the other, each on all threads.
"""

import taichi as ti

from sim.plic import TINY, Array1, Array2, Array3, Array4, Mask2, area, reconstruct


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
def mark(F: Array3, c: Array3):
    """c[k] = 1 where the phase that fills most of the cell is one of 0 .. k, else 0; frozen over both sweeps.

    For two phases the dilation colour of Weymouth & Yue. The phase that is marked must fill at least sum |U| of its
    cell, or compression could make it negative: see `crowding`.
    """
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            most, largest, below = 0, 0.0, 0.0
            for k in range(F.shape[0] + 1):
                upto = 1.0
                if k < F.shape[0]:
                    upto = F[k, j, i]
                if upto - below >= largest:
                    most, largest = k, upto - below
                below = upto
            for k in range(F.shape[0]):
                c[k, j, i] = 1.0 if k >= most else 0.0


@ti.func
def crowding(F: ti.template(), j: ti.i32, i: ti.i32) -> ti.f64:
    """By how much slower a cell must flow for its crowd of phases: 1/2 over the largest fraction, at least 1."""
    largest, below = 0.0, 0.0
    for k in range(F.shape[0]):
        largest = ti.max(largest, F[k, j, i] - below)
        below = F[k, j, i]
    return 0.5 / ti.min(ti.max(largest, 1.0 - below), 0.5)


@ti.func
def inside(cell: ti.template(), solid: ti.template()) -> bool:
    """Whether the index names a cell of the domain."""
    return cell[0] >= 0 and cell[1] >= 0 and cell[0] < solid.shape[0] and cell[1] < solid.shape[1]


@ti.func
def pure(F: ti.template(), cell: ti.template()) -> bool:
    """Whether the cell holds one phase only."""
    answer = True
    for k in range(F.shape[0]):
        if TINY < F[k, cell[0], cell[1]] < 1.0 - TINY:
            answer = False
    return answer


@ti.func
def find_flux(
    axis: ti.template(),
    F: ti.template(),
    plane: ti.template(),
    solid: ti.template(),
    enter: ti.template(),
    w: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """out[k] = signed volume [cells] of F[k] through every face with normal velocity w in one sweep.

    w is (ny, nx + 1) along x, (ny + 1, nx) along y, and so is every out[k]. What enters from outside of the domain is
    enter (K, 2, ny or nx), before the first and behind the last cell; what a moving solid sends out is what surrounds
    it. A film thinner than its cell would stick to a wall for ever, since its plane never reaches the far face: where
    it leaves a wall at rest for a pure cell, the mean of the cell flows instead.
    """
    e = unit(axis)
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            courant = w[face] * dt_dx
            donor, receiver, behind = face, face - e, face + e
            if courant > 0.0:
                donor, receiver, behind = face - e, face, face - e - e
            if courant == 0.0:
                for k in range(F.shape[0]):
                    out[k, j, i] = 0.0
            elif not inside(donor, solid):
                side, place = (0 if courant > 0.0 else 1), (j if ti.static(axis == 0) else i)
                for k in range(F.shape[0]):
                    out[k, j, i] = courant * enter[k, side, place]
            else:
                whole = solid[donor] != 0
                if not whole and inside(receiver, solid):
                    at_wall = True
                    if inside(behind, solid):
                        at_wall = solid[behind] != 0
                    rests = w[face - e if courant > 0.0 else face + e] == 0.0
                    whole = at_wall and rests and pure(F, receiver)
                for k in range(F.shape[0]):
                    value = F[k, donor[0], donor[1]]
                    volume = courant * value
                    if TINY < value < 1.0 - TINY and not whole:
                        n_along, n_across = plane[k, axis, donor[0], donor[1]], plane[k, 1 - axis, donor[0], donor[1]]
                        thickness = ti.abs(courant)
                        middle = 0.5 * (1.0 - thickness) if courant > 0.0 else 0.5 * (thickness - 1.0)
                        alpha = plane[k, 2, donor[0], donor[1]] - n_along * middle
                        volume = courant * area(n_along * thickness, n_across, alpha)
                    out[k, j, i] = volume


@ti.func
def move(
    axis: ti.template(),
    F: ti.template(),
    c: ti.template(),
    w: ti.template(),
    flux: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """out = F - (G[+] - G[-]) + c (U[+] - U[-]), clipped to 0 <= F[k - 1] <= F[k] <= 1.

    There is nothing to clip but round-off and what the solver's tolerance leaves of div u.
    """
    e = unit(axis)
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            least = 0.0
            for k in range(F.shape[0]):
                gone = flux[k, j + e[0], i + e[1]] - flux[k, j, i]
                value = F[k, j, i] - gone + c[k, j, i] * (w[j + e[0], i + e[1]] - w[j, i]) * dt_dx
                least = ti.min(ti.max(value, least), 1.0)
                out[k, j, i] = least


@ti.func
def weigh(F: ti.template(), jump: ti.template(), out: ti.template()):
    """out = rho_last + sum of jump[k] F[k], where jump[k] = rho_k - rho_{k+1} and jump[K] = rho_last [kg/m^3]."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            rho = jump[F.shape[0]]
            for k in range(F.shape[0]):
                rho += jump[k] * F[k, j, i]
            out[j, i] = rho


@ti.func
def weigh_flux(flux: ti.template(), w: ti.template(), jump: ti.template(), out: ti.template(), dt_dx: ti.f64):
    """out = rho_last U + sum of jump[k] flux[k] [kg/m^3 of a cell]: the mass through every face."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            mass = jump[flux.shape[0]] * w[j, i] * dt_dx
            for k in range(flux.shape[0]):
                mass += jump[k] * flux[k, j, i]
            out[j, i] = mass


@ti.func
def carry_normal(
    axis: ti.template(),
    rho: ti.template(),
    rho_new: ti.template(),
    rho_mark: ti.template(),
    mass: ti.template(),
    w_start: ti.template(),
    w: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """Velocity along the sweep after it: out = (R w - (M[+] w^[+] - M[-] w^[-]) + D w_start) / R_new on inner faces.

    w_start is the velocity at the start of the step (it moves everything), w the one that the sweep before left.
    """
    e = unit(axis)
    last = rho.shape[1 - axis]  # index of the far wall's face
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            t = i if ti.static(axis == 0) else j
            if t == 0 or t == last:
                out[face] = w[face]
            else:
                a, b = face - e, face  # the cells before and behind the face
                mass_a, mass_b = 0.5 * (mass[a] + mass[face]), 0.5 * (mass[face] + mass[face + e])
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
                stretch_a, stretch_b = w_start[face] - w_start[a], w_start[face + e] - w_start[face]
                dilation = 0.5 * dt_dx * (rho_mark[a] * stretch_a + rho_mark[b] * stretch_b)
                old, new = 0.5 * (rho[a] + rho[b]), 0.5 * (rho_new[a] + rho_new[b])
                momentum = old * w[face] - (mass_b * carried_b - mass_a * carried_a) + dilation * w_start[face]
                out[face] = momentum / new


@ti.func
def carry_across(
    axis: ti.template(),
    rho: ti.template(),
    rho_new: ti.template(),
    rho_mark: ti.template(),
    mass: ti.template(),
    w_start: ti.template(),
    q_start: ti.template(),
    q: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """Velocity across the sweep after it, by the same balance; q and out live on the faces of the other axis."""
    e, d = unit(axis), unit(1 - axis)
    size, last = rho.shape[1 - axis], rho.shape[axis]
    for j in range(q.shape[0]):
        for i in range(q.shape[1]):
            face = ti.Vector([j, i])
            t, s = (i, j) if ti.static(axis == 0) else (j, i)
            if s == 0 or s == last:
                out[face] = q[face]
            else:
                a, b = face - d, face  # the cells on both sides; their faces along the sweep are a, a + e and b, b + e
                courant_minus = ti.abs(0.5 * (w_start[a] + w_start[b])) * dt_dx
                courant_plus = ti.abs(0.5 * (w_start[a + e] + w_start[b + e])) * dt_dx
                mass_minus, mass_plus = 0.5 * (mass[a] + mass[b]), 0.5 * (mass[a + e] + mass[b + e])
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
                    carried_minus = upwind(far_left, left, here, courant_minus)
                else:
                    carried_minus = upwind(right, here, left, courant_minus)
                if mass_plus > 0.0:
                    carried_plus = upwind(left, here, right, courant_plus)
                else:
                    carried_plus = upwind(far_right, right, here, courant_plus)
                stretch_a, stretch_b = w_start[a + e] - w_start[a], w_start[b + e] - w_start[b]
                dilation = 0.5 * dt_dx * (rho_mark[a] * stretch_a + rho_mark[b] * stretch_b)
                old, new = 0.5 * (rho[a] + rho[b]), 0.5 * (rho_new[a] + rho_new[b])
                momentum = (
                    old * here - (mass_plus * carried_plus - mass_minus * carried_minus) + dilation * q_start[face]
                )
                out[face] = momentum / new


@ti.kernel
def sweep_volume(
    axis: ti.template(),
    F: Array3,
    F_new: Array3,
    plane: Array4,
    solid: Mask2,
    enter: Array3,
    c: Array3,
    w: Array2,
    flux: Array3,
    dt_dx: ti.f64,
):
    """One sweep of the phases alone, by the given normal velocity w."""
    reconstruct(F, plane)
    find_flux(axis, F, plane, solid, enter, w, flux, dt_dx)
    move(axis, F, c, w, flux, F_new, dt_dx)


@ti.kernel
def sweep(
    axis: ti.template(),
    F: Array3,
    F_new: Array3,
    plane: Array4,
    solid: Mask2,
    enter: Array3,
    c: Array3,
    w_start: Array2,
    flux: Array3,
    w: Array2,
    w_new: Array2,
    q_start: Array2,
    q: Array2,
    q_new: Array2,
    jump: Array1,
    rho: Array2,
    rho_new: Array2,
    rho_mark: Array2,
    mass: Array2,
    dt_dx: ti.f64,
):
    """One sweep of phases and momentum: F, w (along) and q (across) into F_new, w_new and q_new.

    w_start and q_start are the velocities at the start of the step, w and q what the sweep before has left of them;
    plane, flux, mass and the three rho are work space. jump: see `weigh` [kg/m^3];  dt_dx [s/m].
    """
    reconstruct(F, plane)
    find_flux(axis, F, plane, solid, enter, w_start, flux, dt_dx)
    move(axis, F, c, w_start, flux, F_new, dt_dx)
    weigh(F, jump, rho)
    weigh(F_new, jump, rho_new)
    weigh(c, jump, rho_mark)
    weigh_flux(flux, w_start, jump, mass, dt_dx)
    carry_normal(axis, rho, rho_new, rho_mark, mass, w_start, w, w_new, dt_dx)
    carry_across(axis, rho, rho_new, rho_mark, mass, w_start, q_start, q, q_new, dt_dx)
