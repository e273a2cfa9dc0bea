"""What is recorded where: streams, refusals and walls that move, on a stand-in for CUDA's streams and graphs."""

import contextlib
import gc

import pytest
import torch

import precond
from precond import Solver, Status, problems
from precond.device import cuda_graph
from precond.support import argument_checks
from tests.precond.device import tape


class Stream:
    """One of the few that torch hands out in turn."""

    handed_out = 0

    def __init__(self):
        self.cuda_stream = 1000 + Stream.handed_out % cuda_graph.STREAMS
        Stream.handed_out += 1

    def wait_stream(self, other):
        pass


class Graph:
    """A graph that computes nothing; `refuse` makes its recording fail as CUDA's does, with its stream left current."""

    refuse = False

    def replay(self):
        pass


@pytest.fixture
def cuda(monkeypatch):
    """torch.cuda as far as `record` needs it; yields the current stream in a list."""
    current = [Stream()]
    Graph.refuse = False

    @contextlib.contextmanager
    def on(stream):
        before, current[0] = current[0], stream
        yield
        current[0] = before

    @contextlib.contextmanager
    def recording(graph, stream, capture_error_mode):
        before, current[0] = current[0], stream
        yield
        if Graph.refuse:
            raise RuntimeError("operation not permitted when stream is capturing")
        current[0] = before

    for name, value in {
        "CUDAGraph": Graph, "Stream": Stream, "stream": on, "graph": recording,
        "device": lambda device: contextlib.nullcontext(),
        "current_stream": lambda: current[0], "set_stream": lambda stream: current.__setitem__(0, stream),
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    return current


def test_two_living_graphs_never_share_a_stream(cuda):
    device, kept = torch.device("cpu"), []
    for _ in range(70):  # beside two that live for ever, one after another comes and goes, as while a wall is dragged
        passing = cuda_graph.record(lambda: None, device)
        if len(kept) < 2:
            kept.append(passing)
        handles = [graph._stream.cuda_stream for graph in {id(g): g for g in (*kept, passing)}.values()]
        assert len(set(handles)) == len(handles)
        del passing
    gc.collect()
    assert {graph._stream.cuda_stream for graph in kept} == cuda_graph._taken
    kept.clear()
    gc.collect()
    assert not cuda_graph._taken


def test_more_graphs_than_streams_are_refused(cuda):
    kept = [cuda_graph.record(lambda: None, torch.device("cpu")) for _ in range(cuda_graph.STREAMS)]
    with pytest.raises(RuntimeError, match="streams belong to graphs"):
        cuda_graph.record(lambda: None, torch.device("cpu"))
    kept.pop()
    gc.collect()
    cuda_graph.record(lambda: None, torch.device("cpu"))


def test_a_refused_recording_leaves_the_stream_as_it_was(cuda):
    before = cuda[0]
    Graph.refuse = True
    with pytest.raises(RuntimeError, match="not permitted"):
        cuda_graph.record(lambda: None, torch.device("cpu"))
    assert cuda[0] is before
    gc.collect()
    assert not cuda_graph._taken


@pytest.fixture
def recordings(monkeypatch):
    """The names of what is recorded; a name in the second list is refused."""
    made, refused = [], []

    def record(work, device):
        name = getattr(work, "__name__", "other")
        if name in refused:
            raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        made.append(name)
        return tape.record(work, device)

    monkeypatch.setattr(cuda_graph, "possible", lambda device: True)
    monkeypatch.setattr(cuda_graph, "record", record)
    return made, refused


def test_a_loop_that_cannot_be_recorded_runs_all_the_same_and_says_so(recordings):
    made, refused = recordings
    refused.append("_unroll")
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solver = Solver("jacobi", system, device="cpu", fallback=(), engine="torch")
    expected = Solver("jacobi", system, device="cpu", fallback=(), engine="compiled").solve(system, b)
    for _ in range(3):
        solution = solver.solve(system, b)
        assert solution.status is Status.CONVERGED
        assert abs(solution.iterations - expected.iterations) <= 2
    assert "_unroll" not in made
    assert solver.notice.count("kernel by kernel") == 1
    assert "more lines" not in solver.notice


def test_the_loop_is_recorded_at_its_second_solve_and_not_while_a_wall_moves(recordings):
    made, _ = recordings
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solver = Solver("jacobi", system, device="cpu", fallback=(), engine="torch")
    for k in range(5):
        moved = precond.PoissonSystem.from_density(
            torch.ones(system.shape, dtype=torch.float64),
            solid=torch.arange(system.shape[1]).eq(k).expand(system.shape),
        )
        assert solver.solve(moved, moved.project(b)).status is Status.CONVERGED
    assert "_unroll" not in made
    for _ in range(4):
        assert solver.solve(moved, moved.project(b)).status is Status.CONVERGED
    assert made.count("_unroll") == 1


def test_a_device_that_refuses_kernels_is_not_taken(monkeypatch):
    argument_checks._why_no_kernels.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def refuses(*sizes, device=None):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nand more")

    monkeypatch.setattr(torch, "ones", refuses)
    assert argument_checks.device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match="no kernel image") as caught:
        argument_checks.device("cuda")
    assert "and more" not in str(caught.value)
    argument_checks._why_no_kernels.cache_clear()


@pytest.mark.parametrize("warm", [False, True])
def test_nothing_is_recorded_while_the_benchmark_times(recordings, monkeypatch, warm):
    """Every graph is made in the warm-up: a recording inside of a timed solve counted as the method's own time."""
    from precond.bench import runner

    made, timed = recordings[0], []
    real = runner._run

    def run(solve, case, x0, rtol, cap, device):
        before = len(made)
        found = real(solve, case, x0, rtol, cap, torch.device("cpu"))
        timed.append(len(made) - before)
        return found

    monkeypatch.setattr(runner, "_run", run)
    monkeypatch.setattr(runner, "now", lambda device: 0.0)
    group = runner.generated("blobs", 1024, 6, 0, (5, 100), torch.device("cpu"))
    group = runner.Group(group.kind, group.cells, [group.cases[0]] * 6 if warm else group.cases, warm)
    methods = ["jacobi", "multigrid", "htp"]
    made_solver = runner.solver_of

    def on_the_stand_in(method, system, device, weights, cold, engine):
        return made_solver(method, system, torch.device("cpu"), weights, cold, "torch")

    monkeypatch.setattr(runner, "solver_of", on_the_stand_in)
    runner.run_methods(methods, group, 1e-6, torch.device("cuda"), 1000)
    assert sum(timed) == len(made) >= 7
    assert not any(timed[-6 * len(methods) :])


@pytest.mark.parametrize("name", ["spai", "npo", "htp"])
def test_networks_compute_in_whole_float32(name, monkeypatch):
    """TF32, the default of CUDA's convolutions, keeps 11 bits."""
    if precond.why_unavailable(name):
        pytest.skip(precond.why_unavailable(name))
    system, b = problems.frame("blobs", 1024, 0, contrast=100)
    solver, seen = Solver(name, system, device="cpu", fallback=(), engine="torch"), []
    network = solver._method(name).wrapped.network
    for method in ("forward", "prepare"):
        if hasattr(network, method):
            inner = getattr(network, method)

            def watched(*arguments, inner=inner):
                seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
                return inner(*arguments)

            monkeypatch.setattr(network, method, watched)
    before = torch.backends.cudnn.allow_tf32
    solver.solve(system, b, max_iterations=3)
    assert seen
    assert set(seen) == {(False, False)}
    assert torch.backends.cudnn.allow_tf32 is before
