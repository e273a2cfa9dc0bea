"""What the user has chosen: the method and tolerance of the pressure solver, and the methods to compare."""

from __future__ import annotations

from dataclasses import dataclass

TOL_MIN = 1e-14  # relative; rounding of float64 hides anything smaller
AUTO = "auto"  # instead of a method's name: the fastest here, see advice.py
METHODS_MAX = 4  # in a comparison: more would be too small to see


@dataclass(frozen=True)
class Choice:
    """The method and the tolerance that pressure systems are solved with."""

    precond: str  # or AUTO
    tol: float  # relative residual


@dataclass(frozen=True)
class ComparisonChoice:
    """The methods to show side by side, and how."""

    mode: str = "off"  # or "shadow": one fluid, its systems solved by all;  "race": a fluid for each
    methods: tuple[str, ...] = ("htp", "jacobi", "dilu", "multigrid")
