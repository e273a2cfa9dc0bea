"""One transport step: two sweeps of the phases, and of momentum with them."""

import taichi as ti
import torch

from sim.kernels.advect import marked, sweep_volume
from sim.kernels.flat import HALO, fill, place, planes, within
from sim.kernels.momentum import available, balance, carried, mass_flux, mirror, mixture
from sim.kernels.plic import Array1, Array3, Mask2, extend_into_solid, plan_for

# Planes in groups of K: F, c, the fluxes G along x and along y; behind them single ones, START (of what moves the
# fields) and NOW of u and v, RHO before and after a sweep, OWN: the start of a u and v that something else moves.
MARK, FLUX, GROUPS = 1, 2, 4
START, NOW, RHO, MARKED, MASS, MOMENTUM, HELD, OWN, SINGLE = 0, 2, 4, 6, 7, 8, 9, 10, 12


class Transport:
    """Moves fields of one shape, and holds the work space for it."""

    def __init__(self, F: torch.Tensor, bodies: bool = False):
        """F: nested fractions (K, ny, nx), read for its shape and device only; bodies: the first is that of bodies."""
        count, ny, nx = F.shape
        self.plan = plan_for(F, bodies)
        self._planes = planes(GROUPS * count + SINGLE, ny, nx, F.device)
        self._work = self._planes.view(-1)
        single = GROUPS * count
        self._F = within(self._planes[:count], ny, nx)
        self._u_start, self._u = (within(self._planes[single + n], ny, nx + 1) for n in (START, NOW))
        self._v_start, self._v = (within(self._planes[single + n + 1], ny + 1, nx) for n in (START, NOW))
        self._u_own, self._v_own = (
            within(self._planes[single + OWN], ny, nx + 1),
            within(self._planes[single + OWN + 1], ny + 1, nx),
        )
        x, y = FLUX * count, (FLUX + 1) * count
        self.flux_x = within(self._planes[x:y], ny, nx + 1)  # what the last step sent through the faces [cells]
        self.flux_y = within(self._planes[y : y + count], ny + 1, nx)

    def volume(
        self,
        first: int,
        F: torch.Tensor,
        u: torch.Tensor,
        v: torch.Tensor,
        solid: torch.Tensor,
        enter: torch.Tensor,
        dt_dx: float,
    ) -> None:
        """The phases alone, by the given velocity, along the axis `first` and then along the other; see `step`."""
        self._F.copy_(F)
        self._u_start.copy_(u)
        self._v_start.copy_(v)
        for turn in range(2):
            volume(self.plan, first ^ turn, turn, self._work, solid, enter, dt_dx)
        F.copy_(self._F)

    def step(
        self,
        first: int,
        F: torch.Tensor,
        u: torch.Tensor,
        v: torch.Tensor,
        solid: torch.Tensor,
        enter: torch.Tensor,
        jump: torch.Tensor,
        dt_dx: float,
        has_solid: bool,
        carrier: tuple[torch.Tensor, torch.Tensor] | None = None,
        empty: float = 0.0,
    ) -> None:
        """F (K, ny, nx), u and v after one step by the velocity at its start, along the axis `first`, then the other.

        solid (ny, nx) uint8;  enter: see `advect.surround`;  jump: see `momentum.mixture` [kg/m^3];  dt_dx [s/m].
        carrier: the velocity that moves them, where it is not u and v: that of fluid and bodies together.
        empty: density [kg/m^3] up to which a face has no fluid, and keeps its velocity.
        """
        u_carrier, v_carrier = carrier or (u, v)
        own = START
        if carrier is not None:
            own = OWN
            self._u_own.copy_(u)
            self._v_own.copy_(v)
        for copy, field in (
            (self._F, F),
            (self._u_start, u_carrier),
            (self._u, u),
            (self._v_start, v_carrier),
            (self._v, v),
        ):
            copy.copy_(field)
        for turn in range(2):
            weigh = int(turn == 0 or has_solid)
            both(self.plan, first ^ turn, turn, weigh, own, empty, self._work, solid, enter, jump, dt_dx)
            if has_solid or turn == 1:
                F.copy_(self._F)
            if has_solid:
                extend_into_solid(self.plan, F, solid)
                self._F.copy_(F)
        u.copy_(self._u)
        v.copy_(self._v)


