"""The panel's group about probes: their values now and over the last frames."""

from __future__ import annotations

import math

import numpy as np
from imgui_bundle import imgui

from app.panels.history import draw_curves
from app.render.views import View
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.solving.probes import PROBED
from app.ui import theme
from app.ui.log_slider import short
from app.ui.ui_state import UiState
from app.ui.widgets import button, note
from app.worker.view_model import ViewModel

HOW = "Point at the fluid and press P to place a probe, again to remove it."


class ProbesPanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState) -> None:
        self._view, self._state = view, state

    def draw(self, snapshot: Snapshot) -> None:
        """A line for each probe, and the curves of the quantity that the view shows."""
        if not snapshot.probes:
            note(self._state, HOW)
            return
        shown = quantity(self._state.view)
        column, unit = list(PROBED).index(shown), PROBED[shown][0]
        newest = snapshot.samples[-1].probes if snapshot.samples else ()
        for k, place in enumerate(snapshot.probes):
            imgui.push_id(k)
            imgui.text_colored(theme.PROBE_COLORS[k], f"{k + 1}")
            imgui.same_line()
            imgui.text_colored(theme.DIM, f"x {place[0]:.3g}  y {place[1]:.3g} m")
            value = newest[k][column] if k < len(newest) else math.nan
            text = f"{short(value)} {unit}" if math.isfinite(value) else "-"
            side = imgui.get_frame_height()
            imgui.same_line(imgui.get_content_region_avail().x - side - imgui.calc_text_size(text).x)
            imgui.text(text)
            imgui.same_line(imgui.get_content_region_avail().x - side + 8)
            if button("x", "Remove this probe.", side):
                places = (*snapshot.probes[:k], *snapshot.probes[k + 1 :])
                self._view.submit(Session.set_probes, places)
            imgui.pop_id()
        count = len(snapshot.probes)
        rows = [[p[column] for p in sample.probes] for sample in snapshot.samples if len(sample.probes) == count]
        curves = np.array(rows, dtype=float).reshape(len(rows), count).T
        note(self._state, f"{shown}, {unit}, over the last frames; another view plots another quantity.")
        draw_curves(f"probed {shown}", curves, theme.PROBE_COLORS, 84 * theme.unit())


def quantity(view: View) -> str:
    """What is plotted in a view: its own values, or else the pressure."""
    return view.name if view.name in PROBED else "pressure"
