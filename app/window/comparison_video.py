"""Comparison videos: boards drawn off screen at 1920 x 1080, a poster beside the video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from imgui_bundle import hello_imgui, imgui

from app.cli import interactive
from app.compare.comparison import Comparison
from app.record.video import Recorder, poster_of, save_picture
from app.render.compositor import Backdrop
from app.solving.method_stats import Board
from app.ui import theme
from app.ui.theme import Fonts
from app.viewport.comparison_layout import Rect
from app.viewport.comparison_view import Stage
from app.window import backend

SIZE = (1920, 1080)
POSTER = 0.6  # of the video has passed on the poster: by then the fluids move, and racers have parted
WARM_UP = 3  # pictures in which fonts are made


def record(comparison: Comparison, path: Path) -> None:
    """Draws every board into a video and one of them into its poster. No picture is dropped."""
    recorder = Recorder(path, SIZE, live=False)
    comparison.drain = recorder.drain
    film = Film(comparison, recorder)
    try:
        interactive.start(film.params())
    finally:
        print(recorder.close())
    if film.poster is not None and not recorder.error:
        try:
            save_picture(poster_of(path), film.poster)
        except OSError as error:
            print(f"note: {poster_of(path)} could not be written: {error.strerror or error}")
    comparison.failure = comparison.failure or recorder.error


class Film:
    """A window that nobody sees, whose pictures go to the recorder."""

    def __init__(self, comparison: Comparison, recorder: Recorder) -> None:
        self._fonts = Fonts()
        self._backdrop = Backdrop()
        self._stage = Stage(self._fonts, self._backdrop)
        self._boards: Iterator[Board] = comparison.boards()
        self._poster_at = round(POSTER * comparison.frames)
        self._recorder = recorder
        self._board: Board | None = None
        self._pictures, self._waits = 0, WARM_UP
        self._params: Any = None
        self.poster: np.ndarray | None = None

    def params(self) -> Any:
        """For HelloImGui's runner."""
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
        c.before_imgui_render = self._backdrop.draw
        c.before_swap = self._grab
        return p

    def _advance(self) -> None:
        """The next board, once fonts are there; the end after the last."""
        if self._waits:
            self._waits -= 1
            return
        self._board = None if self._recorder.error else next(self._boards, None)
        if self._board is None:
            self._params.app_shall_exit = True

    def _draw(self) -> None:
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size(SIZE)
        flags = imgui.WindowFlags_
        imgui.begin("film", None, flags.no_decoration | flags.no_background | flags.no_saved_settings)
        if self._board is not None:
            self._stage.draw(self._board, Rect(0, 0, *SIZE))
        imgui.end()

    def _grab(self) -> None:
        if self._board is None:
            return
        picture = backend.read_pixels()
        if self._pictures <= self._poster_at:
            self.poster = picture
        self._recorder.add(picture, self._pictures)
        self._pictures += 1
