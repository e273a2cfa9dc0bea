"""Draws a frame of the fluid into a texture, crisp at any size and magnification.

Surfaces are levels of cubic B-splines over the cells in sight (surfaces.py). A first pass works out how light falls, a
texel for a few pixels, and what that looks like. Its picture is enlarged; in the cells that edges cross, where that
would blur, a second pass finds the surfaces in every pixel and colours them. All this happens only when the frame, the
view or the size has changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import OpenGL.GL as gl

from app.render import colormaps, resample, sprites, streamlines, surfaces, themes, walls
from app.render.crop import Crop
from app.render.gl import Mesh, Program, Restored, Sprites, Target, Texture
from app.render.look import PLAIN, Look
from app.render.shaders import CAPSULE, CAPSULE_VERTEX, FIELD, LIGHT, OUTLINE, PAINT, source
from app.render.views import Range, View
from sim.frame import Frame
from sim.grid import Grid
from sim.scenes.scene import Scene

NARROW = 4  # phases up to which one texture holds them: three fractions and the solids, the fourth is what they leave
NEAR, FAR, REACH = 0.016, 0.05, 0.017  # of the height: how far light and shadow reach, and where slopes are taken
LARGE = 16.0  # [pixels] of a cell, above which edges would show the steps of eight bits
EDGE = 1.5  # [pixels] from an edge to where nothing shows of it
RIM = 0.0028  # of the height: width of the line along lit edges
HIDDEN = 0.9  # share of a body from which the fluid in a cell is that of its neighbours


class FluidRenderer:
    """Draws frames; needs a current OpenGL 3.3 context at construction and at every call."""

    def __init__(self) -> None:
        self._programs: dict[tuple[str, int], Program] = {}  # by name and number of phases
        self._mesh, self._sprites = Mesh(), Sprites()
        self._fine, self._fine_more, self._around, self._values = (Texture() for _ in range(4))
        self._light, self._plain, self.texture = Texture(), Texture(), Texture(gl.GL_NEAREST)
        self._map, self._under = Texture(gl.GL_NEAREST), Texture(gl.GL_NEAREST)
        self._lit, self.target = Target(self._light, self._plain), Target(self.texture)
        self._field = Target(self._under)
        self._checked = False

    def draw(
        self,
        frame: Frame,
        scene: Scene,
        grid: Grid,
        view: View,
        limits: Range,
        size: tuple[int, int],
        look: Look = PLAIN,
    ) -> None:
        """Draws into `texture`, which belongs to `target`, (width, height) pixels.

        Leaves the GL state as ImGui needs it. Raises RuntimeError at the first frame where the driver cannot do it.
        """
        crop = Crop.of(grid, look.region, size)
        solid, hidden = walls.shares(frame.solid, scene, grid), frame.solid  # hidden: without fluid to draw
        if frame.outlines:
            bodies = walls.of_outlines(frame.outlines, grid)
            solid, hidden = np.maximum(solid, bodies), hidden | (bodies > HIDDEN)
        spread = resample.spread_into(frame.fractions.astype(np.float32), hidden)
        fluid, wall = surfaces.coefficients(crop.cut(spread)), crop.cut(solid)
        with Restored():
            if not self._checked:
                gl.glGetError()  # what others have left
            self._upload(fluid, wall, exact=crop.cell > LARGE)
            self.target.resize(size)
            edges = surfaces.crossed(fluid, wall)
            if view.field is None:
                self._around.upload(surroundings(spread, solid, scene))
                self._draw_phases(crop, edges, scene, grid, look)
            else:
                values = resample.spread_into(view.field(frame, grid), hidden)
                self._values.upload([resample.in_bytes((crop.cut(values) - limits.low) / (limits.high - limits.low))])
                self._draw_field(crop, edges | (wall > 0.5), scene, view, look)
            if look.streamlines:
                lines = streamlines.segments(frame, grid, look.region)
                self._draw_sprites(sprites.lines(*lines, crop, look.theme))
            if not self._checked and gl.glGetError() != gl.GL_NO_ERROR:
                raise RuntimeError("this OpenGL driver cannot draw the fluid: update it, or use --headless")
            self._checked = True

    def _upload(self, fluid: np.ndarray, wall: np.ndarray, exact: bool) -> None:
        shares, solid = surfaces.encoded(fluid[:-1], exact), surfaces.encoded(wall, exact)
        none = np.zeros_like(solid)
        self._fine.upload([*[*shares, none, none][: NARROW - 1], solid])
        if len(shares) >= NARROW:
            self._fine_more.upload(shares[NARROW - 1 :])

    def _draw_phases(self, crop: Crop, edges: np.ndarray, scene: Scene, grid: Grid, look: Look) -> None:
        rim = max(1.7, RIM * crop.size[1])
        self._mesh.upload(crop.in_picture(resample.quads(resample.widened(edges, (rim + EDGE) / crop.cell - 0.5))))
        light = self._program("light", LIGHT, len(scene.phases), ("fine", "fine_more", "around"))
        self._lit.resize(crop.texels)
        light.use(self._lit, self._fine, self._fine_more, self._around)
        reach = max(REACH, 2 / grid.ny)  # or light would show the steps of coarse cells
        light.set("reach", reach * grid.ny / grid.nx, reach)
        self._set(light, crop, scene, look, rim)
        self._mesh.cover()
        self._lit.copy_to(self.target.name, 0, 0, self.target.size)
        paint = self._program("paint", PAINT, len(scene.phases), ("fine", "fine_more", "light"))
        paint.use(self.target, self._fine, self._fine_more, self._light)
        self._set(paint, crop, scene, look, rim)
        self._mesh.fill()

    def _draw_field(self, crop: Crop, marked: np.ndarray, scene: Scene, view: View, look: Look) -> None:
        """The field in every pixel; then outlines of phases, and solids, in marked cells."""
        self._map.upload(np.moveaxis(colormaps.table(view.colormap)[None], -1, 0))
        self._mesh.upload(crop.in_picture(resample.quads(resample.widened(marked, EDGE / crop.cell - 0.5))))
        self._field.resize(crop.size)
        field = self._program("field", FIELD, 0, ("values", "colormap"))
        field.use(self._field, self._values, self._map)
        set_places(field, crop)
        self._mesh.cover()
        self._field.copy_to(self.target.name, 0, 0, self.target.size)
        outline = self._program("outline", OUTLINE, len(scene.phases), ("fine", "fine_more", "under"))
        outline.use(self.target, self._fine, self._fine_more, self._under)
        self._set(outline, crop, scene, look, 0.0)
        self._mesh.fill()

    def _draw_sprites(self, corners: np.ndarray) -> None:
        if len(corners):
            self._program("capsule", CAPSULE, 0, (), CAPSULE_VERTEX).use(self.target)
            self._sprites.draw(corners)

    def _program(self, name: str, shader: str, phases: int, textures: Sequence[str], vertex: str = "") -> Program:
        if (name, phases) not in self._programs:
            text = source(shader, phases)
            self._programs[name, phases] = Program(text, textures, vertex) if vertex else Program(text, textures)
        return self._programs[name, phases]

    def _set(self, program: Program, crop: Crop, scene: Scene, look: Look, rim: float) -> None:
        """Sets the uniforms of a pass over phases."""
        set_places(program, crop)
        theme = look.theme
        for k, (color, heavy) in enumerate(zip(themes.colors(scene, theme), heaviness(scene))):
            program.set(f"heaviness[{k}]", heavy)
            program.set(f"phase_color[{k}]", *color)
        program.set("stone", *theme.stone)
        program.set("strength", theme.light, theme.shade, theme.shadow, theme.rim)
        program.set("rim", rim)


def set_places(program: Program, crop: Crop) -> None:
    """Where a place of the picture is among the cells and in the domain."""
    program.set("to_cells", *crop.to_cells)
    program.set("to_domain", crop.region.x, crop.region.y, crop.region.size, crop.region.size)


def heaviness(scene: Scene) -> list[float]:
    """0 (lightest) to 1 (heaviest) for every phase of the scene, by the logarithm of its density."""
    logs = [math.log(phase.density) for phase in scene.phases]
    span = max(logs) - min(logs)
    return [(value - min(logs)) / span for value in logs] if span > 0 else [float(k == 0) for k in range(len(logs))]


def surroundings(carried: np.ndarray, solid: np.ndarray, scene: Scene) -> list[np.ndarray]:
    """Mean heaviness of the fluid near each cell and further around it, and solids near it, in bytes.

    carried: fractions of all phases but the last.
    """
    *heavy, last = heaviness(scene)
    weight = last + sum((own - last) * share for own, share in zip(heavy, carried))
    means = [resample.around(weight, reach * weight.shape[0]) for reach in (NEAR, FAR)]
    means.append(resample.around(solid, NEAR * weight.shape[0]) if solid.any() else np.zeros_like(means[0]))
    return [resample.in_bytes(mean) for mean in means]
