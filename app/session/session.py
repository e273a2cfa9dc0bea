"""A running simulation with everything the user can do to it. Lives on one thread; see worker/worker.py."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path

import torch

import sim
from app.session import scene_editor, state_file
from app.session.editing import Editing
from app.session.input_log import InputLog, file_entry, start_line
from app.session.journal import Journal
from app.session.replay import Replay
from app.session.scene_editor import SceneEditor, with_ratio, with_settings
from app.session.simulation_factory import SimulationFactory, complete
from app.session.snapshot import ComparisonSnapshot, Snapshot, fallback_sentence
from app.session.state_file import SavedState
from app.session.timeline import Moment, Timeline
from app.solving.choice import Choice, Variant
from app.solving.probes import Place, values_at
from app.solving.residual_curve import residual_history
from app.solving.run_stats import FrameSample, RunStats, rates
from app.solving.switchable_solver import SwitchableSolver
from precond.htp import tile_inspection
from sim.frame import Frame, Stroke
from sim.scenes.scene import Scene

FRAME_DT = 1 / 60  # [s] of one output frame
HISTORY = 240  # output frames that the plots show, four seconds at full speed


class Session:
    """Owns the simulation, what is drawn on it, and the journal of inputs. For one thread only (Taichi's)."""

    def __init__(
        self,
        scene: Scene,
        grid: tuple[int, int] | None,
        solve: SwitchableSolver,
        *,
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
        saved: SavedState | None = None,
        total: RunStats | None = None,
        log: InputLog | None = None,
        replay: Replay | None = None,
        timeline: int = 0,
    ) -> None:
        """total: counts every frame of the session, where given.  timeline: memory to go back with [bytes]."""
        self.solve = solve
        self._factory = SimulationFactory(solve, device, seed, threads)
        self.journal = Journal(log, replay, solve.resolved)
        self.total = total
        self._serial = 0
        self.probes: tuple[Place, ...] = ()
        self.timeline = Timeline(timeline, self.journal.rewinds)
        self._open(scene, grid, saved)
        if replay is not None:
            self.settings = complete(replay.start.settings)
        if log is not None:
            place = self.simulation.scene, self.simulation.grid, self.simulation.device.type
            log.write(start_line(*place, solve, self.settings, seed, threads, saved))

    def _open(self, scene: Scene, grid: tuple[int, int] | None, saved: SavedState | None) -> None:
        """Continues with the scene from its start, or with a saved state."""
        make = self._factory
        self._adopt(make.new(scene, grid) if saved is None else make.restored(saved), drawable=saved is None)

    def _adopt(self, simulation: sim.Simulation, editor: SceneEditor | None = None, drawable: bool = True) -> None:
        """Continues with this simulation and its settings; plots start afresh.

        drawable: it stands at its scene's start, which can be drawn into, not at a saved state.
        """
        self.simulation = simulation
        self.solve.shadows.start_over()
        self.solve.inspector.drop()
        self.settings = complete(simulation.controls)  # of the next frame, without strokes
        self.samples: deque[FrameSample] = deque(maxlen=HISTORY)
        self.tile: tile_inspection.Tile | None = None
        self.timeline.clear()
        self.last = simulation.frame()
        self.editing = Editing(simulation, self.last.solid, editor, drawable)
        self._settle()

    def _settle(self, finish: bool = False) -> None:
        """Shows what has been drawn at time zero; see Editing.settle."""
        self.last = self.editing.settle(finish) or self.last

    @property
    def frames(self) -> int:
        """Output frames made."""
        return self.journal.frames

    @property
    def replaying(self) -> bool:
        """Whether inputs come from a replay."""
        return self.journal.replaying

    def step(self) -> Frame:
        """One output frame with the present settings and the strokes since the last. If it raises, the fluid stays."""
        self._make_replayed_inputs()
        self._settle(finish=True)
        if not len(self.timeline):
            self._keep_moment(self.frames)
        elif self.editing.at_start:  # as it has been drawn by now
            self._keep_moment(self.timeline.present)
        # by thread, and OpenGL drivers undo it: a float32 multigrid was 40 times slower without
        torch.set_flush_denormal(True)
        self.solve.begin_frame()
        start = time.perf_counter()
        try:
            strokes = self.editing.take_strokes(self.last.solid)
            frame = self.simulation.step(FRAME_DT, replace(self.settings, strokes=strokes))
            self.editing.end_frame(frame, frame.dt / FRAME_DT)
        except BaseException:
            self.editing.discard()  # or what broke the frame would break the next one too
            self.solve.renew()
            self.journal.write("discard", {})
            raise
        if self.total is not None:
            seconds = time.perf_counter() - start - self.solve.shadows.seconds - self.solve.advisor.seconds
            self.total.add(frame, seconds, compiling=self.frames == 0)
            self.total.notice = self.solve.notice or self.total.notice
        self.solve.shadows.end_frame()
        self.last = frame = self.solve.inspector.inspected(frame)
        self.journal.end_frame(frame, self.solve.used)
        self._keep_moment(self.frames)
        replay = self.journal.replay
        if replay is not None:
            if self.frames == replay.frames:
                self._make_replayed_inputs()  # what came after the last frame, such as a reset
            replay.compare(self.frames, self.last)
        probed = values_at(frame, self.simulation.grid, self.probes)
        self.samples.append(FrameSample.of(frame, self.solve.method, probed))
        return frame

    def _keep_moment(self, number: int) -> None:
        """Puts the present state on the time line."""
        if self.timeline.wants(number):
            arrays = {**self.simulation.state(), **self.solve.memory()}
            gestures = self.editing.scene_editor.done
            self.timeline.keep(Moment(number, self.last.time, arrays, self.settings, self.last.stats, gestures))

    def _make_replayed_inputs(self) -> None:
        with self.journal.replayed_inputs() as inputs:
            for each in inputs:
                each.carry_out(self)

    def snapshot(self) -> Snapshot:
        """The present, for the window."""
        self._serial += 1
        self._settle()
        solve, simulation, solutions = self.solve, self.simulation, self.last.stats.solutions
        frames_per_second, steps_per_second = rates(self.samples)
        comparison = None
        if solve.shadows.methods:
            place, results = (simulation.scene, simulation.grid), solve.shadows.results(self.last.time)
            comparison = ComparisonSnapshot(*place, solve.choice.tol, "shadow", (self.last,), results)
        return Snapshot(
            serial=self._serial,
            frame=self.last,
            scene=simulation.scene,
            grid=simulation.grid,
            device=str(simulation.device),
            choice=solve.choice,
            settings=self.settings,
            samples=tuple(self.samples),
            residuals=residual_history(solutions),
            frames=self.frames,
            steps_per_second=steps_per_second,
            frames_per_second=frames_per_second,
            fallback=fallback_sentence(solutions),
            method=solve.method,
            effective_method=solve.effective_method,
            tile=None if self.tile is None else solve.with_functions(self.tile),
            at_start=self.editing.at_start,
            gestures=self.editing.scene_editor.counts,
            comparison=comparison,
            replaying=self.replaying,
            advice=solve.advisor.advice(),
            timeline=self.timeline.view,
            probes=self.probes,
        )

    # What the user can do. Each of these raises ValueError where the run goes on unchanged. --------------------------

    def follow(self, replay: Replay) -> None:
        """Starts over as the log of another run says, and follows it to its end."""
        self.journal.check_free()
        start, factory = replay.start, self._factory
        self._factory = replace(factory, seed=start.seed)
        try:
            self._open(start.scene, start.grid.shape, start.state)
        except BaseException:
            self._factory = factory
            raise
        self.settings, self.solve.choice = complete(start.settings), start.choice
        self.journal.follow(replay)
        self.timeline.pinned = self.journal.rewinds

    def set_gravity(self, gravity: float) -> None:
        """Gravity from the next frame on [m/s^2]."""
        with self.journal.input("gravity", {"value": gravity}):
            self.settings = replace(self.settings, gravity=gravity)

    def set_densities(self, densities: tuple[float, ...]) -> None:
        """Densities from the next frame on [kg/m^3]."""
        with self.journal.input("densities", {"values": densities}):
            count = len(self.simulation.scene.phases)
            if len(densities) != count:
                raise ValueError(f"{len(densities)} densities are given for {count} phases")
            self.settings = replace(self.settings, densities=densities)

    def set_body_densities(self, densities: tuple[float, ...]) -> None:
        """Densities of the floating bodies from the next frame on [kg/m^3]."""
        with self.journal.input("body-densities", {"values": densities}):
            count = len(self.simulation.scene.bodies)
            if len(densities) != count:
                raise ValueError(f"{len(densities)} densities are given for {count} bodies")
            self.settings = replace(self.settings, body_densities=densities)

    def set_viscosities(self, viscosities: tuple[float, ...]) -> None:
        """Viscosities from the next frame on [Pa s]."""
        with self.journal.input("viscosities", {"values": viscosities}):
            self.settings = complete(replace(self.settings, viscosities=viscosities))

    def set_tensions(self, tensions: tuple[float, ...]) -> None:
        """Surface tensions of the pairs of phases from the next frame on [N/m]."""
        with self.journal.input("tensions", {"values": tensions}):
            self.settings = complete(replace(self.settings, tensions=tensions))

    def set_color(self, phase: int, color: tuple[float, float, float]) -> None:
        """Colour of a phase, sRGB 0 to 1. It belongs to the scene and is saved with it; no step depends on it."""
        with self.journal.input("color", {"phase": phase, "color": color}):
            scene_editor.check_color(self.simulation.scene, phase, color)
            editor = self.editing.scene_editor
            editor.bare = scene_editor.recolored(editor.bare, phase, color)
            self.simulation.scene = scene_editor.recolored(self.simulation.scene, phase, color)

    def stroke(self, stroke: Stroke) -> None:
        """Adds a stroke of the brush, for the scene at time zero, else for the next frame."""
        with self.journal.input("stroke", asdict(stroke)):
            self.editing.stroke(stroke, self.settings)

    def let_go(self) -> None:
        """The mouse was released: a gesture ends."""
        with self.journal.input("let-go", {}):
            self.editing.let_go()

    def undo(self) -> None:
        """Takes back what was drawn last: at time zero anything, later walls."""
        with self.journal.input("undo", {}):
            self.editing.undo()

    def redo(self) -> None:
        """Brings back what was undone last."""
        with self.journal.input("redo", {}):
            self.editing.redo()

    def discard(self) -> None:
        """Forgets strokes that no frame has used, as after a frame that broke off."""
        with self.journal.input("discard", {}):
            self.editing.discard()
            self.solve.renew()

    def reset(self) -> None:
        """Back to time zero; the settings stay as the user has set them."""
        with self.journal.input("reset", {}):
            settings, editor = self.settings, self.editing.scene_editor
            editor.forget_later()
            self.simulation.scene = editor.bare  # what is drawn follows from `_adopt`, sooner than by its shapes
            self.simulation.reset()
            self._adopt(self.simulation, editor)
            self.settings = settings

    def set_grid(self, grid: tuple[int, int]) -> None:
        """The scene from its start at another size, with what was drawn into it and the settings as they are."""
        with self.journal.input("grid", {"grid": grid}):
            settings, editor = self.settings, self.editing.scene_editor
            simulation = self._factory.new(editor.bare, grid)
            self._adopt(simulation, editor.on(simulation.grid))
            self.settings = settings

    def set_scene(self, scene: Scene, grid: tuple[int, int] | None = None) -> None:
        """Another scene from its start."""
        place = {"name": scene.name, "source": scene.source, "grid": grid or scene.grid}
        with self.journal.input("scene", place):
            self._open(scene, grid, None)

    def load(self, path: Path) -> None:
        """Continues from a state file, whatever scene it is of."""
        with self.journal.input("load", {} if self.journal.log is None else file_entry(path)):
            saved = state_file.load(path)
            self._open(saved.scene, saved.grid.shape, saved)

    def rewind(self, number: int) -> None:
        """Back, or forth again, to the moment after that output frame. What lies ahead stays until the fluid moves on.

        The settings are those of the moment; method and tolerance stay as they are.
        """
        with self.journal.input("rewind", {"to": number}):
            moment = self.timeline.find(number)
            self.simulation.restore(dict(moment.arrays))
            self.solve.go_back(moment.arrays)
            self.solve.inspector.drop()
            self.settings = moment.settings
            self.timeline.go_to(moment)
            self.last = replace(self.simulation.frame(), stats=moment.stats)
            self.editing.go_back(self.last.solid, moment.gestures)
            self.samples.clear()

    def choose(self, solve: int, choice: Choice) -> None:
        """Uses the choice from the pressure solve of that number in the next frame on, counted from 0."""
        self.solve.plan[solve] = choice

    # What leaves the fluid as it is ----------------------------------------------------------------------------------

    def pick_tile(self, x: float, y: float) -> None:
        """From now on snapshots hold the functions of the tile at that place [m]."""
        grid = self.simulation.grid
        row, column = (min(max(int(place / grid.dx), 0), n - 1) for place, n in ((y, grid.ny), (x, grid.nx)))
        self.tile = tile_inspection.tile_at(*grid.shape, row, column)

    def inspect(self, iteration: int | None) -> None:
        """From now on frames hold error and residual of their last solve after so many iterations; None: no longer."""
        self.solve.inspector.look_at(iteration)
        self.last = self.solve.inspector.inspected(self.last)

    def set_probes(self, places: tuple[Place, ...]) -> None:
        """Follows the values at these places [m] from the next frame on."""
        self.probes = places

    def set_timeline_budget(self, budget: int) -> None:
        """Memory for the time line [bytes]."""
        self.timeline.set_budget(budget)

    def set_shadows(self, methods: tuple[str, ...]) -> None:
        """Solves every pressure system by these methods too, for their numbers alone."""
        self.solve.shadows.choose(methods)

    def fork(self, variant: Variant, remembers: bool = False) -> Session:
        """A session of its own from the present state, which differs by the variant.

        remembers: solvers go on with what they know, so that without a difference it equals this one bit for bit.
        """
        self._settle(finish=True)
        now = self.simulation
        arrays = {**now.state(), **(self.solve.memory() if remembers else {})}
        saved = SavedState("the present state", now.scene, now.grid, arrays)
        device, seed, threads = self._factory.device, self._factory.seed, self._factory.threads
        solve = self.solve.like(variant)
        made = Session(now.scene, None, solve, device=device, seed=seed, threads=threads, saved=saved)
        made.settings = self.settings
        made.solve.inspector.look_at(self.solve.inspector.iteration)
        made.probes = self.probes
        if variant.ratio:
            densities = with_ratio(self.settings.densities, variant.ratio, now.scene)
            made.settings = replace(self.settings, densities=densities)
        return made

    def adopt(self, other: Session) -> None:
        """Goes on from where a fork has come to, with its settings. Raises ValueError in a replay or with a log."""
        self.journal.check_free("A pane cannot be kept")
        arrays = {**other.simulation.state(), **other.solve.memory()}
        self.simulation.restore(arrays)
        self.solve.go_back(arrays)
        self.solve.inspector.drop()
        self.settings, self.last = other.settings, other.last
        self.editing.go_back(self.last.solid, self.editing.scene_editor.done)
        self.samples.clear()
        self.journal.frames += other.frames
        self._keep_moment(self.frames)

    @property
    def start(self) -> Scene:
        """The scene with all that was drawn at time zero, the present settings and the present grid."""
        return with_settings(self.editing.scene_editor.scene, self.settings, self.simulation.grid.shape)

    def save(self, path: Path) -> None:
        """Writes the state to a file. Raises OSError."""
        self._settle(finish=True)
        state_file.save(path, {**self.simulation.state(), **self.solve.memory()}, self.solve.resolved)

    def close_log(self) -> None:
        """Ends the log, after the last frame."""
        self.journal.close(self.last)
