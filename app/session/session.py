"""A running simulation with everything the user can do to it. Lives on one thread; see worker.py for the other one."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import sim
from app.session import state_file
from app.session.editing import STROKES, Drawn
from app.session.input_log import MARK_EVERY, Log, check_sum, file_entry, start_line
from app.session.journal import BUSY
from app.session.scene_editor import Drawing
from app.session.snapshot import Pace, Sample, Snapshot, snapshot_of
from app.session.state_file import SavedState
from app.session.wall_drag import Grip
from app.solving.run_stats import Tally
from app.solving.switchable_solver import Choice, PressureSolve
from precond.htp import tile_inspection
from sim.frame import STAGES, Controls, Frame, Stroke
from sim.scenes.scene import Scene

if TYPE_CHECKING:
    from app.session.replay import Replay

FRAME_DT = 1 / 60  # [s] of one output frame
HISTORY = 240  # output frames that the plots show, four seconds at full speed


class Session(Drawn):
    """Owns the Simulation. Build and use it on one thread only (Taichi's)."""

    def __init__(
        self,
        scene: Scene,
        grid: tuple[int, int] | None,
        solve: PressureSolve,
        *,
        device: str = "auto",
        seed: int = 0,
        threads: int | None = None,
        saved: SavedState | None = None,
        total: Tally | None = None,
        log: Log | None = None,
        replay: Replay | None = None,
    ) -> None:
        super().__init__(log, replay, solve.choice)
        self.solve, self._device, self._seed, self._threads = solve, device, seed, threads
        self.total = total  # counts every frame of the session, if anybody asks for it
        self._serial = 0
        self._strokes: tuple[Stroke, ...] = ()
        self._grip = Grip()
        self._adopt(self._build(scene, grid) if saved is None else self._restored(saved), drawable=saved is None)
        if replay is not None:
            self._take(replay.start.settings)
        if log is not None:
            place = self.simulation.scene, self.simulation.grid, self.simulation.device.type
            log.write(start_line(*place, solve, self.settings, seed, threads, saved))

    def _build(self, scene: Scene, grid: tuple[int, int] | None) -> sim.Simulation:
        self.solve.recall({})
        return sim.Simulation(
            scene, grid, solve=self.solve, device=self._device, seed=self._seed, threads=self._threads
        )

    def _adopt(self, simulation: sim.Simulation, drawing: Drawing | None = None, drawable: bool = True) -> None:
        """Go on with this simulation: its settings, and plots that start afresh.

        drawable: it stands at its scene's start, which can be drawn into, and not at a saved state's.
        """
        self.simulation, self._drawable = simulation, drawable
        self.drawing = drawing or Drawing(simulation.scene, simulation.grid, simulation.seed)
        self._stale = self.drawing.counts[0] > 0
        self.solve.shadows.start_over()
        self._take(simulation.controls)
        self.samples: deque[Sample] = deque(maxlen=HISTORY)
        self.pace = Pace()
        self._forget_strokes()
        self.last = self.simulation.frame()
        self._settle()
        self._walls = self.last.solid
        self.tile: tile_inspection.Tile | None = None

    def _take(self, settings: Controls) -> None:
        """Settings from the next frame on."""
        phases = len(settings.densities)
        self.gravity, self.densities = settings.gravity, settings.densities
        self.viscosities = settings.viscosities or (0.0,) * phases
        self.tensions = settings.tensions or (0.0,) * (phases * (phases - 1) // 2)

    def step(self) -> Frame:
        """One output frame with the present settings and the strokes since the last. If it raises, the fluid stays."""
        self._obey_replay()
        self._settle(finish=True)
        # by thread, and OpenGL drivers undo it: a float32 multigrid was 40 times slower without
        torch.set_flush_denormal(True)
        self.solve.begin_frame()
        start = time.perf_counter()
        try:
            frame = self._advance()
        except BaseException:
            self._forget_strokes()  # or what broke the frame would break the next one too
            self.solve.renew()
            self._write("discard", {})
            raise
        if self.total is not None:
            seconds = time.perf_counter() - start - self.solve.shadows.seconds
            self.total.add(frame, seconds, compiling=self.frames == 0)
            self.total.notice = self.solve.notice or self.total.notice
        self.solve.shadows.end_frame()
        self._write_choices()
        self.frames += 1
        self.last = frame
        if self.frames % MARK_EVERY == 0:
            self._write("mark", {"time": frame.time, "sum": check_sum(frame)})
        if self.replay is not None:
            if self.frames == self.replay.frames:
                self._obey_replay()  # what came after the last frame, as a reset does
            self.replay.compare(self.frames, self.last)
        solutions = frame.stats.solutions
        self.pace.add(len(solutions))
        mean = sum(s.iterations for s in solutions) / max(len(solutions), 1)
        self.samples.append(
            Sample(self.solve.choice.precond, tuple(frame.stats.ms[s] for s in STAGES), mean, frame.stats.volume_drift)
        )
        return frame

    def _advance(self) -> Frame:
        dx = self.simulation.grid.dx
        strokes = (*self._strokes, *self._grip.pull(self.last.solid, dx))
        self._strokes, self._room = (), STROKES
        frame = self.simulation.step(FRAME_DT, replace(self.settings, strokes=strokes))
        self._grip.follow(frame.solid, dx, frame.dt / FRAME_DT)
        self._walls = frame.solid
        return frame

    def snapshot(self) -> Snapshot:
        """The present, for the window."""
        self._serial += 1
        self._settle()
        return snapshot_of(self, self._serial)

    # What the user can do ------------------------------------------------------------------------------------------

    def follow(self, replay: Replay) -> None:
        """Starts over as the log of another run says, and obeys it to its end."""
        if self.replaying:
            raise ValueError(BUSY)
        if self.log is not None:
            raise ValueError("this run writes a log itself: start without --log to replay another")
        start, own_seed = replay.start, self._seed
        self._seed = start.seed
        try:
            saved = start.state
            simulation = self._restored(saved) if saved else self._build(start.scene, start.grid.shape)
        except BaseException:
            self._seed = own_seed
            raise
        self._adopt(simulation, drawable=start.state is None)
        self._take(start.settings)
        self.solve.choice = self._logged_choice = start.choice
        self.replay, self.frames = replay, 0

    # Each of these raises ValueError where the run goes on unchanged.

    def set_gravity(self, gravity: float) -> None:
        """Gravity from the next frame on [m/s^2]."""
        with self._input("gravity", {"value": gravity}):
            self._take(replace(self.settings, gravity=gravity))

    def set_densities(self, densities: tuple[float, ...]) -> None:
        """Densities from the next frame on [kg/m^3]."""
        with self._input("densities", {"values": densities}):
            self._check_count(len(densities))
            self._take(replace(self.settings, densities=densities))

    def set_viscosities(self, viscosities: tuple[float, ...]) -> None:
        """Viscosities from the next frame on [Pa s]."""
        with self._input("viscosities", {"values": viscosities}):
            self._take(replace(self.settings, viscosities=viscosities))

    def set_tensions(self, tensions: tuple[float, ...]) -> None:
        """Surface tensions of the pairs of phases from the next frame on [N/m]."""
        with self._input("tensions", {"values": tensions}):
            self._take(replace(self.settings, tensions=tensions))

    def pick_tile(self, x: float, y: float) -> None:
        """Has snapshots hold the functions of the tile at that place [m]."""
        grid = self.simulation.grid
        row, column = (min(max(int(place / grid.dx), 0), n - 1) for place, n in ((y, grid.ny), (x, grid.nx)))
        self.tile = tile_inspection.tile_at(*grid.shape, row, column)

    def reset(self) -> None:
        """Back to time zero; the settings stay as the user has set them."""
        with self._input("reset", {}):
            settings = self.settings
            self.drawing.forget_later()
            self.simulation.scene = self.drawing.bare  # what is drawn follows from `_adopt`, sooner than by its shapes
            self.simulation.reset()
            self._adopt(self.simulation, self.drawing)
            self._take(settings)

    def set_grid(self, grid: tuple[int, int]) -> None:
        """The scene from its start at another size, with what was drawn into it and the settings as they are."""
        with self._input("grid", {"grid": grid}):
            settings, simulation = self.settings, self._build(self.drawing.bare, grid)
            self._adopt(simulation, self.drawing.on(simulation.grid))
            self._take(settings)

    def set_scene(self, scene: Scene, grid: tuple[int, int] | None = None) -> None:
        """Another scene from its start."""
        place = {"name": scene.name, "source": scene.source, "grid": grid or scene.grid}
        with self._input("scene", place):
            self._adopt(self._build(scene, grid))

    def choose(self, solve: int, choice: Choice) -> None:
        """Has the pressure solve of that number in the next frame, counted from 0, and all after it use the choice."""
        self.solve.plan[solve] = choice

    def set_shadows(self, methods: tuple[str, ...]) -> None:
        """Has these methods solve every pressure system too, for their numbers alone; the fluid does not change."""
        self.solve.shadows.choose(methods)

    def twin(self, precond: str) -> Session:
        """A fluid of its own from the present state, solved by another method."""
        self._settle(finish=True)
        now = self.simulation
        saved = SavedState("the present state", now.scene, now.grid, now.state())
        made = Session(
            now.scene,
            now.grid.shape,
            self.solve.like(precond),
            device=self._device,
            seed=self._seed,
            threads=self._threads,
            saved=saved,
        )
        made._take(self.settings)
        return made

    def save(self, path: Path) -> None:
        """Writes the state to a file. Raises OSError."""
        self._settle(finish=True)
        state_file.save(path, {**self.simulation.state(), **self.solve.memory()}, self.solve.choice)

    def load(self, path: Path) -> None:
        """Continues from a state file, whatever scene it is of."""
        with self._input("load", {} if self.log is None else file_entry(path)):
            self._adopt(self._restored(state_file.load(path)), drawable=False)

    def _restored(self, saved: SavedState) -> sim.Simulation:
        simulation = self._build(saved.scene, saved.grid.shape)
        try:
            simulation.restore(dict(saved.arrays))
        except ValueError as error:
            raise ValueError(f"state file {saved.file!r} cannot be used: {error}") from None
        self.solve.recall(saved.arrays)
        return simulation

    def _check_count(self, phases: int) -> None:
        if phases != len(self.simulation.scene.phases):
            raise ValueError(f"{phases} densities are given for {len(self.simulation.scene.phases)} phases")
