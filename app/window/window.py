"""The window: HelloImGui's runner around viewport and side panel, on a display or off it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from imgui_bundle import hello_imgui, imgui

from app.panels.side_panel import SidePanel
from app.session.session import Session
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.tooltips import NUMBERS, tip
from app.ui.ui_state import UiState
from app.viewport.viewport import Viewport
from app.window import backend, file_actions, help_overlay, shortcuts
from app.window.capture import Capture
from app.window.settings_sync import SettingsSync
from app.window.tour import Tour
from app.window.tour_card import TourCard
from app.worker.view_model import ViewModel, do_nothing

OUT = Path("out")  # screenshots, recordings and states of the window's buttons
ONCE_MORE = 3.0  # [s] within which a second Escape counts
SETTLED = 2  # frames after which HelloImGui has scaled its style to the display, and no longer touches it


class Window:
    """The window's callbacks, and the Actions of keys and panel. `before_frame` is called before each is drawn."""

    def __init__(self, view: ViewModel, offscreen: bool = False) -> None:
        self.view, self.offscreen = view, offscreen
        self.settings = SettingsSync(None)
        self.state, self.tour = UiState(), Tour()
        self.viewport = Viewport(view, self.state)
        self.panel = SidePanel(view, self.state, self, OUT)
        self.tour_card = TourCard(self.tour, self.state, view)
        self.capture = Capture(view, self.state, OUT)
        self.frames: int | None = None  # output frames after which to close
        self.before_frame: Callable[[], None] = lambda: None
        self.should_end: Callable[[], bool] = lambda: False  # asked before each picture
        self._params: Any = None
        self._quits_until = 0.0  # a second Escape by then closes the window [s]
        self._windowed: list[int] = []  # place and size before full screen

    def use(self, settings: SettingsSync) -> None:
        """Takes over the settings of the last run. To be called before `params`."""
        self.settings = settings
        self.state.follow(settings.settings)
        self.tour.toured = settings.settings.toured
        self.tour.offered = settings.path is not None and not self.tour.toured

    # What keys and panel ask for -------------------------------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """True while a video is being written."""
        return self.capture.recording

    def toggle_recording(self, whole: bool = False) -> None:
        """Starts a recording of the fluid, or of the whole window, in the folder out; or ends it."""
        if not self.offscreen:
            self.capture.toggle(whole)

    def take_screenshot(self, whole: bool = False) -> None:
        """Keeps the next picture of the fluid, or of the whole window, in the folder out."""
        self.capture.take(whole)

    def toggle_panel(self) -> None:
        """Hides the panel, or shows it again."""
        self.state.panel = not self.state.panel
        self._params.docking_params.dockable_window_of_name("Panel").is_visible = self.state.panel

    def toggle_full_screen(self) -> None:
        """Fills the screen, or goes back to a window."""
        backend.toggle_full_screen(self._windowed)

    def save_state(self) -> None:
        """Saves the state under the next free name in the folder out."""
        self.view.submit(file_actions.save_into, OUT, self.view.notify)

    def open_file(self, path: Path) -> None:
        """Opens a state, scene or log."""
        self.open_files((path,))

    def export_fields(self, suffix: str) -> None:
        """Writes the fields of the newest frame under the next free name in the folder out."""
        self.view.submit(file_actions.export_into, OUT, suffix, self.view.notify)

    def export_plots(self) -> None:
        """Writes the plots under the next free name in the folder out, without holding up window or fluid."""
        if self.view.snapshot is not None:
            arguments = (OUT, self.view.snapshot, self.view.notify)
            threading.Thread(target=file_actions.plots_into, args=arguments, name="plots", daemon=True).start()

    def open_files(self, paths: Sequence[Path]) -> None:
        """Opens a file that was dropped on the window."""
        if len(paths) != 1:
            self.view.notify("Drop one file at a time")
            return
        if paths[0].suffix.lower() == ".jsonl" and self.view.in_panes:
            self.view.compare("off")  # a replay has one fluid
        self.view.keep_grid()
        self.view.submit(file_actions.open_into, paths[0], self.view)

    def start_tour(self) -> None:
        """Starts the tour."""
        self.tour.start()

    def toggle_help(self) -> None:
        """Shows all keys, or hides them."""
        self.state.show_help = not self.state.show_help

    def reset_settings(self) -> None:
        """Resets to the defaults; the window keeps its size until the next start."""
        self.settings.forget()
        self.state.follow(self.settings.settings)
        self.view.choose_rows(0)
        theme.set_scale(self.state.scale)
        self.view.submit(Session.set_timeline_budget, self.state.timeline << 20)
        self.view.notify("Settings reset to defaults; window sizes change at the next start")

    def quit(self) -> None:
        """Closes the window after this frame."""
        self._params.app_shall_exit = True

    # HelloImGui's callbacks ------------------------------------------------------------------------------------------

    def params(self, size: tuple[int, int]) -> Any:
        """HelloImGui's parameters for this window."""
        p = self._params = backend.params(size, self.offscreen)
        p.imgui_window_params.background_color = theme.PANEL
        p.imgui_window_params.show_status_bar = True
        p.imgui_window_params.show_status_fps = False
        p.imgui_window_params.default_imgui_window_type = (
            hello_imgui.DefaultImGuiWindowType.provide_full_screen_dock_space
        )
        split = hello_imgui.DockingSplit("MainDockSpace", "Side", imgui.Dir.right, self.settings.share)
        split.node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.docking_splits = [split]
        p.docking_params.main_dock_space_node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.dockable_windows = [
            dockable("Fluid", "MainDockSpace", self._fluid_window, imgui.WindowFlags_.no_scrollbar),
            dockable("Panel", "Side", self._panel_window),
        ]
        c = p.callbacks
        c.load_additional_fonts = lambda: theme.load_fonts(self.state.fonts)
        c.setup_imgui_style = theme.apply
        c.setup_imgui_config = without_keyboard_navigation
        c.post_init = self._ready
        c.before_exit = self._remember
        c.pre_new_frame = self._new_frame
        c.show_gui = self._each_frame
        c.show_status = self._status_bar
        c.before_imgui_render = self.viewport.compositor.draw
        c.before_swap = self.capture.grab
        return p

    def _fluid_window(self) -> None:
        snapshot = self.view.snapshot
        if self.offscreen:
            self.viewport.draw(("frames", f"{snapshot.frames_per_second if snapshot else 0:.1f} /s"))
        else:
            self.viewport.draw(("window", f"{hello_imgui.frame_rate():.0f} fps"))
        if snapshot is not None and not self.offscreen:
            self._over_the_fluid(snapshot)

    def _over_the_fluid(self, snapshot: Snapshot) -> None:
        corner, size = imgui.get_window_pos(), imgui.get_window_size()
        self.state.touring = self.tour.offered or self.tour.step is not None
        edge = 20 * theme.unit()
        self.tour_card.draw(snapshot, self.recording, (corner.x + edge, corner.y + size.y - edge))
        if self.state.show_help:
            help_overlay.draw(self.state, (corner.x + size.x / 2, corner.y + size.y / 2), self.start_tour)

    def _panel_window(self) -> None:
        self.panel.draw()
        size, factor = imgui.get_main_viewport().size, hello_imgui.dpi_window_size_factor() or 1.0
        share = imgui.get_window_width() / max(size.x, 1.0)
        self.settings.note((size.x / factor, size.y / factor), share, self.state.scale)

    def _ready(self) -> None:
        """Called when the window is there, before anything is drawn."""
        theme.apply_to_plots()
        if not self.offscreen:
            backend.on_drop(self.open_files)
            self.view.on_snapshot = backend.wake
        if self.settings.error:
            self.view.notify(self.settings.error)

    def _new_frame(self) -> None:
        if imgui.get_frame_count() == SETTLED:
            theme.set_scale(self.state.scale)
        self.before_frame()

    def _remember(self) -> None:
        """Writes the settings, where there is a file for them; no snapshot is to wake the window any more."""
        self.view.on_snapshot = do_nothing
        self.settings.keep(self.state, self.view, self.tour.toured)

    def _each_frame(self) -> None:
        shown = self.view.snapshot
        done = self.frames is not None and (self.view.fatal_error or (shown and shown.frames >= self.frames))
        if done or self.should_end():
            self.quit()
        shortcuts.handle(self.view, self.state, self)

    def close_topmost(self) -> None:
        """Closes what lies over the fluid; where there is nothing, the window, if asked twice."""
        if self.state.show_help:
            self.state.show_help = False
        elif self.tour.step is not None:
            self.tour.end()
        elif time.monotonic() < self._quits_until:
            self.quit()
        else:
            self._quits_until = time.monotonic() + ONCE_MORE
            self.view.notify("Press Esc once more to quit")

    def _status_bar(self) -> None:
        snapshot = self.view.snapshot
        if snapshot is None:
            imgui.text_disabled(self.view.start)
            return
        imgui.text_disabled(status_line(snapshot, hello_imgui.frame_rate(), self.offscreen))
        tip(NUMBERS["real time"])
        if self.recording and not self.offscreen:
            text = self.capture.status()
            imgui.same_line(imgui.get_window_width() - imgui.calc_text_size(text).x - 16)
            imgui.text_colored(theme.WARNING, text)


