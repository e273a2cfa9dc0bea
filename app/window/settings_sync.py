"""Between the settings file and the window: read at the start, written at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.ui import settings
from app.ui.settings import Settings
from app.worker.view_model import ViewModel

if TYPE_CHECKING:  # ImGui is imported with the window, not before
    from app.ui.ui_state import UiState

SIDES = (0.15, 0.55)  # shares of the width that the panel can be used with


class SettingsSync:
    """The settings of one window. Without a path nothing is read or written, as in tests and without a display."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.settings, self.error = settings.load(path)
        self._side = self.settings.side  # as the window has it now
        self._size = self.size
        self._forgotten = False
        self.keeps_tol = False  # a tolerance of the command line is for one run

    @property
    def size(self) -> tuple[int, int]:
        """Size of the window [points]."""
        return self.settings.width, self.settings.height

    @property
    def share(self) -> float:
        """The panel's share of the window's width, which larger text makes wider."""
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

    def forget(self) -> None:
        """Resets to the defaults, but the tour is not offered again."""
        self.settings = Settings(toured=True)
        self._side, self._size, self._forgotten = self.settings.side, self.size, True

    def keep(self, state: UiState, view: ViewModel, toured: bool) -> None:
        """Writes the settings at the end of a run."""
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
            rows=view.rows,
            tol=view.choice.tol if self.keeps_tol else self.settings.tol,
            view=state.view.name,
            theme=state.look.theme.name,
            capture=state.capture,
            tool=state.tool,
            radius=state.radius,
            mirror=state.mirror,
            timeline=state.timeline,
            overlay=state.overlay,
            toured=toured,
        )
        self.error = settings.save(self.path, made)
