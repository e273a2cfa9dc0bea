"""Pictures of the fluid alone, of any size, as arrays: for screenshots, recordings and renderings without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.render.look import StillOptions
from app.render.renderer import FluidRenderer
from app.render.views import Range, View
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.scene import Scene

MATTES = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # two grounds whose pictures tell how much of a ground shows through


class Still:
    """Draws pictures; needs a current OpenGL context at construction and at every call."""

    def __init__(self) -> None:
        self._renderer = FluidRenderer()

    def picture(
        self, frame: Frame, scene: Scene, grid: Grid, view: View, limits: Range, options: StillOptions
    ) -> np.ndarray:
        """(height, width, 3) uint8 RGB, top row first; with `transparent` (height, width, 4), colours not multiplied.

        The domain keeps its aspect; what it leaves of the size has the theme's ground, or is transparent.
        Raises RuntimeError where the driver cannot draw that many pixels.
        """
        size = inscribed(options.size, grid)
        looks = [options.look]
        if options.transparent:
            looks = [replace(options.look, theme=replace(options.look.theme, gas=matte)) for matte in MATTES]
        drawn = []
        for look in looks:
            pixels = (size[0] * options.supersample, size[1] * options.supersample)
            self._renderer.draw(frame, scene, grid, view, limits, pixels, look)
            drawn.append(averaged(self._renderer.target.read(), options.supersample))
        fluid = matted(*drawn) if options.transparent else drawn[0]
        return placed(fluid, options)


def inscribed(size: tuple[int, int], grid: Grid) -> tuple[int, int]:
    """The largest (width, height) with the aspect of the domain that fits in a size."""
    width = min(size[0], round(size[1] * grid.nx / grid.ny))
    return max(width, 1), max(1, min(size[1], round(width * grid.ny / grid.nx)))


def averaged(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels, rounded."""
    if factor == 1:
        return picture
    total = np.zeros((picture.shape[0] // factor, picture.shape[1] // factor, picture.shape[2]), np.uint16)
    for j in range(factor):
        for i in range(factor):
            total += picture[j::factor, i::factor]
    return np.asarray((total + factor**2 // 2) // factor**2, np.uint8)


def matted(black: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Colour and opacity from pictures on a black and a white ground (Smith and Blinn 1996, triangulation matting)."""
    shown = (white.astype(np.float32) - black).mean(axis=2).clip(0, 255) / 255
    opacity = 1 - shown
    color = np.where(opacity[..., None] > 1 / 512, black / np.maximum(opacity, 1 / 255)[..., None], 0).clip(0, 255)
    return np.concatenate([color, 255 * opacity[..., None]], axis=2).round().astype(np.uint8)


def placed(fluid: np.ndarray, options: StillOptions) -> np.ndarray:
    """The picture in the middle of its size."""
    (width, height), (rows, columns, channels) = options.size, fluid.shape
    if (rows, columns) == (height, width):
        return fluid
    ground = np.rint(255 * np.array(options.look.theme.ground)).astype(np.uint8)
    canvas = np.zeros((height, width, channels), np.uint8)
    if channels == 3:
        canvas[:] = ground
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[top : top + rows, left : left + columns] = fluid
    return canvas
