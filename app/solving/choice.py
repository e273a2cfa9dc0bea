"""What the user has chosen: the method and tolerance of the pressure solver, and the methods to compare."""

from __future__ import annotations

from dataclasses import dataclass

TOL_MIN = 1e-14  # relative; rounding of float64 hides anything smaller
AUTO = "auto"  # instead of a method's name: the fastest here, see advice.py
SWEEPS = "sweeps"  # instead of a method's name: plain Jacobi iterations, see sweeps.py
PANES = ("race", "branch")  # modes with a fluid for each: every one at its own pace, or all in step
ITERATIONS_MAX = 5000
RATIOS = (1.0, 1e6)  # of densities
METHODS_MAX = 4  # in a comparison: more would be too small to see


@dataclass(frozen=True)
class Choice:
    """The method and the tolerance that pressure systems are solved with."""

    precond: str  # or AUTO
    tol: float  # relative residual


@dataclass(frozen=True)
class Variant:
    """How one of several fluids is solved, and what else differs in it. Zeros: as the fluid they all begin from."""

    precond: str = ""  # a method's name, or SWEEPS
    tol: float = 0.0
    iterations: int = 0  # at most, in every solve; 0: as many as the tolerance takes
    ratio: float = 0.0  # of the heaviest to the lightest density

    def __post_init__(self) -> None:
        if self.tol and not TOL_MIN <= self.tol < 1:
            raise ValueError(f"tolerance {self.tol:g} is out of range: give {TOL_MIN:g} to 1, e.g. 1e-6")
        if self.iterations and not 1 <= self.iterations <= ITERATIONS_MAX:
            raise ValueError(f"{self.iterations} iterations are out of range: give 1 to {ITERATIONS_MAX}")
        if self.precond == SWEEPS and not self.iterations:
            raise ValueError(f"{SWEEPS!r} needs a number of sweeps: give one, e.g. {SWEEPS}:20")
        if self.ratio and not RATIOS[0] <= self.ratio <= RATIOS[1]:
            raise ValueError(f"a density ratio of {self.ratio:g} is out of range: give {RATIOS[0]:g} to {RATIOS[1]:g}")

    def __str__(self) -> str:
        """As the command line takes it."""
        tol, iterations = f"@{self.tol:g}" if self.tol else "", f":{self.iterations}" if self.iterations else ""
        return f"{self.precond}{tol}{iterations}"

    @property
    def plain(self) -> bool:
        """Whether nothing but the method differs."""
        return not (self.tol or self.iterations or self.ratio)

    def label(self, title: str) -> str:
        """What it is called, after the title of its method."""
        parts = [title]
        if self.iterations:
            parts.append(f"{self.iterations}" if self.precond == SWEEPS else f"{self.iterations} iterations")
        if self.tol:
            parts.append(f"{self.tol:.0e}".replace("e-0", "e-"))
        if self.ratio:
            parts.append(f"{self.ratio:,.0f} : 1")
        return ", ".join(parts)


@dataclass(frozen=True)
class ComparisonChoice:
    """What to show side by side, and how."""

    mode: str = "off"  # "shadow": one fluid, its systems solved by all methods;  "race", "branch": see PANES
    methods: tuple[str, ...] = ("htp", "jacobi", "dilu", "multigrid")  # of shadow and race
    variants: tuple[Variant, ...] = (Variant(), Variant("multigrid"))  # of branches
