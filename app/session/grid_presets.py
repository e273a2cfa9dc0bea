"""Grids for slow and fast machines, and the automatic choice between them by measuring this machine."""

from __future__ import annotations

from dataclasses import dataclass

from sim.grid import Grid
from sim.scenes.scene import Scene

ENOUGH = 30.0  # pressure solves a second below which a fluid no longer looks like one
MARGIN = 1.15  # by which a finer grid has to promise more than that
WATCHED = (1.0, 12)  # seconds of computing, or steps: whichever comes last decides
TRIES = 3  # after which the machine is taken as it is


@dataclass(frozen=True)
class Preset:
    """A grid by its rows, and the tolerance that goes with it."""

    name: str
    rows: int
    tol: float


PRESETS = (
    Preset("Sketch", 48, 1e-4),
    Preset("Coarse", 64, 1e-5),
    Preset("Medium", 96, 1e-6),
    Preset("Fine", 160, 1e-6),
    Preset("Finest", 256, 1e-6),
)


def preset_of(shape: tuple[int, int]) -> Preset | None:
    """The preset with these rows."""
    return next((preset for preset in PRESETS if preset.rows == shape[0]), None)


def parsed(text: str) -> tuple[int, int]:
    """Rows and columns that a user has typed. Raises ValueError."""
    return Grid.parse(text.replace(" ", "").replace("\N{MULTIPLICATION SIGN}", "x")).shape


class AutomaticGrid:
    """Measures the first steps on the scene's own grid and finds a preset that keeps up where that one does not."""

    def __init__(self, with_tolerance: bool = False) -> None:
        self.with_tolerance = with_tolerance  # the preset's tolerance is taken too
        self._seconds, self._steps, self._frames, self._tries = 0.0, 0, 0, 0
        self.done, self.rate = False, 0.0  # steps a second, as measured last

    def watch(self, scene: Scene, shape: tuple[int, int], steps: int, seconds: float) -> Preset | None:
        """Adds a frame of `steps` pressure solves; returns the preset to change to, or None."""
        self._frames += 1
        if self.done or self._frames < 3:  # kernels compile in the first two
            return None
        self._seconds, self._steps = self._seconds + seconds, self._steps + steps
        if self._seconds < WATCHED[0] or self._steps < WATCHED[1]:
            return None
        self.rate, self._tries = self._steps / self._seconds, self._tries + 1
        chosen = None if self.rate >= ENOUGH or self._tries > TRIES else slower(shape, self.rate)
        self.done = chosen is None
        self._seconds, self._steps, self._frames = 0.0, 0, 0
        return chosen


def slower(shape: tuple[int, int], rate: float) -> Preset | None:
    """The finest preset below this grid that should make ENOUGH steps a second, if time grows as the cells do."""
    below = [preset for preset in PRESETS if preset.rows < shape[0]]
    fitting = [preset for preset in below if rate * (shape[0] / preset.rows) ** 2 >= MARGIN * ENOUGH]
    return max(fitting or below[:1], key=lambda preset: preset.rows, default=None)
