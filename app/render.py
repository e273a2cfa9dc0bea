"""Draws a frame of the fluid into a texture, crisp at any size.

Three passes. The first resamples the cells' fractions smoothly (cubic B-spline) at a few texels per cell, the second
works out how the light falls, the third finds the surfaces, f = 1/2, in every pixel and colours them. They run only
when the frame, the view or the size has changed: a still picture costs the window one textured rectangle.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import OpenGL.GL as gl

from app import colormaps
from app.shaders import LIGHT, PAINT, RESAMPLE, VERTEX, source
from app.views import Range, View
from sim.frame import Frame
from sim.grid import Grid
from sim.layout import Scene

NARROW = 4  # phases up to which one texture holds them: three fractions and the solids, the fourth is what they leave
TEXELS_PER_CELL = 3  # of the fine passes: between them the B-spline is straight to a fiftieth of a cell
TEXELS = 1024  # of the fine passes on the longer side at most, where cells are that fine by themselves
STONE = (0.50, 0.47, 0.44)


class FluidRenderer:
    """Needs a current OpenGL 3.3 context at construction and at every call."""

    def __init__(self) -> None:
        self._programs: dict[int, tuple[int, int, int]] = {}  # of the three passes, by number of phases
        self._vertices = gl.glGenVertexArrays(1)  # core profile draws nothing without one
        self._cells, self._fine, self._cells_more, self._fine_more = gl.glGenTextures(4)
        self._values, self._colormap, self._around, self._lit, self.texture = gl.glGenTextures(5)
        self._fine_target, self._lit_target, self._target = gl.glGenFramebuffers(3)
        self._fine_size, self._wide, self._size = (0, 0), False, (0, 0)
        self._map_name = ""

    def draw(self, frame: Frame, scene: Scene, grid: Grid, view: View, limits: Range, size: tuple[int, int]) -> int:
        """Draws into `texture`, (width, height) pixels, and returns its OpenGL name. Leaves the GL state as it was."""
        with Restored():
            self._upload(frame, grid, view)
            self._resize(grid, size, len(scene.phases) > NARROW)
            gl.glBindVertexArray(self._vertices)
            self._resample_pass(scene, grid, view, limits)
            self._light_pass(scene, grid, view)
            self._paint_pass(scene, view)
        return int(self.texture)

    def _upload(self, frame: Frame, grid: Grid, view: View) -> None:
        carried = np.moveaxis(sharpened(frame.fractions[:-1], frame.solid), 0, -1)
        self._upload_cells(self._cells, carried[..., : NARROW - 1], frame.solid)
        if len(frame.fractions) > NARROW:
            self._upload_cells(self._cells_more, carried[..., NARROW - 1 :])
        if view.field is None:
            return
        values = spread_into(view.field(frame, grid), frame.solid).astype(np.float32)[..., None]
        upload(self._values, values, gl.GL_R32F, gl.GL_RED)
        if self._map_name != view.colormap:
            table = np.ascontiguousarray(colormaps.table(view.colormap)[None])
            upload(self._colormap, table, gl.GL_RGB8, gl.GL_RGB, kind=gl.GL_UNSIGNED_BYTE)
            self._map_name = view.colormap

    def _upload_cells(self, texture: int, values: np.ndarray, last: np.ndarray | None = None) -> None:
        """Up to four channels, the last of them `last` if that is given."""
        cells = np.zeros((*values.shape[:2], 4), dtype=np.float32)
        cells[..., : values.shape[2]] = values
        if last is not None:
            cells[..., 3] = last
        # eight bits place the surface to 1/64 of a cell, and software OpenGL reads them three times as fast as floats
        encoded = np.rint(255 * (0.5 * cells + 0.25)).clip(0, 255).astype(np.uint8)
        upload(texture, encoded, gl.GL_RGBA8, gl.GL_RGBA, kind=gl.GL_UNSIGNED_BYTE, mipmaps=True)

    def _resize(self, grid: Grid, size: tuple[int, int], wide: bool) -> None:
        factor = max(1, min(TEXELS_PER_CELL, TEXELS // max(grid.shape)))
        fine_size = (grid.nx * factor, grid.ny * factor)
        if (fine_size, wide) != (self._fine_size, self._wide):
            targets = [self._fine, self._around, self._fine_more][: 3 if wide else 2]
            for name in (*targets, self._lit):
                allocate(name, fine_size, gl.GL_LINEAR)
            attach(self._fine_target, targets)
            attach(self._lit_target, [self._lit])
            self._fine_size, self._wide = fine_size, wide
        if size != self._size:
            allocate(self.texture, size, gl.GL_NEAREST)  # shown pixel by pixel, and cheaper so in software
            attach(self._target, [self.texture])
            self._size = size

    def _resample_pass(self, scene: Scene, grid: Grid, view: View, limits: Range) -> None:
        textures = {"cells": self._cells, "cells_more": self._cells_more, "values": self._values}
        run = Pass(self._program(scene, 0), self._fine_target, self._fine_size, **textures)
        run.set_each("heaviness", heaviness(scene))
        run.set("field_range", float(limits.low), 1 / (limits.high - limits.low))
        run.set("show_field", view.field is not None)
        coarsest = int(math.log2(max(grid.shape)))
        for name, radius in (("near_level", 0.02), ("far_level", 0.05)):  # of the height
            run.set(name, min(max(0, round(math.log2(radius * grid.ny))), coarsest))
        run.draw()

    def _light_pass(self, scene: Scene, grid: Grid, view: View) -> None:
        textures = {"fine": self._fine, "fine_more": self._fine_more, "around": self._around}
        run = Pass(self._program(scene, 1), self._lit_target, self._fine_size, **textures, colormap=self._colormap)
        run.set_each("heaviness", heaviness(scene))
        run.set("cell", 1 / grid.nx, 1 / grid.ny)
        run.set("show_field", view.field is not None)
        run.draw()

    def _paint_pass(self, scene: Scene, view: View) -> None:
        textures = {"fine": self._fine, "fine_more": self._fine_more, "light": self._lit}
        run = Pass(self._program(scene, 2), self._target, self._size, **textures)
        run.set_each("heaviness", heaviness(scene))
        run.set("show_field", view.field is not None)
        run.set("stone", *STONE)
        for k, phase in enumerate(scene.phases):
            run.set(f"phase_color[{k}]", *phase.color)
        run.draw()

    def _program(self, scene: Scene, which: int) -> int:
        phases = len(scene.phases)
        if phases not in self._programs:
            resample, light, paint = (program(source(shader, phases)) for shader in (RESAMPLE, LIGHT, PAINT))
            self._programs[phases] = resample, light, paint
        return self._programs[phases][which]


def heaviness(scene: Scene) -> list[float]:
    """0 (lightest) to 1 (heaviest) for every phase of the scene, by the logarithm of its density."""
    logs = [math.log(phase.density) for phase in scene.phases]
    span = max(logs) - min(logs)
    return [(value - min(logs)) / span for value in logs] if span > 0 else [float(k == 0) for k in range(len(logs))]


def sharpened(fractions: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """The fractions ready for the B-spline, float32: half of what its blur will take is added beforehand.

    A B-spline shows a lone full cell at 4/9, below the surface's 1/2; so it shows at 0.54, and drops stay visible.
    """
    f = np.stack([spread_into(fraction, solid) for fraction in fractions]).astype(np.float32)
    g = np.pad(f, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (g[:, :-2] + 4 * g[:, 1:-1] + g[:, 2:]) / 6
    blurred = (rows[:, :, :-2] + 4 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 6
    return f + 0.5 * (f - blurred)


def spread_into(values: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """The values, those in solids replaced by their fluid neighbours' mean three cells deep: no seam at the walls."""
    if not solid.any():
        return values
    values, known = np.where(solid, 0.0, values), ~solid
    for _ in range(3):
        padded, count = np.pad(values * known, 1), np.pad(known.astype(float), 1)
        total, near = (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] for a in (padded, count))
        fresh = ~known & (near > 0)
        values[fresh] = total[fresh] / near[fresh]
        known = known | fresh
    return values


