"""Recorded work, on a stand-in for CUDA graphs that runs anywhere: replaying gives what computing anew gives."""

from pathlib import Path

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from precond.device import cuda_graph
from precond.htp.method import EVERY
from tests.precond.device import tape

# by name, how many graphs there are: what arrives, the iterations, the look at the end, the set-up, the network
GRAPHS = {"none": 3, "nystrom-16": 3, "jacobi": 4, "dilu": 4, "multigrid": 4, "dct": 4, "spai-static": 4, "spai": 5,
          "hierarchy": 4, "polynomials": 4, "htp": 5}  # fmt: skip


@pytest.fixture
def tapes(monkeypatch):
    """Everything recorded in the test, in order."""
    made = []

    def record(work, device):
        made.append(tape.record(work, device))
        return made[-1]

    monkeypatch.setattr(cuda_graph, "possible", lambda device: True)
    monkeypatch.setattr(cuda_graph, "record", record)
    return made


def moving(count, cells=2048, solids=True):
    """One system whose coefficients change, as a simulation changes them, and a right-hand side."""
    system, b = problems.frame("blobs", cells, 0, contrast=100, solids=solids)
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield system, b
        density = torch.from_numpy(problems.density("blobs", system.shape, rng, 100))
        system.copy_from(PoissonSystem.from_density(density, solid=system.solid))


def anew(name, system, b, **options):
    """The solution of a solver that has seen nothing else, without any recording."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_graph, "possible", lambda device: False)
        return Solver(name, system, fallback=(), **options, engine="torch").solve(system, b)


def assert_same(found, expected):
    assert found.status is expected.status is Status.CONVERGED
    assert abs(found.iterations - expected.iterations) <= 0.02 * expected.iterations
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()))


@pytest.mark.parametrize("name", GRAPHS)
def test_replayed_solves_agree_with_fresh_ones(name, tapes):
    solver = None
    for system, b in moving(5):
        solver = solver or Solver(name, system, fallback=(), engine="torch")
        solver.forget()  # the network too looks at each frame
        assert_same(solver.solve(system, b), anew(name, system, b))
    assert len(tapes) == GRAPHS[name]
    assert all(t.replays >= 3 for t in tapes)


def test_the_network_is_replayed_only_when_it_is_due(tapes):
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solver = Solver("htp", system, engine="torch")
    busy = [solver.solve(system, b).inference_ms > 0 for _ in range(3 * EVERY)]
    assert [k for k, ran in enumerate(busy) if ran] == [0, EVERY, 2 * EVERY]
    assert len(tapes) == GRAPHS["htp"]
    assert sorted(t.replays for t in tapes)[0] == 2  # the network's
    assert all(t.replays > 2 * EVERY for t in tapes if t.replays != 2)


@pytest.mark.parametrize("name", ["htp", "multigrid", "dilu", "jacobi", "dct", "spai-static"])
def test_walls_are_followed(name, tapes):
    """A wall that moves changes regions, which are asked for outside of the recording."""
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    density = problems.density("blobs", system.shape, 0, 100)
    solver = Solver(name, system, fallback=(), engine="torch")
    for box in (None, None, None, (4, 6), (4, 6), (4, 6), (9, 2), (9, 2), (9, 2), None, None):
        solid = np.zeros(system.shape, dtype=bool)
        if box is not None:  # a pocket of one tile: closed, with a constant of its own
            y, x = box
            solid[y : y + 6, x : x + 6] = True
            solid[y + 2 : y + 4, x + 2 : x + 4] = False
        system.copy_from(PoissonSystem.from_density(density, solid=solid))
        found = solver.solve(system, b)
        assert found.status is Status.CONVERGED
        expected = anew(name, system, b).iterations
        assert abs(found.iterations - expected) <= 1 + 0.02 * expected


def test_a_solid_changes_the_cycle_and_nothing_stale_is_left(tapes):
    """Among solids groups visit their groups once more, and a recorded cycle has its visits built in."""
    density = problems.density("blobs", (64, 64), 0, 100)
    system, b = problems.frame("blobs", 64 * 64, 0, contrast=100)
    solver = Solver("htp", system, fallback=(), engine="torch")
    box = np.zeros((64, 64), dtype=bool)
    box[20:30, 24:40] = True
    for solid in (None, None, None, box, box, box, None, None):
        system.copy_from(PoissonSystem.from_density(density, solid=solid))
        found, expected = solver.solve(system, b), anew("htp", system, b)
        assert found.status is Status.CONVERGED
        assert abs(found.iterations - expected.iterations) <= 1
        visits = (1, 2) if solid is None else (1, 3, 2)
        assert solver.preconditioner.cycle.visits == visits


def test_an_open_top_is_followed(tapes):
    density = problems.density("blobs", (32, 32), 0, 100)
    b = np.random.default_rng(0).standard_normal((32, 32))
    system = PoissonSystem.from_density(density)
    solver = Solver("hierarchy", system, fallback=(), engine="torch")
    for top in (False, False, False, True, True, True, False, False):
        system.copy_from(PoissonSystem.from_density(density, open_top=top))
        assert_same(solver.solve(system, b), anew("hierarchy", system, b))


def test_what_cannot_be_recorded_is_said_and_done_kernel_by_kernel(monkeypatch):
    def refuse(work, device):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    system, b = problems.frame("blobs", 1024, 0)
    monkeypatch.setattr(cuda_graph, "possible", lambda device: True)
    monkeypatch.setattr(cuda_graph, "record", refuse)
    M = registry.entry("hierarchy").factory()
    M.setup(system)
    with pytest.warns(UserWarning, match="kernel by kernel.*not permitted"):
        M.setup(system)
    M.setup(system)
    assert M.algebra.refused == "operation not permitted when stream is capturing"
    r, out, expected = (torch.zeros(system.shape, dtype=torch.float64) for _ in range(3))
    r.copy_(b)
    M.apply(r, out)
    monkeypatch.setattr(cuda_graph, "possible", lambda device: False)
    other = registry.entry("hierarchy").factory()
    other.setup(system)
    other.apply(r, expected)
    torch.testing.assert_close(out, expected)


def test_waiting_for_the_device_is_noticed():
    """Of the stand-in itself: what it is there for."""
    x = torch.ones(3)
    for work in (lambda: float(x.sum()), lambda: torch.tensor([1.0]), lambda: x[x > 0], lambda: torch.equal(x, x)):
        with pytest.raises(RuntimeError, match="capturing"):
            tape.record(work, x.device)
    total = torch.zeros(())
    recorded = tape.record(lambda: total.add_((2 * x).sum()), x.device)
    x.fill_(5.0)
    total.zero_()
    recorded.replay()
    assert total == 30


def test_there_is_no_other_way_to_record():
    """Or this file would not see it."""
    files = Path(precond.__file__).parent.rglob("*.py")
    assert [path.name for path in files if "CUDAGraph(" in path.read_text()] == ["cuda_graph.py"]
