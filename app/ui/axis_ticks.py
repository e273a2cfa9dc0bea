"""Where axes end and which of their values are labelled."""

from __future__ import annotations

import math


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... so that an axis changes seldom."""
    if not (math.isfinite(value) and value > 0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def decades(low: float, high: float) -> range:
    """The exponents of ten to label on a logarithmic axis: three or four at most."""
    step = max(1, math.ceil((math.log10(high) - math.log10(low)) / 3))
    return range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1, step)
