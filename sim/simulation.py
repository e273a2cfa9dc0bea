"""The fluid: one step reads as the algorithm - advect, brush, forces, assemble, solve, project."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from precond.system import PoissonSystem
from sim import advect, brush, plic, pressure, runtime, state
from sim.frame import STAGES, Controls, Frame, Solution, Stats, Stroke
from sim.grid import Grid
from sim.layout import Scene
from sim.scene import load

Solve = Callable[[PoissonSystem, torch.Tensor, torch.Tensor], Solution]

COURANT = 0.49  # sum over directions of |u| dt / dx; the split transport keeps fractions in [0, 1] only below 1/2
MAX_SUBSTEPS = 64  # per call of step; beyond it the clock is slowed, never the stability given up


class NotFiniteError(ValueError):
    """The velocity holds NaN or infinity; the message is one sentence."""


class Simulation:
    """Two immiscible incompressible fluids on a MAC grid, by operator splitting:

        d(rho u)/dt + div(rho u u) = -grad p + rho g,   div u = 0,   d f/dt + u . grad f = 0

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
        self.device = runtime.start(device, threads)
        self._allocate()
        self.reset()

    def _allocate(self) -> None:
        ny, nx = self.grid.shape

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=self.device)

        self.system = PoissonSystem.empty(ny, nx, open_top=self.scene.open_top, device=self.device)
        self.solid = self.system.solid
        self._wall = self.solid.view(torch.uint8)  # the same bytes, as Taichi reads them
        self.f, self._f_a, self._f_b, self._dilate, self.p, self.b = (zeros(ny, nx) for _ in range(6))
        self.u, self._u_a, self._u_b, self._flux_x = (zeros(ny, nx + 1) for _ in range(4))
        self.v, self._v_a, self._v_b, self._flux_y = (zeros(ny + 1, nx) for _ in range(4))
        self._plane, self._rows = zeros(3, ny, nx), zeros(ny, 7)
        self._kept = [torch.zeros_like(field) for field in self._fields()]  # to go back to when a step breaks off

    def _fields(self) -> tuple[torch.Tensor, ...]:
        return self.f, self.u, self.v, self.p, self.solid

    def reset(self) -> None:
        """Back to time zero of the scene, at rest under hydrostatic pressure."""
        self.controls = Controls(self.scene.gravity, tuple(phase.density for phase in self.scene.phases))
        self.time, self.steps = 0.0, 0
        self.ledger = [0.0, 0.0]  # volume of each phase that input and open boundaries have added [m^2]
        self.f.copy_(torch.from_numpy(self.scene.fractions(self.grid, self.seed)[0]))
        self.solid.copy_(torch.from_numpy(self.scene.solid(self.grid)))
        self._walls_changed()
        self.u.zero_()
        self.v.zero_()
        self.p.copy_(self._hydrostatic())
        self.volumes_at_start = self._measure()[1]

    def frame(self) -> Frame:
        """The present state as an immutable Frame, without a step."""
        return self._publish(0.0, 0, 0.0, dict.fromkeys(STAGES, 0.0), (), 0.0)

    def step(self, dt: float, controls: Controls | None = None) -> Frame:
        """Advance by dt [s] in as many sub-steps as the Courant number asks for, at most MAX_SUBSTEPS.

        `controls` replace the present ones; their strokes act once. Raises ValueError for a dt that is not positive or
        controls that do not fit the phases, NotFiniteError when the velocity is no longer finite. Whatever is raised,
        also by `solve`, leaves the fluid as it was before the call.
        """
        runtime.require_home()
        if not (math.isfinite(dt) and dt > 0):
            raise ValueError(f"dt {dt} must be positive and finite [s]")
        if controls is not None:
            if not isinstance(controls, Controls):
                raise TypeError(f"controls are {controls!r}; give a sim.Controls record")
            if len(controls.densities) != len(self.scene.phases):
                raise ValueError(
                    f"controls give {len(controls.densities)} densities for {len(self.scene.phases)} phases"
                )
        rate = self._measure()[0]
        numbers = self.controls, self.time, self.steps, self.ledger
        for kept, field in zip(self._kept, self._fields()):
            kept.copy_(field)
        try:
            return self._advance(dt, controls or self.controls, rate)
        except BaseException:
            for kept, field in zip(self._kept, self._fields()):
                field.copy_(kept)
            self.controls, self.time, self.steps, self.ledger = numbers
            self._walls_changed()
            raise

    def _advance(self, dt: float, controls: Controls, rate: float) -> Frame:
        """`step` with checked arguments; rate = max |u|_1 / dx at its start."""
        self.controls = controls
        solutions: list[Solution] = []
        strokes, ms, left, courant = self.controls.strokes, dict.fromkeys(STAGES, 0.0), dt, 0.0
        while left > 0 and len(solutions) < MAX_SUBSTEPS:
            h = self.substep_dt = self._substep(left, rate)
            courant = max(courant, rate * h)
            with self._timed(ms, "advect"):
                self._advect(h)
            with self._timed(ms, "assemble"):
                self._brush(strokes, dt)
                self._add_forces(h)
                self._assemble(h)
            solution = self.solve(self.system, self.b, self.p)
            self.p.copy_(solution.x)
            for stage in ("setup", "inference", "solve"):
                ms[stage] += getattr(solution, f"{stage}_ms")
            with self._timed(ms, "project"):
                pressure.correct(self.u, self.v, self.p, self.system.beta_x, self.system.beta_y, self.grid.dx)
            solutions.append(solution)
            self.time, self.steps, left, strokes = self.time + h, self.steps + 1, left - h, ()
            left = 0.0 if left < 1e-12 * dt else left  # what rounding leaves of the last sub-step
            rate = self._measure()[0]
        self.controls = replace(self.controls, strokes=())
        return self._publish(dt - left, len(solutions), left, ms, tuple(solutions), courant)

    # The parts of a step -------------------------------------------------------------------------------------------

    def _substep(self, left: float, rate: float) -> float:
        """Largest equal share of the time left that keeps rate h + |g| h^2 / dx <= COURANT; rate = max |u|_1 / dx."""
        g = abs(self.controls.gravity) / self.grid.dx
        longest = 2 * COURANT / (rate + math.sqrt(rate * rate + 4 * g * COURANT)) if rate + g > 0 else left
        return left / math.ceil(left / longest)

    def _advect(self, h: float) -> None:
        """Phases and momentum by the velocity at the start of the step; the first axis alternates (Strang 1968)."""
        dt_dx, (rho0, rho1) = h / self.grid.dx, self.controls.densities
        advect.mark(self.f, self._dilate)
        f, u, v = self.f, self.u, self.v
        order = (0, 1) if self.steps % 2 == 0 else (1, 0)
        spare = ((self._f_a, self._u_a, self._v_a), (self._f_b, self._u_b, self._v_b))
        for axis, (f_new, u_new, v_new) in zip(order, spare):
            work = (self._plane, self._wall, self._dilate)
            along, across = (self.u, self._flux_x, u, u_new), (self.v, v, v_new)
            if axis == 1:
                along, across = (self.v, self._flux_y, v, v_new), (self.u, u, u_new)
            advect.sweep(axis, f, f_new, *work, *along, *across, rho0, rho1, dt_dx)
            if self._has_solid:
                plic.extend_into_solid(f_new, self._wall)
            f, u, v = f_new, u_new, v_new
        if self.scene.open_top:
            cell = self.grid.dx**2
            out = float(self._flux_y[-1].sum()) * cell
            total = float(self.v[-1].sum()) * dt_dx * cell
            self.ledger = [self.ledger[0] - out, self.ledger[1] - (total - out)]
        self.f, self._f_b = self._f_b, self.f
        self.u, self._u_b = self._u_b, self.u
        self.v, self._v_b = self._v_b, self.v

    def _brush(self, strokes: tuple[Stroke, ...], dt: float) -> None:
        """Apply strokes between transport and projection, so that only divergence-free velocities move the fluid."""
        if not strokes:
            return
        before = self._measure()[1]
        for s in strokes:
            capsule = (s.x0, s.y0, s.x1, s.y1, s.radius)
            if s.tool == "push":
                brush.push(self.u, self.v, *capsule, (s.x1 - s.x0) / dt, (s.y1 - s.y0) / dt, self.grid.dx)
            elif s.tool == "pour":
                brush.pour(self.f, self._wall, *capsule, 1.0 if s.phase == 0 else 0.0, self.grid.dx)
            else:
                brush.wall(self.f, self._wall, *capsule, 1 if s.tool == "solid" else 0, self.grid.dx)
                self._walls_changed()
        after = self._measure()[1]
        self.ledger = [entry + b - a for entry, a, b in zip(self.ledger, before, after)]

    def _add_forces(self, h: float) -> None:
        """v -= g h on every face between fluid cells; an open top moves as the face below it."""
        self.v[1:-1] -= h * self.controls.gravity
        if self.scene.open_top:
            self.v[-1].copy_(self.v[-2])

    def _assemble(self, h: float) -> None:
        rho0, rho1 = self.controls.densities
        faces = (self.system.beta_x, self.system.beta_y, self.b)
        pressure.assemble(
            self.f, self._wall, self.u, self.v, *faces, rho0, rho1, h, self.grid.dx, int(self.scene.open_top)
        )

    def _walls_changed(self) -> None:
        self._has_solid = bool(self.solid.any())
        if self._has_solid:
            plic.extend_into_solid(self.f, self._wall)

    # What is known about the state ---------------------------------------------------------------------------------

    def density(self) -> torch.Tensor:
        """rho = rho1 + (rho0 - rho1) f [kg/m^3], (ny, nx)."""
        rho0, rho1 = self.controls.densities
        return rho1 + (rho0 - rho1) * self.f

    def _hydrostatic(self) -> torch.Tensor:
        """Weight of the column above every cell [Pa]: the exact pressure of layers at rest, so that rest costs nothing.

        Solid cells weigh as much as the fluid beside them, so that layers stay flat across them.
        """
        rho = self.density()
        fluid = (~self.solid).to(rho)
        beside = (rho * fluid).sum(1, keepdim=True) / fluid.sum(1, keepdim=True).clamp(min=1)
        rho = torch.where(self.solid, beside, rho)
        g, dx = self.controls.gravity, self.grid.dx
        drop = torch.cat([0.5 * (rho[:-1] + rho[1:]), 0.5 * rho[-1:]])  # between a cell and the next, or the top face
        return g * dx * drop.flip(0).cumsum(0).flip(0) * fluid

    def _measure(self) -> tuple[float, list[float], list[float]]:
        """Largest |u|_1 / dx [1/s], volumes of the phases [m^2], and (max |div u|, max speed, energy)."""
        rho0, rho1 = self.controls.densities
        pressure.survey(self.f, self._wall, self.u, self.v, self._rows, rho0, rho1, self.grid.dx)
        largest, total = self._rows.amax(0).tolist(), self._rows.sum(0).tolist()
        if not math.isfinite(total[5]):
            raise NotFiniteError(
                f"the velocity is not finite (NaN or infinity) at t = {self.time:.4f} s, step {self.steps}"
            )
        energy = total[5] + abs(self.controls.gravity) * total[6]
        return largest[0] / self.grid.dx, [total[3], total[4] - total[3]], [largest[1], largest[2], energy]

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
        substeps: int,
        slowed: float,
        ms: dict[str, float],
        solutions: tuple[Solution, ...],
        courant: float,
    ) -> Frame:
        _, volumes, (divergence, speed, energy) = self._measure()
        fluid = sum(volumes)
        drift = max(
            abs(now - start - entry) / (start or fluid or 1.0)
            for now, start, entry in zip(volumes, self.volumes_at_start, self.ledger)
        )
        notices = failures(solutions)
        if slowed > 0:
            notices += (f"{MAX_SUBSTEPS} sub-steps did not fill the frame: the clock runs slow by {slowed:.3g} s",)
        f = self.f.cpu()
        return Frame(
            time=self.time,
            dt=dt,
            substeps=substeps,
            fractions=frozen(torch.stack([f, 1.0 - f])),
            density=frozen(self.density()),
            u=frozen(self.u),
            v=frozen(self.v),
            pressure=frozen(self.p),
            solid=frozen(self.solid),
            stats=Stats(
                step=self.steps,
                solutions=solutions,
                ms=MappingProxyType(ms),
                divergence_max=divergence,
                speed_max=speed,
                courant=courant,
                volumes=tuple(volumes),
                volume_drift=drift,
                energy=energy,
                slowed=slowed,
                notices=notices,
            ),
        )

    # State -----------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a continued run needs, as plain arrays (text included), ready for np.savez."""
        return state.capture(self)

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Continue from a `state()` of the same scene and grid. Raises ValueError; then nothing has changed."""
        state.restore(self, saved)
        self._walls_changed()

    @classmethod
    def from_state(
        cls, saved: dict[str, np.ndarray], *, solve: Solve, device: str = "auto", threads: int | None = None
    ) -> Simulation:
        """A simulation of the scene, grid and instant that a `state()` holds. Raises ValueError with one sentence."""
        scene, grid, seed = state.place(saved)
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


def frozen(tensor: torch.Tensor) -> np.ndarray:
    """A read-only NumPy copy."""
    array = tensor.detach().cpu().numpy().copy()
    array.flags.writeable = False
    return array