def dockable(label: str, place: str, draw: Callable[[], None], flags: int = 0) -> Any:
    """A docked window that cannot be closed, without a background of its own."""
    made = hello_imgui.DockableWindow(label, place, draw)
    made.can_be_closed, made.imgui_window_flags = False, imgui.WindowFlags_.no_background | flags
    return made


def without_keyboard_navigation() -> None:
    """HelloImGui's configuration, but Space and Escape belong to the simulation and not to the focused button."""
    hello_imgui.imgui_default_settings.setup_default_imgui_config()
    imgui.get_io().config_flags &= ~imgui.ConfigFlags_.nav_enable_keyboard


def status_line(snapshot: Snapshot, window_fps: float, offscreen: bool) -> str:
    """The line at the foot of the window."""
    ny, nx = snapshot.grid.shape
    rate = "Drawn off screen" if offscreen else f"Window {window_fps:.0f} fps"
    speed = f"{snapshot.steps_per_second:.0f} sub-steps/s     {snapshot.frames_per_second / 0.6:.0f} % of real time"
    if snapshot.comparison is not None and snapshot.comparison.mode == "race":
        speed = "Race: every fluid has had the same computing time"
    elif snapshot.comparison is not None and snapshot.comparison.mode == "branch":
        speed = f"Branches in step at {snapshot.frame.time:.2f} s"
    return f"{rate}     {speed}     {ny} x {nx} = {ny * nx:,} cells     {snapshot.device}     H for help"
