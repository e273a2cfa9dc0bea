"""Every method on a pretended CUDA device: what is recorded there is right, and nothing is refused."""

import gc
import warnings

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from precond.classical import multigrid
from tests.precond import reference

# of what takes seconds elsewhere, one kind each; "random:0" stands for weights that are not shipped
METHODS = ["none", "jacobi", "dilu", "multigrid", "dct", "spai", "spai-static", "hierarchy", "polynomials", "htp",
           "nystrom-16", "htp-paper"]  # fmt: skip
WALLS = ((), (), (), (5,), (5,), (5,), (9,), (5, 9), (5, 9), (5, 9), (), ())  # a wall that stands, moves, and goes


@pytest.fixture(autouse=True)
def as_on_the_device(monkeypatch):
    """A refusal that is only warned of fails, and the CPU sweeps as often as the device does."""
    monkeypatch.setattr(multigrid, "SWEEPS", multigrid.SWEEPS_ON_CUDA)
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pair(name, system, **options):
    """The method on the device and on the CPU, in torch's operations."""
    if registry.why_unavailable(name):
        options["weights"] = "random:0"
    options = {"fallback": (), "engine": "torch", **options}
    return Solver(name, system, device="cuda", **options), Solver(name, system, device="cpu", **options)


def on_the_device(system):
    """Its coefficients there."""
    copied = PoissonSystem.empty(*system.shape, device="cuda")
    copied.copy_from(system)
    return copied


def assert_same(found, expected):
    assert found.status is expected.status
    assert abs(found.iterations - expected.iterations) <= 0.02 * expected.iterations + 1
    assert found.x.device.type == "cuda"
    torch.testing.assert_close(found.x.cpu(), expected.x, rtol=0, atol=1e-6 * float(expected.x.abs().max()) + 1e-300)


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize("name", METHODS)
def test_captured_solves_agree_with_the_cpu_while_coefficients_change(name, update, there):
    kind, cells = ("barrier", 1024) if name == "htp-paper" else ("blobs", 400)  # its weights are for that
    system, b = problems.frame(kind, cells, 0, contrast=100, solids=kind == "blobs")
    copied, right_hand_side = on_the_device(system), b.to("cuda")
    gpu, cpu = pair(name, copied, update=update)
    counts = []
    for _ in range(4):
        gpu.forget()  # a network looks at each frame
        cpu.forget()
        before = there.replays
        assert_same(gpu.solve(copied, right_hand_side), cpu.solve(system, b))
        counts.append(there.replays - before)
        for each in (system, copied):
            each.beta_x.mul_(1.1)
    assert counts[0] < counts[-1]  # recorded at the second sight
    assert gpu.notice == ""
    assert len(there.graphs) >= 1 + gpu._method(name).recordable


@pytest.mark.parametrize("name", ["none", "jacobi", "dilu", "multigrid", "dct", "spai-static", "hierarchy", "htp"])
def test_walls_that_move_are_followed(name, there):
    density = problems.density("blobs", (20, 20), 0, 100)
    b = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 20)))
    copied = PoissonSystem.empty(20, 20, device="cuda")
    gpu, cpu = pair(name, copied)
    for walls in WALLS:
        solid = np.zeros((20, 20), dtype=bool)
        for wall in walls:
            solid[wall], solid[:, wall] = True, True  # up to nine closed regions
        system = PoissonSystem.from_density(density, solid=solid)
        copied.copy_from(system)
        found = gpu.solve(copied, b.to("cuda"))
        assert_same(found, cpu.solve(system, b))
        assert found.status is Status.CONVERGED
    assert there.replays > 0
    gc.collect()
    assert len({graph.stream for graph in there.graphs}) == len(there.graphs)


@pytest.mark.parametrize("name", ["jacobi", "multigrid", "htp"])
def test_an_open_top_and_odd_grids_are_followed(name, there):
    for cells, shape in ((300, None), (0, (1, 7)), (0, (13, 9))):
        shape = shape or problems.grid_shape(cells)
        b = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
        copied = PoissonSystem.empty(*shape, device="cuda")
        gpu, cpu = pair(name, copied)
        for top in (False, False, False, True, True, True):
            system = PoissonSystem.from_density(problems.density("blobs", shape, 0, 100), open_top=top)
            copied.copy_from(system)
            assert_same(gpu.solve(copied, b.to("cuda")), cpu.solve(system, b))


