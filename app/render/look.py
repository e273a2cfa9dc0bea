"""What of a picture is a matter of taste: theme, the part of the domain, streamlines."""

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
