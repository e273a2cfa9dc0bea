"""The chunked driver: eight iterations between two looks, on the CPU as they are and on CUDA replayed from a graph.

Every law is tried on both devices; what is compared with is the driver that looks after each iteration, on the CPU.
"""

import gc

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from precond.device import cuda_graph
from precond.pcg import PCG
from precond.torch_loop import CHUNK, TorchLoop
from tests.precond import reference

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CAPTURABLE = ["none", "jacobi", "dilu", "multigrid", "dct", "nystrom-16", "spai-static", "spai", "hierarchy",
              "polynomials", "htp"]  # fmt: skip


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_CUDA)])
def device(request):
    return request.param


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))


@pytest.fixture(autouse=True)
def nothing_is_refused(monkeypatch):
    """A recording that CUDA refuses is only warned of, and the same work done kernel by kernel: it would pass."""
    record, refused = cuda_graph.record, []

    def watched(work, device):
        try:
            return record(work, device)
        except RuntimeError as error:
            refused.append(str(error))
            raise

    monkeypatch.setattr(cuda_graph, "record", watched)
    yield
    assert not refused


def assert_recorded(solver):
    """Nothing of what the solver and its methods record was refused."""
    assert solver._pcg.loop.refused == ""
    parts = [solver, *solver._methods.values()]
    caches = [cache for part in parts for value in vars(part).values() for cache in _caches(value)]
    assert [cache.refused for cache in caches] == [""] * len(caches)
    assert caches


def _caches(value):
    values = value.values() if isinstance(value, dict) else (value,)
    return [cache for cache in values if isinstance(cache, cuda_graph.GraphCache)]


def chunked(name, system, device, **options):
    """A solver that runs CHUNK iterations between two looks, without fallback unless one is asked for."""
    solver = Solver(name, system, device=device, **{"fallback": (), **options})
    if device == "cpu":
        solver._pcg = PCG(TorchLoop(*system.shape, solver.device, chunk=CHUNK))
    assert solver._pcg.loop.chunk == CHUNK
    return solver


def single(name, system, **options):
    return Solver(name, system, device="cpu", **{"fallback": (), **options})


def assert_same(found, expected):
    """Two devices sum in different orders, so long runs may differ by a few iterations."""
    assert found.status is expected.status
    assert abs(found.iterations - expected.iterations) <= 0.03 * expected.iterations + 1
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=1e-5 * float(expected.x.abs().max()) + 1e-300)


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize("name", CAPTURABLE)
def test_a_chunk_agrees_with_single_iterations_also_when_replayed(name, update, device):
    system, b = problems.frame("blobs", 2048, 0, contrast=100, solids=True)
    one, many = single(name, system, update=update), chunked(name, system, device, update=update)
    for _ in range(3):  # the later solves replay the first one's graph with new coefficients
        assert_same(many.solve(system, b), one.solve(system, b))
        system.beta_x *= 1.1
    assert_recorded(many)


@pytest.mark.parametrize("name", CAPTURABLE)
def test_a_capturable_apply_is_captured_once(name, device):
    system, b = problems.frame("blobs", 400, 0)
    solver = chunked(name, system, device)
    solver.solve(system, b)
    graph = solver._pcg.loop.graph
    assert (graph is not None) == (device == "cuda")
    solver.solve(system, b)
    assert solver._pcg.loop.graph is graph


def test_regions_that_change_between_solves_are_followed(device):
    """A projector is part of the graph: walls drawn while it runs must not leave the old one in it."""
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    solver = chunked("jacobi", system, device)
    for walls in ((), (10,), (10, 4), (10, 4, 15), (2, 4, 6, 8, 10, 12, 14, 16, 18), ()):
        solid = np.zeros(system.shape, dtype=bool)
        for wall in walls:
            solid[wall] = True
            solid[:, wall] = True  # up to 100 closed regions: both forms of the projector
        fresh = PoissonSystem.from_density(problems.density("blobs", system.shape, 0, 100), solid=solid)
        system.copy_from(fresh)
        solution = solver.solve(system, b)
        assert_same(solution, single("jacobi", fresh).solve(fresh, b))
        assert solution.status is Status.CONVERGED
        assert reference.residual(fresh, b.numpy(), solution.x.numpy()) <= 1.05e-8
    assert system.topology.count == 1


def test_an_exact_answer_inside_a_chunk_is_not_spoilt_by_the_rest_of_it(device):
    """r = 0 makes <z, r> = 0; iterating on, masked, must not divide by it."""
    for shape in ((1, 2), (2, 1), (1, 3), (2, 2)):
        system = PoissonSystem.from_density(np.ones(shape))
        b = np.zeros(shape)
        b.flat[0], b.flat[-1] = 1.0, -1.0
        for name in ("none", "jacobi", "multigrid"):
            for update in ("plain", "flexible"):
                solution = chunked(name, system, device, update=update).solve(system, b)
                assert solution.status is Status.CONVERGED
                assert torch.isfinite(solution.x).all()
                assert reference.residual(system, b, solution.x.cpu().numpy()) <= 1e-8


class Scaled:
    """Jacobi times a number that the test chooses: -1, 0 or NaN make it defective."""

    capturable = True
    factor = 1.0

    def setup(self, system):
        self.weight = self.factor / system.diagonal()

    def apply(self, r, out):
        torch.mul(self.weight, r, out=out)


