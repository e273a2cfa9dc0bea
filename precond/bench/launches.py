"""`--launches`: how many kernels a solve starts on CUDA, which decides there how long it takes. Needs no device.

What CUDA would record is done by itself and counted; whatever is not in a recording is counted apart, with the waits of
the host. Plain: torch's operations, each at least one kernel. Fused: Triton's, run by its interpreter without a device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .. import problems, registry
from ..classical import multigrid
from ..device import cuda_graph
from ..device.launch_count import Launches, counted
from ..solver import Solver
from ..support.command_line import aligned
from ..system import PoissonSystem

SIZES = (1024, 2048, 4096, 8192, 16384)
METHODS = ("none", "jacobi", "dilu", "multigrid", "hierarchy", "htp")
KERNEL_US = 2.0  # to launch a kernel from a graph; below 16,384 cells few of ours compute for longer
SMALL = 64  # cells of what Triton's interpreter computes
FRAMES = 3  # whose iterations are averaged
WAITS = ("_local_scalar_dense", "equal", "nonzero", "is_nonzero", "_unique2", "bincount", "masked_select")


@dataclass(frozen=True)
class Row:
    """Kernels by stage of one method. around: recorded ones before, between and after the iterations."""

    method: str
    cells: int
    kernels: str
    setup: int
    network: int
    iteration: int
    around: int
    operations: int  # outside of recordings, in one solve
    waits: int  # of the host, in one solve
    iterations: float

    @property
    def predicted_ms(self) -> float:
        """Of one solve with its network, if every kernel takes what it takes to launch."""
        of_all = self.setup + self.network + self.iterations * self.iteration + self.around + self.operations
        return 1e-3 * KERNEL_US * of_all


class Recording:
    """In place of a graph: the work itself, done again."""

    def __init__(self, work: cuda_graph.Work, note: Callable[[str, cuda_graph.Work], None]) -> None:
        self._work, self._note = work, note

    def replay(self) -> None:
        """The work once more, counted as recorded."""
        self._note(_name(self._work), self._work)


class Recorder:
    """Stands for CUDA's recordings: whatever could be recorded is, and is counted by the name of the work."""

    def __init__(self) -> None:
        self.launches: Launches | None = None
        self.recorded = 0
        self.around = 0

    def record(self, work: cuda_graph.Work, device: torch.device) -> Recording:
        """`cuda_graph.record`."""
        work()
        return Recording(work, self._replay)

    def _replay(self, name: str, work: cuda_graph.Work) -> None:
        before = self.launches.total if self.launches else 0
        work()
        if self.launches is not None:
            fresh = self.launches.total - before
            self.recorded += fresh
            self.around += fresh if "arrive" in name or "look" in name else 0


class Host(TorchDispatchMode):
    """Where the host stands still for the device; on a CPU its copy of the loop's numbers is one with them.

    looks: at these numbers, each with a wait;  copies: of those that are not seen as an operation;  reads: of what was
    copied, which cost nothing;  waits: all others.
    """

    def __init__(self, loop: Any) -> None:
        super().__init__()
        self._loop, self._publish = loop, loop._publish
        self.looks = self.copies = self.reads = self.waits = 0

    def __enter__(self) -> Host:
        self._loop._publish = self._look
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._loop._publish = self._publish

    def _look(self) -> Any:
        self.looks += 1
        self.copies += self._loop._seen is self._loop.numbers
        return self._publish()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in WAITS:
            copied = args[0].untyped_storage().data_ptr() == self._loop._seen.untyped_storage().data_ptr()
            self.reads += copied
            self.waits += not copied
        return func(*args, **(kwargs or {}))


def _name(work: Any) -> str:
    return str(getattr(getattr(work, "func", work), "__name__", ""))


@contextmanager
def as_on_cuda() -> Iterator[Recorder]:
    """Methods choose what they would on CUDA: they record, and sweep as often as there."""
    recorder, possible, record, sweeps = Recorder(), cuda_graph.possible, cuda_graph.record, multigrid.SWEEPS
    cuda_graph.possible, cuda_graph.record = lambda device: True, recorder.record
    multigrid.SWEEPS = multigrid.SWEEPS_ON_CUDA
    try:
        yield recorder
    finally:
        cuda_graph.possible, cuda_graph.record, multigrid.SWEEPS = possible, record, sweeps


def kernels_here(device: torch.device) -> tuple[str, ...]:
    """Whose kernels can be counted: torch's, and Triton's where it is; without a device its interpreter runs them."""
    if not find_spec("triton"):
        return ("torch",)
    if device.type != "cuda":
        os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is defined
    return "torch", "fused"


