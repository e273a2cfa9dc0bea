"""What every window has in common, on a display or off it: its runner's parameters and its pixels."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenGL.GL as gl
from imgui_bundle import hello_imgui, imgui

FPS_MAX = 62.0  # where no display sets the pace
# Drawn is what has changed: a new frame of the fluid, or what mouse and keys do. On software OpenGL drawing takes the
# processor from the fluid, which flowed at a third of its speed behind a window that was drawn 60 times a second.
FPS_AT_REST = 12.0  # for what fades by itself, and tooltips
ACTIVE = 0.5  # [s] after an input that the window is drawn at full rate


def params(size: tuple[int, int], offscreen: bool) -> Any:
    """HelloImGui's parameters for a window of this size."""
    if offscreen:
        prepare_offscreen()
    p = hello_imgui.RunnerParams()
    p.app_window_params.window_title = "Estuary"
    p.app_window_params.window_geometry.size = size
    p.app_window_params.restore_previous_geometry = False
    p.ini_disable = True
    p.fps_idling.enable_idling = not offscreen
    p.fps_idling.remember_enable_idling = False
    p.fps_idling.fps_idle, p.fps_idling.time_active_after_last_event = FPS_AT_REST, ACTIVE
    p.fps_idling.fps_max = 0.0 if offscreen else FPS_MAX
    p.fps_idling.vsync_to_monitor = not offscreen
    # no multisampling: shader and ImGui smooth their own edges, and on software OpenGL it costs 20 ms a frame
    p.renderer_backend_options.open_gl_options = hello_imgui.OpenGlOptions(anti_aliasing_samples=0)
    return p


def prepare_offscreen() -> None:
    """Makes GLFW create windows that need no display."""
    import glfw  # after imgui_bundle, so that both use one copy of the library

    glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_NULL)
    glfw.init()
    glfw.window_hint(glfw.CONTEXT_CREATION_API, glfw.EGL_CONTEXT_API)


def on_drop(opened: Callable[[Sequence[Path]], None]) -> None:
    """Calls `opened` with the files that are dropped on the window, in the thread that draws it."""
    import glfw
    from imgui_bundle import glfw_utils

    def dropped(_: Any, names: Any) -> None:
        opened([Path(os.fsdecode(name)) for name in names])

    glfw.set_drop_callback(glfw_utils.glfw_window_hello_imgui(), dropped)  # type: ignore[arg-type]


def toggle_full_screen(windowed: list[int]) -> None:
    """Fills the monitor, or goes back to the place and size kept in `windowed`, which is empty for a window."""
    import glfw as untyped
    from imgui_bundle import glfw_utils

    glfw: Any = untyped
    window: Any = glfw_utils.glfw_window_hello_imgui()
    if windowed:
        glfw.set_window_monitor(window, None, *windowed, 0)
        windowed.clear()
        return
    monitor = glfw.get_primary_monitor()
    if monitor:
        windowed[:] = [*glfw.get_window_pos(window), *glfw.get_window_size(window)]
        mode = glfw.get_video_mode(monitor)
        glfw.set_window_monitor(window, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)


def wake() -> None:
    """Redraws a window at rest now. For any thread, once the window is there."""
    import glfw

    glfw.post_empty_event()


def framebuffer_size() -> tuple[int, int]:
    """Pixels of the window, which high-resolution displays have more of than points."""
    io = imgui.get_io()
    scale = io.display_framebuffer_scale
    return round(io.display_size.x * scale.x), round(io.display_size.y * scale.y)


def read_pixels() -> np.ndarray:
    """What is about to be shown, (height, width, 4) uint8, top row first: blue, green, red, and a byte that is unused.

    So the framebuffer holds it; drivers take twenty times as long where they have to turn it into another order.
    """
    width, height = framebuffer_size()
    pixels = np.empty((height, width, 4), np.uint8)
    place = pixels.ctypes.data_as(ctypes.c_void_p)
    gl.glReadPixels(0, 0, width, height, gl.GL_BGRA, gl.GL_UNSIGNED_BYTE, place)
    return np.ascontiguousarray(pixels[::-1])
