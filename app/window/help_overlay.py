"""The help page: every key and every mouse tool, over the fluid."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import ImVec2, imgui

from app.ui import theme
from app.ui.ui_state import KEYS, MOUSE, UiState
from app.ui.widgets import button

FLAGS = (
    imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_docking | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_move
)  # fmt: skip
COLUMN = 8.0  # of keys, in letters' heights
WIDTH = 30.0  # of the page


def draw(state: UiState, center: tuple[float, float], start_tour: Callable[[], None]) -> None:
    """Draws the page in a window of its own."""
    imgui.set_next_window_pos(ImVec2(*center), imgui.Cond_.always, ImVec2(0.5, 0.5))
    imgui.push_style_color(imgui.Col_.window_bg, theme.color("#0f1216", 0.95))
    imgui.push_style_var(imgui.StyleVar_.window_rounding, 8 * theme.unit())
    if imgui.begin("##help", None, FLAGS)[0]:
        for title, entries in (("Keys", KEYS), ("Mouse", MOUSE)):
            table(state, title, entries)
        if button("Take the tour", "Four steps: flow, solver, density ratio, comparison."):
            state.show_help = False
            start_tour()
        imgui.same_line()
        if button("Close", "H or Esc"):
            state.show_help = False
    imgui.end()
    imgui.pop_style_var()
    imgui.pop_style_color()


def table(state: UiState, title: str, entries: tuple[tuple[str, str], ...]) -> None:
    """What to press, and what it does."""
    letter = imgui.get_font_size()
    left = imgui.get_cursor_pos_x()
    imgui.push_font(state.fonts.bold, theme.LARGE)
    imgui.text_colored(theme.ACCENT, title)
    imgui.pop_font()
    for key, meaning in entries:
        imgui.push_font(state.fonts.bold, theme.TEXT)
        imgui.text(key)
        imgui.pop_font()
        imgui.same_line(left + COLUMN * letter)
        imgui.push_style_color(imgui.Col_.text, theme.DIM)
        imgui.push_text_wrap_pos(left + WIDTH * letter)
        imgui.text_unformatted(meaning)
        imgui.pop_text_wrap_pos()
        imgui.pop_style_color()
