"""When a solve by conjugate gradients ends, and how: decided by the true residual."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .status import Status

SMALLEST_TARGET = 1e-17  # the recursive residual says nothing below rounding; iterating on would end in underflow
SLACK = 1.05  # how far another order of summation may find the residual above a tolerance that we called reached
NOISE_FACTOR = 20  # below this many roundings the recursive residual is noise: the rounding of all iterations adds up
DRIFT_FACTOR = 2.0  # recursive and true residual are taken as one up to this factor
PROGRESS_FACTOR = 0.9  # what counts as progress: the best residual below this times the former best
RESTARTS = 2  # without progress before a solve is given up
WINDOW = 512  # iterations between two looks at the true residual, at least; all are multiples of torch_loop.CHUNK


@dataclass(frozen=True)
class Progress:
    """Where the iteration stands. Residuals are relative to ||P b||.

    running: whether it goes on by itself; False after the target was reached or r.Mr or p.Ap was not positive.
    finite: whether its scalars are.  recursive: the recursive residual.  target_reached: whether it is at its target.
    """

    running: bool
    finite: bool
    recursive: float
    target_reached: bool


class StoppingRule:
    """Watches one solve: counts, compares the recursive with the true residual, asks for restarts, says the status.

    history: the relative residual after each iteration.  restart: whether the iteration must begin anew from its true
    residual, with `target` for its recursive residual.
    """

    def __init__(self, tolerance: float, max_iterations: int, unknowns: int):
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.history: list[float] = []
        self.restart, self.target = False, max(tolerance, SMALLEST_TARGET)
        self._window = max(WINDOW, 8 * (math.isqrt(unknowns) // 2))
        self._next_check = self._window
        self._best_in_window = self._best_at_stop = math.inf
        self._restarts_without_progress = self._last_restart = 0

    @property
    def iterations(self) -> int:
        """So far."""
        return len(self.history)

    @property
    def remaining(self) -> int:
        """Iterations until the true residual must be looked at."""
        return min(self._next_check, self.max_iterations) - self.iterations

    def reached(self, residual: float, rounding: float) -> bool:
        """Whether anyone who recomputes the true residual will find it within SLACK of the tolerance."""
        return residual <= self.tolerance and math.hypot(residual, rounding) <= SLACK * self.tolerance

    def begin(self, residual: float) -> None:
        """Start from this true residual."""
        self._best_in_window = residual

    def stop_here(self) -> None:
        """The user wants an end: as at the iteration limit."""
        self.max_iterations = self.iterations

    def judge(self, progress: Progress, residual: float, rounding: float) -> Status | None:
        """The status if the solve ends with this true residual, None if it goes on (see `restart`).

        rounding: the part of the residual that depends on the order of summation, relative to ||P b||.
        """
        if self.history:
            self.history[-1] = residual
        if self.reached(residual, rounding):
            return Status.CONVERGED
        breakdown = not (progress.running or progress.target_reached)
        # After some iterations a wrong sign may be rounding that the recursive r has gathered, say a constant in a
        # closed box. Then a restart helps; a fresh residual that breaks down at once is the fault of M or A.
        cause = Status.STAGNATED if progress.recursive <= NOISE_FACTOR * rounding else Status.INDEFINITE
        if breakdown and self.iterations == self._last_restart:
            return cause
        if not progress.running:
            self._restarts_without_progress += residual > PROGRESS_FACTOR * self._best_at_stop
            self._best_at_stop = min(self._best_at_stop, residual)
        if self._restarts_without_progress >= RESTARTS:
            return cause if breakdown else Status.STAGNATED
        if self.iterations >= self.max_iterations:
            return Status.ITERATION_LIMIT
        self.restart = not progress.running or residual > DRIFT_FACTOR * progress.recursive
        if self.iterations >= self._next_check:
            best = residual if self.restart else min(residual, *self.history[-self._window :])
            if best > PROGRESS_FACTOR * self._best_in_window:
                return Status.STAGNATED
            self._best_in_window = min(self._best_in_window, best)
            self._next_check = self.iterations + self._window
        if self.restart:
            self._last_restart = self.iterations
            room = math.sqrt(max(0.0, (SLACK * self.tolerance) ** 2 - rounding**2))
            self.target = max(min(self.tolerance, room or self.tolerance), SMALLEST_TARGET)
        return None
