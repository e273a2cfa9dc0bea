"""The panel's group about walls inside the domain and floating bodies: the forces on them, and how heavy bodies are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from imgui_bundle import imgui

from app.panels.history import draw_curves
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving.run_stats import Load
from app.ui import log_slider, theme
from app.ui.log_slider import Scale, short
from app.ui.tooltips import NUMBERS, tip
from app.ui.ui_state import UiState
from app.ui.widgets import note
from app.worker.view_model import ViewModel

NONE = "No wall inside the domain and no floating body: build one with Wall."
DENSITY = Scale(1.0, 1e4)  # [kg/m^3] of a body
PLOTTED = len(theme.PROBE_COLORS)  # the first so many have curves


class ForcesPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot) -> None:
        """Bodies with their sliders, then walls, and the vertical forces on the first of them over time."""
        bodies, loads = snapshot.frame.stats.bodies, snapshot.samples[-1].loads if snapshot.samples else ()
        for k, body in enumerate(bodies):
            imgui.push_id(k)
            imgui.set_next_item_width(-1)
            moved = log_slider.draw("##body", body.density, DENSITY, f"{body.name}: {short(body.density)} kg/m³")
            tip(NUMBERS["body"])
            if moved is not None:
                densities = tuple(each.density for each in bodies)
                changed = (*densities[:k], moved, *densities[k + 1 :])
                self._view.submit(Session.set_body_densities, changed)
            imgui.pop_id()
        if not loads:
            note(self._state, NONE if not bodies else "Forces are known after the first frame.")
            return
        for k, load in enumerate(loads):
            self._line(k, load)
        names = [load.name for load in loads[:PLOTTED]]
        note(self._state, "vertical force, N/m, over the last frames")
        curves = histories(snapshot, names)
        draw_curves("vertical force", curves, theme.PROBE_COLORS, 84 * theme.unit())

    def _line(self, k: int, load: Load) -> None:
        """Name, force and moment of one wall or body."""
        imgui.text_colored(theme.PROBE_COLORS[k] if k < PLOTTED else theme.DIM, load.name)
        text = f"({short(load.x)}, {short(load.y)}) N/m   {short(load.moment)} N"
        imgui.same_line(max(imgui.get_content_region_avail().x - imgui.calc_text_size(text).x, 0.0))
        imgui.text(text)
        tip(NUMBERS["force"])


def histories(snapshot: Snapshot, names: Sequence[str]) -> np.ndarray:
    """The vertical force on each of these over the last frames, (names, frames); NaN where it was not there."""
    rows = [{load.name: load.y for load in sample.loads} for sample in snapshot.samples]
    return np.array([[row.get(name, math.nan) for row in rows] for name in names], dtype=float)
