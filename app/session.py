"""A running simulation with everything the user can do to it. Lives on one thread; see worker.py for the other one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import sim
from app import state
from app.grip import Grip
from app.log import MARK_EVERY, Log, check_sum, file_entry, start_line
from app.snapshot import Pace, Sample, Snapshot, snapshot_of
from app.solving import Choice, PressureSolve
from app.state import SavedState
from app.tally import Tally
from precond.htp import anatomy
from sim.frame import STAGES, Controls, Frame, Stroke
from sim.layout import Scene

if TYPE_CHECKING:
    from app.replay import Replay

FRAME_DT = 1 / 60  # [s] of one output frame
HISTORY = 240  # output frames that the plots show, four seconds at full speed
STROKES = 64  # kept for the next step; a user drawing over a stalled solver makes no more than a second's worth
BUSY = "a replay is running and decides about everything: wait for its end, or start without --replay"


class Session:
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
        self.solve, self._device, self._seed, self._threads = solve, device, seed, threads
        self.total = total  # counts every frame of the session, if anybody asks for it
        self.log, self.replay, self._obeys_replay = log, replay, False
        self.frames, self._serial = 0, 0
        self._strokes: tuple[Stroke, ...] = ()
        self._grip = Grip()
        self._adopt(self._build(scene, grid) if saved is None else self._restored(saved))
        if replay is not None:
            self._take(replay.start.settings)
        self._logged_choice = solve.choice
        if log is not None:
            place = self.simulation.scene, self.simulation.grid, self.simulation.device.type
            log.write(start_line(*place, solve, self.settings, seed, threads, saved))

    def _build(self, scene: Scene, grid: tuple[int, int] | None) -> sim.Simulation:
        return sim.Simulation(
            scene, grid, solve=self.solve, device=self._device, seed=self._seed, threads=self._threads
        )

    def _adopt(self, simulation: sim.Simulation) -> None:
        """Go on with this simulation: its settings, and plots that start afresh."""
        self.simulation = simulation
        self.solve.shadows.start_over()
        self._take(simulation.controls)
        self.samples: deque[Sample] = deque(maxlen=HISTORY)
        self.pace = Pace()
        self._forget_strokes()
        self.last = self.simulation.frame()
        self.tile: anatomy.Tile | None = None

    def _take(self, settings: Controls) -> None:
        """Settings from the next frame on."""
        phases = len(settings.densities)
        self.gravity, self.densities = settings.gravity, settings.densities
        self.viscosities = settings.viscosities or (0.0,) * phases
        self.tensions = settings.tensions or (0.0,) * (phases * (phases - 1) // 2)

    @property
    def settings(self) -> Controls:
        """The present settings, without strokes."""
        return Controls(self.gravity, self.densities, (), self.viscosities, self.tensions)

    def _forget_strokes(self) -> None:
        """Forgets strokes that no frame has used, and the wall that is being dragged."""
        self._strokes = ()
        self._grip.release()

    def step(self) -> Frame:
        """One output frame with the present settings and the strokes since the last. If it raises, the fluid stays."""
        self._obey_replay()
        # by thread, and OpenGL drivers undo it: a float32 multigrid was 40 times slower without
        torch.set_flush_denormal(True)
        self.solve.begin_frame()
        start = time.perf_counter()
        try:
            frame = self._advance()
        except BaseException:
            self._forget_strokes()  # or what broke the frame would break the next one too
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
        strokes, self._strokes = (*self._strokes, *self._grip.pull(self.last.solid, dx)), ()
        frame = self.simulation.step(FRAME_DT, replace(self.settings, strokes=strokes))
        self._grip.follow(frame.solid, dx, frame.dt / FRAME_DT)
        return frame

    def snapshot(self) -> Snapshot:
        """The present, for the window."""
        self._serial += 1
        return snapshot_of(self, self._serial)

    # What the user can do ------------------------------------------------------------------------------------------

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

    def stroke(self, stroke: Stroke) -> None:
        """Adds a stroke of the brush to the next frame; the oldest give way when a slow solver lets too many gather."""
        with self._input("stroke", asdict(stroke)):
            replace(self.settings, strokes=(stroke,))  # raises for a phase that does not exist
            if stroke.tool == "drag":
                self._grip.add(stroke)
            else:
                self._strokes = (*self._strokes, stroke)[-STROKES:]

    def let_go(self) -> None:
        """Ends the dragging of a wall, once the wall has come to where the mouse is."""
        with self._input("let-go", {}):
            self._grip.finish()

    def discard(self) -> None:
        """Forgets strokes that no frame has used, and lets go of the wall that is being dragged where it is."""
        with self._input("discard", {}):
            self._forget_strokes()

    def pick_tile(self, x: float, y: float) -> None:
        """Has snapshots hold the functions of the tile at that place [m]."""
        grid = self.simulation.grid
        row, column = (min(max(int(place / grid.dx), 0), n - 1) for place, n in ((y, grid.ny), (x, grid.nx)))
        self.tile = anatomy.tile_at(*grid.shape, row, column)

    def reset(self) -> None:
        """Back to time zero; the settings stay as the user has set them."""
        with self._input("reset", {}):
            settings = self.settings
            self.simulation.reset()
            self._adopt(self.simulation)
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
        state.save(path, self.simulation.state())

    def load(self, path: Path) -> None:
        """Continues from a state file, whatever scene it is of."""
        with self._input("load", {} if self.log is None else file_entry(path)):
            self._adopt(self._restored(state.load(path)))

    def _restored(self, saved: SavedState) -> sim.Simulation:
        simulation = self._build(saved.scene, saved.grid.shape)
        try:
            simulation.restore(dict(saved.arrays))
        except ValueError as error:
            raise ValueError(f"state file {saved.file!r} cannot be used: {error}") from None
        return simulation

    def _check_count(self, phases: int) -> None:
        if phases != len(self.simulation.scene.phases):
            raise ValueError(f"{phases} densities are given for {len(self.simulation.scene.phases)} phases")

    # Log and replay --------------------------------------------------------------------------------------------------

    @property
    def replaying(self) -> bool:
        """Whether a replay decides what happens."""
        return self.replay is not None and self.frames < self.replay.frames

    @contextmanager
    def _input(self, do: str, values: dict[str, Any]) -> Iterator[None]:
        """Around a change of the run: refused to the user during a replay, and logged once it has been made."""
        if self.replaying and not self._obeys_replay:
            raise ValueError(BUSY)
        yield
        self._write(do, values)

    def _write(self, do: str, values: dict[str, Any]) -> None:
        if self.log is not None:
            self.log.write({"frame": self.frames, "do": do, **values})

    def _write_choices(self) -> None:
        """Logs with which pressure solve of the frame just made another preconditioner or tolerance came into use."""
        for number, choice in enumerate(self.solve.used):
            if choice != self._logged_choice:
                self._write("choose", {"solve": number, **asdict(choice)})
                self._logged_choice = choice

    def _obey_replay(self) -> None:
        """Makes the inputs that the replay has for the next frame."""
        if self.replay is None:
            return
        self._obeys_replay = True
        try:
            for entry in self.replay.due(self.frames):
                entry.carry_out(self)
        finally:
            self._obeys_replay = False

    def close_log(self) -> None:
        """Ends the log, after the last frame, with how far the run got."""
        if self.log is not None:
            self._write("end", {"time": self.last.time, "sum": check_sum(self.last)})
            self.log.close()
