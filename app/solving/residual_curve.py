"""The residual of a solve by iteration, as every plot of it shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LOWEST, HIGHEST = 1e-18, 1e6  # relative residuals that plots can show


def residual_history(solutions: Sequence[Any]) -> np.ndarray:
    """Relative residual after each iteration of the last solve."""
    return np.asarray(solutions[-1].history).astype(np.float64).ravel() if solutions else np.empty(0)


def curve_points(history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(iterations from 1, residuals) for a logarithmic axis; iterations without a finite residual are left out."""
    finite = np.isfinite(history)
    return np.flatnonzero(finite) + 1.0, np.clip(history[finite], LOWEST, HIGHEST)
