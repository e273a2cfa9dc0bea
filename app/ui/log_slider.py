"""Logarithmic sliders with a zero at their left end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from imgui_bundle import imgui

from app.ui.widgets import track

DIGITS = 2  # that a dragged value is rounded to
ZERO = 0.04  # share of a slider that means zero


@dataclass(frozen=True)
class Scale:
    """Values from low to high; with `zero`, also 0 below them."""

    low: float
    high: float
    zero: bool = False

    def place(self, value: float) -> float:
        """Where the value is on the slider, 0 to 1."""
        start = ZERO if self.zero else 0.0
        if value <= 0:
            return 0.0
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return start + (1 - start) * min(max(share, 0.0), 1.0)

    def value(self, place: float) -> float:
        """The value at a place of the slider, of few digits."""
        start = ZERO if self.zero else 0.0
        if self.zero and place < start:
            return 0.0
        share = min((place - start) / (1 - start), 1.0)
        return float(f"{self.low * (self.high / self.low) ** share:.{DIGITS}g}")


def draw(label: str, value: float, scale: Scale, text: str) -> float | None:
    """A slider with this text on it; the new value while it is being moved, else None."""
    place = scale.place(value)
    flags = imgui.SliderFlags_.no_input | imgui.SliderFlags_.always_clamp
    changed, place = imgui.slider_float(label, place, 0.0, 1.0, text.replace("%", "%%"), flags)
    track(place)
    return scale.value(place) if changed else None


def short(value: float) -> str:
    """At most three digits, without an exponent where possible; thousands whole."""
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if 1e3 <= size < 1e6 else f"{value:.0e}"
