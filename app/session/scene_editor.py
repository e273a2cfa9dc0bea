"""The scene with what is drawn into it, and undo: at time zero drawings become part of the scene, later only walls can
be undone.

Of a gesture only the path of the mouse is kept, in as few capsules as it takes: these are the shapes that a scene file
holds, so what is seen here is what a saved scene shows when it is opened again.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from app.session.strokes import cells_in, coverage_near, roughly_near, straightened
from sim.frame import Controls, Stroke
from sim.grid import Grid
from sim.scenes import writer
from sim.scenes.scene import Scene, Shape, Tension, barrier_shapes, pairs

DRAWN = ("pour", "solid", "erase")  # tools that change what is where
WALLS = ("solid", "erase")
STRAIGHT = 0.1  # cells by which a path may differ from the capsules kept of it: a tenth is not seen
MOST = 200  # gestures that can be undone


@dataclass
class BrushPath:
    """The path of the mouse in one gesture; its mirror image is another."""

    tool: str
    phase: int
    radius: float  # [m]
    points: list[tuple[float, float]]  # [m]

    def goes_on(self, stroke: Stroke) -> bool:
        """Whether the stroke starts where this path ends."""
        alike = (stroke.tool, stroke.phase, stroke.radius) == (self.tool, self.phase, self.radius)
        return alike and (stroke.x0, stroke.y0) == self.points[-1]

    def shapes(self, scene: Scene, grid: Grid) -> tuple[Shape, ...]:
        """The capsules, in fractions of the domain."""
        ends = straightened(self.points, STRAIGHT * grid.dx)
        phase = scene.phases[self.phase].name if self.tool == "pour" else ""
        return tuple(
            Shape(
                "stroke",
                phase,
                start=(a[0] / grid.width, a[1] / grid.height),
                end=(b[0] / grid.width, b[1] / grid.height),
                radius=self.radius / grid.height,
                erase=self.tool == "erase",
            )
            for a, b in pairwise(ends)
        )


@dataclass
class Gesture:
    """All that is drawn from a press of the mouse to its release."""

    paths: list[BrushPath] = field(default_factory=list)
    cells: np.ndarray | None = None  # of a gesture after time zero: those that became wall, or that were opened

    @property
    def tool(self) -> str:
        """The tool of all its paths."""
        return self.paths[0].tool


class SceneEditor:
    """The scene with what has been drawn into it, and the gestures to take back. Independent of the simulation."""

    def __init__(self, scene: Scene, grid: Grid, seed: int) -> None:
        self.bare, self._grid, self._seed = scene, grid, seed
        self._done: list[Gesture] = []
        self._undone: list[Gesture] = []
        self.open = False  # a gesture is under way
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None
        self._before: tuple[np.ndarray, np.ndarray] | None = None  # the gesture under way

    def on(self, grid: Grid) -> SceneEditor:
        """The same on another grid, without what was drawn after time zero."""
        made = SceneEditor(self.bare, grid, self._seed)
        self.forget_later()
        made._done, made._undone = self._done, self._undone
        return made

    # At time zero ----------------------------------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The scene with everything drawn at time zero, and the toml that it would be saved as."""
        kept = [gesture for gesture in self._done if gesture.cells is None]
        if not kept:
            return self.bare
        shapes = [shape for gesture in kept for path in gesture.paths for shape in path.shapes(self.bare, self._grid)]
        random = () if self.bare.barriers is None else barrier_shapes(self.bare.barriers, self._seed)
        drawn = replace(
            self.bare,
            shapes=(*self.bare.shapes, *random, *(shape for shape in shapes if shape.phase)),
            solids=(*self.bare.solids, *(shape for shape in shapes if not shape.phase)),
            barriers=None,  # or they would lie over what was drawn over them
        )
        return replace(drawn, source=writer.text_of(drawn))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Fractions (phases, ny, nx) and solid (ny, nx) of the scene with what is drawn."""
        if self._arrays is None:
            self._arrays = self.bare.fractions(self._grid, self._seed), self.bare.solid(self._grid)
            for gesture in self._done:
                if gesture.cells is None:
                    self._paint(gesture)
        return self._arrays

    def add(self, stroke: Stroke) -> None:
        """Another piece of a gesture, seen at once."""
        if not self.open:
            self._before = self.arrays
            self._arrays = self._before[0].copy(), self._before[1].copy()
            self._begin(Gesture())
        self._extend(stroke)
        piece = BrushPath(stroke.tool, stroke.phase, stroke.radius, [(stroke.x0, stroke.y0), (stroke.x1, stroke.y1)])
        for shape in piece.shapes(self.bare, self._grid):
            self._cover(shape, *roughly_near(shape, self._grid))

    def finish(self) -> None:
        """The mouse was released: from now on the gesture looks as it will when the scene is opened again."""
        if self.open and self._before is not None:
            self._arrays, self._before = self._before, None
            self._paint(self._done[-1])
        self.open = False

    def _paint(self, gesture: Gesture) -> None:
        for path in gesture.paths:
            for shape in path.shapes(self.bare, self._grid):
                self._cover(shape, *coverage_near(shape, self._grid))

    def _cover(self, shape: Shape, place: tuple[slice, slice], covered: np.ndarray) -> None:
        """As Scene.fractions and Scene.solid do it, but only where the shape is."""
        fractions, solid = self.arrays
        if shape.phase:
            part = fractions[:, place[0], place[1]]
            part *= 1.0 - covered
            part[self.bare.phase_index(shape.phase)] += covered
        elif shape.erase:
            solid[place] &= ~(covered > 0.5)
        else:
            solid[place] |= covered > 0.5

    # At any time -----------------------------------------------------------------------------------------------------

    def note(self, stroke: Stroke, solid: np.ndarray) -> np.ndarray:
        """A wall stroke after time zero, when `solid` is where the walls are; returns where they will be."""
        if not self.open:
            self._begin(Gesture(cells=np.zeros(self._grid.shape, dtype=bool)))
        self._extend(stroke)
        gesture, inside = self._done[-1], cells_in(stroke, self._grid)
        changed = inside & (~solid if stroke.tool == "solid" else solid)
        assert gesture.cells is not None
        gesture.cells |= changed
        return solid ^ changed

    def undo(self) -> tuple[str, np.ndarray]:
        """Takes the last gesture back. Returns the tool that does so in a fluid that has moved on, and its cells."""
        tool, cells = self._move(self._done, self._undone)
        return "erase" if tool == "solid" else "solid", cells

    def redo(self) -> tuple[str, np.ndarray]:
        """Brings the gesture back that was undone last; as `undo`."""
        return self._move(self._undone, self._done)

    @property
    def counts(self) -> tuple[int, int]:
        """Gestures that can be undone and redone."""
        return len(self._done), len(self._undone)

    @property
    def last(self) -> Gesture | None:
        """What `undo` would take back."""
        return self._done[-1] if self._done else None

    @property
    def next(self) -> Gesture | None:
        """What `redo` would bring back."""
        return self._undone[-1] if self._undone else None

    @property
    def done(self) -> tuple[Gesture, ...]:
        """What has been drawn and not undone, as it is now: a gesture under way goes on changing."""
        if not self.open:
            return tuple(self._done)
        return (*self._done[:-1], copy.deepcopy(self._done[-1]))

    def go_back(self, done: tuple[Gesture, ...]) -> None:
        """To a moment after time zero or at its end, by which this had been drawn."""
        self.finish()
        self._done, self._undone, self._arrays = list(done), [], None

    def forget_later(self) -> None:
        """Forgets what was drawn after time zero, because the scene starts again."""
        self.finish()
        self._done = [gesture for gesture in self._done if gesture.cells is None]
        self._undone = [gesture for gesture in self._undone if gesture.cells is None]

    def _begin(self, gesture: Gesture) -> None:
        self._undone.clear()
        self._done.append(gesture)
        if len(self._done) > MOST and self._done[0].cells is not None:
            del self._done[0]
        self.open = True

    def _extend(self, stroke: Stroke) -> None:
        gesture = self._done[-1]
        for path in gesture.paths:
            if path.goes_on(stroke):
                path.points.append((stroke.x1, stroke.y1))
                return
        points = [(stroke.x0, stroke.y0), (stroke.x1, stroke.y1)]
        gesture.paths.append(BrushPath(stroke.tool, stroke.phase, stroke.radius, points))

    def _move(self, source: list[Gesture], target: list[Gesture]) -> tuple[str, np.ndarray]:
        """The tool of the gesture moved, and the cells whose wall it has changed."""
        self.finish()
        gesture = source[-1]
        if gesture.cells is not None:
            target.append(source.pop())
            return gesture.tool, gesture.cells
        before = self.arrays[1]
        target.append(source.pop())
        self._arrays = None
        return gesture.tool, before ^ self.arrays[1]


def with_settings(scene: Scene, settings: Controls, grid: tuple[int, int]) -> Scene:
    """The scene with these densities, viscosities, tensions, gravity and default grid, as it would be saved."""
    names, rows = [phase.name for phase in scene.phases], zip(scene.phases, settings.densities, settings.viscosities)
    values = zip(pairs(len(names)), settings.tensions)
    tense = tuple(Tension((names[i], names[k]), value) for (i, k), value in values if value > 0)
    meeting = {frozenset(each.between) for each in tense}  # an angle needs a tension
    made = replace(
        scene,
        phases=tuple(replace(phase, density=density, viscosity=viscosity) for phase, density, viscosity in rows),
        tensions=tense,
        contact_angles=tuple(each for each in scene.contact_angles if frozenset(each.between) in meeting),
        gravity=settings.gravity,
        grid=grid,
        bodies=tuple(replace(body, density=density) for body, density in zip(scene.bodies, settings.body_densities)),
    )
    return replace(made, source=writer.text_of(made))


def with_ratio(densities: tuple[float, ...], ratio: float, scene: Scene) -> tuple[float, ...]:
    """The densities stretched, on a logarithmic scale, to this ratio of the heaviest to the lightest.

    The heaviest keeps its own. At a ratio of 1 the order is lost, so the scene's is taken as the measure.
    """
    own, top = [phase.density for phase in scene.phases], max(densities)
    span = math.log(max(own) / min(own))
    if span == 0:
        return tuple(top / (ratio if k else 1.0) for k in range(len(densities)))
    return tuple(top * math.exp(math.log(ratio) * math.log(density / max(own)) / span) for density in own)


def check_color(scene: Scene, phase: int, color: tuple[float, float, float]) -> None:
    """Raises ValueError for a phase that does not exist and for a colour out of range."""
    if not 0 <= phase < len(scene.phases):
        raise ValueError(f"phase {phase} does not exist: there are {len(scene.phases)}")
    if len(color) != 3 or not all(0 <= part <= 1 for part in color):
        raise ValueError(f"colour {color} must have three parts from 0 to 1")


def recolored(scene: Scene, phase: int, color: tuple[float, float, float]) -> Scene:
    """The scene with another colour of a phase, in the 256 steps that a scene file has."""
    red, green, blue = (round(255 * part) / 255 for part in color)
    phases = list(scene.phases)
    phases[phase] = replace(phases[phase], color=(red, green, blue))
    made = replace(scene, phases=tuple(phases))
    return replace(made, source=writer.text_of(made))
