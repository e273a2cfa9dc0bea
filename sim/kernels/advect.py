"""Transport of the phases and of momentum by the same geometric fluxes.

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

A launch from Python costs about 20 us and 30 us for each array, and a loop on several threads 130 us, as much as its
work on 128 x 128 cells: so a sweep is one kernel, whose parts are functions that Taichi runs one after the other, few
cells are left to one thread, and densities are summed up where they are needed, the number of phases being known when
the kernel is compiled.
"""

import taichi as ti

from sim.kernels.plic import TINY, Array1, Array2, Array3, Array4, Mask2, area, reconstruct


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


@ti.func
def mark(plan: ti.template(), F: ti.template(), c: ti.template()):
    """c[k] = 1 where the phase that fills most of the cell is one of 0 .. k, else 0; F is that of the step's start.

    For two phases the dilation colour of Weymouth & Yue. The phase that is marked must fill at least sum |U| of its
    cell, or compression could make it negative: see `crowding`.
    """
    ti.loop_config(serialize=plan.serial)
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            most, largest, below = 0, 0.0, 0.0
            for k in ti.static(range(plan.count)):
                if F[k, j, i] - below >= largest:
                    most, largest = k, F[k, j, i] - below
                below = F[k, j, i]
            if 1.0 - below >= largest:
                most = plan.count
            for k in ti.static(range(plan.count)):
                c[k, j, i] = 1.0 if k >= most else 0.0


@ti.func
def crowding(plan: ti.template(), F: ti.template(), j: ti.i32, i: ti.i32) -> ti.f64:
    """Factor by which a cell's Courant number must be smaller: 1/2 over its largest fraction, at least 1."""
    largest, below = 0.0, 0.0
    for k in ti.static(range(plan.count)):
        largest = ti.max(largest, F[k, j, i] - below)
        below = F[k, j, i]
    return 0.5 / ti.min(ti.max(largest, 1.0 - below), 0.5)


@ti.func
def inside(cell: ti.template(), solid: ti.template()) -> bool:
    """Whether the index names a cell of the domain."""
    return cell[0] >= 0 and cell[1] >= 0 and cell[0] < solid.shape[0] and cell[1] < solid.shape[1]


@ti.func
def pure(plan: ti.template(), F: ti.template(), cell: ti.template()) -> bool:
    """Whether the cell holds one phase only."""
    answer = True
    for k in ti.static(range(plan.count)):
        if TINY < F[k, cell[0], cell[1]] < 1.0 - TINY:
            answer = False
    return answer


