"""What of a picture is a matter of taste: theme, the part of the domain, streamlines, size."""

from __future__ import annotations

from dataclasses import dataclass

from app.render.region import WHOLE, Region
from app.render.themes import THEMES, Theme


@dataclass(frozen=True)
class Look:
    """How a frame is looked at, besides the view."""

    theme: Theme = THEMES[0]
    region: Region = WHOLE
    streamlines: bool = False


PLAIN = Look()


@dataclass(frozen=True)
class StillOptions:
    """A picture of the fluid alone, see Still. size: (width, height) [pixels].

    supersample: pixels on a side that are averaged for one.  transparent: of the gas nothing but its shadow is drawn.
    """

    size: tuple[int, int]
    supersample: int = 1
    transparent: bool = False
    look: Look = PLAIN
