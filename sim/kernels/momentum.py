"""Transport of momentum by the geometric fluxes of the phases.

The mass flux of a cell face is m = rho_last U + sum (rho_k - rho_{k+1}) G[k]. The staggered volume of a velocity face
consists of half of each of its two cells; its density, its mass fluxes and its dilation are the means of theirs. A
uniform velocity therefore stays uniform exactly, whatever the density ratio (Rudman 1998), and the carried velocity is
a limited upwind value. In a sweep, with R the density of a face's volume,

    R' q' = R q - (M[+] q^[+] - M[-] q^[-]) + D q_start,      D = mean over both cells of rho_c (U[+] - U[-]),

where rho_c is the density of the phase that the cell's dilation is counted as. q is the velocity along the sweep, whose
volumes meet in cells, or across it, where they meet in corners. Axes, planes and steps are those of kernels/advect.py;
d is the step from one of a face's cells to the other.

q^ is linear in mass, not in length (Benson 1992, J. Comput. Phys. 100, 143): of a volume that holds A = R + D, a flux M
takes the part x = |M| / A that lies nearest, whose mean is q + (1 - x) / 2 of the slope. What stays behind is A (1 - x)
of a value between q and its neighbours. So q' is a mean of old velocities by their masses: none grows, and by convexity
no kinetic energy is made, at any density ratio. With the Courant number of the face in place of x, a volume that liquid
leaves to gas kept what the slope had added to the liquid's momentum: up to R / R' times the slope. At 1,000,000:1 that
made velocities 190 times as large as any before, in one step.
"""

import taichi as ti

from sim.kernels.flat import HALO

LIGHTEST = 1e-100  # [kg/m^3], in place of the 0 of places outside of the grid, where the slope is 0


@ti.func
def upwind(far: ti.f64, donor: ti.f64, receiver: ti.f64, share: ti.f64) -> ti.f64:
    """Value that a flux of the given share of the donor's mass carries to `receiver`, second order where smooth.

    The slope is the harmonic mean of the differences on both sides of the donor, 0 at an extremum (van Leer 1974).
    """
    a, b = donor - far, receiver - donor
    slope = ti.select(a * b > 0.0, 2.0 * a * b / (a + b), 0.0)
    return donor + 0.5 * (1.0 - share) * slope


@ti.func
def mixture(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """rho_last + sum of jump[k] F[k], where jump[k] = rho_k - rho_{k+1} and jump[K] = rho_last [kg/m^3].

    given = (jump, K, F, size of a plane)
    """
    jump, K = ti.static(given[0], given[1])
    rho = jump[K]
    for k in ti.static(range(K)):
        rho += jump[k] * work[given[2] + k * given[3] + x]
    return rho


@ti.func
def mass_flux(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """rho_last U + sum of jump[k] G[k] [kg/m^3 of a cell]: the mass through a face.

    given = (jump, K, G, size of a plane, w, dt / dx)
    """
    jump, K = ti.static(given[0], given[1])
    mass = jump[K] * (work[given[4] + x] * given[5])
    for k in ti.static(range(K)):
        mass += jump[k] * work[given[2] + k * given[3] + x]
    return mass


@ti.func
def available(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """Mass of a cell at the start of a sweep and what its dilation adds [kg/m^3 of a cell]."""
    rho, rho_marked, w, e, dt_dx = given
    return work[rho + x] + work[rho_marked + x] * (work[w + x + e] * dt_dx - work[w + x] * dt_dx)


@ti.func
def carried(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """Momentum that passes from the face x - e to the face x of the velocity q, in steps of e.

    The mass that carries it is the mean of those at the faces x - a and x along the sweep; held: see `available`.
    """
    mass, held, q, e, a, d = given
    through = 0.5 * (work[mass + x - a] + work[mass + x])
    left, right = work[q + x - e], work[q + x]
    forth = through > 0.0
    far = ti.select(forth, work[q + x - 2 * e], work[q + x + e])
    all_left, all_right = work[held + x - e - d] + work[held + x - e], work[held + x - d] + work[held + x]
    donor = 0.5 * ti.select(forth, all_left, all_right)
    share = ti.min(ti.abs(through) / ti.max(donor, LIGHTEST), 1.0)
    return through * upwind(far, ti.select(forth, left, right), ti.select(forth, right, left), share)


@ti.func
def balance(work: ti.template(), x: ti.i32, given: ti.template()) -> ti.f64:
    """(R q - (momentum[+] - momentum[-]) + D q_start) / R_new on the face x, between the cells x - d and x.

    q_start where R_new <= empty [kg/m^3]: within bodies, whose velocity is not carried.
    """
    rho, rho_new, rho_marked, w, momentum, q_start, q, e, d, dt_dx, empty = given
    stretch_a = work[w + x - d + e] * dt_dx - work[w + x - d] * dt_dx
    stretch_b = work[w + x + e] * dt_dx - work[w + x] * dt_dx
    dilation = 0.5 * (work[rho_marked + x - d] * stretch_a + work[rho_marked + x] * stretch_b)
    old = 0.5 * (work[rho + x - d] + work[rho + x])
    new = 0.5 * (work[rho_new + x - d] + work[rho_new + x])
    gone = work[momentum + x + e] - work[momentum + x]
    value = (old * work[q + x] - gone + dilation * work[q_start + x]) / new
    return ti.select(new <= empty, work[q_start + x], value)


@ti.func
def mirror(work: ti.template(), q: ti.i32, first: ti.i32, last: ti.i32, e: ti.i32):
    """Continue a row of values in steps of e, from place `first` to place `last`, by its ends.

    Along a sweep the difference to what lies beyond a wall is then 0, across it a wall mirrors (free slip).
    """
    for n in ti.static(range(1, HALO + 1)):
        work[q + first - n * e] = work[q + first]
        work[q + last + n * e] = work[q + last]
