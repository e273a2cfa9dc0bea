"""Makes the simulations of a session: of a scene from its start, or from a saved state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sim
from app.session.state_file import SavedState
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Controls
from sim.scenes.scene import Scene


@dataclass(frozen=True)
class SimulationFactory:
    """All simulations share the solver, the device and the seed."""

    solve: SwitchableSolver
    device: str = "auto"
    seed: int = 0
    threads: int | None = None

    def new(self, scene: Scene, grid: tuple[int, int] | None) -> sim.Simulation:
        """The scene at time zero; without a grid on its own."""
        self.solve.recall({})
        return sim.Simulation(scene, grid, solve=self.solve, device=self.device, seed=self.seed, threads=self.threads)

    def restored(self, saved: SavedState) -> sim.Simulation:
        """The simulation as it was saved. Raises ValueError with one sentence."""
        simulation = self.new(saved.scene, saved.grid.shape)
        try:
            simulation.restore(dict(saved.arrays))
        except ValueError as error:
            raise ValueError(f"state file {saved.file!r} cannot be used: {error}") from None
        self.solve.recall(saved.arrays)
        return simulation


def complete(settings: Controls) -> Controls:
    """The settings without strokes, with a viscosity for every phase and a tension for every pair of phases."""
    phases = len(settings.densities)
    return replace(
        settings,
        strokes=(),
        viscosities=settings.viscosities or (0.0,) * phases,
        tensions=settings.tensions or (0.0,) * (phases * (phases - 1) // 2),
    )
