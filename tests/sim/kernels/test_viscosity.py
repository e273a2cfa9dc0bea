"""Laws of the viscous step: symmetry, rigid motion, momentum, exact flows, walls, stability, repeatability."""

import hashlib
import math
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from precond.support import threads as support_threads
from sim.kernels.viscosity import Outcome, Viscosity
from sim.scenes.scene import Walls

ROOT = Path(__file__).resolve().parents[3]
STICKY = Walls("no-slip", "no-slip", "no-slip", "no-slip", "no-slip")
PIPE = Walls("no-slip", "no-slip", "no-slip", "no-slip")  # its ends prescribe both velocities
MIXED = Walls(left="no-slip", top="no-slip", solids="no-slip")


@dataclass
class Problem:
    """Every argument of a viscous step on ny x nx cells of side dx: uniform fluid at rest unless it is overwritten."""

    ny: int
    nx: int
    dx: float

    def __post_init__(self) -> None:
        def full(*shape: int, value: float = 0.0) -> torch.Tensor:
            return torch.full(shape, value, dtype=torch.float64)

        ny, nx = self.ny, self.nx
        self.u, self.wall_u = full(ny, nx + 1), full(ny, nx + 1)
        self.v, self.wall_v = full(ny + 1, nx), full(ny + 1, nx)
        self.rho, self.mu = full(ny, nx, value=1.0), full(ny, nx, value=1.0)
        self.solid = torch.zeros(ny, nx, dtype=torch.uint8)

    def step(self, step: Viscosity, dt: float) -> Outcome:
        return step.step(self.u, self.v, self.rho, self.mu, self.solid, self.wall_u, self.wall_v, dt)

    def new(self, walls: Walls = Walls(), **more: object) -> Viscosity:  # noqa: B008 - frozen
        return Viscosity(self.ny, self.nx, self.dx, walls, **more)  # type: ignore[arg-type]

    def places(self) -> tuple[torch.Tensor, ...]:
        """x and y of the u faces, x and y of the v faces, each broadcastable to its field."""
        x, y = (torch.arange(n + 1, dtype=torch.float64) * self.dx for n in (self.nx, self.ny))
        x, y = x[None], y[:, None]
        return x, y[:-1] + self.dx / 2, x[:, :-1] + self.dx / 2, y

    def kinetic_energy(self) -> float:
        """Of the masses that faces between cells have."""
        rho, u, v = self.rho, self.u[:, 1:-1], self.v[1:-1]
        return float(((rho[:, 1:] + rho[:, :-1]) * u**2).sum() + ((rho[1:] + rho[:-1]) * v**2).sum()) * self.dx**2 / 4


