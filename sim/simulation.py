"""The fluid: one step reads as the algorithm - advect, brush, forces, assemble, solve, project."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from precond.support.threads import limited_threads
from precond.system import PoissonSystem
from sim import checkpoint
from sim.bodies.bodies import EMPTY, STIFF, Bodies
from sim.bodies.wall_forces import WallForces
from sim.frame import (
    LIMITS,
    STAGES,
    Controls,
    Frame,
    SolidForce,
    Solution,
    Stats,
    Stroke,
    fractions_of,
    frozen,
)
from sim.grid import Grid
from sim.kernels import boundary, brush, curvature, diagnostics, plic, pressure, taichi_runtime, tension
from sim.kernels.boundary import Body, Boundary, Drag
from sim.kernels.diagnostics import Survey, differences
from sim.kernels.transport import Transport
from sim.kernels.viscosity import Viscosity
from sim.scenes.reader import load
from sim.scenes.scene import Scene, pairs

Solve = Callable[[PoissonSystem, torch.Tensor, torch.Tensor], Solution]

COURANT = 0.49  # sum over directions of |u| dt / dx; the split transport keeps fractions in [0, 1] only below 1/2,
# and below the largest fraction of a cell that holds more than two phases
VISCOUS_RTOL = 1e-6  # of the viscous velocities; the pressure's tolerance would cost a third more iterations
FIRST_STEP = 1 / 16  # of the step that gravity allows; in a long one fluid at rest stays where it is, and gains energy
MAX_SUBSTEPS = 64  # per call of step; beyond it the clock is slowed, never the stability given up


class NotFiniteError(ValueError):
    """The velocity holds NaN or infinity; the message is one sentence."""


class Simulation:
    """Up to eight immiscible incompressible fluids on a MAC grid, by operator splitting:

        d(rho u)/dt + div(rho u u) = -grad p + rho g + div(mu (grad u + grad u^T)) + sigma kappa delta n,
        div u = 0,   d f/dt + u . grad f = 0

    `solve(system, b, x0)` returns a Solution of A p = b (see precond.Solver); it may be replaced between steps.
    All simulations of a process must be built and stepped on one thread. Raises ValueError for a scene, grid or device
    that cannot be used.
    """

    def __init__(
        self,
        scene: Scene | str | Path,
        grid: tuple[int, int] | Grid | None = None,
        *,
        solve: Solve,
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.scene = scene if isinstance(scene, Scene) else load(scene)
        if not isinstance(grid, Grid):
            grid = Grid(*(grid or self.scene.grid), height=self.scene.height)
        self.grid = replace(grid, height=self.scene.height)
        if not callable(solve):
            raise TypeError(f"solve must be a function solve(system, b, x0), not {solve!r}")
        self.solve = solve
        self.seed = seed
        self.device = taichi_runtime.start(device, threads)
        self._allocate()
        self.reset()

    def _allocate(self) -> None:
        ny, nx = self.grid.shape

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=self.device)

        self.bodies = Bodies(self.scene, self.grid, self.device) if self.scene.bodies else None
        count = len(self.scene.phases) - 1 + bool(self.bodies)  # of nested fractions: see kernels/plic.py
        self.system = PoissonSystem.empty(ny, nx, open_top=self.scene.open_top, device=self.device)
        self.solid = self.system.solid.clone() if self.bodies else self.system.solid  # which bodies then add to
        self._wall = self.solid.view(torch.uint8)  # the same bytes, as Taichi reads them
        self.F, self._kappa, self._normals = zeros(count, ny, nx), zeros(count, ny, nx), zeros(count, 5, ny, nx)
        self._transport = Transport(self.F, bool(self.bodies))
        self._plan = self._transport.plan
        self.p, self.b, self.rho, self._mu = (zeros(ny, nx) for _ in range(4))
        self.u, self.v = zeros(ny, nx + 1), zeros(ny + 1, nx)
        lines = diagnostics.lines(ny, self.device)
        self._rows, self._surface = zeros(lines, diagnostics.NUMBERS + count), zeros(lines, 2)
        wetting = self.scene.wetting()
        if wetting is not None and self.bodies:
            wetting = np.pad(wetting, ((1, 0), (1, 0)))
        self._wetting = None if wetting is None else torch.from_numpy(wetting).to(self.device)
        self._jump, self._jump_mu = zeros(count + 1), zeros(count + 1)
        self._sigma = zeros(count + 1, count + 1)
        self._boundary = Boundary(self.scene, self.grid, self.device)
        self._viscosity = Viscosity(
            ny, nx, self.grid.dx, self.scene.walls, self.scene.open_top, self.device, rtol=VISCOUS_RTOL
        )
        self.viscous = self._viscosity.accelerations  # from which the next viscous step begins
        self._backup = [torch.zeros_like(field) for field in self._fields()]  # to go back to when a step breaks off

    def _few_threads(self) -> AbstractContextManager[None]:
        return limited_threads(self.device, self.p.numel())

    def _fields(self) -> tuple[torch.Tensor, ...]:
        """In the order of checkpoint.FIELDS."""
        fields = self.F, self.u, self.v, self.p, self.solid, self.viscous
        return (*fields, self.bodies.coupling.responses) if self.bodies else fields

    def reset(self) -> None:
        """Back to time zero of the scene, at rest under hydrostatic pressure."""
        phases = self.scene.phases
        self._set_controls(
            Controls(
                self.scene.gravity,
                tuple(phase.density for phase in phases),
                (),
                tuple(phase.viscosity for phase in phases),
                self.scene.tension_of_pairs(),
                tuple(body.density for body in self.scene.bodies),
            )
        )
        self.solid.copy_(torch.from_numpy(self.scene.solid(self.grid)))
        self.fill(np.cumsum(self.scene.fractions(self.grid, self.seed), 0)[:-1].clip(0, 1))

    def fill(self, nested: np.ndarray) -> None:
        """Begin anew at time zero, at rest under hydrostatic pressure, with these nested fractions (N - 1, ny, nx)."""
        self.time, self.steps, self._too_stiff = 0.0, 0, 0
        self.ahead = 0.0  # of the velocity before the positions [s]: see _kick
        self.ledger = [0.0] * len(self.scene.phases)  # volume that input and open boundaries have added [m^2]
        if self.bodies:
            self.bodies.reset(self.solid)
            self.bodies.fill(torch.from_numpy(nested).to(self.F.device), self.F)
        else:
            self.F.copy_(torch.from_numpy(nested))
        self._walls_changed()
        self._update_density()
        self.u.zero_()
        self.v.zero_()
        if self.bodies:
            self.bodies.carry(self.u, self.v)
        self.viscous.zero_()
        self.p.copy_(self._hydrostatic())
        self.volumes_at_start = self._measure().volumes

    def _set_controls(self, controls: Controls) -> None:
        """Make these the present controls."""
        self.controls = controls
        body = (0.0,) if self.bodies else ()  # has no mass that flows
        mu = STIFF * max(controls.viscosities, default=0.0) if self.scene.walls.solids == "no-slip" else 0.0
        for jump, values, own in ((self._jump, controls.densities, 0.0), (self._jump_mu, controls.viscosities, mu)):
            if values:
                values = (own, *values) if self.bodies else values
                jump.copy_(torch.tensor([a - b for a, b in zip(values, (*values[1:], 0.0))], dtype=torch.float64))
        self._sigma.zero_()
        for (i, k), value in zip(pairs(len(controls.densities)), controls.tensions):
            i, k = i + len(body), k + len(body)
            self._sigma[i, k] = self._sigma[k, i] = value
        self._capillary = tension.longest_step(self._sigma, (*body, *controls.densities), self.grid.dx)  # [s]
        if self.bodies:
            self.bodies.set_densities(controls.body_densities)

    def frame(self) -> Frame:
        """The present state as an immutable Frame, without a step."""
        with self._few_threads():
            return self._publish(0.0, (), 0.0, dict.fromkeys(STAGES, 0.0), 0.0, "", None, self._last_measured())

    def step(self, dt: float, controls: Controls | None = None) -> Frame:
        """Advance by dt [s] in as many sub-steps as the Courant number asks for, at most MAX_SUBSTEPS.

        `controls` replace the present ones; their strokes act once. Raises ValueError for a dt that is not positive or
        controls that do not fit the phases, NotFiniteError when the velocity is no longer finite. Whatever is raised,
        also by `solve`, leaves the fluid as it was before the call.
        """
        taichi_runtime.require_home()
        if not (math.isfinite(dt) and dt > 0):
            raise ValueError(f"dt {dt} must be positive and finite [s]")
        if controls is not None:
            if not isinstance(controls, Controls):
                raise TypeError(f"controls are {controls!r}; give a sim.Controls record")
            if len(controls.densities) != len(self.scene.phases):
                raise ValueError(
                    f"controls give {len(controls.densities)} densities for {len(self.scene.phases)} phases"
                )
            if len(controls.body_densities) not in (0, len(self.scene.bodies)):
                raise ValueError(
                    f"controls give {len(controls.body_densities)} densities for {len(self.scene.bodies)} bodies"
                )
        with self._few_threads():
            return self._step(dt, controls or self.controls)

    def _step(self, dt: float, controls: Controls) -> Frame:
        """`step` with checked arguments, all or nothing."""
        rate = self._last_measured().rate
        numbers = self.controls, self.time, self.steps, self.ahead, self.ledger
        motion = self.bodies.motion.values.copy() if self.bodies else None
        for kept, field in zip(self._backup, self._fields()):
            if field is not self.viscous or any(controls.viscosities):  # else it stays as it is
                kept.copy_(field)
        try:
            return self._advance(dt, controls, rate)
        except BaseException:
            for kept, field in zip(self._backup, self._fields()):
                if field is not self.viscous or any(controls.viscosities):
                    field.copy_(kept)
            self._set_controls(numbers[0])
            self.time, self.steps, self.ahead, self.ledger = numbers[1:]
            if self.bodies and motion is not None:
                self.bodies.go_back(motion)
            self._walls_changed()
            self._update_density()
            if self.bodies:
                self.bodies.carry(self.u, self.v)
                self.bodies.taken()
            raise

    def _advance(self, dt: float, controls: Controls, rate: float) -> Frame:
        """The sub-steps of a step; rate = max |u|_1 / dx at its start."""
        self._set_controls(controls)
        self._too_stiff = 0  # viscous steps that came to their limit of iterations
        drag = self._dragged_wall(controls.strokes, dt)
        solutions: list[Solution] = []
        strokes, ms, left, courant = controls.strokes, dict.fromkeys(STAGES, 0.0), dt, 0.0
        limits: list[str] = []
        kinetic: float | None = None
        while left > 0 and len(solutions) < MAX_SUBSTEPS:
            if drag is not None:
                rate = max(rate, (abs(drag.u) + abs(drag.v)) / self.grid.dx)
            h, limit = self._substep(left, rate)
            self.substep_dt = h
            limits.append(limit)
            courant = max(courant, rate * h)
            with self._timed(ms, "advect"):
                self._advect(h)
            with self._timed(ms, "assemble"):
                self._brush(strokes, dt)
                drag = self._drag(drag, dt - left, h)
                self._update_density()
                if left - h < 1e-12 * dt:  # positions are as old as the mean of the velocities before and after forces
                    solid = self.solid if self._has_solid else None
                    kinetic = diagnostics.kinetic_energy(self.rho, *self._carrier, solid, self.grid.dx)
                    kinetic += self.bodies.motion.kinetic if self.bodies else 0.0
                kick = self._kick(h)
                self._add_forces(kick, self.time + h + self.ahead)
                self._assemble(kick)
            if self.bodies:
                self.bodies.couple(self.solve, self.system, self.b, kick, launch=self.steps == 0)
            solution = self.solve(self.system, self.b, self.p)
            self.p.copy_(solution.x)
            for stage in ("setup", "inference", "solve"):
                ms[stage] += getattr(solution, f"{stage}_ms")
            with self._timed(ms, "project"):
                pressure.correct(self.u, self.v, self.p, *self._beta, self.grid.dx)
                if self.bodies:
                    self.bodies.carry(self.u, self.v)
            solutions.append(solution)
            self.time, self.steps, left, strokes = self.time + h, self.steps + 1, left - h, ()
            left = 0.0 if left < 1e-12 * dt else left  # what rounding leaves of the last sub-step
            now = self._measure()
            rate = now.rate
        self.controls = replace(self.controls, strokes=())
        limit = max(limits, key=LIMITS.index)
        return self._publish(dt - left, tuple(solutions), left, ms, courant, limit, kinetic, now)

    # The parts of a step -------------------------------------------------------------------------------------------

    def _substep(self, left: float, rate: float) -> tuple[float, str]:
        """The sub-step [s], an equal share of the time left, and which of LIMITS keeps it from being longer.

        rate h + |g| h^2 / dx <= COURANT with rate = max |u|_1 / dx, and h resolves the shortest capillary wave. From
        time zero on, steps at most double. Raises NotFiniteError for a rate whose square is not finite.
        """
        if not math.isfinite(rate * rate):
            raise NotFiniteError(f"the velocity is too large for any step: {rate:.3g} cells/s at t = {self.time:.4f} s")
        g = abs(self.controls.gravity) / self.grid.dx
        if self.scene.shaking is not None:
            g += self.scene.shaking.acceleration() / self.grid.dx
        longest, limit = left, "frame"
        if rate + g > 0:
            h = 2 * COURANT / (rate + math.sqrt(rate * rate + 4 * g * COURANT))
            if h < longest:
                longest, limit = h, "courant" if rate * rate > 4 * g * COURANT else "gravity"
        if g > 0 and (h := max(self.time, FIRST_STEP * math.sqrt(COURANT / g))) < longest:
            longest, limit = h, "gravity"
        if self._capillary < longest:
            longest, limit = self._capillary, "capillary"
        return left / math.ceil(left / longest), limit

    def _kick(self, h: float) -> float:
        """How long [s] the forces of a sub-step of h act: until the velocity is half a step ahead of the positions.

        Such a velocity moves the fluid in second order (leapfrog: Verlet 1967). Where forces act for h alone, positions
        lag behind by |g| h^2 / 2 in every step, and a fall that shortens its steps gains energy: a drop in 32 x 32
        cells 0.8% instead of 0.1.
        """
        kick = max(1.5 * h - self.ahead, 0.5 * h)  # the latter where h has become far shorter at once
        self.ahead += kick - h
        return kick

    def _advect(self, h: float) -> None:
        """Phases and momentum by the velocity at the start of the step; the first axis alternates (Strang 1968)."""
        dt_dx, first = h / self.grid.dx, self.steps % 2
        may_pass = self.scene.open_top or self.scene.openings or self._has_solid
        if may_pass:
            u, v = self._carrier
            passed = dt_dx * float((u * self._into_x).sum() + (v * self._into_y).sum())
        fields, enter = (self.F, self.u, self.v, self._wall), self._boundary.enter
        if self.bodies:
            carried = self.bodies.carrier, EMPTY * min(self.controls.densities)
            with self.bodies.moving(h, self.F, self.rho, self.u, self.v, self._wall, self._update_density):
                self._transport.step(first, *fields, enter, self._jump, dt_dx, self._has_solid, *carried)
        else:
            self._transport.step(first, *fields, enter, self._jump, dt_dx, self._has_solid)
        if may_pass:
            self._enter(self._volumes_passed(passed))

    def _volumes_passed(self, everything: float) -> list[float]:
        """Volume [m^2] of every nested fraction, then of everything, that this step's transport brought into the fluid.

        Through the sides of the domain and through the faces of walls that move; `everything` is in cells.
        """
        t = self._transport
        total = (t.flux_x * self._into_x).sum((1, 2)) + (t.flux_y * self._into_y).sum((1, 2))
        return [volume * self.grid.dx**2 for volume in (*total.tolist(), everything)]

    def _enter(self, nested: list[float]) -> None:
        """Enter into the ledger the volumes of the nested fractions, then of all fluid, that came from outside."""
        volumes = differences(nested)[bool(self.bodies) :]
        self.ledger = [entry + volume for entry, volume in zip(self.ledger, volumes)]

    def _brush(self, strokes: tuple[Stroke, ...], dt: float) -> None:
        """Apply strokes after transport and before the projection: only divergence-free velocities move the fluid."""
        if not strokes:
            return
        before = self._measure().volumes
        for s in strokes:
            capsule = (s.x0, s.y0, s.x1, s.y1, s.radius)
            if s.tool == "push":
                brush.push(self.u, self.v, *capsule, (s.x1 - s.x0) / dt, (s.y1 - s.y0) / dt, self.grid.dx)
            elif s.tool == "pour":
                fluid = self.bodies.relative(self.F) if self.bodies else self.F
                brush.pour(fluid, self._wall, *capsule, s.phase, self.grid.dx)
                if self.bodies:
                    self.bodies.fill(fluid, self.F)
            elif s.tool != "drag":
                was = self.solid.clone()
                brush.wall(self.F, self._wall, *capsule, 1 if s.tool == "solid" else 0, self.grid.dx)
                if self.bodies:
                    self.solid.logical_and_(was | ~self.bodies.cover.near())
                self._walls_changed()
        self._update_density()
        self._enter_difference(before)

    def _enter_difference(self, before: list[float]) -> None:
        after = self._measure().volumes
        self.ledger = [entry + b - a for entry, a, b in zip(self.ledger, before, after)]

    def _dragged_wall(self, strokes: tuple[Stroke, ...], dt: float) -> Drag | None:
        """The wall that the last of the strokes drags, if any."""
        for s in reversed(strokes):
            if s.tool == "drag":
                dx = self.grid.dx
                cells = boundary.body_at(self.solid.cpu().numpy(), math.floor(s.y0 / dx), math.floor(s.x0 / dx))
                if cells is not None:
                    return Drag(cells, s.x0, s.y0, (s.x1 - s.x0) / dt, (s.y1 - s.y0) / dt)
        return None

    def _drag(self, drag: Drag | None, since: float, h: float) -> Drag | None:
        """Move the dragged wall on by h, in whole cells when its time has come, and let its velocity push the fluid.

        What it covers comes out behind it, so that no phase is lost. Where the fluid cannot give way, as under a stone
        that is lifted off the ground, the stone moves without pushing.
        """
        if drag is None:
            if self._boundary.moving:  # let go
                self._boundary.update(self.solid.cpu().numpy())
            return None
        solid = self.solid.cpu().numpy()
        rows, columns = drag.cells_passed(since, since + h, self.grid.dx)
        if rows or columns:
            blocked = solid | self.bodies.cover.near().cpu().numpy() if self.bodies else solid
            if not boundary.can_shift(blocked, drag.cells, rows, columns):
                self._boundary.update(solid)
                return None
            before = self._measure().volumes
            moved, covered, uncovered = boundary.exchanged(drag.cells, rows, columns)
            given = self.F[:, covered[0], covered[1]]
            self.solid[covered[0], covered[1]] = True
            self.solid[uncovered[0], uncovered[1]] = False
            self.F[:, uncovered[0], uncovered[1]] = given
            drag = replace(drag, cells=moved)
            self._walls_changed(Body(moved, drag.u, drag.v))
            self._enter_difference(before)
        else:
            self._boundary.update(solid, Body(drag.cells, drag.u, drag.v))
        return drag

    def _add_forces(self, h: float, until: float) -> None:
        """v -= g h between fluid cells, then the viscous step; an open top moves with its cell.

        until: the time that the velocity comes to [s].
        """
        self.v[1:-1] -= h * self.controls.gravity
        sideways = 0.0
        if self.scene.shaking is not None:
            sideways = self.scene.shaking.impulse(until - h, until)
            self.u[:, 1:-1] += sideways
        if self.bodies:
            self.bodies.accelerate(sideways, -h * self.controls.gravity)
        if self.scene.open_top:
            self.v[-1].copy_(self.v[-2])
        if any(self.controls.viscosities):
            pressure.mixture(self.F, self._jump_mu, self._mu)
            walls = self._wall, self._boundary.wall_u, self._boundary.wall_v
            u, v = self.bodies.mixed_velocity(self.rho, self.u, self.v) if self.bodies else (self.u, self.v)
            rho = self.bodies.mixture(self.rho) if self.bodies else self.rho
            outcome = self._viscosity.step(u, v, rho, self._mu, *walls, h)
            if self.bodies:
                self.bodies.share((u, v), self.rho, self.u, self.v, h)
            self._too_stiff += not outcome.converged

    def _assemble(self, h: float) -> None:
        """The pressure system of the step; surface tension enters after its coefficients, which balance it exactly."""
        (beta_x, beta_y), dx = self._beta, self.grid.dx
        rho = self.bodies.rho(self.F, self.rho) if self.bodies else self.rho
        pressure.coefficients(rho, self._open_faces, beta_x, beta_y, h, dx)
        pressure.set_walls(self.u, self.v, self._open_faces, self._boundary.wall_u, self._boundary.wall_v)
        if any(self.controls.tensions):
            fields, faces = (self.F, self._wall, self._normals), (beta_x, beta_y, self.u, self.v, dx)
            curvatures, serial = (self._kappa, self._sigma), self._plan.serial
            if self._wetting is None:
                tension.curve_and_pull(serial, *fields, *curvatures, *faces)
            else:
                tension.curve_and_pull_at_angles(serial, *fields, self._wetting, *curvatures, *faces)
        if self.bodies:
            self.bodies.close_faces(self.system, self.solid)
            self.bodies.carry(self.u, self.v)
        pressure.divergence(*self._carrier, self.b, dx)

    def _update_density(self) -> None:
        pressure.mixture(self.F, self._jump, self.rho)

    def _walls_changed(self, body: Body | None = None) -> None:
        self._has_solid = bool(self.solid.any())
        self._wall_forces: WallForces | None = None  # made when they are asked for
        self._open_faces = pressure.OpenFaces(self.solid, self.scene.open_top)
        self._boundary.update(self.solid.cpu().numpy(), body)
        dry = torch.nn.functional.pad(self.solid.to(torch.float64), (1, 1, 1, 1), value=1.0)
        self._into_x = dry[1:-1, :-1] - dry[1:-1, 1:]  # 1 on faces by which what flows along the axis enters the fluid,
        self._into_y = dry[:-1, 1:-1] - dry[1:, 1:-1]  # -1 where it leaves it
        if self._has_solid:
            plic.extend_into_solid(self._plan, self.F, self._wall)
        if self.bodies:
            self.bodies.set_walls(self.solid, self._open_faces)

    # Measurements ---------------------------------------------------------------------------------

    def _hydrostatic(self) -> torch.Tensor:
        """Weight of the column above every cell [Pa]: the exact pressure of layers at rest, so that rest costs nothing.

        Solid cells weigh as much as the fluid beside them, so that layers stay flat across them.
        """
        rho = self.bodies.rho(self.F, self.rho) if self.bodies else self.rho
        fluid = (~self.solid).to(rho)
        beside = (rho * fluid).sum(1, keepdim=True) / fluid.sum(1, keepdim=True).clamp(min=1)
        rho = torch.where(self.solid, beside, rho)
        g, dx = self.controls.gravity, self.grid.dx
        drop = torch.cat([0.5 * (rho[:-1] + rho[1:]), 0.5 * rho[-1:]])  # between a cell and the next, or the top face
        return g * dx * drop.flip(0).cumsum(0).flip(0) * fluid

    def _measure(self) -> Survey:
        """The numbers of the present fields. Raises NotFiniteError."""
        fields = self.F, self.rho, self._wall, *self._carrier
        now = diagnostics.survey(self._plan, *fields, self._rows, self.grid.dx, self.controls.gravity)
        if self.bodies:
            now = self.bodies.added(now, self.controls.gravity)
        if not math.isfinite(now.kinetic):
            raise NotFiniteError(
                f"the velocity is not finite (NaN or infinity) at t = {self.time:.4f} s, step {self.steps}"
            )
        self._measured = self._signature(), now
        return now

    def _signature(self) -> tuple[float, ...]:
        """Differs from before when torch has written into a field that is measured; Taichi's writes it does not see."""
        fields = self.F, self.rho, self.solid, self.u, self.v
        return (self.controls.gravity, *(field._version for field in fields))

    def _last_measured(self) -> Survey:
        """Between steps: the numbers at the end of the last one, unless somebody has changed the fields since."""
        signature, now = self._measured
        return now if signature == self._signature() else self._measure()

    def _surface_energy(self, stepped: bool) -> float:
        """Energy of all interfaces [J/m]; after a sub-step their normals are known."""
        if not any(self.controls.tensions):
            return 0.0
        serial, fields = self._plan.serial, (self.F, self._wall, self._normals)
        if not stepped:
            curvature.normals_of(serial, *fields)
        tension.survey(serial, *fields, self._sigma, self._surface, self.grid.dx)
        return float(self._surface[:, 0].sum())

    @property
    def _carrier(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The velocity that is free of divergence and moves the phases, bodies included [m/s]."""
        return self.bodies.carrier if self.bodies else (self.u, self.v)

    @property
    def _beta(self) -> tuple[torch.Tensor, torch.Tensor]:
        """dt / (rho_face dx^2) of the pressure correction; the system's own where there are no bodies."""
        return self.bodies.beta if self.bodies else (self.system.beta_x, self.system.beta_y)

    def _forces_on_walls(self) -> tuple[SolidForce, ...]:
        """By the pressure of the last solve and the present velocity."""
        if not self._has_solid:
            return ()
        if self._wall_forces is None:
            self._wall_forces = WallForces(self.solid, self.grid.dx)
        rho = self.bodies.rho(self.F, self.rho) if self.bodies else self.rho
        mu, walls = None, None
        if any(self.controls.viscosities):
            mu = torch.empty_like(rho)
            pressure.mixture(self.F, self._jump_mu, mu)
            if self.scene.walls.solids == "no-slip":
                walls = self._boundary.wall_u, self._boundary.wall_v
        return self._wall_forces.on_all(self.p, rho, self.controls.gravity, self.u, self.v, mu, walls)

    @contextmanager
    def _timed(self, ms: dict[str, float], stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        ms[stage] += 1e3 * (time.perf_counter() - start)

    def _publish(
        self,
        dt: float,
        solutions: tuple[Solution, ...],
        slowed: float,
        ms: dict[str, float],
        courant: float,
        limit: str,
        kinetic_before: float | None,
        now: Survey,
    ) -> Frame:
        kinetic = now.kinetic if kinetic_before is None else 0.5 * (kinetic_before + now.kinetic)
        fluid = sum(now.volumes)
        drift = max(
            abs(volume - start - entry) / (start or fluid or 1.0)
            for volume, start, entry in zip(now.volumes, self.volumes_at_start, self.ledger)
        )
        notices = failures(solutions) + self._boundary.notices
        if self._too_stiff:
            notices += (f"{self._too_stiff} viscous steps stopped early: the fluid is less viscous than it should be",)
        if slowed > 0:
            notices += (f"{MAX_SUBSTEPS} sub-steps did not fill the frame: the clock runs slow by {slowed:.3g} s",)
        bodies = self.bodies
        u, v = self._carrier
        return Frame(
            time=self.time,
            dt=dt,
            substeps=len(solutions),
            fractions=fractions_of(bodies.relative(self.F) if bodies else self.F),
            density=frozen(bodies.mixture(self.rho) if bodies else self.rho),
            u=frozen(u),
            v=frozen(v),
            pressure=frozen(self.p),
            solid=frozen(self.solid),
            stats=Stats(
                step=self.steps,
                solutions=solutions,
                ms=MappingProxyType(ms),
                divergence_max=now.divergence,
                speed_max=now.speed,
                courant=courant,
                volumes=tuple(now.volumes),
                volume_drift=drift,
                energy=kinetic + now.potential + self._surface_energy(bool(solutions)),
                limit=limit,
                slowed=slowed,
                notices=notices,
                solids=self._forces_on_walls(),
                bodies=bodies.states(self.p) if bodies else (),
                body_solutions=bodies.taken() if bodies else (),
            ),
            outlines=tuple(bodies.motion.outlines) if bodies else (),
        )

    # State -----------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a continued run needs, as plain arrays (text included), ready for np.savez."""
        numbers = (self.time, self.steps, self.seed, self.ahead, self.ledger, self.volumes_at_start, self.controls)
        fields = dict(zip(checkpoint.FIELDS, self._fields()))
        motion = self.bodies.motion.values.tolist() if self.bodies else []
        return checkpoint.to_arrays(self.scene, self.grid, fields, checkpoint.Numbers(*numbers, motion))

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Continue from a `state()` of the same scene and grid. Raises ValueError; then nothing has changed."""
        mine = dict(zip(checkpoint.FIELDS, self._fields()))
        shapes = {name: field.shape for name, field in mine.items()}
        fields, numbers = checkpoint.from_arrays(saved, len(self.scene.phases), shapes, len(self.scene.bodies))
        for name, field in fields.items():
            mine[name].copy_(field)
        self.ledger, self.volumes_at_start = numbers.ledger, numbers.volumes_at_start
        self.time, self.steps, self.seed, self.ahead = numbers.time, numbers.steps, numbers.seed, numbers.ahead
        if self.bodies:
            self.bodies.go_back(np.array(numbers.motion))
        self._set_controls(numbers.controls)
        self._walls_changed()
        self._update_density()
        if self.bodies:
            self.bodies.carry(self.u, self.v)

    @classmethod
    def from_state(
        cls, saved: dict[str, np.ndarray], *, solve: Solve, device: str = "auto", threads: int | None = None
    ) -> Simulation:
        """A simulation of the scene, grid and instant that a `state()` holds. Raises ValueError with one sentence."""
        scene, grid, seed = checkpoint.scene_of(saved)
        simulation = cls(scene, grid, solve=solve, device=device, seed=seed, threads=threads)
        simulation.restore(saved)
        return simulation


def failures(solutions: tuple[Solution, ...]) -> tuple[str, ...]:
    """One sentence when pressure solves of a frame did not converge: the flow is then not free of divergence."""
    failed = [solution for solution in solutions if solution.status.name != "CONVERGED"]
    if not failed:
        return ()
    last = failed[-1].status
    return (f"{len(failed)} of {len(solutions)} pressure solves ended {last.name}: {last.value}",)
