"""Whether it is right: what is here, every method recorded, many recordings, kernels in Triton."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ... import engine, registry
from ...device import cuda_graph
from ...solver import Solution
from ...status import Status
from ...support.provenance import commit, machine
from . import recorded
from .extent import Extent, Report, has

SAME = 1e-5  # of the largest x: two solves to 1e-8 that sum in different orders
KERNELS_ON_CUDA = ("torch", "compiled")
SOLVES = 4  # what is recorded is recorded at the second, replayed at the third


def here(extent: Extent) -> Report:
    """Versions, the device, whether it records and whose kernels it runs."""
    report = Report(data={"machine": machine(extent.device.type), "commit": commit(), "versions": {}})
    for package in ("torch", "numpy", "scipy", "triton", "numba", "taichi", "pytest"):
        try:
            report.data["versions"][package] = version(package)
        except PackageNotFoundError:
            report.data["versions"][package] = None
    report.say(f"{report.data['machine']['device_name']} ({extent.device}), commit {report.data['commit']}")
    found = ", ".join(f"{name} {number or 'missing'}" for name, number in report.data["versions"].items())
    report.say(f"Python {sys.version.split()[0]}, {found}")
    if extent.on_cuda:
        about = torch.cuda.get_device_properties(extent.device)
        report.say(f"capability {about.major}.{about.minor}, {about.multi_processor_count} multiprocessors")
        report.say(f"CUDA of torch {torch.version.cuda}, {about.total_memory / 2**30:.0f} GiB")
        reason = engine.why_not_fused(extent.device)
        report.data["why_not_fused"] = reason
        report.say(f"kernels in Triton: {reason or 'compiled, and agree with torch'}")
        report.check(reason is None, f"no kernels in Triton: {reason}")
    kernels, notice = engine.chosen(extent.engine, extent.device)
    report.say(f"kernels of: {kernels}{': ' if notice else ''}{notice}")
    x = torch.zeros(8, dtype=torch.float64, device=extent.device)
    with recorded.watched(extent):
        graph = cuda_graph.record(lambda: x.add_(1), extent.device)
        before = float(x[0])
        graph.replay()
        report.check(float(x[0]) == before + 1, "a recorded addition did not add")
    return report


def methods(extent: Extent) -> Report:
    """Every method recorded, by itself and on the CPU, while coefficients change."""
    report = Report(data={"rows": []})
    lines = [["method", "kernels", "iterations", "kernel by kernel", "on the CPU", "difference", "recordings"]]
    for kernels in KERNELS_ON_CUDA if extent.on_cuda else ("torch",):
        for name in extent.methods:
            _compare(report, lines, name, kernels, extent.cells, extent)
    report.table(lines, 2)
    return report


def kernels(extent: Extent) -> Report:
    """Kernels in Triton against torch's operations, on a small odd grid; without a device by their interpreter."""
    report = Report(data={"rows": []})
    if not has("triton"):
        report.say("Triton is not here.")
        return report
    if not extent.on_cuda:
        os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is defined
    lines = [["method", "kernels", "iterations", "kernel by kernel", "on the CPU", "difference", "recordings"]]
    for name in extent.rivals:
        if registry.entry(name).fused:
            _compare(report, lines, name, "fused", extent.interpreted or 900, extent)
    report.table(lines, 2)
    return report


