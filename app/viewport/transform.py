"""Between the window and the fluid: the one place that knows which part of the domain is seen where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from app.render.region import Region
from app.ui.rect import Rect
from sim.grid import Grid


@dataclass(frozen=True)
class ViewTransform:
    """A picture on the screen that shows a region of a domain. Points of the window [pixels] have y downwards."""

    picture: Rect
    region: Region
    grid: Grid

    @cached_property
    def whole(self) -> Rect:
        """The rectangle that the whole domain would have on the screen."""
        width, height = self.picture.width / self.region.size, self.picture.height / self.region.size
        left, bottom = self.picture.x - self.region.x * width, self.picture.bottom + self.region.y * height
        return Rect(left, bottom - height, width, height)

    @property
    def pixels_per_meter(self) -> float:
        """The scale, the same along both axes."""
        return self.whole.height / self.grid.height

    def to_meters(self, x: float, y: float) -> tuple[float, float]:
        """The place in the domain under a point of the window [m]."""
        return (x - self.whole.x) / self.pixels_per_meter, (self.whole.bottom - y) / self.pixels_per_meter

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """The inverse of `to_meters`."""
        return self.whole.x + x * self.pixels_per_meter, self.whole.bottom - y * self.pixels_per_meter

    def shares(self, x: float, y: float) -> tuple[float, float]:
        """A point of the window as shares of the picture, from its lower left."""
        return (x - self.picture.x) / self.picture.width, (self.picture.bottom - y) / self.picture.height
