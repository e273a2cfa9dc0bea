"""Laws of the transport on flat planes: both axes alike, any width of the grid; and what a step need not measure."""

import numpy as np
import pytest
import torch

from sim import Simulation
from sim.kernels import diagnostics, taichi_runtime
from sim.kernels.flat import BLOCK
from sim.kernels.transport import Transport
from tests.scenes import pool, pressure_solver


def moved(first: int, F: np.ndarray, u: np.ndarray, v: np.ndarray, enter: np.ndarray) -> list[np.ndarray]:
    """F, u, v after one step of a Courant number that keeps fractions in [0, 1]; densities 1000, 10 and 1."""
    fields = [torch.from_numpy(field.copy()) for field in (F, u, v)]
    jump = torch.tensor([990.0, 9.0, 1.0], dtype=torch.float64)
    solid = torch.zeros(F.shape[1:], dtype=torch.uint8)
    Transport(fields[0]).step(first, *fields, solid, torch.from_numpy(enter.copy()), jump, 0.1, False)
    return [field.numpy() for field in fields]


@pytest.mark.parametrize("nx", [16, BLOCK - 1, BLOCK + 1, 2 * BLOCK + 5])
def test_a_turned_flow_is_transported_as_the_flow_and_turned(nx: int) -> None:
    """Exchange x and y everywhere: a single row of blocks becomes a column of short rows."""
    taichi_runtime.start("cpu")
    random, ny = np.random.default_rng(5), 17
    F = np.cumsum(random.dirichlet(np.ones(3), size=(ny, nx)).transpose(2, 0, 1), 0)[:-1]
    F[:, :4], F[:, :, :5] = 0.0, 1.0  # pure; scattered pure cells would bring ties between normals
    u, v = random.uniform(-1, 1, (ny, nx + 1)), random.uniform(-1, 1, (ny + 1, nx))  # also through the sides
    enter = np.sort(random.random((2, 4, max(ny, nx))), 0)
    F_new, u_new, v_new = moved(0, F, u, v, enter)
    turned = moved(1, F.swapaxes(1, 2), v.T, u.T, enter[:, [2, 3, 0, 1]])
    assert np.abs(F_new - F).max() > 0.01
    assert np.abs(turned[0].swapaxes(1, 2) - F_new).max() < 1e-12
    assert np.abs(turned[1].T - v_new).max() < 1e-9  # a light face beside a heavy one: 1000 times the round-off
    assert np.abs(turned[2].T - u_new).max() < 1e-9


@pytest.mark.parametrize("ratio", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("kind", ["mixed", "pure"])
def test_transport_makes_neither_speed_nor_kinetic_energy(ratio: float, kind: str) -> None:
    """Random fractions in a random divergence-free flow, both orders of the sweeps, closed box.

    With the Courant number of the face in place of the share of the mass: 5,000 times the speed at 1,000,000:1.
    """
    taichi_runtime.start("cpu")
    n, jump = 24, torch.tensor([1000.0 - 1000.0 / ratio, 1000.0 / ratio], dtype=torch.float64)

    def measured(F: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> tuple[float, float, float]:
        """Largest speed of a face, kinetic energy, and mass."""
        rho = jump[1] + jump[0] * F[0]
        energy = diagnostics.kinetic_energy(rho, u, v, None, 1.0)
        return float(torch.maximum(u.abs().max(), v.abs().max())), energy, float(rho.sum())

    for seed in range(8):
        random = np.random.default_rng(seed)
        f = random.random((1, n, n)) if kind == "mixed" else (random.random((1, n, n)) < 0.5).astype(float)
        psi = np.zeros((n + 1, n + 1))
        psi[1:-1, 1:-1] = random.normal(size=(n - 1, n - 1))
        u, v = -np.diff(psi, axis=0), np.diff(psi, axis=1)
        across = np.maximum(abs(u[:, 1:]), abs(u[:, :-1])) + np.maximum(abs(v[1:]), abs(v[:-1]))
        fields = [torch.from_numpy(np.ascontiguousarray(field)) for field in (f, u, v)]
        speed, energy, mass = measured(*fields)
        solid, enter = torch.zeros(n, n, dtype=torch.uint8), torch.zeros(1, 4, n, dtype=torch.float64)
        Transport(fields[0]).step(seed % 2, *fields, solid, enter, jump, 0.49 / across.max(), False)
        speed_after, energy_after, mass_after = measured(*fields)
        assert speed_after <= speed * (1 + 1e-9)
        assert energy_after <= energy
        assert mass_after == pytest.approx(mass, rel=1e-13)


def test_kinetic_energy_alone_is_that_of_the_survey() -> None:
    scene = pool(more='[[solids]]\nkind = "box"\nstart = [0.5, 0.2]\nend = [0.71, 0.6]\n')
    simulation = Simulation(scene, (48, 64), solve=pressure_solver(), device="cpu")
    simulation.u[:, 20:40] = 1.0
    for _ in range(3):
        simulation.step(1 / 60)
    solid = simulation.solid
    assert solid.any()
    alone = diagnostics.kinetic_energy(simulation.rho, simulation.u, simulation.v, solid, simulation.grid.dx)
    assert alone == pytest.approx(simulation._measure().kinetic, rel=1e-13)
    assert alone > 0


def test_a_velocity_set_between_steps_counts_for_the_next_one() -> None:
    simulation = Simulation("dam-break", (48, 64), solve=pressure_solver(), device="cpu")
    calm = simulation.step(1 / 600)
    simulation.u[:, 1:-1] = 20.0
    assert simulation.frame().stats.speed_max > 10 * calm.stats.speed_max
    assert simulation.step(1 / 60).substeps >= 10