def stiff(ny: int, nx: int, seed: int = 0, solids: bool = True) -> Problem:
    """Random velocities in two fluids, mu 1e4:1 and rho 1e3:1 cell by cell, around solids that meet in many ways."""
    random, p = torch.Generator().manual_seed(seed), Problem(ny, nx, 1 / ny)
    heavy = torch.rand(ny, nx, generator=random) < 0.5
    p.rho.copy_(torch.where(heavy, 1000.0, 1.0))
    p.mu.copy_(torch.where(heavy, 100.0, 0.01))
    if solids:
        p.solid[ny // 2, 1] = p.solid[ny // 2 - 1, 2] = 1  # diagonal
        p.solid[ny - 2 :, nx - 2] = 1
        p.solid[0, nx - 2 :] = 1
    p.u.copy_(torch.randn(ny, nx + 1, generator=random))
    p.v.copy_(torch.randn(ny + 1, nx, generator=random))
    return p


@pytest.mark.parametrize("open_top", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize("walls", [Walls(), MIXED, STICKY], ids=["slip", "mixed", "no-slip"])
def test_A_is_symmetric_and_positive_definite(walls: Walls, open_top: bool) -> None:
    p = stiff(6, 5)
    step = p.new(walls, open_top=open_top, max_iterations=0)
    p.step(step, dt=0.1)
    free = step.free.both.flatten().nonzero().flatten()
    fluid = p.solid == 0
    free_u, free_v = fluid[:, 1:] & fluid[:, :-1], fluid[1:] & fluid[:-1]
    assert len(free) == int(free_u.sum() + free_v.sum()) + (int(fluid[-1].sum()) if open_top else 0)
    A = torch.zeros(len(free), len(free), dtype=torch.float64)
    for k, face in enumerate(free):
        step.p.both.zero_().view(-1)[face] = 1.0
        step.apply(step.p, step.q)
        A[:, k] = step.q.both.flatten()[free]
    assert (A - A.T).abs().max() <= 1e-14 * A.abs().max()
    mass = step.mass.both.flatten()[free]
    dissipation = torch.linalg.eigvalsh(A - mass.diag())
    assert mass.min() >= (0.5 if open_top else 1.0)
    assert dissipation.min() >= -1e-13 * dissipation.max()
    assert (A.diag() * step.inverse.both.flatten()[free] - 1).abs().max() < 1e-14


@pytest.mark.parametrize("walls", [Walls(), Walls(solids="no-slip")], ids=["slip", "no-slip solids"])
@pytest.mark.parametrize(("shift", "turn"), [(1.0, 0.0), (0.0, 1.0), (0.3, -2.0)], ids=["shift", "turn", "both"])
def test_rigid_motion_feels_no_viscosity(shift: float, turn: float, walls: Walls) -> None:
    for sign in (1.0, -1.0):  # turned against itself it is a strain, and must be felt
        p = stiff(9, 10)
        x_u, y_u, x_v, y_v = p.places()
        p.wall_u.copy_(shift - turn * (y_u - 0.3) + 0 * x_u)
        p.wall_v.copy_(2 * shift + sign * turn * (x_v - 0.4) + 0 * y_v)
        p.u.copy_(p.wall_u)
        p.v.copy_(p.wall_v)
        outcome = p.step(p.new(walls), dt=10.0)
        felt = float((p.u - p.wall_u).abs().max() + (p.v - p.wall_v).abs().max())
        if sign > 0 or turn == 0:
            assert outcome.iterations == 0
            assert felt < 1e-12
        else:
            assert felt > 1e-2


def test_a_uniform_stream_leaves_through_an_open_top_unchanged() -> None:
    p = stiff(8, 7, solids=False)
    p.u.zero_()
    p.v.fill_(0.7)
    p.wall_v.fill_(0.7)
    step = p.new(open_top=True)
    assert p.step(step, dt=1.0).iterations == 0
    assert (p.v - 0.7).abs().max() < 1e-14
    assert float(step.mass.grid_v.sum()) == pytest.approx(float(p.rho.sum() - 0.5 * p.rho[0].sum()), rel=1e-14)


def test_inner_stresses_add_up_to_no_force_and_no_torque() -> None:
    p = stiff(12, 14, solids=False)
    for field in (p.u, p.v):
        field[:3] = field[-3:] = 0.0
        field[:, :3] = field[:, -3:] = 0.0
    step = p.new(STICKY, max_iterations=0)
    p.step(step, dt=1.0)
    f_x, f_y = step.r.grid_u, step.r.grid_v
    _, y, x, _ = p.places()
    force = float(f_x.abs().sum())
    assert abs(float(f_x.sum())) < 1e-13 * force
    assert abs(float(f_y.sum())) < 1e-13 * force
    assert abs(float((x * f_y).sum() - (y * f_x).sum())) < 1e-13 * force
    assert abs(float((x * f_y).sum())) > 1e-3 * force  # as large without the transposed gradient


def vortex(n: int) -> Problem:
    """u = sin(pi x) cos(pi y), v = -cos(pi x) sin(pi y): decays like exp(-2 nu pi^2 t) between walls that slip."""
    p = Problem(n, n, 1 / n)
    x_u, y_u, x_v, y_v = p.places()
    p.u.copy_(torch.sin(math.pi * x_u) * torch.cos(math.pi * y_u))
    p.v.copy_(-torch.cos(math.pi * x_v) * torch.sin(math.pi * y_v))
    return p


def order(error: list[float], h: list[float]) -> float:
    return math.log(error[0] / error[-1]) / math.log(h[0] / h[-1])


def test_a_vortex_decays_at_second_order_in_dx() -> None:
    sizes, errors = [8, 16, 32], []
    for n in sizes:
        p = vortex(n)
        start = p.kinetic_energy()
        p.step(p.new(rtol=1e-12), dt=0.1)
        rate = (math.sqrt(start / p.kinetic_energy()) - 1) / 0.1  # backward Euler: u* / u = 1 + rate dt
        errors.append(abs(rate / (2 * math.pi**2) - 1))
    assert abs(order(errors, [1 / n for n in sizes]) - 2) < 0.05
    assert errors[-1] < 1e-3


def test_a_vortex_decays_at_first_order_in_dt() -> None:
    steps, errors, n, end = [8, 16, 32], [], 16, 0.05
    exact = math.exp(-2 * end * (2 * n * math.sin(math.pi / 2 / n)) ** 2)  # on this grid
    for count in steps:
        p = vortex(n)
        start, step = p.kinetic_energy(), p.new(rtol=1e-12)
        for _ in range(count):
            p.step(step, dt=end / count)
        errors.append(abs(math.sqrt(p.kinetic_energy() / start) - exact))
    assert abs(order(errors, [1 / count for count in steps]) - 1) < 0.1
    assert errors[-1] < 0.01 * exact * 2


def test_plane_poiseuille_flow_is_second_order() -> None:
    """mu u_yy = -1 between walls that do not slip: u = y (1 - y) / 2, also at the ends of the channel."""
    sizes, errors, dt = [8, 16, 32], [], 1e6
    for n in sizes:
        p = Problem(n, n, 1 / n)
        y = p.places()[1]
        p.wall_u.copy_((0.5 * y * (1 - y)).expand_as(p.u))
        p.u.fill_(dt)
        assert p.step(p.new(PIPE, rtol=1e-12), dt).converged
        errors.append(float((p.u - p.wall_u).abs().max()))
        assert p.v.abs().max() < errors[-1]
    assert abs(order(errors, [1 / n for n in sizes]) - 2) < 0.2
    assert errors[-1] < 1.01 / 8 / 32**2


def layers(fraction: float, lid: str = "no-slip") -> tuple[Problem, torch.Tensor]:
    """A steady flow under a solid lid of speed 1, mu = 100 below 8 + fraction cells of 16, 1 above; and its exact u.

    The ends prescribe the exact profile, or nothing moves where the lid slips.
    """
    ny, nx = 17, 6
    p = Problem(ny, nx, 1 / 16)
    p.solid[-1] = 1
    p.mu[:8] = 100.0
    p.mu[8] = 1 / (fraction / 100 + (1 - fraction))
    y, middle = p.places()[1], (8 + fraction) / 16
    stress = 1 / (middle / 100 + (1 - middle))
    exact = stress * (y.clamp(max=middle) / 100 + (y - middle).clamp(min=0.0))
    if lid == "no-slip":
        p.wall_u.copy_(exact.expand_as(p.u))
    p.wall_u[-1] = 1.0
    outcome = p.step(p.new(replace(PIPE, solids=lid), rtol=1e-12), dt=1e6)
    assert outcome.converged
    return p, exact


def test_layers_of_honey_and_water_share_one_shear_stress() -> None:
    p, exact = layers(0.0)
    assert (p.u[:-1] - exact[:-1]).abs().max() < 1e-8
    at_interface = 1.5 * p.u[7] - 0.5 * p.u[6]  # straight on through the honey
    assert (at_interface * 101 - 1).abs().max() < 1e-6  # the arithmetic mean of mu makes it 1.06
    for fraction in (0.25, 0.5, 0.75):
        p, exact = layers(fraction)
        others = [*range(8), *range(9, 16)]  # the mixed cell has no one slope
        assert (p.u[others] / exact[others] - 1).abs().max() < 0.05


def test_a_moving_solid_drags_the_fluid_only_if_it_does_not_slip() -> None:
    assert layers(0.0, "slip")[0].u[:-1].abs().max() == 0.0
    p = Problem(15, 16, 1 / 16)
    p.solid[6:9, 6:9] = 1
    p.wall_u[6:9, 6:10] = 1.0
    outcome = p.step(p.new(Walls(solids="no-slip")), dt=0.01)
    assert outcome.converged
    assert outcome.iterations <= 55  # measured 45; the walls' velocities count in ||b||, which would else be 0
    assert torch.equal(p.u[6:9, 6:10], p.wall_u[6:9, 6:10])
    assert p.u.min() >= 0.0
    assert p.u.max() == 1.0
    assert p.u[9, 7:9].min() > 0.5
    assert (p.u - p.u.flip(0)).abs().max() < 1e-7  # the same above as below the block


def test_a_gas_without_viscosity_leaves_a_moving_liquid_alone() -> None:
    p = Problem(10, 8, 0.1)
    p.mu[5:] = 0.0
    p.u[:5] = p.wall_u[:5] = 1.0
    assert p.step(p.new(Walls(top="no-slip")), dt=1e3).iterations == 0
    assert (p.u[:5] - 1).abs().max() == 0.0
    assert p.u[5:].abs().max() == 0.0


@pytest.mark.parametrize("walls", [Walls(), MIXED, STICKY], ids=["slip", "mixed", "no-slip"])
@pytest.mark.parametrize("number", [1e-3, 1.0, 1e3, 1e6])
def test_kinetic_energy_never_grows_whatever_the_time_step(number: float, walls: Walls) -> None:
    for p in (stiff(12, 11, solids=False), stiff(12, 11, seed=1)):
        dt = number * p.dx**2 / 0.1  # nu = 0.1 m^2/s in the heavy fluid, 0.01 in the light one
        step = p.new(walls)
        p.step(step, 0.0)  # only the prescribed velocities
        energy = [p.kinetic_energy()]
        for _ in range(3):
            assert p.step(step, dt).converged
            energy.append(p.kinetic_energy())
        assert all(after <= before for before, after in pairwise(energy))
        assert energy[-1] < 0.999 * energy[0]
        if walls == STICKY and number == 1e6:
            assert energy[-1] < 1e-8 * energy[0]


def test_light_viscosity_costs_next_to_nothing_and_heavy_a_bounded_number() -> None:
    p = stiff(64, 64, solids=False)
    p.mu.copy_(torch.where(p.rho > 500, 1e-3, 2e-5))
    p.dx = 0.08
    assert p.step(p.new(STICKY), dt=1e-3).iterations <= 2  # water and air; measured 1
    p = vortex(64)
    p.rho[:32], p.mu[:32] = 1000.0, 1e4
    outcome = p.step(p.new(STICKY), dt=1e3 / 64**2)  # nu dt / dx^2 = 1e4 below, 1e3 above
    assert outcome.converged
    assert outcome.iterations <= 400  # measured 340


def test_a_step_that_is_cut_short_says_so() -> None:
    p = stiff(12, 12)
    outcome = p.step(p.new(STICKY, max_iterations=3), dt=1.0)
    assert (outcome.iterations, outcome.converged) == (3, False)
    assert 1e-8 < outcome.residual < math.inf
    assert torch.isfinite(p.u).all()


@pytest.mark.parametrize("broken", [math.nan, math.inf, 1e152], ids=str)  # the squares of the last overflow
def test_what_is_not_finite_is_reported_and_changes_nothing(broken: float) -> None:
    p, step = stiff(8, 8), stiff(8, 8).new()
    good = p.u.clone(), p.v.clone()
    p.u.mul_(broken)
    p.v.mul_(broken)
    before = p.u.clone(), p.v.clone()
    outcome = p.step(step, dt=0.1)
    assert not outcome.converged
    assert not math.isfinite(outcome.residual)
    for now, then in zip((p.u, p.v), before):
        assert np.array_equal(now.numpy(), then.numpy(), equal_nan=True)
    p.u.copy_(good[0])
    p.v.copy_(good[1])
    assert p.step(step, dt=0.1).converged  # nothing of it is left


def test_velocities_too_small_to_square_count_as_rest() -> None:
    p = stiff(8, 8)
    p.u.mul_(1e-158)
    p.v.mul_(1e-158)
    outcome = p.step(p.new(), dt=0.1)
    assert outcome.converged
    assert outcome.iterations == 0


def fingerprint() -> str:
    """Of a step on a grid so large that torch shares its loops between threads."""
    p = stiff(130, 140)
    p.step(p.new(MIXED, max_iterations=6), dt=1e-2)
    return hashlib.sha256(p.u.numpy().tobytes() + p.v.numpy().tobytes()).hexdigest()


def test_runs_agree_bit_for_bit_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support_threads, "ONE_THREAD_CELLS", 0)
    code = (
        "import torch; torch.set_num_threads(1); "
        "from tests.sim.kernels import test_viscosity; print(test_viscosity.fingerprint())"
    )
    alone = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = {fingerprint(), fingerprint()}
    finally:
        torch.set_num_threads(before)
    assert here == {alone.stdout.split()[-1]}


def test_misuse_is_refused_where_it_is_built() -> None:
    with pytest.raises(ValueError, match="top = 'sticky'"):
        Walls(top="sticky")
    for arguments in ((0, 4, 0.1), (4, 4, 0.0), (4, 4, math.nan)):
        with pytest.raises(ValueError, match="cannot be"):
            Viscosity(*arguments)
    with pytest.raises(ValueError, match="rtol 2"):
        Viscosity(4, 4, 0.1, rtol=2)


def test_the_compiled_iteration_is_that_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.kernels import viscosity

    rng = np.random.default_rng(3)
    ny, nx = 19, 26
    solid = torch.from_numpy((rng.random((ny, nx)) < 0.1).astype(np.uint8))
    rho = torch.from_numpy(10 ** rng.uniform(0, 3, (ny, nx)))
    mu = torch.from_numpy(10 ** rng.uniform(-3, 2, (ny, nx)))
    found = []
    for way in ("compiled", "torch", "blindly, as on CUDA"):
        if way != "compiled":
            monkeypatch.setattr(viscosity, "compiled_loop", lambda: None)
        u, v = (torch.from_numpy(np.random.default_rng(4).standard_normal(s)) for s in ((ny, nx + 1), (ny + 1, nx)))
        for open_top in (False, True):
            step = Viscosity(ny, nx, 0.1, Walls(), open_top)
            step._blind = 7 if way.startswith("blindly") else 1
            outcome = step.step(u, v, rho, mu, solid, torch.zeros_like(u), torch.zeros_like(v), 0.05)
            assert outcome.converged
            found.append((outcome.iterations, outcome.residual, u.clone(), v.clone()))
    assert len(found) == 6
    for fast, plain in zip(found[:2] * 2, found[2:]):
        assert abs(fast[0] - plain[0]) <= 1
        torch.testing.assert_close(fast[2], plain[2], rtol=0, atol=1e-6)
        torch.testing.assert_close(fast[3], plain[3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("blind", [1, 2, 9])
def test_fluid_at_rest_stays_at_rest_however_many_iterations_run_blindly(
    blind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.kernels import viscosity

    monkeypatch.setattr(viscosity, "compiled_loop", lambda: None)
    problem = Problem(6, 7, 0.1)
    step = problem.new()
    step._blind = blind
    outcome = problem.step(step, 0.1)
    assert outcome.converged
    assert (outcome.iterations, outcome.residual) == (0, 0.0)
    assert not problem.u.any()
