"""Shadow mode: every pressure system is also solved by other methods, which the fluid does not follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

import precond
from app.solving.choice import Choice
from app.solving.method_stats import MethodResult, MethodStats
from precond.registry import entry


class Shadow:
    """One method beside the fluid's: its own solver without fallbacks, its own last solution to start from."""

    def __init__(self, name: str) -> None:
        self.stats = MethodStats(name)
        self.solver: precond.Solver | None = None
        self.x: torch.Tensor | None = None
        self.solutions: list[Any] = []  # of the present output frame
        self.failed = False  # it raised, and is left alone until it is chosen again

    def fail(self, error: Exception) -> None:
        """Counts a solver that raised."""
        self.stats.failures += 1
        self.stats.error = " ".join(str(error).split()) or type(error).__name__
        self.failed = True


class Shadows:
    """A few methods side by side with the one that the fluid follows. An error of one is counted, never raised."""

    def __init__(self, device: str, weights: str | None) -> None:
        self._device, self._weights = device, weights
        self._shadows: dict[str, Shadow] = {}
        self.seconds = 0.0  # that solving for numbers alone took in the present output frame

    @property
    def methods(self) -> tuple[str, ...]:
        """Names, in the order chosen."""
        return tuple(self._shadows)

    def choose(self, methods: tuple[str, ...]) -> None:
        """Solves by these methods from the next frame on; those that stay keep their counts."""
        self._shadows = {name: self._shadows.get(name) or Shadow(name) for name in methods}

    def start_over(self) -> None:
        """Counts from zero, for another fluid."""
        self._shadows = {name: Shadow(name) for name in self._shadows}

    def begin_frame(self) -> None:
        """Forgets the solutions of a frame that broke off."""
        self.seconds = 0.0
        for shadow in self._shadows.values():
            shadow.solutions = []

    def end_frame(self) -> None:
        """Counts the frame's solutions."""
        for shadow in self._shadows.values():
            if shadow.solutions:
                shadow.stats.add(shadow.solutions)

    def solve(
        self,
        system: precond.PoissonSystem,
        b: torch.Tensor,
        x0: torch.Tensor,
        followed: tuple[Choice, Any],
        should_stop: Callable[[], bool],
    ) -> None:
        """Solves the system by every method but the one followed, whose solution is given."""
        start = time.perf_counter()
        choice, solution = followed
        for name, shadow in self._shadows.items():
            if name == choice.precond:
                shadow.solutions.append(solution)
                shadow.x = None
            elif not shadow.failed and not should_stop():
                try:
                    self._solve(name, shadow, system, b, x0, choice.tol, should_stop)
                except (ValueError, RuntimeError, OSError, MemoryError) as error:
                    shadow.fail(error)
        self.seconds += time.perf_counter() - start

    def _solve(
        self,
        name: str,
        shadow: Shadow,
        system: precond.PoissonSystem,
        b: torch.Tensor,
        x0: torch.Tensor,
        tol: float,
        should_stop: Callable[[], bool],
    ) -> None:
        if shadow.solver is None:
            weights = self._weights if entry(name).takes_weights else None
            shadow.solver = precond.Solver(name, system, device=self._device, fallback=(), weights=weights)
            shadow.stats.error = shadow.solver.notice
        guess = x0 if shadow.x is None or shadow.x.shape != x0.shape else shadow.x
        solution = shadow.solver.solve(system, b, rtol=tol, x0=guess, should_stop=should_stop)
        shadow.x = solution.x.clone()
        shadow.solutions.append(solution)

    def results(self, time: float) -> tuple[MethodResult, ...]:
        """The statistics of every method, at this simulated time [s]."""
        return tuple(shadow.stats.result(time) for shadow in self._shadows.values())
