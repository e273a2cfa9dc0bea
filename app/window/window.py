"""The window: HelloImGui's runner around a canvas and a panel, on a display or off it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from imgui_bundle import hello_imgui, imgui

from app.panels.side_panel import Panel
from app.record.video import RATE, Recorder, free_name, save_picture
from app.session.snapshot import Snapshot
from app.ui import theme
from app.ui.ui_state import Interaction
from app.viewport.viewport import Canvas
from app.window import backend, file_actions, help_overlay, shortcuts
from app.window.settings_sync import Memory
from app.window.tour import Tour
from app.window.tour_card import Guide
from app.worker.worker import Worker, nothing

OUT = Path("out")  # screenshots, recordings and states of the window's buttons
SETTLED = 2  # frames after which HelloImGui has scaled its style to the display, and no longer touches it


class Window:
    """The window's callbacks. `before_frame` is called before each is drawn."""

    def __init__(self, worker: Worker, offscreen: bool = False) -> None:
        self.worker, self.offscreen = worker, offscreen
        self.memory = Memory(None)
        self.state, self.tour = Interaction(), Tour()
        self.canvas = Canvas(worker, self.state)
        self.panel = Panel(worker, self.state, self, OUT)
        self.guide = Guide(self.tour, self.state, worker)
        self.recorder: Recorder | None = None
        self.frames: int | None = None  # output frames after which to close
        self.before_frame: Callable[[], None] = lambda: None
        self._params: Any = None
        self._screenshot = False
        self._recording_since = 0.0
        self._recorded = -1

    def use(self, memory: Memory) -> None:
        """Goes on as at the end of another run. To be called before `params`."""
        self.memory = memory
        self.state.follow(memory.settings)
        self.tour.toured = memory.settings.toured
        self.tour.offered = memory.path is not None and not self.tour.toured

    # What keys and panel ask for -------------------------------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """True while a video is being written."""
        return self.recorder is not None

    def toggle_recording(self) -> None:
        """Starts a recording in the folder out, or ends the one under way."""
        if self.offscreen:
            return
        if self.recorder is not None:
            self.worker.say(self.end_recording())
            return
        try:
            OUT.mkdir(exist_ok=True)
            width, height = backend.framebuffer_size()
            self.recorder = Recorder(free_name(OUT, "recording", ".mp4"), (width, height), live=True)
        except OSError as error:
            self.worker.say(f"recordings cannot be kept in {OUT}: {error.strerror or error}")

    def end_recording(self) -> str:
        """Finishes the recording, if there is one, and returns a sentence about it."""
        if self.recorder is None:
            return ""
        recorder, self.recorder, self._recorded = self.recorder, None, -1
        return recorder.close()

    def take_screenshot(self) -> None:
        """Keeps the next picture of the window in the folder out."""
        self._screenshot = True

    def save_state(self) -> None:
        """Saves the state under the next free name in the folder out."""
        self.worker.submit(file_actions.save_into, OUT, self.worker.say)

    def load_state(self) -> None:
        """Continues from the newest state in the folder out."""
        self.worker.submit(file_actions.load_newest, OUT, self.worker.say)

    def export_fields(self, suffix: str) -> None:
        """Writes the fields of the newest frame under the next free name in the folder out."""
        self.worker.submit(file_actions.export_into, OUT, suffix, self.worker.say)

    def export_plots(self) -> None:
        """Writes the plots under the next free name in the folder out, without holding up window or fluid."""
        if self.worker.snapshot is not None:
            arguments = (OUT, self.worker.snapshot, self.worker.say)
            threading.Thread(target=file_actions.plots_into, args=arguments, name="plots", daemon=True).start()

    def open_files(self, paths: Sequence[Path]) -> None:
        """Goes on with a file that was dropped on the window."""
        if len(paths) != 1:
            self.worker.say("drop one file at a time")
            return
        if paths[0].suffix.lower() == ".jsonl" and self.worker.comparing.mode == "race":
            self.worker.compare(replace(self.worker.comparing, mode="off"))  # a replay has one fluid
        self.worker.first_choice = None
        self.worker.submit(file_actions.open_into, paths[0], self.worker)

    def start_tour(self) -> None:
        """From its first step."""
        self.tour.start()

    def toggle_help(self) -> None:
        """Shows all keys, or hides them."""
        self.state.show_help = not self.state.show_help

    def reset_settings(self) -> None:
        """As on a first run; the size of the window, and of its parts, from the next run on."""
        self.memory.forget()
        self.state.follow(self.memory.settings)
        self.worker.rows = 0
        theme.set_scale(self.state.scale)
        self.worker.say("settings are as on the first day; sizes of the window from the next start on")

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
        split = hello_imgui.DockingSplit("MainDockSpace", "Side", imgui.Dir.right, self.memory.share)
        split.node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.docking_splits = [split]
        p.docking_params.main_dock_space_node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.dockable_windows = [
            dockable("Fluid", "MainDockSpace", self._fluid_window),
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
        c.before_imgui_render = self.canvas.backdrop.draw
        c.before_swap = self._grab
        return p

    def _fluid_window(self) -> None:
        snapshot = self.worker.snapshot
        if self.offscreen:
            self.canvas.draw(("frames", f"{snapshot.frames_per_second if snapshot else 0:.1f} /s"))
        else:
            self.canvas.draw(("window", f"{hello_imgui.frame_rate():.0f} fps"))

        if snapshot is not None and not self.offscreen:
            self._over_the_fluid(snapshot)

    def _over_the_fluid(self, snapshot: Snapshot) -> None:
        corner, size = imgui.get_window_pos(), imgui.get_window_size()
        edge = 20 * theme.unit()
        self.guide.draw(snapshot, self.recording, (corner.x + edge, corner.y + size.y - edge))
        if self.state.show_help:
            help_overlay.draw(self.state, (corner.x + size.x / 2, corner.y + size.y / 2), self.start_tour)

    def _panel_window(self) -> None:
        self.panel.draw()
        size, factor = imgui.get_main_viewport().size, hello_imgui.dpi_window_size_factor() or 1.0
        share = imgui.get_window_width() / max(size.x, 1.0)
        self.memory.note((size.x / factor, size.y / factor), share, self.state.scale)

    def _ready(self) -> None:
        """The window is there, nothing drawn yet."""
        theme.apply_to_plots()
        if not self.offscreen:
            backend.on_drop(self.open_files)
            self.worker.on_news = backend.wake
        if self.memory.trouble:
            self.worker.say(self.memory.trouble)

    def _new_frame(self) -> None:
        if imgui.get_frame_count() == SETTLED:
            theme.set_scale(self.state.scale)
        self.before_frame()

    def _remember(self) -> None:
        """Writes the settings, where there is a file for them; from now on nobody is to be woken."""
        self.worker.on_news = nothing
        self.memory.keep(self.state, self.worker, self.tour.toured)

    def _each_frame(self) -> None:
        shown = self.worker.snapshot
        if self.frames is not None and shown is not None and shown.frames >= self.frames:
            self.quit()
        shortcuts.obey(self)

    def close_topmost(self) -> None:
        """Closes what lies over the fluid, or else the window."""
        if self.state.show_help:
            self.state.show_help = False
        elif self.tour.step is not None:
            self.tour.end()
        else:
            self.quit()

    def _status_bar(self) -> None:
        snapshot = self.worker.snapshot
        if snapshot is None:
            imgui.text_disabled("starting the simulation")
            return
        imgui.text_disabled(status_line(snapshot, hello_imgui.frame_rate(), self.offscreen))
        if self.recorder is not None and not self.offscreen:
            imgui.same_line(imgui.get_window_width() - 240)
            imgui.text_colored(
                theme.WARNING, f"recording {self.recorder.frames} frames, {self.recorder.dropped} dropped"
            )

    # Pictures of the window ------------------------------------------------------------------------------------------

    def _grab(self) -> None:
        if self._screenshot:
            self._screenshot = False
            self._keep_picture(backend.read_pixels())
        if self.recorder is None:
            return
        if self.recorder.error:
            self.worker.say(self.end_recording())
        elif self.offscreen:
            self._recorded += 1
            self.recorder.add(backend.read_pixels(), self._recorded)
        else:
            self._grab_live(self.recorder)

    def _grab_live(self, recorder: Recorder) -> None:
        """One picture for each 1/60 s of the video that has come due; a slow window makes pictures that last longer."""
        now = time.perf_counter()
        if self._recorded < 0:
            self._recording_since = now
        index = int((now - self._recording_since) * RATE)
        if index > self._recorded:
            self._recorded = index
            recorder.add(backend.read_pixels(), index)

    def _keep_picture(self, picture: np.ndarray) -> None:
        path = free_name(OUT, "screenshot", ".png")
        try:
            save_picture(path, picture)
            self.worker.say(f"saved {path}")
        except OSError as error:
            self.worker.say(f"{path} could not be written: {error.strerror or error}")


def dockable(label: str, place: str, draw: Callable[[], None]) -> Any:
    """A docked window that cannot be closed by accident, on the ground that the whole window has."""
    made = hello_imgui.DockableWindow(label, place, draw)
    made.can_be_closed, made.imgui_window_flags = False, imgui.WindowFlags_.no_background
    return made


def without_keyboard_navigation() -> None:
    """HelloImGui's configuration, but Space and Escape belong to the simulation and not to the focused button."""
    hello_imgui.imgui_default_settings.setup_default_imgui_config()
    imgui.get_io().config_flags &= ~imgui.ConfigFlags_.nav_enable_keyboard


def status_line(snapshot: Snapshot, window_fps: float, offscreen: bool) -> str:
    """The line at the foot of the window."""
    ny, nx = snapshot.grid.shape
    rate = "drawn off screen" if offscreen else f"window {window_fps:.0f} fps"
    speed = f"{snapshot.steps_per_second:.0f} steps/s     {snapshot.frames_per_second / 0.6:.0f} % of real time"
    if snapshot.board is not None and snapshot.board.mode == "race":
        speed = "race: every fluid has had the same computing time"
    return f"{rate}     {speed}     {ny} x {nx} = {ny * nx:,} cells     {snapshot.device}     H for help"
