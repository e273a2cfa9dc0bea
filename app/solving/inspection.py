"""The newest pressure solve, looked into: its error and its residual after any number of iterations.

    error = x_k - x* [Pa],   residual = P b - A x_k [1/s],   x* the solution to a relative residual of 1e-12

The same system is solved once more, from the same guess, for k iterations. A learned method then runs its network on
that very system, where in the run it may go on with what it said some solves ago.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

import precond
from app.solving import sweeps
from app.solving.choice import SWEEPS, Choice
from precond.registry import entry
from sim.frame import Frame

NEWEST = -1  # in place of a number of iterations: as the solve ended
TIGHT = 1e-12  # relative residual of x*


@dataclass(frozen=True)
class InspectedFrame(Frame):
    """A frame with the fields of its last pressure solve, (ny, nx), after `iteration` iterations."""

    error: np.ndarray  # [Pa]
    residual: np.ndarray  # [1/s]
    iteration: int


@dataclass
class Taken:
    """A solve as it was."""

    system: precond.PoissonSystem
    b: torch.Tensor
    x0: torch.Tensor
    x: torch.Tensor
    choice: Choice
    iterations: int


class Inspector:
    """Keeps the newest solve while somebody looks at it. For the solving thread."""

    def __init__(self, device: str, weights: str | None) -> None:
        self.iteration: int | None = None  # None: nobody looks;  NEWEST or more
        self._device, self._weights = device, weights
        self._taken: Taken | None = None
        self._solvers: dict[str, precond.Solver] = {}

    def look_at(self, iteration: int | None) -> None:
        """Shows that iteration from now on."""
        self.iteration = iteration
        if iteration is None:
            self.drop()

    def drop(self) -> None:
        """Forgets the newest solve, because the fluid has changed."""
        self._taken = None

    def take(self, system: precond.PoissonSystem, b: torch.Tensor, x0: torch.Tensor, choice: Choice, done: Any) -> None:
        """Keeps a solve that has just been done, where somebody looks."""
        if self.iteration is None:
            return
        copy = precond.PoissonSystem.empty(*system.shape, open_top=system.open_top, device=system.device)
        copy.copy_from(system)
        self._taken = Taken(copy, b.clone(), x0.clone(), done.x.clone(), choice, done.iterations)

    def inspected(self, frame: Frame) -> Frame:
        """The frame with the fields of its last solve; as it is, where nobody looks or nothing was solved."""
        taken = self._taken
        if self.iteration is None or taken is None:
            return frame
        count = taken.iterations if self.iteration == NEWEST else min(self.iteration, taken.iterations)
        x, exact = self._after(taken, count), self._solved(taken, "multigrid", TIGHT, 5000, taken.x)
        residual = taken.system.project(taken.b) - taken.system.apply(x)
        values = {each.name: getattr(frame, each.name) for each in fields(Frame)}
        shown = (self._field(taken, x - exact), self._field(taken, residual))
        return InspectedFrame(**values, error=shown[0], residual=shown[1], iteration=count)

    def _after(self, taken: Taken, count: int) -> torch.Tensor:
        """x after so many iterations, free of constants in closed regions."""
        if count == taken.iterations:
            return taken.system.project(taken.x)
        if count == 0:
            return taken.system.project(taken.x0)
        if taken.choice.precond == SWEEPS:
            return sweeps.solve(taken.system, taken.b, taken.x0, count).x
        return self._solved(taken, taken.choice.precond, taken.choice.tol, count, taken.x0)

    def _solved(self, taken: Taken, name: str, tol: float, count: int, x0: torch.Tensor) -> torch.Tensor:
        if name not in self._solvers:
            weights = self._weights if entry(name).takes_weights else None
            self._solvers[name] = precond.Solver(name, taken.system, self._device, fallback=(), weights=weights)
        solver = self._solvers[name]
        solver.forget()
        return taken.system.project(solver.solve(taken.system, taken.b, rtol=tol, max_iterations=count, x0=x0).x)

    @staticmethod
    def _field(taken: Taken, values: torch.Tensor) -> np.ndarray:
        array = (values * ~taken.system.solid).cpu().numpy()
        array.flags.writeable = False
        return array
