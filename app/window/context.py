"""An OpenGL context without a window, for pictures that nobody looks at while they are made."""

from __future__ import annotations

from app.window import backend
from precond.support.command_line import RUN_TIME, Refusal


def make_current() -> None:
    """Makes one current on this thread; it lives as long as the process. Raises Refusal where there is none."""
    backend.prepare_offscreen()
    import glfw

    for hint, value in (
        (glfw.CONTEXT_VERSION_MAJOR, 3),
        (glfw.CONTEXT_VERSION_MINOR, 3),
        (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
    ):
        glfw.window_hint(hint, value)
    window = glfw.create_window(64, 64, "", None, None)
    if not window:
        raise Refusal("pictures cannot be drawn: OpenGL 3.3 without a display (EGL) is missing", RUN_TIME)
    glfw.make_context_current(window)
