"""Solvers whose recordings are watched, and the same ones without any."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from unittest import mock

import torch

from ... import problems, registry
from ...device import cuda_graph
from ...solver import Solver
from ...system import PoissonSystem
from ..launches import as_on_cuda
from .extent import Extent


@dataclass
class Watched:
    """How many recordings were made, and why others were refused."""

    made: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def watched(extent: Extent) -> Iterator[Watched]:
    """Recordings of CUDA, or without a device what stands in for them."""
    seen = Watched()
    with warnings.catch_warnings(), nullcontext() if extent.on_cuda else as_on_cuda():
        warnings.simplefilter("ignore")  # a refusal is warned of, and counted here
        record = cuda_graph.record

        def noted(work: cuda_graph.Work, device: torch.device) -> cuda_graph.Graph:
            try:
                graph = record(work, device)
            except RuntimeError as error:
                seen.refused.append(str(error).splitlines()[0])
                raise
            seen.made += 1
            return graph

        with mock.patch.object(cuda_graph, "record", noted):
            yield seen


def eagerly() -> AbstractContextManager[object]:
    """Nothing is recorded."""
    return mock.patch.object(cuda_graph, "possible", return_value=False)


def frame(extent: Extent, cells: int, kind: str = "blobs") -> tuple[PoissonSystem, PoissonSystem, torch.Tensor]:
    """(a system on the device, the same on the CPU, b)."""
    system, b = problems.frame(kind, cells, 0, contrast=100, solids=kind == "blobs")
    there = PoissonSystem.empty(*system.shape, device=extent.device)
    there.copy_from(system)
    return there, system, b


def solver(name: str, system: PoissonSystem, device: torch.device, engine: str = "torch") -> Solver:
    """Without fallback; random weights where none are shipped. "fused": Triton's kernels wherever they run."""
    missing = registry.why_unavailable(name) is not None and registry.entry(name).takes_weights
    made = Solver(
        name, system, device=device, fallback=(), weights="random:0" if missing else None,
        engine="torch" if engine == "fused" else engine,
    )  # fmt: skip
    if engine == "fused":
        made.engine = engine
        made._allocate(system)
    return made
