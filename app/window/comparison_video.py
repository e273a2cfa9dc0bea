"""Comparison videos, drawn off screen at 1920 x 1080, with a poster beside the video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from imgui_bundle import hello_imgui, imgui

from app.compare.comparison import Comparison
from app.record.video import Recorder, poster_of, save_picture
from app.render.compositor import Compositor
from app.session.snapshot import ComparisonSnapshot
from app.ui import theme
from app.ui.rect import Rect
from app.ui.theme import Fonts
from app.viewport.comparison_view import ComparisonView
from app.window import backend, toolkit

SIZE = (1920, 1080)
POSTER = 0.6  # of the video has passed on the poster: by then the fluids move, and racers have parted
WARM_UP = 3  # pictures in which fonts are made


def record(comparison: Comparison, snapshots: Iterator[ComparisonSnapshot], path: Path) -> None:
    """Draws every snapshot into a video and one of them into its poster. No picture is dropped."""
    recorder = Recorder(path, SIZE, live=False)
    comparison.drain = recorder.drain
    video = ComparisonVideo(snapshots, round(POSTER * comparison.frames), recorder)
    try:
        toolkit.start(video.params())
    finally:
        print(recorder.close())
    if video.poster is not None and not recorder.error:
        try:
            save_picture(poster_of(path), video.poster)
        except OSError as error:
            print(f"note: {poster_of(path)} could not be written: {error.strerror or error}")
    comparison.failure = comparison.failure or recorder.error


class ComparisonVideo:
    """A window without a display, whose pictures go to the recorder."""

    def __init__(self, snapshots: Iterator[ComparisonSnapshot], poster_at: int, recorder: Recorder) -> None:
        self._fonts = Fonts()
        self._compositor = Compositor()
        self._view = ComparisonView(self._fonts, self._compositor)
        self._snapshots = snapshots
        self._poster_at = poster_at
        self._recorder = recorder
        self._shown: ComparisonSnapshot | None = None
        self._pictures, self._waits = 0, WARM_UP
        self._params: Any = None
        self.poster: np.ndarray | None = None

    def params(self) -> Any:
        """Parameters of HelloImGui's runner."""
        p = self._params = backend.params(SIZE, offscreen=True)
        # the monitor that nobody sees has this size, less a bar that only a full screen covers
        p.app_window_params.window_geometry.full_screen_mode = hello_imgui.FullScreenMode.full_screen
        p.imgui_window_params.background_color = theme.GROUND
        p.imgui_window_params.default_imgui_window_type = hello_imgui.DefaultImGuiWindowType.no_default_window
        c = p.callbacks
        c.load_additional_fonts = lambda: theme.load_fonts(self._fonts)
        c.setup_imgui_style = theme.apply
        c.pre_new_frame = self._advance
        c.show_gui = self._draw
        c.before_imgui_render = self._compositor.draw
        c.before_swap = self._grab
        return p

    def _advance(self) -> None:
        """Takes the next snapshot, once fonts are there; ends after the last."""
        if self._waits:
            self._waits -= 1
            return
        self._shown = None if self._recorder.error else next(self._snapshots, None)
        if self._shown is None:
            self._params.app_shall_exit = True

    def _draw(self) -> None:
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size(SIZE)
        flags = imgui.WindowFlags_
        imgui.begin("video", None, flags.no_decoration | flags.no_background | flags.no_saved_settings)
        if self._shown is not None:
            self._view.draw(self._shown, Rect(0, 0, *SIZE))
        imgui.end()

    def _grab(self) -> None:
        if self._shown is None:
            return
        picture = backend.read_pixels()
        if self._pictures <= self._poster_at:
            self.poster = picture
        self._recorder.add(picture, self._pictures)
        self._pictures += 1
