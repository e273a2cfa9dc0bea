"""Puts pictures of the fluid under everything that ImGui draws, copied pixel by pixel.

As a textured rectangle of ImGui's a picture would be sampled and blended, which in software costs three times as much.
"""

from __future__ import annotations

import OpenGL.GL as gl
from imgui_bundle import imgui

from app.render.gl import Target
from app.render.renderer import FluidRenderer


class Compositor:
    """Pictures are laid while a window is described, and drawn before ImGui draws the rest."""

    def __init__(self) -> None:
        self._laid: list[tuple[Target, float, float]] = []

    def lay(self, renderer: FluidRenderer, x: float, y: float) -> None:
        """Places what the renderer has drawn last, its upper left corner at a point of the window; for one frame."""
        self._laid.append((renderer.target, x, y))

    def draw(self) -> None:
        """HelloImGui's `before_imgui_render`: the window is described, and nothing of it drawn yet."""
        scale, height = imgui.get_io().display_framebuffer_scale, imgui.get_io().display_size.y
        window = gl.glGetIntegerv(gl.GL_DRAW_FRAMEBUFFER_BINDING)
        for target, x, y in self._laid:
            target.copy_to(window, *corner_of((x, y), target.size, height, (scale.x, scale.y)), target.size)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, window)
        self._laid.clear()


def corner_of(
    place: tuple[float, float], size: tuple[int, int], height: float, scale: tuple[float, float]
) -> tuple[int, int]:
    """Lower left corner in pixels, from below, of a picture whose upper left is at a point of a window, from above."""
    return round(place[0] * scale[0]), round((height - place[1]) * scale[1]) - size[1]
