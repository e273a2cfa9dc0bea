"""When a solve by conjugate gradients ends, and how: decided by the true residual."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .status import Status

SMALLEST_TARGET = 1e-17  # the recursive residual says nothing below rounding; iterating on would end in underflow
SLACK = 1.05  # how far another order of summation may find the residual above a tolerance that we called reached
NOISE_FACTOR = 20  # below this many roundings the recursive residual is noise: the rounding of all iterations adds up
DRIFT_FACTOR = 2.0  # recursive and true residual are taken as one up to this factor
PROGRESS_FACTOR = 0.9  # what counts as progress of a restart: a residual below this times the former best
LEAST_ROOM = 0.1  # of the tolerance, as the target of a recursive residual from which the true one differs
RESTARTS = 3  # without progress before a solve is given up
WINDOW = 512  # iterations between two looks at the true residual, at least; a multiple of torch_loop.CHUNK


@dataclass(frozen=True)
class Progress:
    """Where the iteration stands. Residuals are relative to ||P b||.

    running: whether it goes on by itself; False after the target was reached or r.Mr or p.Ap was not positive.
    finite: whether its scalars are.  recursive: the recursive residual.  target_reached: whether it is at its target.
    energy: what was won in this run, the sum of (r.Mr)^2 / p.Ap: by so much e.Ae fell, e the error of x.
    """

    running: bool
    finite: bool
    recursive: float
    target_reached: bool
    energy: float


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
        self._best_at_stop = math.inf
        self._won = 0.0  # energy, since the last look of a window
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

    def note(self, progress: Progress) -> None:
        """Take down what a run has won."""
        self._won += progress.energy

    def stop_here(self) -> None:
        """The user wants an end: as at the iteration limit."""
        self.max_iterations = self.iterations

    def judge(
        self, progress: Progress, residual: float, rounding: float, plain_step: Callable[[], float]
    ) -> Status | None:
        """The status if the solve ends with this true residual, None if it goes on (see `restart`).

        rounding: the part of the residual that depends on the order of summation, relative to ||P b||.
        plain_step: gives the energy that one step along D^-1 r would win from here, D the diagonal of A.
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
        drifts = residual > DRIFT_FACTOR * progress.recursive
        if drifts or not progress.running:
            self._restarts_without_progress += residual > PROGRESS_FACTOR * self._best_at_stop
            self._best_at_stop = min(self._best_at_stop, residual)
        if self._restarts_without_progress >= RESTARTS:
            return cause if breakdown else Status.STAGNATED
        if self.iterations >= self.max_iterations:
            return Status.ITERATION_LIMIT
        self.restart = drifts or not progress.running
        if self.iterations >= self._next_check:
            # That the residual rises says nothing: conjugate gradients make the energy of the error fall, and that in
            # every step. So it is of no use to go on only where many steps together have won no more than one step
            # without any M would have.
            if self._won <= plain_step():
                return Status.STAGNATED
            self._won = 0.0
            self._next_check = self.iterations + self._window
        if self.restart:
            self._last_restart = self.iterations
            self.target = max(self._target_for(progress, residual, rounding), SMALLEST_TARGET)
        return None

    def _target_for(self, progress: Progress, residual: float, rounding: float) -> float:
        """For the recursive residual, with room for what the true one has beyond it; squares of both kinds add up."""
        room = math.sqrt(max(0.0, (SLACK * self.tolerance) ** 2 - rounding**2)) or self.tolerance
        drift = residual**2 - progress.recursive**2
        if 0.0 < drift < self.tolerance**2:  # more was gathered on a long way, which a restart leaves behind
            room = min(room, max(math.sqrt(self.tolerance**2 - drift), LEAST_ROOM * self.tolerance))
        return min(self.tolerance, room)
