"""Pressure Poisson systems and preconditioned conjugate gradients for them, in torch.

system = precond.PoissonSystem.from_density(rho)
solution = precond.Solver("multigrid", system).solve(system, b)
"""

import os

# Read by OpenMP when torch loads it. Threads that spin at a barrier while the window, the encoder or another program
# wants their core made a pressure solve thirty times slower on a busy two-core machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from . import problems
from .registry import names, register, why_unavailable
from .solver import Solution, Solver
from .status import Status
from .system import PoissonSystem

__all__ = ["PoissonSystem", "Solution", "Solver", "Status", "names", "problems", "register", "why_unavailable"]