# OpenGL in a few words -----------------------------------------------------------------------------------------------


class Restored:
    """Puts back the bindings that a pass changes, so that the window's own drawing never notices."""

    def __enter__(self) -> None:
        self._target = gl.glGetIntegerv(gl.GL_DRAW_FRAMEBUFFER_BINDING)
        self._viewport = gl.glGetIntegerv(gl.GL_VIEWPORT)
        self._program = gl.glGetIntegerv(gl.GL_CURRENT_PROGRAM)
        self._blend, self._scissor = gl.glIsEnabled(gl.GL_BLEND), gl.glIsEnabled(gl.GL_SCISSOR_TEST)
        gl.glDisable(gl.GL_BLEND)
        gl.glDisable(gl.GL_SCISSOR_TEST)

    def __exit__(self, *_: Any) -> None:
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._target)
        gl.glViewport(*self._viewport)
        gl.glUseProgram(self._program)
        gl.glBindVertexArray(0)
        gl.glActiveTexture(gl.GL_TEXTURE0)
        if self._blend:
            gl.glEnable(gl.GL_BLEND)
        if self._scissor:
            gl.glEnable(gl.GL_SCISSOR_TEST)


def program(fragment: str) -> int:
    """A linked program of the screen-filling triangle and this fragment shader. Raises RuntimeError with GL's log."""
    made = gl.glCreateProgram()
    for kind, text in ((gl.GL_VERTEX_SHADER, VERTEX), (gl.GL_FRAGMENT_SHADER, fragment)):
        shader = gl.glCreateShader(kind)
        gl.glShaderSource(shader, text)
        gl.glCompileShader(shader)
        if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
            raise RuntimeError(f"the fluid's shader does not compile here: {gl.glGetShaderInfoLog(shader)!r}")
        gl.glAttachShader(made, shader)
    gl.glLinkProgram(made)
    if not gl.glGetProgramiv(made, gl.GL_LINK_STATUS):
        raise RuntimeError(f"the fluid's shader does not link here: {gl.glGetProgramInfoLog(made)!r}")
    return int(made)


