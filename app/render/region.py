"""The part of the domain that a picture shows, in fractions of the domain."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 32.0  # magnification: at 96 rows a cell then fills a third of the picture
STEP = 1.2  # of the magnification, for a notch of the wheel


@dataclass(frozen=True)
class Region:
    """From (x, y), its lower left corner, a share `size` of the domain's width and of its height."""

    x: float = 0.0
    y: float = 0.0
    size: float = 1.0

    @property
    def magnification(self) -> float:
        """How much larger than the whole domain things appear."""
        return 1 / self.size

    def at(self, across: float, up: float) -> tuple[float, float]:
        """The place in the domain that is seen at a place of the picture, both from the lower left, 0 to 1."""
        return self.x + self.size * across, self.y + self.size * up

    def where(self, x: float, y: float) -> tuple[float, float]:
        """The inverse of `at`."""
        return (x - self.x) / self.size, (y - self.y) / self.size

    def zoomed(self, factor: float, across: float, up: float) -> Region:
        """Magnified by a factor; what is seen at that place of the picture stays there, if the domain's edge allows."""
        size = min(max(self.size / factor, 1 / LARGEST), 1.0)
        x, y = self.at(across, up)
        return Region(x - size * across, y - size * up, size).kept_inside()

    def moved(self, across: float, up: float) -> Region:
        """Dragged along with what it shows, by shares of the picture."""
        return Region(self.x - self.size * across, self.y - self.size * up, self.size).kept_inside()

    def kept_inside(self) -> Region:
        """Shifted to where it shows nothing but the domain."""
        most = 1 - self.size
        return Region(min(max(self.x, 0.0), most), min(max(self.y, 0.0), most), self.size)


WHOLE = Region()
