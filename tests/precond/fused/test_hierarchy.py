"""The hierarchy in Triton's kernels, by their interpreter: the same M as its equations say, in few kernels."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from precond import PoissonSystem, Solver, Status, problems
from precond.device import cuda_graph
from precond.device.launch_count import counted, watchers
from precond.fused import cycle, hierarchy, proposal
from precond.htp import blocks, galerkin
from precond.htp import hierarchy as torch_hierarchy
from precond.htp.network import Config, Network
from tests.precond.device import tape

WALLS = np.zeros((16, 32), dtype=bool)
WALLS[2:6, 10:14] = True  # ... around a region of its own, within one tile
WALLS[3:5, 11:13] = False
WALLS[8:16, 16:24] = True  # a tile of solids alone


def system_of(kind="blobs", shape=(16, 32), seed=0, contrast=100, **options):
    density = problems.density(kind, shape, np.random.default_rng(seed), contrast)
    return PoissonSystem.from_density(density, **options)


def field(system, seed=1):
    values = np.random.default_rng(seed).standard_normal(system.shape)
    return system.project(torch.from_numpy(values))


def applied(M, r):
    out = torch.full_like(r, np.nan)
    M.apply(r, out)
    return out


def exact(M, system):
    """The torch cycle in float64 on the cells that M has read: the same but for the rounding of what M stores."""
    constants, c = M.constants, M.workspace.cells
    wide = {e.name: getattr(c, e.name).double() for e in fields(c) if isinstance(getattr(c, e.name), torch.Tensor)}
    c = replace(c, **wide, pocket=M.pockets, closed=not system.open_top)
    traces, corrections = M._functions()
    constants.inside = constants.inside.double()
    tiles = galerkin.tiles(c, galerkin.inverse(blocks.tile_blocks(c)), traces.double(), constants, M.continued)
    made = galerkin.cycle(c, tiles, constants, corrections, M.continued, M.visits_now)

    def apply(r):
        scaled = constants.layout.to_tiles(r) * c.scale
        return (made(scaled[:, None]).view(-1) * c.scale.view(-1)).take(constants.layout.place).view(system.shape)

    return apply


@pytest.fixture
def deep(monkeypatch):
    """Groups of groups on grids that would have none."""
    monkeypatch.setattr(torch_hierarchy.Hierarchy, "coarsest", 8)


CASES = {
    "two levels of groups": dict(),
    "spray": dict(kind="spray", seed=3),
    "filament": dict(kind="filament", seed=3),
    "checker": dict(kind="checker", seed=3),
    "barrier": dict(kind="barrier", seed=2, contrast=1000),
    "open top": dict(open_top=True),
    "solids and a pocket": dict(solid=WALLS),
    "odd": dict(shape=(13, 17)),
    "a row": dict(shape=(1, 30)),
    "a column": dict(shape=(30, 1)),
    "one tile": dict(shape=(5, 7)),
    "one cell": dict(shape=(1, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_M_is_what_the_equations_say(case, deep):
    system = system_of(**CASES[case])
    M = hierarchy.Hierarchy()
    M.setup(system)
    r = field(system)
    found, expected = system.project(applied(M, r)), system.project(exact(M, system)(r))
    # regions that are nearly closed have large inverses, and these are stored in float32
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["Polynomials", "Htp"])
def test_other_functions_too(name, deep):
    system = system_of(solid=WALLS)
    M = getattr(hierarchy, name)()
    M.setup(system)
    r = field(system)
    found, expected = system.project(applied(M, r)), system.project(exact(M, system)(r))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("case", ["two levels of groups", "solids and a pocket", "odd"])
def test_M_is_symmetric_and_positive(case, deep):
    system = system_of(**CASES[case])
    M = hierarchy.Hierarchy()
    M.setup(system)
    a, b = field(system, 1), field(system, 2)
    Ma, Mb = applied(M, a), applied(M, b)
    size = float((a * Ma).sum() * (b * Mb).sum()) ** 0.5
    assert float((a * Ma).sum()) > 0
    assert float((b * Mb).sum()) > 0
    assert abs(float((a * Mb).sum() - (b * Ma).sum())) < 1e-6 * size


@pytest.mark.parametrize("name", ["hierarchy", "polynomials", "htp"])
def test_solves_take_as_many_iterations(name, fused):
    system, b = system_of(shape=(16, 24)), field(system_of(shape=(16, 24)))
    found = Solver(name, system, device="cpu", fallback=()).solve(system, b)
    expected = Solver(name, system, device="cpu", fallback=(), engine="torch").solve(system, b)
    assert found.status is expected.status is Status.CONVERGED
    assert abs(found.iterations - expected.iterations) <= 1
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()))


def tensors_of(thing):
    """All tensors of a workspace, by name."""
    found = {}
    for name, value in vars(thing).items():
        parts = value if isinstance(value, (list, tuple)) else (value,)
        for k, part in enumerate(parts):
            if isinstance(part, torch.Tensor):
                found[f"{name}{k}"] = part
            elif hasattr(part, "__dict__") and part is not thing:
                found.update({f"{name}{k}.{inner}": t for inner, t in tensors_of(part).items()})
    return found


def test_a_set_up_rewrites_the_tensors_of_the_first_one(deep):
    M, fresh = hierarchy.Htp(every=1), hierarchy.Htp(every=1)
    M.setup(system_of(shape=(16, 16), seed=0))
    before = {name: t.data_ptr() for name, t in tensors_of(M.workspace).items()}
    proposed = [t.data_ptr() for t in M.proposed]
    system = system_of(shape=(16, 16), seed=1, solid=WALLS[:, 8:24])
    M.setup(system)
    fresh.setup(system)
    assert len(before) > 40
    assert {name: t.data_ptr() for name, t in tensors_of(M.workspace).items()} == before
    assert [t.data_ptr() for t in M.proposed] == proposed
    r = field(system)
    assert torch.equal(applied(M, r), applied(fresh, r))


def test_a_recorded_set_up_gives_what_a_fresh_one_gives(deep, monkeypatch):
    tapes = []

    def record(work, device):
        tapes.append(tape.record(work, device))
        return tapes[-1]

    monkeypatch.setattr(cuda_graph, "possible", lambda device: True)
    monkeypatch.setattr(cuda_graph, "record", record)
    system = system_of(shape=(16, 16))
    M = hierarchy.Htp(every=1)
    for seed in range(3):
        system.copy_from(system_of(shape=(16, 16), seed=seed))
        M.setup(system)
    assert len(tapes) == 2  # the network, the rest
    monkeypatch.setattr(cuda_graph, "possible", lambda device: False)
    fresh = hierarchy.Htp(every=1)
    fresh.setup(system)
    r = field(system)
    assert torch.equal(applied(M, r), applied(fresh, r))


def test_its_functions_can_be_looked_at():
    system = system_of(shape=(16, 16))
    M, other = hierarchy.Hierarchy(), torch_hierarchy.Hierarchy()
    assert M.constants is None
    for each in (M, other):
        each.setup(system)
    for found, expected in zip(M.functions_of(2), other.functions_of(2)):
        # where functions are nearly dependent the last of them are known to few digits in float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.fixture
def idle(monkeypatch):
    """Launches do nothing but tell whoever counts: large grids would take minutes."""

    def launch(kernel, programs, *arguments, **constants):
        for watch in watchers:
            watch(kernel.__name__, None)

    for module in (cycle, hierarchy, proposal):
        monkeypatch.setattr(module, "launch", launch)


@pytest.mark.parametrize(
    ("cells", "application", "algebra", "network"), [(1024, 3, 6, 12), (16384, 15, 10, 15), (65536, 31, 12, 16)]
)
def test_few_kernels(cells, application, algebra, network, idle):
    system, _ = problems.frame("blobs", cells, 0, contrast=100)
    M = hierarchy.Htp()
    M.setup(system)
    with counted() as launches:
        M._propose(system, M.constants)
    assert launches.total <= network
    with counted() as launches:
        M._build(system, M.constants)
    assert launches.total <= algebra
    r = torch.zeros(system.shape, dtype=torch.float64)
    with counted() as launches:
        M.apply(r, r)
    assert launches.total <= application


def random_network(**sizes):
    """One whose last layers are not 0, as they are before training."""
    torch.manual_seed(0)
    network = Network(Config(**sizes)).requires_grad_(False)
    for layer in (network.traces, network.groups[2]):
        torch.nn.init.normal_(layer.weight, std=0.1)
        torch.nn.init.normal_(layer.bias, std=0.1)
    return network


@pytest.mark.parametrize("shape", [(16, 32), (13, 17), (1, 30), (5, 7)])
@pytest.mark.parametrize("sizes", [dict(), dict(width=16, heads=2, layers=1, highways=False)])
def test_the_network_proposes_what_torch_makes_of_it(shape, sizes, deep):
    system = system_of(shape=shape, solid=WALLS[: shape[0], : shape[1]])
    M = hierarchy.Htp(random_network(**sizes))
    M._allocate(system)
    M._propose(system, M.constants)
    traces, corrections = M.network(M.workspace.cells, M.constants.layout, M.places)
    for found, expected in zip(M.proposed, (M.polynomials + traces, *corrections)):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_a_network_of_other_sizes_runs_in_torch():
    system = system_of(shape=(16, 16))
    M = hierarchy.Htp(random_network(width=24))
    M.setup(system)
    traces, _ = M.network(M.workspace.cells, M.constants.layout, M.places)
    torch.testing.assert_close(M.proposed[0], M.polynomials + traces)


@pytest.mark.usefixtures("fused")
@pytest.mark.parametrize("method", ["jacobi", "dilu", "multigrid", "hierarchy"])
def test_ways_out_are_those_of_the_plain_path(method):
    """Reaction, and air with p = 0, which only change diagonals and what is closed."""
    rng = np.random.default_rng(2)
    rho = torch.from_numpy(10 ** rng.uniform(0, 2, (17, 26)))
    whole = PoissonSystem.from_density(rho)
    reaction = rng.uniform(0, 0.1, rho.shape) * (rng.random(rho.shape) < 0.3)
    system = PoissonSystem.from_faces(
        whole.beta_x, whole.beta_y, reaction=reaction, dirichlet=rng.random(rho.shape) < 0.1
    )
    b = system.project(rng.standard_normal(rho.shape))
    found, expected = (
        Solver(method, system, device="cpu", fallback=(), engine=engine).solve(system, b)
        for engine in ("auto", "torch")
    )
    assert found.status is expected.status is Status.CONVERGED
    assert abs(found.iterations - expected.iterations) <= 1
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()))