def rows(
    methods: Sequence[str],
    sizes: Sequence[int],
    device: torch.device,
    seed: int = 0,
    each: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """By size, method and kernels, on barrier frames at 1e-8."""
    made = []
    for cells in sizes:
        for method in methods:
            each(f"{cells:,} cells: {method}")
            iterations = _iterations(method, cells, seed)
            for kernels in kernels_here(device):
                if kernels == "torch" or registry.entry(method).fused or method == "none":
                    made.append(counts(method, cells, kernels, device, seed, iterations))
    return made


def _iterations(method: str, cells: int, seed: int) -> float:
    """Their mean over some frames on the CPU, in torch's operations."""
    with as_on_cuda():
        total = 0
        for k in range(FRAMES):
            system, b = problems.frame("barrier", cells, seed + k)
            total += _solver(method, system, "torch", torch.device("cpu")).solve(system, b).iterations
    return total / FRAMES


def _solver(method: str, system: PoissonSystem, kernels: str, device: torch.device) -> Solver:
    solver = Solver(method, system, device=device, fallback=(), engine="torch")
    if kernels != solver.engine:
        solver.engine = kernels
        solver._allocate(system)
    return solver


def counts(method: str, cells: int, kernels: str, device: torch.device, seed: int, iterations: float) -> Row:
    """One row, from one solve and from one set-up, network and iteration.

    Triton's interpreter takes minutes for large grids. What surrounds the iterations is the same on every grid and is
    counted on a small one; the others are counted without computing anything, which nothing in them waits for.
    """
    interpreted = kernels == "fused" and device.type != "cuda"
    with as_on_cuda() as recorder:
        solver, system, b = _made(method, SMALL if interpreted else cells, kernels, device, seed)
        for _ in range(3):  # until all is recorded
            solver.solve(system, b, max_iterations=2)
        with Host(solver._pcg.loop) as host, counted() as launches:
            recorder.launches = launches
            solver.solve(system, b, max_iterations=2)
        recorder.launches = None
        with _nothing_computed() if interpreted else nullcontext():
            if interpreted:
                solver, system, b = _made(method, cells, kernels, device, seed)
            M, loop, local = solver._methods[method], solver._pcg.loop, solver._local
            local.copy_from(system)
            local.settle(local.topology is not None)  # as within a solve, where nobody asks for walls anew
            loop.M = M  # type: ignore[attr-defined]
            for _ in range(3):
                M.setup(local)
            setup = _count(lambda: M.setup(local))
            M.renew()
            network = _count(lambda: M.setup(local)) - setup
            iteration = _count(loop._iteration)  # type: ignore[attr-defined]
    return Row(
        method, cells, kernels, setup, max(0, network), iteration, recorder.around,
        launches.total - recorder.recorded - host.reads + host.copies, host.waits + host.looks, iterations,
    )  # fmt: skip


def _made(
    method: str, cells: int, kernels: str, device: torch.device, seed: int
) -> tuple[Solver, PoissonSystem, torch.Tensor]:
    given, b = problems.frame("barrier", cells, seed)
    system = PoissonSystem.empty(*given.shape, device=device)
    system.copy_from(given)
    solver = _solver(method, system, kernels, device)
    factory = registry.entry(method).factory_for(kernels)  # not tried before, as a Solver would do it
    solver._methods[method], solver._setups[method] = registry.checked(method, factory()), cuda_graph.GraphCache()
    return solver, system, b.to(device)


def _nothing_computed() -> AbstractContextManager[object]:
    """Triton's interpreter does nothing: launches are counted all the same."""
    interpreter: Any = import_module("triton.runtime.interpreter")
    return mock.patch.object(interpreter.GridExecutor, "__call__", return_value=None)


def _count(work: Callable[[], object]) -> int:
    with counted() as launches:
        work()
    return launches.total


def table(made: Sequence[Row]) -> str:
    """Plain and fused kernels side by side, and what they mean in milliseconds."""
    pairs: dict[tuple[int, str], dict[str, Row]] = {}
    for row in made:
        pairs.setdefault((row.cells, row.method), {})[row.kernels] = row
    stages = ("setup", "network", "iteration", "around", "operations", "waits")
    headings = ["method", "cells", "iterations", *stages, "predicted ms"]
    lines = [headings]
    for (cells, method), pair in pairs.items():
        plain, fused = pair["torch"], pair.get("fused")
        numbers = [[str(getattr(one, stage)) for stage in stages] for one in (plain, fused) if one is not None]
        numbers = [[*line, f"{one.predicted_ms:.2f}"] for line, one in zip(numbers, (plain, fused)) if one is not None]
        joined = numbers[0] if fused is None else [f"{a} / {b}" for a, b in zip(*numbers)]
        lines.append([method, f"{cells:,}", f"{plain.iterations:.1f}", *joined])
    note = (
        f"Kernels, torch's operations / fused in Triton. Predicted: {KERNEL_US:g} us for each; nothing here was timed."
    )
    return f"{aligned(lines)}\n\n{note}"


def as_json(made: Sequence[Row]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{**asdict(row), "predicted_ms": row.predicted_ms} for row in made]
