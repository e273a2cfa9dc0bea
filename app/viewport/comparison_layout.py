"""Where panes, captions, curves and bars go: the layout in which the fluids are largest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.ui.rect import Rect

# in units, a unit being a pixel of a picture 1080 pixels high
MARGIN, GAP, HEADER, CAPTION = 32.0, 28.0, 96.0, 88.0
TALL_HEADER = 206.0  # where its two halves stand one above the other
STRIP_WIDTH, STRIP_HEIGHT = 440.0, 250.0  # at least, beside the panes or below them
BAR, HEADING = 46.0, 40.0  # height of a bar's row, of the line above curves and bars
BARS_WIDTH = 0.40  # share of a strip below the panes
STRIP_GAP = 36.0
WIDEST_GAP, NARROW = 90.0, 8.0  # NARROW: the margin without a header
EMPTY = 0.6
COLUMN = 0.6  # share of the width from which panes are wide enough for header and strip to keep to it


@dataclass(frozen=True)
class Layout:
    """The places of all parts of one picture."""

    header: Rect
    captions: tuple[Rect, ...]
    pictures: tuple[Rect, ...]
    curves: Rect
    bars: Rect


def arrange(area: Rect, count: int, aspect: float, unit: float, *, header: bool = True) -> Layout:
    """The layout of `count` panes of this aspect (width over height) in an area.

    With curves beside the panes the header stands above the curves, else above everything.
    """
    margin, gap, caption = (MARGIN if header else NARROW) * unit, GAP * unit, CAPTION * unit
    whole = Rect(area.x + margin, area.y + margin, area.width - 2 * margin, area.height - 2 * margin)
    top = HEADER * unit if header else 0.0
    rooms = {True: whole, False: Rect(whole.x, whole.y + top, whole.width, whole.height - top)}
    _, width, columns, beside = max(
        (score(rooms[beside], width, count, columns, aspect, unit, beside), width, columns, beside)
        for columns in range(1, count + 1)
        for beside in (False, True)
        if (width := pane_width(rooms[beside], count, columns, aspect, unit, beside)) > 0
    )
    inner = rooms[beside]
    width = max(math.floor(width), 1)
    height, rows = max(round(width / aspect), 1), math.ceil(count / columns)
    across = gap
    if not beside and columns > 1:  # as wide as the header, if that does not part the panes too far
        across = min((inner.width - columns * width) / (columns - 1), WIDEST_GAP * unit)
    wide, high = columns * width + (columns - 1) * across, rows * (height + caption) + (rows - 1) * gap
    if beside:
        block = Rect(inner.x, inner.y + (inner.height - high) / 2, wide, high)
        left = block.right + STRIP_GAP * unit
        head = Rect(left, block.y, inner.right - left, TALL_HEADER * unit if header else 0.0)
        strip = Rect(left, head.bottom, head.width, high - head.height)
    else:
        block = Rect(inner.x + (inner.width - wide) / 2, inner.y, wide, high)
        column = block if wide > COLUMN * inner.width else inner
        head = Rect(column.x, whole.y, column.width, top)
        strip = Rect(column.x, block.bottom + gap, column.width, inner.bottom - block.bottom - gap)
    corners = [
        (
            round(block.x + (k % columns) * (width + across)),
            round(block.y + (k // columns) * (height + caption + gap)),
        )
        for k in range(count)
    ]
    curves, bars = split(strip, count, unit, beside)
    return Layout(
        header=head,
        captions=tuple(Rect(x, y, width, caption) for x, y in corners),
        pictures=tuple(Rect(x, round(y + caption), width, height) for x, y in corners),
        curves=curves,
        bars=bars,
    )


def score(inner: Rect, width: float, count: int, columns: int, aspect: float, unit: float, beside: bool) -> float:
    """How good a layout is: the width of a pane, less for what stays empty above and below panes beside a strip."""
    rows = math.ceil(count / columns)
    high = rows * (width / aspect + CAPTION * unit) + (rows - 1) * GAP * unit
    return width * (1 - EMPTY * (1 - high / inner.height)) if beside else width


def pane_width(inner: Rect, count: int, columns: int, aspect: float, unit: float, beside: bool) -> float:
    """The width of panes in that many columns, with a strip beside or below them; 0 where two places would be empty."""
    rows = math.ceil(count / columns)
    if columns * rows - count > 1:
        return 0.0
    wide = inner.width - (STRIP_WIDTH + STRIP_GAP) * unit if beside else inner.width
    high = inner.height if beside else inner.height - (STRIP_HEIGHT + GAP) * unit
    gap = GAP * unit
    tallest = (high - (rows - 1) * gap) / rows - CAPTION * unit
    return min((wide - (columns - 1) * gap) / columns, tallest * aspect)


def split(strip: Rect, count: int, unit: float, beside: bool) -> tuple[Rect, Rect]:
    """Curves and bars: one above the other in a strip beside the panes, side by side in one below them."""
    if beside:
        bars = (count * BAR + HEADING) * unit
        upper = strip.height - bars - STRIP_GAP * unit
        return Rect(strip.x, strip.y, strip.width, upper), Rect(strip.x, strip.bottom - bars, strip.width, bars)
    width = (1 - BARS_WIDTH) * strip.width - STRIP_GAP * unit
    return (
        Rect(strip.x, strip.y, width, strip.height),
        Rect(strip.right - BARS_WIDTH * strip.width, strip.y, BARS_WIDTH * strip.width, strip.height),
    )


def halves(one: Rect, other: Rect) -> tuple[Rect, Rect]:
    """The same room shared equally, one above the other or side by side as they are."""
    if one.x == other.x:
        height = (one.height + other.height) / 2
        return Rect(one.x, one.y, one.width, height), Rect(one.x, other.bottom - height, one.width, height)
    width = (one.width + other.width) / 2
    return Rect(one.x, one.y, width, one.height), Rect(other.right - width, one.y, width, one.height)