class Pass:
    """One fullscreen draw of a program into a framebuffer, reading the named textures."""

    def __init__(self, program_name: int, target: int, size: tuple[int, int], **textures: int) -> None:
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, target)
        gl.glViewport(0, 0, *size)
        gl.glUseProgram(program_name)
        self._program = program_name
        for unit, (uniform, texture) in enumerate(textures.items()):
            gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
            gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
            gl.glUniform1i(gl.glGetUniformLocation(program_name, uniform), unit)

    def set(self, uniform: str, *values: float | bool) -> None:
        """A uniform of one to four floats, or of one int or bool."""
        place = gl.glGetUniformLocation(self._program, uniform)  # -1, which GL ignores, where the compiler removed it
        if isinstance(values[0], int):
            gl.glUniform1i(place, int(values[0]))
        else:
            (gl.glUniform1f, gl.glUniform2f, gl.glUniform3f, gl.glUniform4f)[len(values) - 1](place, *values)

    def set_each(self, uniform: str, values: list[float]) -> None:
        """A uniform array of floats."""
        for k, value in enumerate(values):
            self.set(f"{uniform}[{k}]", value)

    def draw(self) -> None:
        """Covers the framebuffer."""
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, 3)


def upload(
    name: int, pixels: np.ndarray, inner: int, outer: int, kind: int = gl.GL_FLOAT, mipmaps: bool = False
) -> None:
    """Fill a texture from (rows, columns, channels), row 0 at the bottom."""
    gl.glActiveTexture(gl.GL_TEXTURE0)
    gl.glBindTexture(gl.GL_TEXTURE_2D, name)
    gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
    data = pixels.ctypes.data_as(ctypes.c_void_p)
    gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, inner, pixels.shape[1], pixels.shape[0], 0, outer, kind, data)
    gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 4)
    sample(gl.GL_LINEAR_MIPMAP_NEAREST if mipmaps else gl.GL_LINEAR)
    if mipmaps:
        gl.glGenerateMipmap(gl.GL_TEXTURE_2D)


def allocate(name: int, size: tuple[int, int], filtering: int) -> None:
    """An empty texture to draw into."""
    gl.glActiveTexture(gl.GL_TEXTURE0)
    gl.glBindTexture(gl.GL_TEXTURE_2D, name)
    gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA8, *size, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, None)
    sample(filtering, filtering)


def sample(shrink: int, enlarge: int = gl.GL_LINEAR) -> None:
    """Filtering for the bound texture, clamped at the edges."""
    for key, value in (
        (gl.GL_TEXTURE_MIN_FILTER, shrink),
        (gl.GL_TEXTURE_MAG_FILTER, enlarge),
        (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
        (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
    ):
        gl.glTexParameteri(gl.GL_TEXTURE_2D, key, value)


def attach(target: int, textures: list[int]) -> None:
    """Make the textures the outputs of a framebuffer. Raises RuntimeError where the driver cannot draw into them."""
    gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, target)
    points = [gl.GL_COLOR_ATTACHMENT0 + k for k in range(len(textures))]
    for point, texture in zip(points, textures):
        gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, point, gl.GL_TEXTURE_2D, texture, 0)
    gl.glDrawBuffers(len(points), points)
    if gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER) != gl.GL_FRAMEBUFFER_COMPLETE:
        raise RuntimeError("this OpenGL driver cannot draw into textures: update it, or use --headless")
