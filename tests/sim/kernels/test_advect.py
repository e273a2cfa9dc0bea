"""Laws of the transport: geometry of the cut cell, exact volume, order of convergence, consistent momentum."""

import math

import numpy as np
import pytest
import taichi as ti
import torch

from sim import Simulation
from sim.grid import Grid
from sim.kernels import plic, taichi_runtime
from sim.kernels.transport import Transport
from sim.scenes.scene import Shape, coverage
from tests.scenes import pool, pressure_solver


@ti.kernel
def areas(planes: plic.Array2, out: plic.Array2):
    """out[k] = (area, offset of that area) of the plane (n_x, n_y, alpha) in row k."""
    for k in range(planes.shape[0]):
        a = plic.area(planes[k, 0], planes[k, 1], planes[k, 2])
        out[k, 0] = a
        out[k, 1] = plic.offset(planes[k, 0], planes[k, 1], a)


def test_area_of_a_cut_cell_equals_its_sampled_area_and_offset_is_its_inverse() -> None:
    taichi_runtime.start("cpu")
    random = np.random.default_rng(1)
    n = random.normal(size=(400, 2))
    n[:20, 0] = 0.0  # planes along the axes, where the minor component vanishes
    n[20:40, 1] = 0.0
    n /= np.abs(n).sum(axis=1, keepdims=True)
    alpha = random.uniform(-0.49, 0.49, size=400)
    planes = torch.from_numpy(np.column_stack([n, alpha]))
    out = torch.zeros(400, 2, dtype=torch.float64)
    areas(planes, out)
    x = (np.arange(400) + 0.5) / 400 - 0.5
    inside = n[:, 0, None, None] * x[None, None, :] + n[:, 1, None, None] * x[None, :, None] <= alpha[:, None, None]
    assert np.abs(out[:, 0].numpy() - inside.mean(axis=(1, 2))).max() < 4e-3  # one row of the 400 sample points
    assert np.abs(out[:, 1].numpy() - alpha).max() < 1e-12


def reversed_vortex(n: int, period: float = 2.0) -> tuple[float, float, float, float]:
    """Mean |f - f(0)|, volume error, min f and max f of a disc in a vortex that turns back (Rider & Kothe 1998)."""
    taichi_runtime.start("cpu")

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    f = torch.from_numpy(coverage(Shape("disc", center=(0.5, 0.75), radius=0.15), Grid(n, n)))
    f = f[None]
    start, transport = f.clone(), Transport(f)
    solid = torch.zeros(n, n, dtype=torch.uint8)
    u, v, enter = zeros(n, n + 1), zeros(n + 1, n), zeros(1, 4, n)
    corner = np.arange(n + 1) / n
    psi = np.outer(np.sin(np.pi * corner) ** 2, np.sin(np.pi * corner) ** 2) / np.pi
    shape_u, shape_v = torch.from_numpy(-np.diff(psi, axis=0) * n), torch.from_numpy(np.diff(psi, axis=1) * n)
    steps = math.ceil(period * 1.6 * n / advect_courant())
    h = period / steps
    for k in range(steps):
        strength = math.cos(math.pi * (k + 0.5) * h / period)
        u.copy_(shape_u * strength)
        v.copy_(shape_v * strength)
        transport.volume(k % 2, f, u, v, solid, enter, h * n)
    volume = float(start.sum())
    return float((f - start).abs().mean()), abs(float(f.sum()) - volume) / volume, float(f.min()), float(f.max())


def advect_courant() -> float:
    from sim.simulation import COURANT

    return COURANT


def test_reversed_vortex_converges_at_second_order_and_keeps_the_volume() -> None:
    sizes, results = (32, 64, 128), []
    for n in sizes:
        error, volume_error, smallest, largest = reversed_vortex(n)
        results.append(error)
        assert volume_error < 1e-12
        assert smallest >= 0.0
        assert largest <= 1.0
    order = math.log(results[0] / results[-1]) / math.log(sizes[-1] / sizes[0])
    assert order > 1.7, results  # measured 1.96: 3.1e-3, 8.6e-4, 2.0e-4
    assert results[-1] < 4e-4


@pytest.mark.parametrize("density", [1.0, 1000.0, 1e6])
def test_uniform_velocity_stays_uniform_at_any_density_ratio(density: float) -> None:
    simulation = Simulation(
        pool(density, 'kind = "disc"\ncenter = [0.4, 0.5]\nradius = 0.21'), solve=pressure_solver(), device="cpu"
    )
    simulation.u.fill_(0.7)
    simulation.v.fill_(-0.4)
    before = float(simulation.F.sum())
    for _ in range(4):
        simulation._advect(0.3 * simulation.grid.dx)
        simulation.steps += 1
    inner_u, inner_v = simulation.u[6:-6, 6:-6], simulation.v[6:-6, 6:-6]
    round_off = 1e-12 * max(1.0, density / 1e4)  # of the heavy phase's mass, seen in a cell of the light one
    assert float((inner_u - 0.7).abs().max()) < round_off
    assert float((inner_v + 0.4).abs().max()) < round_off
    assert float(simulation.F.sum()) == pytest.approx(before, rel=1e-13)  # the disc has not reached a wall


def test_momentum_is_conserved_by_the_transport() -> None:
    """Away from walls sum(rho_face u) may change only by what crosses the walls, where the velocity is zero."""
    simulation = Simulation(
        pool(50.0, 'kind = "disc"\ncenter = [0.5, 0.5]\nradius = 0.2'), solve=pressure_solver(rtol=1e-12), device="cpu"
    )
    # A divergence-free swirl that vanishes towards the walls.
    ny, nx = simulation.grid.shape
    y, x = np.arange(ny + 1) / ny, np.arange(nx + 1) / nx
    psi = np.outer(np.sin(np.pi * y) ** 4, np.sin(np.pi * x) ** 4 * (1 + 0.7 * np.sin(3 * x))) * 0.1
    simulation.u.copy_(torch.from_numpy(-np.diff(psi, axis=0) * ny))
    simulation.v.copy_(torch.from_numpy(np.diff(psi, axis=1) * ny))

    def momentum() -> float:
        rho = simulation.rho
        return float((0.5 * (rho[:, 1:] + rho[:, :-1]) * simulation.u[:, 1:-1]).sum())

    before, scale = momentum(), float((simulation.rho[:, 1:] * simulation.u[:, 1:-1]).abs().sum())
    simulation._advect(0.2 * simulation.grid.dx)
    simulation._update_density()
    assert abs(momentum() - before) / scale < 1e-6  # what is left is the flux into the cells along the walls
