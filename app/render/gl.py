"""OpenGL in a few words: what drawing into textures needs.

Every call lets go of Python's lock and has to wait for it again, so what is known already is not said twice.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import OpenGL.GL as gl
from OpenGL.raw.GL.VERSION.GL_2_0 import glVertexAttribPointer

from app.render.shaders import VERTEX

SCREEN = np.array([(0, 0), (2, 0), (0, 2)], np.float32)  # one triangle that covers the picture


class Restored:
    """Puts back what a pass changes and others rely on, so that the window's own drawing never notices."""

    def __enter__(self) -> None:
        self._target = gl.glGetIntegerv(gl.GL_DRAW_FRAMEBUFFER_BINDING)
        self._viewport = gl.glGetIntegerv(gl.GL_VIEWPORT)
        self._enabled = [what for what in (gl.GL_BLEND, gl.GL_SCISSOR_TEST) if gl.glIsEnabled(what)]
        for what in self._enabled:
            gl.glDisable(what)

    def __exit__(self, *_: Any) -> None:
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._target)
        gl.glViewport(*self._viewport)
        gl.glUseProgram(0)
        gl.glBindVertexArray(0)
        gl.glActiveTexture(gl.GL_TEXTURE0)
        for what in self._enabled:
            gl.glEnable(what)


class Texture:
    """Four channels of eight bits, or floats, clamped at the edges; `filtering`: GL_LINEAR or GL_NEAREST."""

    def __init__(self, filtering: int = gl.GL_LINEAR) -> None:
        self.name = int(gl.glGenTextures(1))
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.name)
        for key, value in (
            (gl.GL_TEXTURE_MIN_FILTER, filtering),
            (gl.GL_TEXTURE_MAG_FILTER, filtering),
            (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
            (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
        ):
            gl.glTexParameteri(gl.GL_TEXTURE_2D, key, value)

    def upload(self, channels: Sequence[np.ndarray] | np.ndarray) -> None:
        """Uploads one to four channels, (rows, columns) uint8 or float32, row 0 at the bottom; missing ones are 0."""
        pixels = np.zeros((*channels[0].shape, 4), channels[0].dtype)
        for k, channel in enumerate(channels):
            pixels[..., k] = channel
        exact = pixels.dtype == np.float32
        self._image((pixels.shape[1], pixels.shape[0]), pixels.ctypes.data_as(ctypes.c_void_p), exact)

    def allocate(self, size: tuple[int, int]) -> None:
        """Allocates storage, so that it can be drawn into."""
        self._image(size, None)

    def _image(self, size: tuple[int, int], data: Any, exact: bool = False) -> None:
        kept, given = (gl.GL_RGBA32F, gl.GL_FLOAT) if exact else (gl.GL_RGBA8, gl.GL_UNSIGNED_BYTE)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.name)
        gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, kept, *size, 0, gl.GL_RGBA, given, data)


class Target:
    """A framebuffer whose outputs are textures of one size; its last texture is what is copied from it."""

    def __init__(self, *textures: Texture) -> None:
        self.name, self.size, self._textures = int(gl.glGenFramebuffers(1)), (0, 0), textures

    def resize(self, size: tuple[int, int]) -> None:
        """Changes its size to (width, height). Raises RuntimeError where the driver cannot draw into textures."""
        if size == self.size:
            return
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self.name)
        points = [gl.GL_COLOR_ATTACHMENT0 + k for k in range(len(self._textures))]
        for point, texture in zip(points, self._textures):
            texture.allocate(size)
            gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, point, gl.GL_TEXTURE_2D, texture.name, 0)
        gl.glDrawBuffers(len(points), points)
        gl.glReadBuffer(points[-1])
        if gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER) != gl.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError("this OpenGL driver cannot draw into textures: update it, or use --headless")
        self.size = size

    def read(self) -> np.ndarray:
        """Its pixels, (height, width, 3) uint8 RGB, top row first."""
        width, height = self.size
        pixels = np.empty((height, width, 4), np.uint8)  # rows of three bytes a pixel would have to be padded
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self.name)
        gl.glReadPixels(0, 0, width, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels.ctypes.data_as(ctypes.c_void_p))
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, 0)
        return np.ascontiguousarray(pixels[::-1, :, :3])

    def copy_to(self, name: int, left: int, bottom: int, size: tuple[int, int]) -> None:
        """Copies into a rectangle of another framebuffer, which is then bound; scaled smoothly where sizes differ."""
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self.name)
        gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, name)
        areas = (0, 0, *self.size, left, bottom, left + size[0], bottom + size[1])
        gl.glBlitFramebuffer(*areas, gl.GL_COLOR_BUFFER_BIT, gl.GL_NEAREST if size == self.size else gl.GL_LINEAR)


