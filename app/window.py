"""The window: HelloImGui's runner around a canvas and a panel, on a display or off it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from imgui_bundle import hello_imgui, imgui

from app import screen, theme
from app.canvas import Canvas
from app.interaction import Interaction
from app.panel import Panel
from app.recorder import RATE, Recorder, free_name, save_picture
from app.session import Session
from app.snapshot import Snapshot
from app.views import VIEWS
from app.worker import Worker

OUT = Path("out")  # screenshots, recordings and states of the window's buttons


class Window:
    """The window's callbacks. `before_frame` is called before each is drawn."""

    def __init__(self, worker: Worker, offscreen: bool = False) -> None:
        self.worker, self.offscreen = worker, offscreen
        self.state = Interaction()
        self.canvas = Canvas(worker, self.state)
        self.panel = Panel(worker, self.state, self)
        self.recorder: Recorder | None = None
        self.frames: int | None = None  # output frames after which to close
        self.before_frame: Callable[[], None] = lambda: None
        self._params: Any = None
        self._screenshot = False
        self._recording_since = 0.0
        self._recorded = -1

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
            width, height = screen.framebuffer_size()
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
        self.worker.submit(save_into, OUT, self.worker.say)

    def load_state(self) -> None:
        """Continues from the newest state in the folder out."""
        self.worker.submit(load_newest, OUT, self.worker.say)

    def quit(self) -> None:
        """Closes the window after this frame."""
        self._params.app_shall_exit = True

    # HelloImGui's callbacks ------------------------------------------------------------------------------------------

    def params(self, size: tuple[int, int]) -> Any:
        """HelloImGui's parameters for this window."""
        p = self._params = screen.params(size, self.offscreen)
        p.imgui_window_params.background_color = theme.GROUND
        p.imgui_window_params.show_status_bar = True
        p.imgui_window_params.show_status_fps = False
        p.imgui_window_params.default_imgui_window_type = (
            hello_imgui.DefaultImGuiWindowType.provide_full_screen_dock_space
        )
        split = hello_imgui.DockingSplit("MainDockSpace", "Side", imgui.Dir.right, 0.285)
        split.node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.docking_splits = [split]
        p.docking_params.main_dock_space_node_flags = imgui.internal.DockNodeFlagsPrivate_.no_tab_bar
        p.docking_params.dockable_windows = [
            dockable("Fluid", "MainDockSpace", self._fluid_window, imgui.WindowFlags_.no_background),
            dockable("Panel", "Side", self.panel.draw),
        ]
        c = p.callbacks
        c.load_additional_fonts = lambda: theme.load_fonts(self.state.fonts)
        c.setup_imgui_style = theme.apply
        c.setup_imgui_config = without_keyboard_navigation
        c.post_init = theme.apply_to_plots
        c.pre_new_frame = lambda: self.before_frame()
        c.show_gui = self._keys
        c.show_status = self._status_bar
        c.before_swap = self._grab
        return p

    def _fluid_window(self) -> None:
        snapshot = self.worker.snapshot
        if self.offscreen:
            self.canvas.draw(("frames", f"{snapshot.frames_per_second if snapshot else 0:.1f} /s"))
        else:
            self.canvas.draw(("window", f"{hello_imgui.frame_rate():.0f} fps"))

    def _keys(self) -> None:
        if self.frames is not None and self.worker.snapshot is not None and self.worker.snapshot.frames >= self.frames:
            self.quit()
        if imgui.get_io().want_text_input or imgui.is_popup_open("", imgui.PopupFlags_.any_popup):
            return  # an open list takes the keys, Escape among them
        actions: dict[Any, Callable[[], None]] = {
            imgui.Key.space: lambda: self.worker.set_paused(not self.worker.paused),
            imgui.Key.r: lambda: self.worker.submit(Session.reset),
            imgui.Key.h: self._toggle_help,
            imgui.Key.f9: self.toggle_recording,
            imgui.Key.f12: self.take_screenshot,
            imgui.Key.escape: self.quit,
        }
        for k, view in enumerate(VIEWS):
            actions[imgui.Key(imgui.Key._1 + k)] = partial(self.state.look_at, view)
        for key, action in actions.items():
            if imgui.is_key_pressed(key, False):
                action()
        if imgui.is_key_pressed(imgui.Key.period, True):
            self.worker.step_once()

    def _toggle_help(self) -> None:
        self.state.show_help = not self.state.show_help

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
            self._keep_picture(screen.read_pixels())
        if self.recorder is None:
            return
        if self.recorder.error:
            self.worker.say(self.end_recording())
        elif self.offscreen:
            self._recorded += 1
            self.recorder.add(screen.read_pixels(), self._recorded)
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
            recorder.add(screen.read_pixels(), index)

    def _keep_picture(self, picture: np.ndarray) -> None:
        path = free_name(OUT, "screenshot", ".png")
        try:
            save_picture(path, picture)
            self.worker.say(f"saved {path}")
        except OSError as error:
            self.worker.say(f"{path} could not be written: {error.strerror or error}")


def dockable(label: str, place: str, draw: Callable[[], None], flags: int = 0) -> Any:
    """A docked window that cannot be closed by accident."""
    made = hello_imgui.DockableWindow(label, place, draw)
    made.can_be_closed, made.imgui_window_flags = False, flags
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


def save_into(session: Session, folder: Path, say: Callable[[str], None]) -> None:
    """Saves the session's state under the next free name."""
    folder.mkdir(exist_ok=True)
    path = free_name(folder, "state", ".npz")
    session.save(path)
    say(f"saved {path}")


def load_newest(session: Session, folder: Path, say: Callable[[str], None]) -> None:
    """Continues from the newest state of the folder. Raises ValueError where there is none."""
    found = sorted(folder.glob("state-*.npz"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ValueError(f"there is no saved state in {folder}")
    session.load(found[-1])
    say(f"loaded {found[-1]}")
