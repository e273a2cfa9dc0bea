"""Grids for slow and fast machines, and the automatic choice between them by measuring this machine."""

from __future__ import annotations

from dataclasses import dataclass

from sim.grid import Grid

GROWTH = 2.5  # computing for a simulated second grows as rows to this power: cells, and sub-steps, less what is fixed
MARGIN = 1.15  # by which a coarser grid has to promise more than real time
FINER = 2.0  # ... and a finer one: a fluid that has just been let go is slow, and takes more sub-steps later
NEARLY = 0.95  # of real time still counts as real time
WATCHED = 1.0  # seconds of computing that decide
HELD = 4  # times in a row, before the grid is settled
IGNORED = 2  # frames before: kernels compile in them
TRIES = 3  # after which the machine is taken as it is


@dataclass(frozen=True)
class Preset:
    """A grid by its rows."""

    name: str
    rows: int


PRESETS = (Preset("Sketch", 48), Preset("Coarse", 64), Preset("Medium", 96), Preset("Fine", 160), Preset("Finest", 256))


def parsed(text: str) -> tuple[int, int]:
    """Rows and columns that a user has typed. Raises ValueError."""
    return Grid.parse(text.replace(" ", "").replace("\N{MULTIPLICATION SIGN}", "x")).shape


class AutomaticGrid:
    """Measures the first frames and finds the finest preset that keeps up with the clock; and again for another solver.

    settled: the first grid has been decided: from then on a scene that runs is not started anew.
    """

    def __init__(self) -> None:
        self.settled, self.ratio = False, 0.0  # simulated seconds by seconds of computing, as measured last
        self._method, self._tries, self._held, self._decided = "", 0, 0, False
        self._frames, self._simulated, self._seconds = 0, 0.0, 0.0

    def watch(
        self, shape: tuple[int, int], simulated: float, seconds: float, target: float, method: str
    ) -> Preset | None:
        """Adds a frame of `simulated` seconds that took `seconds` to compute; returns the preset to change to, or None.

        target: simulated seconds wanted in a second.
        """
        if method != self._method:
            self._method, self._decided = method, False
            self._count_anew()
        self._frames += 1
        if self._decided or self._frames <= IGNORED:
            return None
        self._simulated, self._seconds = self._simulated + simulated, self._seconds + seconds
        if self._seconds < WATCHED:
            return None
        self.ratio = self._simulated / self._seconds
        chosen = None if self._tries >= TRIES else fitting(shape, self.ratio / target)
        self._count_anew()
        if self.settled:
            self._decided = True
        elif chosen is None:
            self._held += 1
            self.settled = self._decided = self._held >= HELD or self._tries >= TRIES
        else:
            self._tries, self._held = self._tries + 1, 0
        return chosen

    def _count_anew(self) -> None:
        self._frames, self._simulated, self._seconds = 0, 0.0, 0.0


def fitting(shape: tuple[int, int], share: float) -> Preset | None:
    """The finest preset that should reach the target, of which this grid reaches `share`; None: it is this grid."""

    def promised(rows: int) -> float:
        return share * (shape[0] / rows) ** GROWTH

    finer = [preset for preset in PRESETS if preset.rows > shape[0] and promised(preset.rows) >= FINER]
    if finer:
        return finer[-1]
    if share >= NEARLY:
        return None
    below = [preset for preset in PRESETS if preset.rows < shape[0]]
    holding = [preset for preset in below if promised(preset.rows) >= MARGIN]
    return max(holding or below[:1], key=lambda preset: preset.rows, default=None)
