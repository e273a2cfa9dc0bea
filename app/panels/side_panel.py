"""The side panel: every setting and every number, in groups that fold."""

from __future__ import annotations

from pathlib import Path

from imgui_bundle import imgui

import precond
from app.panels.compare import ComparePanel
from app.panels.draw import DrawPanel
from app.panels.files import FilesPanel
from app.panels.fluid import FluidPanel
from app.panels.forces import ForcesPanel
from app.panels.plots import PlotsPanel
from app.panels.probes import ProbesPanel
from app.panels.save_scene_dialog import SaveSceneDialog
from app.panels.scene import ScenePanel
from app.panels.solver import SolverPanel
from app.panels.view import ViewPanel
from app.session.snapshot import Snapshot
from app.ui.actions import Actions
from app.ui.log_slider import short
from app.ui.ui_state import UiState
from app.ui.widgets import heading
from app.worker.view_model import ViewModel


class SidePanel:
    """Draws into the current ImGui window."""

    def __init__(self, view: ViewModel, state: UiState, actions: Actions, out: Path) -> None:
        """out: the folder that the window's buttons write into."""
        self._view, self._state = view, state
        reasons = {name: view.why_unavailable(name) for name in precond.names()}
        files = FilesPanel(view, state, actions, out)
        self.save_scene = SaveSceneDialog(view, state, out)
        self._groups = {
            "Scene": ScenePanel(view, state, out).draw,
            "Pressure solver": SolverPanel(view, state, reasons).draw,
            "Compare": ComparePanel(view, state, reasons).draw,
            "Milliseconds per frame": PlotsPanel(state).draw,
            "Draw": DrawPanel(view, state).draw,
            "View": ViewPanel(state).draw,
            "Probes": ProbesPanel(view, state).draw,
            "Forces": ForcesPanel(view, state).draw,
            "Fluid": FluidPanel(view, state).draw,
            "Files": files.draw,
            "Notices": files.draw_notices,
            "Window": files.draw_window,
        }

    def draw(self) -> None:
        """The whole panel."""
        snapshot = self._view.snapshot
        if snapshot is None:
            imgui.text_disabled("Starting ...")
            return
        self._state.marks.clear()
        for title, draw in self._groups.items():
            imgui.push_id(title)
            if heading(self._state, title, self._beside(title, snapshot)):
                draw(snapshot)
            imgui.pop_id()
        self.save_scene.draw(snapshot)

    def _beside(self, title: str, snapshot: Snapshot) -> str:
        """A word at the right end of a heading."""
        if title == "Notices":
            count = len(self._view.notices.newest_first())
            return str(count) if count else ""
        if title == "Draw" and snapshot.at_start:
            return "at time zero"
        if title == "Fluid" and title in self._state.closed:
            densities = snapshot.settings.densities
            return f"density {short(max(densities) / min(densities))} : 1"
        return ""
