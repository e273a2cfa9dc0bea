"""The panel's group about the fluid: gravity, densities, viscosities, surface tensions, and the time step."""

from __future__ import annotations

import math

from imgui_bundle import ImVec2, ImVec4, imgui

from app.panels import step_summary
from app.session.scene_editor import with_ratio
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui import log_slider, theme
from app.ui.log_slider import Scale
from app.ui.tooltips import NUMBERS, show, tip
from app.ui.ui_state import UiState
from app.ui.widgets import mark, track
from app.worker.view_model import ViewModel
from sim.scenes.scene import Phase, pairs

RATIOS = (1.0, 1000.0)
DENSITY = Scale(0.1, 1e4)  # [kg/m^3]
VISCOSITY = Scale(1e-4, 1e4, zero=True)  # [Pa s], from water to lava; the scenes are up to ten metres high
TENSION = Scale(1e-3, 1e4, zero=True)  # [N/m]
FOLDED = 3  # phases above which the pairs are folded away: four make six of them


class FluidPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot) -> None:
        """The whole group."""
        self._time_step(snapshot)
        phases, half = snapshot.scene.phases, imgui.get_content_region_avail().x / 2 - 4
        if len(phases) == 2:
            self._ratio(snapshot, half)
            imgui.same_line()
        imgui.set_next_item_width(half if len(phases) == 2 else -1)
        changed, gravity = imgui.slider_float("##gravity", snapshot.settings.gravity, -20.0, 20.0, "gravity %.2f m/s²")
        track((gravity + 20.0) / 40.0)
        tip(NUMBERS["gravity"])
        if changed:
            self._view.submit(Session.set_gravity, round(gravity, 2))  # sliders are of single precision
        for k, phase in enumerate(phases):
            self._phase(snapshot, k, phase)
        if len(phases) <= FOLDED or imgui.tree_node(f"Surface tension of {math.comb(len(phases), 2)} pairs"):
            self._tensions(snapshot)
            if len(phases) > FOLDED:
                imgui.tree_pop()

    def _time_step(self, snapshot: Snapshot) -> None:
        imgui.push_font(self._state.fonts.regular, theme.SMALL)
        imgui.text_colored(theme.DIM, step_summary.time_step(snapshot.frame))
        tip(NUMBERS["sub-steps"])
        slow = step_summary.slow_clock(snapshot.frame)
        if slow:
            imgui.push_style_color(imgui.Col_.text, theme.WARNING)
            imgui.text_wrapped(slow)
            imgui.pop_style_color()
        imgui.pop_font()

    def _ratio(self, snapshot: Snapshot, width: float) -> None:
        densities = snapshot.settings.densities
        ratio = max(densities) / min(densities)
        imgui.set_next_item_width(width)
        changed, ratio = imgui.slider_float(
            "##ratio", ratio, *RATIOS, "density %.0f : 1", imgui.SliderFlags_.logarithmic
        )
        track(math.log(ratio / RATIOS[0]) / math.log(RATIOS[1] / RATIOS[0]))
        tip(NUMBERS["ratio"])
        mark(self._state, "ratio")
        if changed:
            self._view.submit(Session.set_densities, with_ratio(densities, ratio, snapshot.scene))

    def _phase(self, snapshot: Snapshot, k: int, phase: Phase) -> None:
        """A line: colour and name, density, viscosity."""
        imgui.push_id(k)
        room = imgui.get_content_region_avail().x
        names, width = 0.27 * room, (0.73 * room - 8) / 2
        left = imgui.get_cursor_pos_x()
        flags = imgui.ColorEditFlags_.no_inputs | imgui.ColorEditFlags_.no_label | imgui.ColorEditFlags_.no_tooltip
        changed, color = imgui.color_edit3("##color", list(phase.color), flags)
        tip("Colour in the picture; Save ... keeps it in a scene file.")
        if changed:
            red, green, blue = (min(max(part, 0.0), 1.0) for part in color)
            self._view.submit(Session.set_color, k, (red, green, blue))
        imgui.same_line(0, 6)
        imgui.align_text_to_frame_padding()
        imgui.text(shortened(phase.name.capitalize(), names - 26 * theme.unit()))
        if imgui.is_item_hovered():
            show(f"{phase.name}: density and viscosity")
        imgui.same_line(left + names)
        density, viscosity = snapshot.settings.densities[k], snapshot.settings.viscosities[k]
        imgui.set_next_item_width(width)
        moved = log_slider.draw("##density", density, DENSITY, f"{log_slider.short(density)} kg/m³")
        tip(NUMBERS["density"])
        if k == 0 and len(snapshot.scene.phases) > 2:
            mark(self._state, "ratio")
        if moved is not None:
            self._view.submit(Session.set_densities, put(snapshot.settings.densities, k, moved))
        imgui.same_line()
        imgui.set_next_item_width(width)
        text = f"{log_slider.short(viscosity)} Pa s" if viscosity else "inviscid"
        moved = log_slider.draw("##viscosity", viscosity, VISCOSITY, text)
        tip(NUMBERS["viscosity"])
        if moved is not None:
            self._view.submit(Session.set_viscosities, put(snapshot.settings.viscosities, k, moved))
        imgui.pop_id()

    def _tensions(self, snapshot: Snapshot) -> None:
        """A slider for every pair of phases, two swatches before it."""
        phases = snapshot.scene.phases
        for number, (i, k) in enumerate(pairs(len(phases))):
            imgui.push_id(f"pair{number}")
            swatch(phases[i])
            imgui.same_line(0, 3)
            swatch(phases[k])
            imgui.same_line()
            imgui.set_next_item_width(-1)
            tension = snapshot.settings.tensions[number]
            text = f"surface tension {log_slider.short(tension)} N/m" if tension else "no surface tension"
            moved = log_slider.draw("##tension", tension, TENSION, text)
            tip(f"Between {phases[i].name} and {phases[k].name}. {NUMBERS['tension']}")
            if moved is not None:
                self._view.submit(Session.set_tensions, put(snapshot.settings.tensions, number, moved))
            imgui.pop_id()


def swatch(phase: Phase) -> None:
    """A square of the phase's colour, as high as a line with a slider."""
    (x, y), height = imgui.get_cursor_screen_pos(), imgui.get_frame_height()
    side = height - 7 * theme.unit()
    red, green, blue = phase.color
    shade = theme.packed(ImVec4(red, green, blue, 1.0))
    top = y + (height - side) / 2
    imgui.get_window_draw_list().add_rect_filled((x, top), (x + side, top + side), shade, 3)
    imgui.dummy(ImVec2(side, height))


def shortened(text: str, width: float) -> str:
    """The text, cut to a width in pixels."""
    while len(text) > 1 and imgui.calc_text_size(text).x > width:
        text = text[:-2].rstrip(".") + "."
    return text


def put(values: tuple[float, ...], k: int, value: float) -> tuple[float, ...]:
    """The values with value k replaced."""
    return (*values[:k], value, *values[k + 1 :])
