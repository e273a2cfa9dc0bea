"""The pressure solve of a running simulation: a preconditioner and a tolerance that may change at any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

import precond
from app.solving import sweeps
from app.solving.advice import FIRST, Advisor
from app.solving.choice import AUTO, SWEEPS, Choice, Variant
from app.solving.inspection import Inspector
from app.solving.shadow import Shadows
from precond.htp import tile_inspection
from precond.registry import entry

MEMORY = "solver"  # what names of arrays in a state file begin with


class Cancelled(Exception):
    """The run was told to stop; raised instead of a solve, or of its answer."""


class SwitchableSolver:
    """solve(system, b, x0) for Simulation; `choice` may be replaced from any thread, from the next solve on.

    Solvers are kept by name, so that switching back costs no second construction. A new system starts afresh.
    """

    def __init__(
        self,
        choice: Choice,
        device: str = "auto",
        weights: str | None = None,
        cancelled: threading.Event | None = None,
        iterations: int = 0,
    ) -> None:
        """iterations: at most, in every solve; 0: as many as the tolerance takes. `SWEEPS` makes as many."""
        self.choice = choice
        self.iterations = iterations
        self.cancelled = cancelled or threading.Event()
        self.failure = ""  # why the last choice could not be used, one sentence
        self.weights = weights
        self.used: list[Choice] = []  # by the solves of the present output frame
        self.plan: dict[int, Choice] = {}  # the number of a solve to what it and all after it use, for a replay
        self.shadows = Shadows(device, weights)
        self.advisor = Advisor(device, weights)
        self.inspector = Inspector(device, weights)
        self.advising = False  # whether advice is wanted where the method is not chosen by it
        self._device = device
        self._solvers: dict[str, precond.Solver] = {}
        self._system: precond.PoissonSystem | None = None
        self._last = FIRST if choice.precond == AUTO else choice.precond  # a name that has worked
        self._recalled: dict[str, dict[str, np.ndarray]] = {}

    def __call__(self, system: precond.PoissonSystem, b: torch.Tensor, x0: torch.Tensor) -> precond.Solution:
        if self.cancelled.is_set():
            raise Cancelled
        if system is not self._system:
            self._solvers.clear()
            self._system = system
        if len(self.used) in self.plan:
            self.choice = self.plan.pop(len(self.used))
        choice = self.choice
        if choice.precond == SWEEPS:
            self.used.append(choice)
            solution = sweeps.solve(system, b, x0, self.iterations)
            self.inspector.take(system, b, x0, choice, solution)
            return solution
        used = replace(choice, precond=self.advisor.best) if choice.precond == AUTO else choice
        try:
            solver = self._solver(used.precond, system)
        except (ValueError, RuntimeError, OSError) as error:
            if used.precond == self._last:
                raise
            self.failure = f"preconditioner {used.precond!r} cannot be used: {error}"
            used = self.choice = Choice(self._last, choice.tol)
            solver = self._solver(self._last, system)
        self.used.append(used)
        start = time.perf_counter()
        limit = {"max_iterations": self.iterations} if self.iterations else {}
        solution = solver.solve(system, b, rtol=used.tol, x0=x0, should_stop=self.cancelled.is_set, **limit)
        seconds = time.perf_counter() - start
        if self.cancelled.is_set():  # the answer is not one to go on with
            raise Cancelled
        self.inspector.take(system, b, x0, used, solution)
        self.shadows.solve(system, b, x0, (used, solution), self.cancelled.is_set)
        if self.advising or choice.precond == AUTO:
            self.advisor.take(system, b, x0, used, seconds, self.cancelled.is_set)
        return solution

    @property
    def method(self) -> str:
        """The name of the method in use: the chosen one, or what "auto" has come to."""
        return self._last if self.choice.precond == AUTO else self.choice.precond

    @property
    def resolved(self) -> Choice:
        """The choice with the name of the method in use."""
        return replace(self.choice, precond=self.method)

    def like(self, variant: Variant) -> SwitchableSolver:
        """Another that differs by the variant, with the same device and weights, and solvers of its own."""
        choice = Choice(variant.precond or self.method, variant.tol or self.choice.tol)
        return SwitchableSolver(choice, self._device, self.weights, self.cancelled, variant.iterations)

    def begin_frame(self) -> None:
        """Starts another output frame."""
        self.used = []
        self.shadows.begin_frame()
        self.advisor.seconds = 0.0

    def renew(self) -> None:
        """Runs networks anew in the next solve: what follows must not depend on a frame that broke off."""
        for solver in self._solvers.values():
            solver.renew()

    def memory(self) -> dict[str, np.ndarray]:
        """What methods keep from one solve to the next, for a state file: a continued run takes the same iterations."""
        kept = {**self._recalled, **{name: solver.memory() for name, solver in self._solvers.items()}}
        return {f"{MEMORY}/{name}/{key}": array for name, arrays in kept.items() for key, array in arrays.items()}

    def recall(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Gives the solvers of the next system what a state file holds."""
        self._recalled = {}
        for name, array in arrays.items():
            start, _, rest = name.partition("/")
            method, _, key = rest.partition("/")
            if start == MEMORY:
                self._recalled.setdefault(method, {})[key] = array

    def go_back(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continues from another moment of the same system, whose `memory` is among the arrays."""
        self._solvers.clear()
        self.recall(arrays)

    def forget(self) -> None:
        """Makes every solver start its next set-up from nothing, as on a first frame."""
        for solver in self._solvers.values():
            solver.forget()

    @property
    def notice(self) -> str:
        """Why another method stands in for the chosen one, one sentence; empty where it does not."""
        solver = self._solvers.get(self.method)
        return solver.notice if solver else ""

    @property
    def effective_method(self) -> str:
        """The method whose M is in use: the chosen one, or the one that stands in for it."""
        solver = self._solvers.get(self.method)
        return solver.effective_method if solver else self.method

    def why_unavailable(self, name: str) -> str | None:
        """None if the method can be chosen, else a sentence."""
        return why_unavailable(name, self.weights)

    def with_functions(self, tile: tile_inspection.Tile) -> tile_inspection.Tile:
        """The tile with its functions in the last solve, if the chosen method has any. For the solving thread."""
        solver = self._solvers.get(self.method)
        return tile_inspection.with_functions(tile, solver.preconditioner) if solver else tile

    def _solver(self, name: str, system: precond.PoissonSystem) -> precond.Solver:
        if name not in self._solvers:
            weights = self.weights if entry(name).takes_weights else None
            self._solvers[name] = precond.Solver(name, system, device=self._device, weights=weights)
            if name in self._recalled:
                self._solvers[name].recall(self._recalled.pop(name))
        self._last = name
        return self._solvers[name]


def why_unavailable(name: str, weights: str | None) -> str | None:
    """None if the method can be chosen, else a sentence; with weights at hand no file needs to be there."""
    return None if name == AUTO or (weights and entry(name).takes_weights) else precond.why_unavailable(name)