def _compare(report: Report, lines: list[list[str]], name: str, kernels: str, cells: int, extent: Extent) -> None:
    reason = registry.why_unavailable(name)
    if reason and not registry.entry(name).takes_weights:
        report.say(f"{name}: {reason}")
        return
    what = f"{name} ({kernels})"
    there, system, b = recorded.frame(extent, 1024 if name == "htp-paper" else cells, _kind(name))
    cpu = torch.device("cpu")
    try:
        with recorded.watched(extent) as seen:
            by_graph = recorded.solver(name, there, extent.device, kernels)
            with recorded.eagerly():
                others = [recorded.solver(name, there, extent.device), recorded.solver(name, system, cpu)]
            difference = 0.0
            for _ in range(SOLVES):
                by_graph.forget()  # a network looks at each frame
                found = by_graph.solve(there, b)
                expected = _eager(others[0].solve, there, b), _eager(others[1].solve, system, b)
                for other in expected:
                    report.check(found.status is other.status, f"{what}: {found.status.name}, not {other.status.name}")
                    difference = max(difference, _difference(found, other))
                apart = abs(found.iterations - expected[0].iterations)
                report.check(
                    apart <= 1 + 0.03 * expected[0].iterations,
                    f"{what}: {found.iterations} iterations where {expected[0].iterations} are needed by itself",
                )
                for each in (system, there):
                    each.beta_x.mul_(1.1)
    except Exception as error:  # the next method may do better
        report.failures.append(f"{what}: {type(error).__name__}: {error}".splitlines()[0])
        return
    report.check(found.status is Status.CONVERGED, f"{what}: {found.status.name}")
    report.check(difference <= SAME, f"{what}: x differs by {difference:.1e}")
    report.check(not seen.refused, f"{what}: refused to be recorded: {'; '.join(dict.fromkeys(seen.refused))}")
    report.check(seen.made > 0, f"{what}: nothing was recorded")
    report.check(not by_graph.notice, f"{what}: {by_graph.notice}")
    counts = [found.iterations, *(other.iterations for other in expected)]
    lines.append([name, kernels, *map(str, counts), f"{difference:.1e}", str(seen.made)])
    report.data["rows"].append(
        {"method": name, "kernels": kernels, "iterations": counts, "difference": difference, "recordings": seen.made}
    )


def _kind(name: str) -> str:
    return "barrier" if name == "htp-paper" else "blobs"  # its weights are for that


def _eager(solve: Callable[..., Solution], *given: Any) -> Solution:
    with recorded.eagerly():
        return solve(*given)


def _difference(found: Solution, other: Solution) -> float:
    largest = float(other.x.abs().max())
    return float((found.x.cpu() - other.x.cpu()).abs().max()) / (largest or 1.0)


def recordings(extent: Extent) -> Report:
    """Many that come and go beside two that live on, and one that is refused: streams and workspaces stay apart."""
    report, device = Report(data={"recordings": extent.recordings}), extent.device
    there, _, b = recorded.frame(extent, extent.cells)
    b = b.to(device)
    with recorded.watched(extent) as seen:
        lasting = [recorded.solver(name, there, device, extent.engine) for name in ("multigrid", "dct")]
        expected = [[one.solve(there, b).x for _ in range(SOLVES)][-1] for one in lasting]

        def unharmed(when: str) -> None:
            for one, x in zip(lasting, expected):
                difference = float((one.solve(there, b).x - x).abs().max()) / float(x.abs().max())
                report.check(difference <= SAME, f"{one.name} differs by {difference:.1e} {when}")

        W = torch.eye(64, dtype=torch.float64, device=device)
        v, y = torch.arange(64, dtype=torch.float64, device=device), torch.zeros(64, dtype=torch.float64, device=device)
        for k in range(extent.recordings):  # as while a wall is dragged
            passing = cuda_graph.record(lambda: torch.mv(W, v, out=y), device)
            v.fill_(k)
            passing.replay()
            report.check(float(y.sum()) == 64.0 * k, f"recording {k} did not compute what it was recorded for")
            del passing
            if k % 10 == 9:
                unharmed(f"after {k + 1} recordings")
        report.check(not seen.refused, f"refused: {'; '.join(dict.fromkeys(seen.refused))}")
        _refuse(report, extent, v)
        unharmed("after a recording that was refused")
    report.say(f"{extent.recordings} recordings beside two solvers that stay, then one that waits and is refused")
    return report


def _refuse(report: Report, extent: Extent, x: torch.Tensor) -> None:
    def waits() -> None:
        if not extent.on_cuda:
            raise RuntimeError("what stands in for recordings refuses nothing by itself")
        float(x.sum())

    stream = torch.cuda.current_stream() if extent.on_cuda else None
    try:
        if extent.on_cuda:
            x.sum()  # done before, so that only the recording is to blame
            cuda_graph.record(_second_time(waits), extent.device)
        else:
            cuda_graph.record(waits, extent.device)
        report.failures.append("a recording that waits for the device was not refused")
    except RuntimeError as error:
        report.say(f"refused as it should be: {str(error).splitlines()[0]}")
    if extent.on_cuda:
        report.check(torch.cuda.current_stream() == stream, "a refused recording left its own stream current")


def _second_time(work: Callable[[], None]) -> Callable[[], None]:
    calls: list[None] = []

    def once_harmless() -> None:
        calls.append(None)
        if len(calls) > 1:  # the first call is the one that is not recorded
            work()

    return once_harmless