class Fixed(Scaled):
    """The same in a buffer that stays, as a graph needs it."""

    def setup(self, system):
        if not hasattr(self, "weight"):
            self.weight = torch.empty(system.shape, dtype=torch.float64, device=system.device)
        torch.div(self.factor, system.diagonal(), out=self.weight)


@pytest.mark.parametrize("update", ["plain", "flexible"])
@pytest.mark.parametrize(
    ("factor", "status"),
    [(-1.0, Status.INDEFINITE), (0.0, Status.INDEFINITE), (np.nan, Status.NOT_FINITE), (np.inf, Status.NOT_FINITE)],
)
def test_a_defective_preconditioner_is_named_and_replaced_every_time(factor, status, update, device):
    precond.register("defective", type("Defective", (Fixed,), {"factor": factor}))
    system, b = problems.frame("blobs", 256, 0, contrast=100)
    solver = chunked("defective", system, device, fallback=("multigrid",), update=update)
    for _ in range(3):
        solution = solver.solve(system, b)
        assert solution.attempts[0] == ("defective", status, 0)
        assert (solution.status, solution.preconditioner_used) == (Status.CONVERGED, "multigrid")
        assert reference.residual(system, b.numpy(), solution.x.numpy()) <= 1.05e-8


def test_a_preconditioner_that_is_not_capturable_runs_uncaptured(device):
    precond.register("own", type("Own", (Scaled,), {"capturable": False}))
    system, b = problems.frame("blobs", 256, 0, contrast=100)
    solver = chunked("own", system, device)
    assert_same(solver.solve(system, b), single("jacobi", system).solve(system, b))
    assert solver._pcg.loop.graph is None


@pytest.mark.parametrize("limit", [1, 7, 8, 9, 20])
def test_the_iteration_limit_need_not_be_a_multiple_of_the_chunk(limit, device):
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solution = chunked("jacobi", system, device).solve(system, b, max_iterations=limit)
    assert (solution.status, solution.iterations) == (Status.ITERATION_LIMIT, limit)
    assert solution.history.shape == (limit,)
    assert solution.residual == pytest.approx(reference.residual(system, b.numpy(), solution.x.numpy()), rel=1e-6)


def test_a_solve_can_be_given_up_between_chunks(device):
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    answers = iter([False, True])
    solution = chunked("jacobi", system, device).solve(system, b, should_stop=lambda: next(answers))
    assert (solution.status, solution.iterations) == (Status.ITERATION_LIMIT, 2 * CHUNK)


def test_solvers_of_different_shapes_take_turns(device):
    frames = [problems.frame("blobs", cells, 0, contrast=100, open_top=cells == 400) for cells in (300, 400, 1024)]
    one = chunked("multigrid", frames[0][0], device)
    others = [chunked("multigrid", system, device) for system, _ in frames]
    for _ in range(2):
        for (system, b), other in zip(frames, others, strict=True):
            expected = single("multigrid", system).solve(system, b)
            assert_same(other.solve(system, b), expected)
            assert_same(one.solve(system, b), expected)  # buffers are made anew for every shape


def test_plain_and_flexible_have_a_graph_each(device):
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    solver = chunked("jacobi", system, device)
    expected = single("jacobi", system).solve(system, b)
    for update in ("plain", "flexible", "plain", "flexible"):
        solver.update = update
        assert_same(solver.solve(system, b), expected)
    assert len(solver._pcg.loop.graphs) == (2 if device == "cuda" else 0)


def test_tensors_on_the_device_are_taken_and_given_back_there(device):
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    there = PoissonSystem.empty(*system.shape, device=device)
    there.copy_from(system)
    solver = chunked("multigrid", there, device)
    solution = solver.solve(there, b.to(device))
    assert solution.x.device.type == device
    assert solver.solve(there, b.to(device), x0=solution.x).iterations <= 1
    assert solver.solve(system, b).x.device.type == "cpu"


@pytest.mark.parametrize("name", ["jacobi", "dilu", "multigrid"])
@pytest.mark.parametrize("update", ["plain", "flexible"])
def test_three_hundred_frames_allocate_nothing_that_stays(name, update, device):
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    solver = chunked(name, system, device, update=update)
    there = PoissonSystem.empty(*system.shape, device=device)
    there.copy_from(system)
    b, x = b.to(device), None

    def frame(x):
        there.beta_x.mul_(1.001)  # 1.35 after 300 frames
        return solver.solve(there, b, rtol=1e-6, x0=x).x

    def buffers(x):
        """Addresses of all living tensors but the answer."""
        gc.collect()
        addresses = [t.data_ptr() for t in gc.get_objects() if type(t) is torch.Tensor]
        return sorted(address for address in addresses if address != x.data_ptr())

    for _ in range(3):
        x = frame(x)
    first = buffers(x)
    used = torch.cuda.memory_allocated() if device == "cuda" else 0
    for _ in range(300):
        last, x = x, frame(x)
        assert x.data_ptr() != last.data_ptr()  # each answer is the caller's own
    del last
    assert len(first) > 30
    assert buffers(x) == first
    if device == "cuda":
        assert torch.cuda.memory_allocated() == used


@NO_CUDA
def test_another_thread_may_use_the_device_during_a_capture():
    import threading

    done = threading.Event()

    def busy():
        while not done.is_set():
            torch.ones(1000, device="cuda").sum().item()

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        system, b = problems.frame("blobs", 400, 0)
        for _ in range(5):
            assert chunked("multigrid", system, "cuda").solve(system, b).status is Status.CONVERGED
    finally:
        done.set()
        thread.join()
