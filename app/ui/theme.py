"""Colours, fonts and spacing of the window: a calm dark theme with one accent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from imgui_bundle import ImVec2, ImVec4, hello_imgui, imgui, implot

from app.render import colormaps


def color(text: str, alpha: float = 1.0) -> ImVec4:
    """The colour of "#rrggbb"."""
    red, green, blue = (int(text[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return ImVec4(red, green, blue, alpha)


INK, DIM = color("#e3e8ed"), color("#8d99a6")
ACCENT, WARNING = color("#45b8b0"), color("#f2b457")
GROUND, PANEL, FIELD, FIELD_HOVERED, LINE = (color(c) for c in ("#0f1216", "#171b21", "#232932", "#2d3540", "#2a313b"))
PLATE = color("#0f1216", 0.80)  # behind text on the fluid
NOTHING = color("#000000", 0.0)
PLOT, GRID = color("#12161b"), color("#8d99a6", 0.16)
STAGE_COLORS = tuple(
    color(c) for c in ("#4f7cac", "#7fb2d9", "#b98bd0", "#d96c9f", "#45b8b0", "#c9c27a")
)  # by sim.STAGES

PROBE_COLORS = tuple(color(c) for c in ("#f0e442", "#ee7339", "#63d0f0", "#d98bbb"))  # by number

TEXT, SMALL, LARGE = 15.0, 13.0, 22.0  # font sizes [pixels at 96 dpi]


@dataclass
class Fonts:
    """Loaded by `load_fonts`; Roboto's digits are all of one width, so numbers do not jump about."""

    regular: Any = None
    bold: Any = None


def unit() -> float:
    """Pixels that stand for one pixel of a display of 96 dpi at scale 1."""
    style = imgui.get_style()
    return float(style.font_scale_main * style.font_scale_dpi)


def set_scale(scale: float) -> None:
    """Scales the interface, on top of the scaling of the display."""
    style = imgui.get_style()
    display, usual = style.font_scale_dpi, imgui.Style()
    for name in vars(imgui.Style):
        if isinstance(getattr(usual, name), (float, ImVec2)) and not name.startswith("font"):
            setattr(style, name, getattr(usual, name))  # or scaling the scaled would add up
    apply()
    style.font_scale_main, style.font_scale_dpi = scale, display
    style.scale_all_sizes(scale * display)


def load_fonts(fonts: Fonts) -> None:
    """For HelloImGui's load_additional_fonts; the first font loaded is the default."""
    fonts.regular = hello_imgui.load_font("fonts/Roboto/Roboto-Regular.ttf", TEXT)
    fonts.bold = hello_imgui.load_font("fonts/Roboto/Roboto-Bold.ttf", TEXT)


def apply() -> None:
    """For HelloImGui's setup_imgui_style."""
    style = imgui.get_style()
    imgui.style_colors_dark(style)
    style.window_padding, style.frame_padding, style.item_spacing = ImVec2(12, 8), ImVec2(8, 3), ImVec2(8, 5)
    style.item_inner_spacing, style.scrollbar_size, style.grab_min_size = ImVec2(6, 4), 10, 7
    style.window_rounding, style.frame_rounding, style.grab_rounding, style.popup_rounding = 0, 4, 3, 4
    style.window_border_size, style.frame_border_size, style.popup_border_size = 0, 0, 1
    style.docking_separator_size = 2
    c = imgui.Col_
    for which, value in {
        c.text: INK, c.text_disabled: DIM, c.window_bg: PANEL, c.child_bg: PANEL, c.popup_bg: color("#1d222a"),
        c.border: LINE, c.separator: LINE, c.frame_bg: FIELD, c.frame_bg_hovered: FIELD_HOVERED,
        c.frame_bg_active: FIELD_HOVERED,
        c.title_bg: GROUND, c.title_bg_active: GROUND, c.menu_bar_bg: GROUND, c.scrollbar_bg: PANEL,
        c.scrollbar_grab: FIELD_HOVERED, c.check_mark: ACCENT,
        c.slider_grab: NOTHING, c.slider_grab_active: NOTHING,  # see widgets.track
        c.button: FIELD, c.button_hovered: FIELD_HOVERED, c.button_active: color("#2f6f6c"),
        c.header: color("#2f6f6c", 0.6), c.header_hovered: color("#2f6f6c", 0.8), c.header_active: color("#2f6f6c"),
        c.docking_empty_bg: GROUND, c.tab: PANEL, c.tab_hovered: FIELD_HOVERED, c.tab_selected: FIELD,
        c.nav_cursor: ACCENT, c.separator_hovered: ACCENT, c.separator_active: ACCENT,
    }.items():  # fmt: skip
        style.set_color_(which, value)


def apply_to_plots() -> None:
    """Applies the theme to ImPlot."""
    style = implot.get_style()
    style.plot_padding, style.label_padding, style.plot_border_size = ImVec2(2, 4), ImVec2(4, 2), 0
    style.plot_min_size = ImVec2(60, 40)  # the default, 200 x 150, would run off the panel's half columns
    style.major_tick_len, style.minor_tick_len, style.mouse_pos_padding = ImVec2(0, 0), ImVec2(0, 0), ImVec2(4, 2)
    p = implot.Col_
    for which, value in {
        p.frame_bg: PANEL, p.plot_bg: PLOT, p.axis_text: DIM, p.axis_grid: GRID,
        p.inlay_text: DIM, p.legend_bg: PLATE,
    }.items():  # fmt: skip
        style.set_color_(which, value)


def packed(value: ImVec4, alpha: float = 1.0) -> int:
    """The colour as draw lists take it."""
    return int(imgui.color_convert_float4_to_u32(ImVec4(value.x, value.y, value.z, value.w * alpha)))


@cache
def packed_map(name: str) -> tuple[int, ...]:
    """The 256 colours of a map as draw lists take them, the low end first."""
    table = colormaps.table(name) / 255
    return tuple(packed(ImVec4(red, green, blue, 1.0)) for red, green, blue in table.tolist())