@pytest.mark.parametrize("limit", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("update", ["plain", "flexible"])
def test_the_driver_stops_where_it_is_told(limit, update, there):
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    gpu, cpu = pair("jacobi", system, update=update)
    for _ in range(3):
        found = gpu.solve(system, b, max_iterations=limit)
        expected = cpu.solve(system, b, max_iterations=limit)
        assert (found.status, found.iterations) == (Status.ITERATION_LIMIT, limit)
        assert found.history == pytest.approx(expected.history, rel=1e-6)
    assert not gpu.solve(system, b, should_stop=lambda: True).iterations > 64


def test_the_driver_takes_guesses_and_every_kind_of_right_hand_side(there):
    system, b = problems.frame("blobs", 400, 0, contrast=100, solids=True)
    gpu, cpu = pair("multigrid", system)
    x = cpu.solve(system, b).x
    cases = {"as it is": b, "nothing": torch.zeros_like(b), "tiny": 1e-200 * b, "not a number": b * float("nan")}
    for _ in range(3):
        for rhs in cases.values():
            found, expected = gpu.solve(system, rhs), cpu.solve(system, rhs)
            assert (found.status, found.iterations) == (expected.status, expected.iterations)
            torch.testing.assert_close(found.x, expected.x, rtol=1e-6, atol=1e-6 * float(expected.x.abs().max()))
        assert gpu.solve(system, b, x0=x).iterations <= 1
        assert abs(gpu.solve(system, b, x0=1e6 * x).iterations - cpu.solve(system, b).iterations) <= 1


class Scaled:
    """Jacobi times a number, in a buffer that stays."""

    capturable, factor = True, 1.0

    def setup(self, system):
        if not hasattr(self, "weight"):
            self.weight = torch.empty(system.shape, dtype=torch.float64, device=system.device)
        torch.div(self.factor, system.diagonal(), out=self.weight)

    def apply(self, r, out):
        torch.mul(self.weight, r, out=out)


class Waiting(Scaled):
    def apply(self, r, out):
        torch.mul(self.weight, r, out=out)
        self.largest = float(out.max())


class Remote(Scaled):
    recordable = True

    def setup(self, system):
        super().setup(system)
        self.weight.mul_(torch.tensor([1.0], device=system.device))


@pytest.mark.parametrize("factor", [-1.0, 0.0, np.nan, np.inf])
def test_a_defective_preconditioner_is_replaced_every_time(factor, there):
    precond.register("defective", type("Defective", (Scaled,), {"factor": factor}))
    system, b = problems.frame("blobs", 256, 0, contrast=100)
    gpu, cpu = pair("defective", system, fallback=("multigrid",))
    for _ in range(3):
        found, expected = gpu.solve(system, b), cpu.solve(system, b)
        assert [attempt[:2] for attempt in found.attempts] == [attempt[:2] for attempt in expected.attempts]
        assert (found.status, found.preconditioner_used) == (Status.CONVERGED, "multigrid")
        assert reference.residual(system, b.numpy(), found.x.numpy()) <= 1.05e-8


@pytest.mark.parametrize(("planted", "line"), [(Waiting, "float(out.max())"), (Remote, "torch.tensor([1.0]")])
def test_a_fault_in_a_method_is_caught_with_its_line_and_only_costs_time(planted, line, faulty):
    """What the laws above rely on: a refusal is seen, and the solve is right all the same."""
    precond.register("planted", planted)
    system, b = problems.frame("blobs", 256, 0, contrast=100)
    gpu, cpu = pair("planted", system)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(4):
            found, expected = gpu.solve(system, b), cpu.solve(system, b)
            assert (found.status, found.iterations) == (Status.CONVERGED, expected.iterations)
    assert "capturing" in faulty.faults[0]
    place, number = faulty.faults[0].rstrip(")").rpartition("(")[2].split(":")
    assert place == "tests/precond/device/test_on_pretended.py"
    with open(__file__, encoding="utf-8") as file:
        assert line in file.read().splitlines()[int(number) - 1]
    assert faulty.current.cuda_stream == 0


def test_solvers_take_turns_and_leave_each_other_alone(there):
    """Their graphs live side by side, die in any order, and never share a stream."""
    frames = [problems.frame("blobs", cells, 0, contrast=100, open_top=cells == 200) for cells in (100, 200, 400)]
    solvers = [pair(name, system) for (system, _), name in zip(frames, ("multigrid", "htp", "jacobi"))]
    for turn in range(6):
        for (system, b), (gpu, cpu) in zip(frames, solvers):
            found, expected = gpu.solve(system, b), cpu.solve(system, b)
            assert abs(found.iterations - expected.iterations) <= 1 + 0.02 * expected.iterations
        if turn == 3:
            solvers[1] = pair("spai", frames[1][0])
            gc.collect()
        assert len({graph.stream for graph in there.graphs}) == len(there.graphs)


@pytest.mark.parametrize("top", [False, True])
def test_a_system_is_the_same_there(top, there):
    """Two pockets, one of a single cell, and a wall through the middle."""
    density = problems.density("blobs", (12, 16), 0, 100)
    solid = np.zeros((12, 16), dtype=bool)
    solid[:, 8], solid[2:5, 2:5], solid[6:9, 2:6] = True, True, True
    solid[3, 3], solid[7, 3:5] = False, False
    here = PoissonSystem.from_density(density, solid=solid, open_top=top)
    fields = torch.from_numpy(density).cuda(), torch.from_numpy(solid).cuda()
    far = PoissonSystem.from_density(fields[0], solid=fields[1], open_top=top)
    again = PoissonSystem.from_faces(far.beta_x, far.beta_y, top, far.solid)
    b = torch.from_numpy(np.random.default_rng(0).standard_normal((12, 16)))
    for system in (far, again):
        assert system.device.type == "cuda"
        assert torch.equal(system.regions.cpu(), here.regions)
        assert system.singular == here.singular
        for verb in ("apply", "project"):
            found = getattr(system, verb)(b.cuda())
            assert found.device.type == "cuda"
            torch.testing.assert_close(found.cpu(), getattr(here, verb)(b), rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(system.diagonal().cpu(), here.diagonal())
        assert (system.to_scipy() != here.to_scipy()).nnz == 0
    with pytest.raises(ValueError, match="finite"):
        PoissonSystem.from_density(-torch.from_numpy(density).cuda())


@pytest.mark.parametrize("which", range(4))
def test_a_tensor_that_is_exchanged_is_read_and_not_the_old_one(which, there):
    """A recording reads where it was made to: another system that shares all but one tensor needs another one."""
    density = problems.density("blobs", (20, 20), 0, 100)
    first = PoissonSystem.from_density(density)
    first.reaction.fill_(0.1)
    b = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 20)))
    changed = PoissonSystem.from_density(density)
    changed.copy_from(first)
    if which == 2:
        changed.solid[4, 5] = True
        changed._close_solids()
    else:
        changed.tensors[which].mul_(50.0)
    copied, exchanged = on_the_device(first), on_the_device(changed)
    solver = Solver("jacobi", copied, device="cuda", fallback=(), engine="torch")
    for _ in range(4):
        solver.solve(copied, b.to("cuda"))
    tensors = list(copied.tensors)
    for k in range(4) if which == 2 else (which,):  # a solid closes faces as well
        tensors[k] = exchanged.tensors[k]
    other = PoissonSystem(tensors[0], tensors[1], tensors[2], False, tensors[3])
    found = solver.solve(other, b.to("cuda"))
    assert found.status is Status.CONVERGED
    assert reference.residual(changed, b.numpy(), found.x.cpu().numpy()) <= 1.05e-8


@pytest.mark.parametrize("update", ["plain", "flexible"])
def test_a_short_solve_after_a_long_one(update, there):
    """As many iterations run blindly as the last solve took."""
    system, b = problems.frame("blobs", 400, 37, contrast=100)
    copied, right = on_the_device(system), b.to("cuda")
    for name in ("multigrid", "jacobi"):
        solver = Solver(name, copied, device="cuda", fallback=(), engine="torch", update=update)
        for rtol in (1e-11, 1e-11, 1e-11, 1e-3, 1e-3, 1e-8):
            solution = solver.solve(copied, right, rtol=rtol)
            assert solution.status is Status.CONVERGED
            assert reference.residual(system, b.numpy(), solution.x.cpu().numpy()) <= 1.05 * rtol
