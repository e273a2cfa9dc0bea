"""Says that something is under way when nothing new has been shown for a while."""

from __future__ import annotations

import math
import time

from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.rect import Rect
from app.ui.theme import Fonts
from app.worker.view_model import ViewModel

PATIENCE = 0.7  # [s] without anything new
DOTS, TURN = 8, 1.1  # of the wheel, and the seconds it takes to turn
FIRST = "Compiling kernels: the first frame of a new kind of scene takes some seconds"
LATER = "Computing"


class BusySign:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, fonts: Fonts) -> None:
        self._view, self._fonts = view, fonts
        self._serial, self._since = -1, 0.0

    def draw(self, snapshot: Snapshot, area: Rect) -> None:
        """A turning wheel and what is under way, while the next snapshot keeps one waiting."""
        clock = time.monotonic()
        expected = self._view.unanswered or not self._view.paused or self._view.single_steps > 0
        if snapshot.serial != self._serial or not expected:
            self._serial, self._since = snapshot.serial, clock
        if clock - self._since > PATIENCE:
            text = FIRST if snapshot.frame.time == 0 else LATER
            wheel(DrawList(self._fonts), area, f"{text} ({clock - self._since:.0f} s)")


def wheel(pen: DrawList, area: Rect, text: str) -> None:
    """A turning wheel with a text beside it, on a dark plate in the middle of an area."""
    unit = theme.unit()
    radius, size, edge = 9 * unit, theme.TEXT * unit, 14 * unit
    width = pen.width(text, size) + 2 * radius + 3 * edge
    x, y = area.x + (area.width - width) / 2, area.y + area.height / 2
    pen.ink.add_rect_filled((x, y - 20 * unit), (x + width, y + 20 * unit), theme.packed(theme.PLATE), 8 * unit)
    turned = time.monotonic() / TURN % 1.0
    for k in range(DOTS):
        angle = 2 * math.pi * k / DOTS
        fade = 0.15 + 0.85 * ((k / DOTS - turned) % 1.0)
        place = x + edge + radius + radius * math.cos(angle), y + radius * math.sin(angle)
        pen.ink.add_circle_filled(place, 2.2 * unit, theme.packed(theme.ACCENT, fade), 12)
    pen.text(x + 2 * edge + 2 * radius, y - 0.6 * size, text, size)