@ti.func
def mark(plan: ti.template(), turn: ti.i32, work: ti.template(), size: ti.i32, ny: ti.i32, nx: ti.i32):
    """c of every cell, in the first sweep: both use the same."""
    for k in ti.static(range(plan.count)):
        rows, c = ny * (1 - turn), (MARK * plan.count + k) * size
        fill(plan.serial, work, c, place(0, 0, nx), rows, nx, nx + 2 * HALO + 1, marked, (plan.count, 0, size, k))


@ti.kernel
def volume(plan: ti.template(), axis: ti.i32, turn: ti.i32, work: Array1, solid: Mask2, enter: Array3, dt_dx: ti.f64):
    """The first sweep (turn 0) or the second of the phases alone."""
    ny, nx = solid.shape[0], solid.shape[1]
    size = (ny + 2 * HALO + 1) * (nx + 2 * HALO + 1)
    w = (GROUPS * plan.count + START + axis) * size
    mark(plan, turn, work, size, ny, nx)
    c, G = MARK * plan.count * size, (FLUX + axis) * plan.count * size
    sweep_volume(axis, plan, work, 0, c, G, size, w, solid, enter, dt_dx)


@ti.kernel
def both(
    plan: ti.template(),
    axis: ti.i32,
    turn: ti.i32,
    weigh: ti.i32,
    own: ti.i32,
    empty: ti.f64,
    work: Array1,
    solid: Mask2,
    enter: Array3,
    jump: Array1,
    dt_dx: ti.f64,
):
    """The first sweep (turn 0) or the second of the phases and of momentum: w along it, q across it.

    weigh is 0 where the densities that the first sweep has left are still those of F.
    own: START where u and v move themselves, else OWN.  empty: see `balance`.
    """
    ny, nx = solid.shape[0], solid.shape[1]
    width = nx + 2 * HALO + 1
    size = (ny + 2 * HALO + 1) * width
    K = ti.static(plan.count)
    F, c, G, single = 0, MARK * K * size, (FLUX + axis) * K * size, GROUPS * K
    w_start, w = (single + START + axis) * size, (single + NOW + axis) * size
    w_own = (single + own + axis) * size
    q_start, q = (single + own + 1 - axis) * size, (single + NOW + 1 - axis) * size
    rho, rho_new, rho_marked = (single + RHO + turn) * size, (single + RHO + 1 - turn) * size, (single + MARKED) * size
    mass, momentum, held = (single + MASS) * size, (single + MOMENTUM) * size, (single + HELD) * size
    e_i, e_j = 1 - axis, axis
    e, d = e_i + e_j * width, e_j + e_i * width
    along, across = e_i * nx + e_j * ny, e_i * ny + e_j * nx
    origin = place(0, 0, nx)
    mark(plan, turn, work, size, ny, nx)
    fill(plan.serial, work, rho_marked, origin, ny * (1 - turn), nx, width, mixture, (jump, K, c, size))
    fill(plan.serial, work, rho, origin, ny * weigh, nx, width, mixture, (jump, K, F, size))
    fill(plan.serial, work, held, origin, ny, nx, width, available, (rho, rho_marked, w_start, e, dt_dx))
    sweep_volume(axis, plan, work, F, c, G, size, w_start, solid, enter, dt_dx)
    fill(plan.serial, work, rho_new, origin, ny, nx, width, mixture, (jump, K, F, size))
    fill(plan.serial, work, mass, origin, ny + e_j, nx + e_i, width, mass_flux, (jump, K, G, size, w_start, dt_dx))
    ti.loop_config(serialize=plan.serial)
    for p in range(across + 1):
        mirror(work, w, origin + p * d, origin + p * d + along * e, e)
        mirror(work, q, origin + p * d, origin + p * d + (along - 1) * e, e)
    fill(plan.serial, work, momentum, origin + e, ny, nx, width, carried, (mass, held, w, e, e, e))
    fill(
        plan.serial,
        work,
        w,
        origin + e,
        ny - e_j,
        nx - e_i,
        width,
        balance,
        (rho, rho_new, rho_marked, w_start, momentum, w_own, w, e, e, dt_dx, empty),
    )
    rows, columns = ny + 2 * e_j - 1, nx + 2 * e_i - 1  # of corners that are not on the sides along the sweep
    fill(plan.serial, work, momentum, origin + d, rows, columns, width, carried, (mass, held, q, e, d, d))
    fill(
        plan.serial,
        work,
        q,
        origin + d,
        ny + e_j - 1,
        nx + e_i - 1,
        width,
        balance,
        (rho, rho_new, rho_marked, w_start, momentum, q_start, q, e, d, dt_dx, empty),
    )
