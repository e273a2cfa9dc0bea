"""Starts the window toolkit: what has to be settled before OpenGL is imported, and the loop that draws."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from precond.support.command_line import RUN_TIME, Refusal

SIZE = (1280, 720)  # of the window and of videos of it


def prepare_toolkit(offscreen: bool) -> None:
    """Tells PyOpenGL how contexts are made, before OpenGL.GL is imported. Raises Refusal without a window toolkit."""
    if importlib.util.find_spec("imgui_bundle") is None:
        raise Refusal("windows and videos need imgui-bundle, which is missing: use Python 3.11 or later", RUN_TIME)
    import OpenGL

    OpenGL.ERROR_CHECKING = False  # twice as many calls, and what can fail is asked for where it can
    if offscreen:
        os.environ["PYOPENGL_PLATFORM"] = "egl"
    elif sys.platform.startswith("linux"):
        os.environ["PYOPENGL_PLATFORM"] = "egl" if speaks_wayland() else "glx"


def speaks_wayland() -> bool:
    """Whether GLFW opens a Wayland window, and not an X11 window, which Wayland shows too."""
    import glfw
    import imgui_bundle  # noqa: F401  # first, so that glfw finds the copy of the library that opens the window

    return bool(os.environ.get("WAYLAND_DISPLAY")) and "Wayland" in str(glfw.get_version_string())


def start(params: Any) -> None:
    """Runs HelloImGui until the window closes. Raises Refusal where no window or no OpenGL can be had."""
    from imgui_bundle import hello_imgui, implot

    context = implot.create_context()
    try:
        hello_imgui.run(params)
    except RuntimeError as error:
        raise Refusal(f"the window cannot be opened: {error}", RUN_TIME) from None
    finally:
        implot.destroy_context(context)
