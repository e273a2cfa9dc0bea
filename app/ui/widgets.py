"""Widgets of the panel: headings that fold, rows of buttons, small print."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from app.ui import theme
from app.ui.tooltips import tip
from app.ui.ui_state import UiState


def heading(state: UiState, title: str, note: str = "") -> bool:
    """A line that folds the group below it; True while that is open. `note` stands at its right end."""
    is_open, size = title not in state.closed, theme.SMALL
    imgui.push_font(state.fonts.bold, size)
    (x, y), width, height = imgui.get_cursor_screen_pos(), imgui.get_content_region_avail().x, imgui.get_font_size()
    clicked = imgui.invisible_button(f"heading of {title}", ImVec2(width, height + 3))
    hovered, ink = imgui.is_item_hovered(), imgui.get_window_draw_list()
    tint = theme.packed(theme.INK if hovered else theme.ACCENT)
    side, middle = 0.28 * height, y + 0.55 * height
    if is_open:
        corners = (x, middle - 0.6 * side), (x + 2 * side, middle - 0.6 * side), (x + side, middle + 0.8 * side)
    else:
        corners = (x + 0.3 * side, middle - side), (x + 1.7 * side, middle), (x + 0.3 * side, middle + side)
    ink.add_triangle_filled(*corners, tint)
    ink.add_text((x + 2 * side + 0.5 * height, y), tint, title.upper())
    imgui.pop_font()
    if note:
        imgui.push_font(state.fonts.regular, size)
        right = x + width - imgui.calc_text_size(note).x
        ink.add_text((right, y), theme.packed(theme.DIM), note)
        imgui.pop_font()
    if clicked:
        state.closed ^= {title}
    return is_open


def button(label: str, hint: str, width: float = 0.0, chosen: bool = False, enabled: bool = True) -> bool:
    """A button with a tooltip, lit while it is the chosen one of a row."""
    if chosen:
        imgui.push_style_color(imgui.Col_.button, theme.color("#2f6f6c"))
    imgui.begin_disabled(not enabled)
    pressed = imgui.button(label, ImVec2(width, 0))
    imgui.end_disabled()
    if chosen:
        imgui.pop_style_color()
    tip(hint)
    return pressed


def share(count: int) -> float:
    """The width of each of `count` items in a row."""
    gap = imgui.get_style().item_spacing.x
    return float((imgui.get_content_region_avail().x - (count - 1) * gap) / count)


def row(buttons: Sequence[tuple[str, str, bool]], state: UiState | None = None, first: str = "") -> int | None:
    """Buttons of equal width: label, tooltip, whether it can be pressed. The number of the one pressed.

    `first`: what the tour calls the first of them.
    """
    width, pressed = share(len(buttons)), None
    for k, (label, hint, enabled) in enumerate(buttons):
        if k:
            imgui.same_line()
        if button(f"{label}###{k} of {len(buttons)} {hint[:20]}", hint, width, enabled=enabled):
            pressed = k
        if first and state is not None and k == 0:
            mark(state, first)
    return pressed


def track(share: float) -> None:
    """Shows where the slider before stands, 0 to 1, by a line along its foot: a grab would strike through its text."""
    low, high, unit = imgui.get_item_rect_min(), imgui.get_item_rect_max(), theme.unit()
    end = low.x + min(max(share, 0.0), 1.0) * (high.x - low.x)
    tint = theme.packed(theme.ACCENT, 1.0 if imgui.is_item_hovered() or imgui.is_item_active() else 0.7)
    ink, thick = imgui.get_window_draw_list(), 3 * unit
    ink.add_rect_filled((low.x, high.y - thick), (end, high.y), tint, thick / 2)
    ink.add_circle_filled((min(max(end, low.x + thick), high.x - thick), high.y - thick / 2), 1.3 * thick, tint, 16)


def mark(state: UiState, name: str) -> None:
    """Keeps the place of the last item, for the tour."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    state.marks[name] = low.x, low.y, high.x, high.y


def note(state: UiState, text: str, tint: imgui.ImVec4 = theme.DIM) -> None:
    """Small print, wrapped."""
    imgui.push_font(state.fonts.regular, theme.SMALL)
    imgui.push_style_color(imgui.Col_.text, tint)
    imgui.text_wrapped(text)
    imgui.pop_style_color()
    imgui.pop_font()
