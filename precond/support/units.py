"""Numbers of any unit brought near 1, without rounding."""

from __future__ import annotations

import math


def power_of_two_over(largest: float) -> float:
    """What brings numbers up to `largest` near 1, exactly, and keeps their squares away from under- and overflow."""
    return 2.0 ** -max(-1000, min(1000, math.frexp(largest)[1])) if 0 < largest < math.inf else 1.0
