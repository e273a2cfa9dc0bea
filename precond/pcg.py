"""Preconditioned conjugate gradients: one driver for every preconditioner, device and engine.

The driver reads as the algorithm. What a loop computes is in torch_loop.py (a graph on CUDA) and compiled/loop.py (one
compiled call on a CPU); when it ends is decided in stopping.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from .preconditioner import Preconditioner
from .right_hand_side import RightHandSide, Task
from .status import Status
from .stopping import Progress, StoppingRule
from .system import PoissonSystem
from .topology import Projector


@dataclass(frozen=True)
class Outcome:
    """x (N,), how it ended, and the true relative residual of this very x."""

    x: torch.Tensor
    status: Status
    iterations: int
    residual: float
    history: np.ndarray


class Loop(Protocol):
    """The vectors of one solve and what is done with them. Residuals are relative to ||b||."""

    unknowns: int
    refused: str  # why it runs slower than it could, one sentence; "" where it does not

    def receive(self, system: PoissonSystem, task: Task) -> RightHandSide | None:
        """Bring system, which is the loop's own, to the values of the task's and load it; b and x0 are made ready.

        None where coefficients, or b in the fluid, are not finite.
        """

    def begin(self, M: Preconditioner, project: Projector, b: RightHandSide, flexible: bool) -> None:
        """Prepare for b with this M."""

    def start(self, x0: torch.Tensor | None, target: float) -> tuple[float, float]:
        """`true_residual` at x0 (N,), or at 0 if that is no better, from where the iteration begins."""

    def guess(self, x: torch.Tensor | None) -> None:
        """Set x (N,); None: 0."""

    def true_residual(self) -> tuple[float, float]:
        """||P b - A x|| / ||P b|| after projecting x, and its part that depends on the order of summation."""

    def restart(self, target: float) -> None:
        """Begin anew at the present x, from its true residual, until the recursive one is below the target."""

    def run(self, most: int, history: list[float]) -> Progress:
        """Run at most so many iterations and append the recursive residual after each."""

    def plain_step(self) -> float:
        """The energy (r.y)^2 / y.A y that one step along y = P D^-1 r would win at x, r its true residual."""

    def solution(self) -> torch.Tensor:
        """A copy of x (N,)."""


class PCG:
    """Solves P A P x = P b on one grid shape and device. Hestenes and Stiefel 1952; Saad 2003, algorithm 9.1.

    The direction is p = z + beta p with beta = <z, r> / <z_old, r_old>; the flexible form, for an M that changes from
    one iteration to the next, has beta = <z, r - r_old> / <z_old, r_old> (Polak and Ribiere; Notay 2000). Since
    r - r_old = -alpha A p, that is -<z, A p> / <p, A p>: z is made A-orthogonal to the last direction, whatever M did.
    """

    def __init__(self, loop: Loop):
        self.loop = loop

    def solve(
        self,
        M: Preconditioner,
        project: Projector,
        b: RightHandSide,
        x0: torch.Tensor | None,
        tolerance: float,
        max_iterations: int,
        should_stop: Callable[[], bool] | None = None,
        flexible: bool = False,
    ) -> Outcome:
        """Iterate until ||P b - A x|| <= tolerance ||P b||, with the system loaded and M set up.

        b is projected, finite and of a norm whose square is a normal number;  x0 (N,) or None: a guess that is no
        better than zero is dropped.  should_stop: asked now and then; True ends as at the iteration limit.
        flexible: the form of beta for an M that is not one fixed linear map.
        """
        loop, rule = self.loop, StoppingRule(tolerance, max_iterations, self.loop.unknowns)
        loop.begin(M, project, b, flexible)
        residual, rounding = loop.start(x0, rule.target)
        if rule.reached(residual, rounding):
            return Outcome(loop.solution(), Status.CONVERGED, 0, residual, np.zeros(0))
        while True:
            progress = loop.run(rule.remaining, rule.history)
            rule.note(progress)
            if progress.running and should_stop is not None and should_stop():
                rule.stop_here()
            if progress.running and rule.remaining > 0:
                continue
            if not progress.finite:
                loop.guess(None)  # x may hold the NaN; zero is what we can vouch for
                return Outcome(loop.solution(), Status.NOT_FINITE, rule.iterations, 1.0, np.array(rule.history))
            residual, rounding = loop.true_residual()
            status = rule.judge(progress, residual, rounding, loop.plain_step)
            if status is not None:
                return Outcome(loop.solution(), status, rule.iterations, residual, np.array(rule.history))
            if rule.restart:
                loop.restart(rule.target)
