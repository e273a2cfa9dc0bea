"""What a validation case returns: numbers beside their references, curves beside published points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sim.simulation import Solve


@dataclass(frozen=True)
class Check:
    """One number beside its reference.

    tolerance: the largest |measured - reference|, or the largest measured value where the reference is None.
    """

    quantity: str
    measured: float
    reference: float | None
    tolerance: float

    @property
    def error(self) -> float:
        """|measured - reference|, or the measured value where it should be as small as possible."""
        return abs(self.measured - (self.reference or 0.0))

    @property
    def holds(self) -> bool:
        """Whether the number is where it should be; NaN never is."""
        return bool(self.error <= self.tolerance)  # not NumPy's, which json cannot write


@dataclass(frozen=True)
class Curve:
    """A measured line and the published points beside it."""

    title: str
    x_label: str
    y_label: str
    x: list[float]
    y: list[float]
    points_x: list[float] = field(default_factory=list)
    points_y: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What a case has measured on a grid of n cells to its characteristic length."""

    case: str
    n: int
    checks: list[Check]
    curves: list[Curve] = field(default_factory=list)
    picture: np.ndarray | None = None  # fraction of the first phase at the end, (ny, nx)


@dataclass(frozen=True)
class Case:
    """A flow, the grids that it is run on, and where its reference stands."""

    run: Callable[[int, Solve], Result]
    sizes: tuple[int, ...]  # n of `python -m sim.validate`
    full: tuple[int, ...]  # n with --full
    source: str
    about: str