@ti.func
def find_flux(
    axis: ti.template(),
    plan: ti.template(),
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
    ti.loop_config(serialize=plan.serial)
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            courant = w[face] * dt_dx
            donor, receiver, behind = face, face - e, face + e
            if courant > 0.0:
                donor, receiver, behind = face - e, face, face - e - e
            if courant == 0.0:
                for k in ti.static(range(plan.count)):
                    out[k, j, i] = 0.0
            elif not inside(donor, solid):
                side, place = (0 if courant > 0.0 else 1), (j if ti.static(axis == 0) else i)
                for k in ti.static(range(plan.count)):
                    out[k, j, i] = courant * enter[k, side, place]
            else:
                whole = solid[donor] != 0
                if not whole and inside(receiver, solid):
                    at_wall = True
                    if inside(behind, solid):
                        at_wall = solid[behind] != 0
                    rests = w[face - e if courant > 0.0 else face + e] == 0.0
                    whole = at_wall and rests and pure(plan, F, receiver)
                for k in ti.static(range(plan.count)):
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
    plan: ti.template(),
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
    ti.loop_config(serialize=plan.serial)
    for j in range(F.shape[1]):
        for i in range(F.shape[2]):
            least = 0.0
            for k in ti.static(range(plan.count)):
                gone = flux[k, j + e[0], i + e[1]] - flux[k, j, i]
                value = F[k, j, i] - gone + c[k, j, i] * (w[j + e[0], i + e[1]] - w[j, i]) * dt_dx
                least = ti.min(ti.max(value, least), 1.0)
                out[k, j, i] = least


@ti.func
def mixture(plan: ti.template(), F: ti.template(), jump: ti.template(), cell: ti.template()) -> ti.f64:
    """rho_last + sum of jump[k] F[k], where jump[k] = rho_k - rho_{k+1} and jump[K] = rho_last [kg/m^3]."""
    rho = jump[plan.count]
    for k in ti.static(range(plan.count)):
        rho += jump[k] * F[k, cell[0], cell[1]]
    return rho


@ti.func
def mass_flux(plan: ti.template(), flux: ti.template(), jump: ti.template(), face: ti.template(), courant: ti.f64):
    """rho_last U + sum of jump[k] flux[k] [kg/m^3 of a cell]: the mass through the face, of Courant number U."""
    mass = jump[plan.count] * courant
    for k in ti.static(range(plan.count)):
        mass += jump[k] * flux[k, face[0], face[1]]
    return mass


@ti.func
def carry_normal(
    axis: ti.template(),
    plan: ti.template(),
    F: ti.template(),
    F_new: ti.template(),
    c: ti.template(),
    flux: ti.template(),
    jump: ti.template(),
    w_start: ti.template(),
    w: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """Velocity along the sweep after it: out = (R w - (M[+] w^[+] - M[-] w^[-]) + D w_start) / R_new on inner faces.

    w_start is the velocity at the start of the step (it moves everything), w the one that the sweep before left.
    """
    e = unit(axis)
    last = F.shape[2 - axis]  # index of the far wall's face
    ti.loop_config(serialize=plan.serial)
    for j in range(w.shape[0]):
        for i in range(w.shape[1]):
            face = ti.Vector([j, i])
            t = i if ti.static(axis == 0) else j
            if t == 0 or t == last:
                out[face] = w[face]
            else:
                a, b = face - e, face  # the cells before and behind the face
                U_minus, U, U_plus = w_start[a] * dt_dx, w_start[face] * dt_dx, w_start[face + e] * dt_dx
                mass = mass_flux(plan, flux, jump, face, U)
                mass_a = 0.5 * (mass_flux(plan, flux, jump, a, U_minus) + mass)
                mass_b = 0.5 * (mass + mass_flux(plan, flux, jump, face + e, U_plus))
                courant_a, courant_b = ti.abs(0.5 * (U_minus + U)), ti.abs(0.5 * (U + U_plus))
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
                dilation_a = mixture(plan, c, jump, a) * (U - U_minus)
                dilation_b = mixture(plan, c, jump, b) * (U_plus - U)
                old = 0.5 * (mixture(plan, F, jump, a) + mixture(plan, F, jump, b))
                new = 0.5 * (mixture(plan, F_new, jump, a) + mixture(plan, F_new, jump, b))
                momentum = old * w[face] - (mass_b * carried_b - mass_a * carried_a)
                out[face] = (momentum + 0.5 * (dilation_a + dilation_b) * w_start[face]) / new


@ti.func
def carry_across(
    axis: ti.template(),
    plan: ti.template(),
    F: ti.template(),
    F_new: ti.template(),
    c: ti.template(),
    flux: ti.template(),
    jump: ti.template(),
    w_start: ti.template(),
    q_start: ti.template(),
    q: ti.template(),
    out: ti.template(),
    dt_dx: ti.f64,
):
    """Velocity across the sweep after it, by the same balance; q and out live on the faces of the other axis."""
    e, d = unit(axis), unit(1 - axis)
    size, last = F.shape[2 - axis], F.shape[1 + axis]
    ti.loop_config(serialize=plan.serial)
    for j in range(q.shape[0]):
        for i in range(q.shape[1]):
            face = ti.Vector([j, i])
            t, s = (i, j) if ti.static(axis == 0) else (j, i)
            if s == 0 or s == last:
                out[face] = q[face]
            else:
                a, b = face - d, face  # the cells on both sides; their faces along the sweep are a, a + e and b, b + e
                U_a, U_b = w_start[a] * dt_dx, w_start[b] * dt_dx
                V_a, V_b = w_start[a + e] * dt_dx, w_start[b + e] * dt_dx
                courant_minus, courant_plus = ti.abs(0.5 * (U_a + U_b)), ti.abs(0.5 * (V_a + V_b))
                mass_minus = 0.5 * (mass_flux(plan, flux, jump, a, U_a) + mass_flux(plan, flux, jump, b, U_b))
                mass_plus = 0.5 * (mass_flux(plan, flux, jump, a + e, V_a) + mass_flux(plan, flux, jump, b + e, V_b))
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
                dilation_a = mixture(plan, c, jump, a) * (V_a - U_a)
                dilation_b = mixture(plan, c, jump, b) * (V_b - U_b)
                old = 0.5 * (mixture(plan, F, jump, a) + mixture(plan, F, jump, b))
                new = 0.5 * (mixture(plan, F_new, jump, a) + mixture(plan, F_new, jump, b))
                momentum = old * here - (mass_plus * carried_plus - mass_minus * carried_minus)
                out[face] = (momentum + 0.5 * (dilation_a + dilation_b) * q_start[face]) / new


@ti.kernel
def sweep_volume(
    axis: ti.template(),
    plan: ti.template(),
    F_start: Array3,
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
    mark(plan, F_start, c)
    reconstruct(plan, F, plane)
    find_flux(axis, plan, F, plane, solid, enter, w, flux, dt_dx)
    move(axis, plan, F, c, w, flux, F_new, dt_dx)


@ti.kernel
def sweep(
    axis: ti.template(),
    plan: ti.template(),
    F_start: Array3,
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
    dt_dx: ti.f64,
):
    """One sweep of phases and momentum: F, w (along) and q (across) into F_new, w_new and q_new.

    F_start, w_start and q_start are those at the start of the step, F, w and q what the sweep before has left of them;
    plane, c and flux are work space. jump: see `mixture` [kg/m^3];  dt_dx [s/m].
    """
    mark(plan, F_start, c)
    reconstruct(plan, F, plane)
    find_flux(axis, plan, F, plane, solid, enter, w_start, flux, dt_dx)
    move(axis, plan, F, c, w_start, flux, F_new, dt_dx)
    carry_normal(axis, plan, F, F_new, c, flux, jump, w_start, w, w_new, dt_dx)
    carry_across(axis, plan, F, F_new, c, flux, jump, w_start, q_start, q, q_new, dt_dx)