class Program:
    """A fragment shader that reads the named textures and draws a mesh."""

    def __init__(self, fragment: str, textures: Sequence[str], vertex: str = VERTEX) -> None:
        """Raises RuntimeError with GL's log where the shader does not compile."""
        self._name = gl.glCreateProgram()
        self._places: dict[str, int] = {}
        self._set: dict[str, tuple[float | bool, ...]] = {}
        for kind, text in ((gl.GL_VERTEX_SHADER, vertex), (gl.GL_FRAGMENT_SHADER, fragment)):
            shader = gl.glCreateShader(kind)
            gl.glShaderSource(shader, text)
            gl.glCompileShader(shader)
            if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
                raise RuntimeError(f"the fluid's shader does not compile here: {gl.glGetShaderInfoLog(shader)!r}")
            gl.glAttachShader(self._name, shader)
            gl.glDeleteShader(shader)  # with the program
        gl.glLinkProgram(self._name)
        if not gl.glGetProgramiv(self._name, gl.GL_LINK_STATUS):
            raise RuntimeError(f"the fluid's shader does not link here: {gl.glGetProgramInfoLog(self._name)!r}")
        gl.glUseProgram(self._name)
        for unit, uniform in enumerate(textures):
            self.set(uniform, unit)

    def use(self, target: Target, *textures: Texture) -> None:
        """Draws into a target from now on, and reads the textures in the order of their names."""
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, target.name)
        gl.glViewport(0, 0, *target.size)
        gl.glUseProgram(self._name)
        for unit, texture in enumerate(textures):
            gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
            gl.glBindTexture(gl.GL_TEXTURE_2D, texture.name)

    def set(self, uniform: str, *values: float | bool) -> None:
        """Sets a uniform of the program in use: one to four floats, one int or one bool."""
        if self._set.get(uniform) == values:
            return
        self._set[uniform] = values
        if uniform not in self._places:  # -1, which GL ignores, where the compiler removed it
            self._places[uniform] = gl.glGetUniformLocation(self._name, uniform)
        if isinstance(values[0], int):
            gl.glUniform1i(self._places[uniform], int(values[0]))
        else:
            setters = (gl.glUniform1f, gl.glUniform2f, gl.glUniform3f, gl.glUniform4f)
            setters[len(values) - 1](self._places[uniform], *values)


class Mesh:
    """What passes draw: a triangle that covers everything, and triangles that change with every frame."""

    def __init__(self) -> None:
        self._array, self._buffer, self._count = gl.glGenVertexArrays(1), gl.glGenBuffers(1), 0
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glEnableVertexAttribArray(0)
        glVertexAttribPointer(0, 2, gl.GL_FLOAT, False, 0, None)  # PyOpenGL's own asks the platform for a context
        gl.glBindVertexArray(0)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, 0)

    def upload(self, corners: np.ndarray) -> None:
        """Uploads triangles, (3 n, 2) float32, and makes this the mesh that is drawn."""
        data = np.concatenate([SCREEN, corners])
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, data.nbytes, data, gl.GL_STREAM_DRAW)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, 0)
        self._count = len(corners)

    def cover(self) -> None:
        """Draws every pixel."""
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, len(SCREEN))

    def fill(self) -> None:
        """Draws the triangles."""
        gl.glDrawArrays(gl.GL_TRIANGLES, len(SCREEN), self._count)


class Sprites:
    """Triangles whose corners carry numbers: two, four and four floats, as in CAPSULE_VERTEX."""

    PARTS = (2, 4, 4)

    def __init__(self) -> None:
        self._array, self._buffer = gl.glGenVertexArrays(1), gl.glGenBuffers(1)
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        place, stride = 0, 4 * sum(self.PARTS)
        for location, count in enumerate(self.PARTS):
            gl.glEnableVertexAttribArray(location)
            glVertexAttribPointer(location, count, gl.GL_FLOAT, False, stride, ctypes.c_void_p(place))
            place += 4 * count
        gl.glBindVertexArray(0)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, 0)

    def draw(self, corners: np.ndarray) -> None:
        """Blends triangles, (3 n, 10) float32, over the target of the program in use."""
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, corners.nbytes, corners, gl.GL_STREAM_DRAW)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, 0)
        gl.glEnable(gl.GL_BLEND)
        gl.glBlendEquation(gl.GL_FUNC_ADD)
        gl.glBlendFunc(gl.GL_SRC_ALPHA, gl.GL_ONE_MINUS_SRC_ALPHA)
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, len(corners))
        gl.glDisable(gl.GL_BLEND)
