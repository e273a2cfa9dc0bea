"""The pretended device itself: it computes as a CPU does, and catches each kind of planted fault with its line."""

import inspect
from pathlib import Path

import pytest
import torch

from precond.fused import launch
from tests.precond.device.pretended import Fault

HERE = Path(__file__).name


@pytest.fixture
def values():
    """Numbers on the device; to be asked for after the fixture that pretends it."""
    return torch.arange(4, dtype=torch.float64).to("cuda")


def capture(work, stream=None):
    """The graph of the work, which is not done before."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph


def line_of(function):
    """Where the one line of a planted fault is."""
    return f"{HERE}:{inspect.getsourcelines(function)[1]}"


def test_tensors_say_where_they_are_and_compute(there, values):
    assert (values.device, values.is_cuda, (values + 1).device.type) == (torch.device("cuda", 0), True, "cuda")
    made = torch.zeros(2, device="cuda"), torch.tensor([1, 2], device="cuda"), values.new_zeros(2), values.half()
    assert {tensor.device for tensor in made} == {values.device}
    values[1] = 7.0
    assert values.tolist() == [0, 7, 2, 3]
    assert torch.where(values > 2, 0.0, values).sum().item() == 2
    assert values.cpu().device.type == values.to("cpu").device.type == "cpu"
    module = torch.nn.Linear(4, 1).to("cuda")
    assert module(values.float()).device == values.device
    with pytest.raises(TypeError, match="numpy"):
        values.numpy()
    assert values.numpy(force=True).sum() == 12


def test_a_capture_has_no_effect_and_a_replay_repeats_it(there, values):
    made = []

    def work():
        values.mul_(2)
        made.append(values + 1)

    graph = capture(work)
    assert values.tolist() == [0, 1, 2, 3]
    for factor in (2, 4):
        graph.replay()
        assert values.tolist() == [0, factor, 2 * factor, 3 * factor]
        assert made[0].tolist() == [1, factor + 1, 2 * factor + 1, 3 * factor + 1]
    assert there.replays == 2


class Doubling:
    """Stands for a kernel in Triton: it knows addresses alone."""

    __name__ = "doubling"

    def __getitem__(self, grid):
        return lambda x: torch.empty(0, dtype=x.dtype).set_(x.untyped_storage()).mul_(2)


def test_kernels_of_our_own_are_captured_with_the_rest(there, values):
    graph = capture(lambda: launch.launch(Doubling(), 1, values))
    assert values.tolist() == [0, 1, 2, 3]
    graph.replay()
    assert values.tolist() == [0, 2, 4, 6]
    launch.launch(Doubling(), 1, values)
    assert values.tolist() == [0, 4, 8, 12]


MIXED = {
    "a sum": lambda x: x + torch.ones(4),
    "a product": lambda x: torch.dot(x, torch.ones(4, dtype=torch.float64)),
    "a buffer of the host": lambda x: torch.add(x, 1, out=torch.ones(4, dtype=torch.float64)),
    "a mask": lambda x: x.masked_fill_(torch.ones(4, dtype=torch.bool), 0.0),
    "in place": lambda x: torch.ones(4).add_(x),
}


@pytest.mark.parametrize("kind", MIXED)
def test_mixed_devices_are_refused(kind, faulty, values):
    with pytest.raises(RuntimeError, match="same device") as caught:
        MIXED[kind](values)
    assert line_of(MIXED[kind]) in str(caught.value)


def test_a_number_or_an_index_of_the_host_is_none(there, values):
    assert (values * torch.tensor(2.0)).tolist() == [0, 2, 4, 6]
    assert values[torch.tensor([1, 2])].tolist() == [1, 2]


WAITS = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x[0]),
    "bool": lambda x: bool((x > 0).all()),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "numpy": lambda x: x.numpy(force=True),
    "equal": lambda x: torch.equal(x, x),
    "nonzero": lambda x: torch.nonzero(x),
    "unique": lambda x: torch.unique(x),
    "bincount": lambda x: torch.bincount(x.long()),
    "a mask": lambda x: x[x > 0],
    "a mask written to": lambda x: x.__setitem__(x > 0, 1.0),
    "cholesky": lambda x: torch.linalg.cholesky(torch.diag(x + 1)),
    "synchronize": lambda x: torch.cuda.synchronize(),
    "a stream": lambda x: torch.cuda.current_stream().synchronize(),
    "an event": lambda x: torch.cuda.Event().synchronize(),
}
HOST_DATA = {
    "torch.tensor": lambda x: torch.tensor([1.0], device="cuda"),
    "a constant": lambda x: x.mul_(torch.tensor(2.0)),
    "to": lambda x: torch.ones(4).to("cuda"),
    "copy_": lambda x: x.copy_(torch.ones(4)),
    "pinned but waited for": lambda x: torch.ones(4).pin_memory().copy_(x),
}


@pytest.mark.parametrize("kind", [*WAITS, *HOST_DATA])
def test_a_capture_refuses_waits_and_data_of_the_host(kind, faulty, values):
    work, default = {**WAITS, **HOST_DATA}[kind], torch.cuda.current_stream()
    with pytest.raises(RuntimeError, match="capturing") as caught:
        capture(lambda: work(values))
    assert line_of(work) in str(caught.value)
    torch.cuda.set_stream(default)  # torch leaves its own one behind
    assert values.tolist() == [0, 1, 2, 3]
    work(values)  # outside it is allowed


def test_a_refusal_that_was_caught_inside_still_spoils_the_capture(faulty, values):
    def work():
        with pytest.raises(RuntimeError):
            values.sum().item()

    with pytest.raises(RuntimeError, match="previous error"):
        capture(work)


def test_pinned_memory_may_be_copied_to_in_a_capture_and_is_there_once_waited_for(there, values):
    status = torch.zeros(4, dtype=torch.float64, pin_memory=True)
    graph = capture(lambda: status.copy_(values, non_blocking=True))
    graph.replay()
    values.zero_()
    assert status.tolist() == [0, 0, 0, 0]  # too early
    torch.cuda.synchronize()
    assert status.tolist() == [0, 1, 2, 3]  # as it was when the copy was asked for


def test_a_stream_belongs_to_one_living_graph(faulty, values):
    stream = torch.cuda.Stream()
    default, first = torch.cuda.current_stream(), capture(lambda: values.add_(1), stream)
    with pytest.raises(Fault, match=f"captured on stream {stream.cuda_stream} already.*{HERE}"):
        capture(lambda: values.add_(1), stream)
    torch.cuda.set_stream(default)
    del first
    capture(lambda: values.add_(1), stream)


def test_a_stream_left_current_is_noticed_at_the_next_work(faulty, values):
    with pytest.raises(RuntimeError):
        capture(lambda: values.sum().item())
    with pytest.raises(Fault, match=f"left current.*{HERE}"):
        values.add_(1)


def test_a_stream_has_to_wait_for_what_another_one_writes(faulty, values):
    default, own = torch.cuda.current_stream(), torch.cuda.Stream()
    own.wait_stream(default)
    with torch.cuda.stream(own):
        values.add_(1)
    with pytest.raises(Fault, match=f"without having waited.*{HERE}"):
        values.mul(2)
    default.wait_stream(own)
    values.mul_(2)
    with torch.cuda.stream(own), pytest.raises(Fault, match="without having waited"):
        values.add_(1)
    torch.cuda.synchronize()
    with torch.cuda.stream(own):
        values.add_(1)


def test_what_a_graph_has_not_computed_or_no_longer_owns_is_not_read(faulty, values):
    made = []
    graph = capture(lambda: made.append(values + 1))
    with pytest.raises(Fault, match=f"not yet computed.*{HERE}"):
        made[0].sum()
    graph.replay()
    assert made[0].sum().item() == 10
    del graph
    with pytest.raises(Fault, match=f"destroyed graph.*{HERE}"):
        made[0].sum()


def test_a_graph_does_not_keep_alive_what_it_reads(faulty, values):
    passing = [values + 1]
    graph = capture(lambda: values.add_(passing[0]))
    graph.replay()
    passing.clear()
    with pytest.raises(Fault, match=f"freed since .*{HERE}"):
        graph.replay()


def test_waits_and_work_are_counted_by_line(there, values):
    there.work.clear()
    there.waits.clear()
    values.add_(1).view(2, 2).sum().item()
    (line,) = {text.split("(")[1] for text in (*there.work, *there.waits)}
    assert line.startswith(f"tests/precond/device/{HERE}")
    assert (sum(there.waits.values()), sorted(text.split()[0] for text in there.work)) == (
        1, ["_local_scalar_dense", "add_", "sum"],
    )  # fmt: skip
