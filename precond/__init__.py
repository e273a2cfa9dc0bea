"""Pressure Poisson systems and preconditioned conjugate gradients for them, in torch.

system = precond.PoissonSystem.from_density(rho)
solution = precond.Solver("multigrid", system).solve(system, b)
"""

from . import problems
from .registry import names, register, why_unavailable
from .solver import Solution, Solver
from .status import Status
from .system import PoissonSystem

__all__ = ["PoissonSystem", "Solution", "Solver", "Status", "names", "problems", "register", "why_unavailable"]
