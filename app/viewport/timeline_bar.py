"""The time line under the fluid: drag along it to go back to any moment of the last minutes, and forth again."""

from __future__ import annotations

import math
import time

from imgui_bundle import ImVec2, imgui

from app.session.timeline import TimelineView
from app.ui import theme
from app.ui.draw_list import DrawList
from app.ui.rect import Rect
from app.ui.tooltips import show, tip_in
from app.ui.ui_state import UiState
from app.worker.view_model import ViewModel

HEIGHT = 38.0  # [units]
TRACK = 5.0  # [units] thickness of the line
PATIENCE = 0.3  # [s] after which another moment is asked for although the last one has not been shown
FRAME = 1 / 60  # [s]
MIB = 1 << 20
TIME = (
    "Drag along the line, or use the keys left and right, to go back to any moment that is kept, and forth again. What "
    "lies ahead stays until the fluid moves on."
)
MEMORY = "Memory for frames to go back to; the older they are, the fewer are kept. It is set under Window."


class TimelineBar:
    """Draws into the current ImGui window. Dragging pauses; the fluid goes on from where it is left."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state
        self._asked, self._asked_at = -1, -math.inf

    @staticmethod
    def height(line: TimelineView) -> float:
        """What it takes of the window [pixels]; 0 while there is nothing to go back to."""
        return HEIGHT * theme.unit() if len(line.numbers) > 1 else 0.0

    def draw(self, line: TimelineView, area: Rect) -> None:
        """The whole bar, in a strip of the window."""
        pen, unit = DrawList(self._state.fonts), theme.unit()
        size = theme.SMALL * unit
        now, end = line.time_of(line.present), float(line.times[-1])
        left = f"{now:.2f} s" if line.present == line.numbers[-1] else f"{now:.2f} s of {end:.2f}"
        right = f"{line.used / MIB:.0f} of {line.budget / MIB:.0f} MB"
        gap = 12 * unit
        wide = max(pen.width("00.00 s of 00.00", size), pen.width(left, size))
        track = Rect(area.x + wide + 2 * gap, area.y, area.width - wide - pen.width(right, size) - 4 * gap, area.height)
        if track.width < 60 * unit:
            return
        middle = area.y + area.height / 2
        pen.text(area.x + gap, middle - 0.6 * size, left, size, theme.INK if self._is_past(line) else theme.DIM)
        pen.text(area.right - gap, middle - 0.6 * size, right, size, theme.DIM, align="right")
        ends = [(Rect(area.x, area.y, track.x - area.x, area.height), TIME),
                (Rect(track.right, area.y, area.right - track.right, area.height), MEMORY)]  # fmt: skip
        for place, text in ends:
            tip_in((place.x, place.y), (place.right, place.bottom), text)
        imgui.set_cursor_screen_pos(ImVec2(track.x, track.y))
        imgui.invisible_button("time line", ImVec2(track.width, track.height))
        hovered, active = imgui.is_item_hovered(), imgui.is_item_active()
        share = (imgui.get_mouse_pos().x - track.x) / track.width
        self._draw_track(pen, line, track, share if hovered or active else None)
        if active:
            self.ask(line, line.nearest(share))
        elif hovered:
            show(f"{line.time_of(line.nearest(share)):.3f} s")

    def ask(self, line: TimelineView, number: int) -> None:
        """Goes to that moment, one after another: the next is asked for when the last is shown."""
        clock = time.perf_counter()
        waiting = self._asked != line.present and clock < self._asked_at + PATIENCE
        if number == line.present or waiting:
            return
        self._view.rewind(number)
        self._asked, self._asked_at = number, clock

    def _is_past(self, line: TimelineView) -> bool:
        return bool(line.present != line.numbers[-1])

    def _draw_track(self, pen: DrawList, line: TimelineView, track: Rect, share: float | None) -> None:
        """What has been, in the accent's colour; what lies ahead, dim; where frames are sparse, a broken line."""
        unit, middle = theme.unit(), track.y + track.height / 2
        half, knob = TRACK * unit / 2, track.x + line.share_of(line.present) * track.width
        ends = [
            (track.x, knob, theme.packed(theme.ACCENT, 0.55)),
            (knob, track.right, theme.packed(theme.FIELD_HOVERED)),
        ]
        for start, end, tint in ends:
            if end > start:
                pen.ink.add_rect_filled((start, middle - half), (end, middle + half), tint, half)
        scale = track.width / max(float(line.numbers[-1] - line.numbers[0]), 1.0)
        for number, gap in zip(line.numbers[1:], line.numbers[1:] - line.numbers[:-1]):
            if gap > 1 and gap * scale > 4 * unit:
                x = track.x + float(number - line.numbers[0]) * scale
                pen.line((x, middle - half), (x, middle + half), theme.GROUND, unit)
        if share is not None:
            x = track.x + min(max(share, 0.0), 1.0) * track.width
            pen.line((x, middle - 9 * unit), (x, middle + 9 * unit), theme.DIM, unit)
        pen.ink.add_circle_filled((knob, middle), 7 * unit, theme.packed(theme.INK), 24)
        pen.ink.add_circle_filled((knob, middle), 4.5 * unit, theme.packed(theme.ACCENT), 24)


def step(view: ViewModel, frames: int) -> None:
    """Goes back (or forth) by so many of the moments kept, and pauses."""
    line = view.snapshot.timeline if view.snapshot is not None else TimelineView()
    places = line.numbers.tolist()
    if line.present in places:
        number = places[min(max(places.index(line.present) + frames, 0), len(places) - 1)]
        if number != line.present:
            view.rewind(number)
