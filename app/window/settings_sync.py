"""Between the settings file and the window: what is taken from it at the start, what goes into it at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.options import Options
from app.session import grid_presets
from app.ui import settings
from app.ui.settings import Settings

if TYPE_CHECKING:
    from app.ui.ui_state import Interaction
    from app.worker.worker import Worker

SIDES = (0.15, 0.55)  # shares of the width that the panel can be used with


class Memory:
    """Of one window. Without a path nothing is read or written, as in tests and without a display."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.settings, self.trouble = settings.load(path)
        self._side = self.settings.side  # as the window has it now
        self._size = self.size
        self._forgotten = False
        self._keeps_tol = False  # what the command line gives is for one run

    @property
    def size(self) -> tuple[int, int]:
        """Of the window."""
        return self.settings.width, self.settings.height

    @property
    def share(self) -> float:
        """Of the window's width for the panel, which larger letters make wider."""
        return min(max(self.settings.side * self.settings.scale, SIDES[0]), SIDES[1])

    def note(self, size: tuple[float, float], share: float, scale: float) -> None:
        """The window's size in points and the panel's share of it, as the user has them now."""
        if self._forgotten:  # the window keeps its size until the next run
            return
        width, height = map(round, size)
        if all(settings.SIZES[0] <= side <= settings.SIZES[1] for side in (width, height)):
            self._size = width, height
        moved = abs(share - self.share) > 0.01  # and not rounded to whole pixels
        self._side = share / scale if moved else self.settings.side

    def decide(self, options: Options) -> tuple[Options, bool]:
        """The options with what they leave open, and whether the grid is still to be found by watching the machine."""
        rows, tol = self.settings.rows, self.settings.tol
        self._keeps_tol = options.free_tol
        if options.free_tol and tol:
            options = replace(options, tol=tol)
        if options.free_grid and rows:
            options = replace(options, grid=grid_presets.grid_of(options.scene, rows))
        return options, options.free_grid and not rows

    def forget(self) -> None:
        """As on a first run, but the tour is not offered again."""
        self.settings = Settings(toured=True)
        self._side, self._size, self._forgotten = self.settings.side, self.size, True

    def keep(self, state: Interaction, worker: Worker, toured: bool) -> None:
        """Writes how things are at the end of a run."""
        if self.path is None:
            return
        width, height = self._size
        made = replace(
            self.settings,
            width=width,
            height=height,
            side=min(max(self._side, SIDES[0]), SIDES[1]),
            scale=state.scale,
            closed=tuple(sorted(state.closed)),
            rows=worker.rows,
            tol=worker.choice.tol if self._keeps_tol else self.settings.tol,
            view=state.view.name,
            tool=state.tool,
            radius=state.radius,
            mirror=state.mirror,
            toured=toured,
        )
        self.trouble = settings.save(self.path, made)
