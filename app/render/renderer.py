"""Draws a frame of the fluid into a texture, crisp at any size.

The cells' fractions are resampled smoothly (cubic B-spline) at two texels per cell. A first pass works out how the
light falls on them and what that looks like. Its picture is enlarged; near edges, where that would blur, a second pass
finds the surfaces, f = 1/2, in every pixel and colours them. All this happens only when the frame, the view or the size
has changed.
"""

from __future__ import annotations

import math

import numpy as np
import OpenGL.GL as gl

from app.render import colormaps, resample
from app.render.gl import Mesh, Program, Restored, Target, Texture
from app.render.shaders import LIGHT, PAINT, source
from app.render.views import Range, View
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.scene import Scene

NARROW = 4  # phases up to which one texture holds them: three fractions and the solids, the fourth is what they leave
TEXELS_PER_CELL = 2  # between them the B-spline is straight to a twentieth of a cell
TEXELS = 1024  # on the longer side at most, where cells are that fine by themselves
NEAR, FAR = 0.02, 0.05  # of the height: how far light and shadow reach
STONE = (0.50, 0.47, 0.44)


class FluidRenderer:
    """Draws frames; needs a current OpenGL 3.3 context at construction and at every call."""

    def __init__(self) -> None:
        self._programs: dict[int, tuple[Program, Program]] = {}  # of the two passes, by number of phases
        self._mesh = Mesh()
        self._fine, self._fine_more, self._around, self._tone = (Texture() for _ in range(4))
        self._light, self._plain, self.texture = Texture(), Texture(), Texture(gl.GL_NEAREST)
        self._lit, self.target = Target(self._light, self._plain), Target(self.texture)
        self._checked = False

    def draw(self, frame: Frame, scene: Scene, grid: Grid, view: View, limits: Range, size: tuple[int, int]) -> None:
        """Draws into `texture`, which belongs to `target`, (width, height) pixels.

        Leaves the GL state as ImGui needs it. Raises RuntimeError at the first frame where the driver cannot do it.
        """
        factor = max(1, min(TEXELS_PER_CELL, TEXELS // max(grid.shape)))
        carried = resample.sharpened(frame.fractions[:-1], frame.solid)
        fine = [resample.in_bytes(resample.resampled(cells, factor)) for cells in carried]
        fine.append(resample.solids(frame.solid, factor))
        edges = resample.quads(resample.near_edges(resample.owners(fine), size[1] / fine[0].shape[0]))
        with Restored():
            if not self._checked:
                gl.glGetError()  # what others have left
            self._upload(fine)
            self._around.upload(surroundings(carried, scene))
            if view.field is not None:
                values = resample.spread_into(view.field(frame, grid), frame.solid).astype(np.float32)
                shares = (resample.resampled(values, factor) - limits.low) / (limits.high - limits.low)
                tone = colormaps.table(view.colormap)[resample.in_bytes(shares)]
                self._tone.upload(np.moveaxis(tone, -1, 0))
            self._mesh.upload(edges)
            self._lit.resize((fine[0].shape[1], fine[0].shape[0]))
            self.target.resize(size)
            self._passes(scene, grid, view)
            if not self._checked and gl.glGetError() != gl.GL_NO_ERROR:
                raise RuntimeError("this OpenGL driver cannot draw the fluid: update it, or use --headless")
            self._checked = True

    def _upload(self, fine: list[np.ndarray]) -> None:
        shares, solid = fine[:-1], fine[-1]
        none = np.zeros_like(solid)
        first = [*shares, none, none][: NARROW - 1]
        self._fine.upload([*first, solid])
        if len(shares) >= NARROW:
            self._fine_more.upload(shares[NARROW - 1 :])

    def _passes(self, scene: Scene, grid: Grid, view: View) -> None:
        phases = len(scene.phases)
        if phases not in self._programs:
            light = Program(source(LIGHT, phases), ("fine", "fine_more", "around", "tone"))
            self._programs[phases] = light, Program(source(PAINT, phases), ("fine", "fine_more", "light"))
        light, paint = self._programs[phases]
        light.use(self._lit, self._fine, self._fine_more, self._around, self._tone)
        light.set("cell", 1 / grid.nx, 1 / grid.ny)
        set_colors(light, scene, view)
        self._mesh.cover()
        self._lit.copy_to(self.target.name, 0, 0, self.target.size)
        paint.use(self.target, self._fine, self._fine_more, self._light)
        set_colors(paint, scene, view)
        self._mesh.fill()


def heaviness(scene: Scene) -> list[float]:
    """0 (lightest) to 1 (heaviest) for every phase of the scene, by the logarithm of its density."""
    logs = [math.log(phase.density) for phase in scene.phases]
    span = max(logs) - min(logs)
    return [(value - min(logs)) / span for value in logs] if span > 0 else [float(k == 0) for k in range(len(logs))]


def surroundings(carried: np.ndarray, scene: Scene) -> list[np.ndarray]:
    """Mean heaviness of the fluid near each cell and further around it, in bytes; `carried`: fractions but the last."""
    *heavy, last = heaviness(scene)
    weight = last + sum((own - last) * share for own, share in zip(heavy, carried))
    return [resample.in_bytes(resample.around(weight, reach * weight.shape[0])) for reach in (NEAR, FAR)]


def set_colors(program: Program, scene: Scene, view: View) -> None:
    """Sets the uniforms for colours."""
    for k, (phase, heavy) in enumerate(zip(scene.phases, heaviness(scene))):
        program.set(f"heaviness[{k}]", heavy)
        program.set(f"phase_color[{k}]", *phase.color)
    program.set("show_field", view.field is not None)
    program.set("stone", *STONE)
