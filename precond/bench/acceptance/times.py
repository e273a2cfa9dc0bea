"""How long it takes: the published sizes, a simulation's systems, and what is switched on and off."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ... import registry
from ...device.timer import now
from ...htp_paper.method import shipped
from ...pcg import PCG
from ...solver import Solver
from ...system import PoissonSystem
from .. import htp_paper_protocol, launches, recorded_suites, runner
from .. import report as rows
from . import recorded
from .extent import Extent, Report

BARS = {1024: 0.7, 2048: 0.9, 4096: 0.9, 8192: 1.8, 16384: 4.8}  # ms: a tenth of what is published for htp-paper
JACOBI_US = 12.0  # an iteration
TOPS = (128, 512, 1024)  # unknowns inverted densely
RTOL = 1e-8


def published(extent: Extent) -> Report:
    """The protocol of arXiv 2605.13343 beside what it published."""
    made = []
    known = tuple(m for m in htp_paper_protocol.METHODS if registry.why_unavailable(m) is None)
    for cells in extent.sizes:
        own = [m for m in known if m != "htp-paper" or cells in shipped()]  # without weights of its size it never ends
        group = htp_paper_protocol.group(cells, extent.frames, 0, extent.device)
        for method, runs in htp_paper_protocol.run_methods(tuple(own), group, extent.device, None).items():
            made.append(rows.row(method, group, runs, "paper"))
    return _tabled(made, may_fail=("htp-paper",), note=htp_paper_protocol.NOTE)


def sizes(extent: Extent) -> Report:
    """The same sizes with our own methods and stop, and the bars that they are to keep on a device."""
    made = []
    for cells in extent.sizes:
        group = runner.generated("barrier", cells, extent.frames, 0, (5, 100), extent.device)
        made += _measured(extent, group, extent.rivals, RTOL, (extent.engine,))
    report = _tabled(made)
    if extent.on_cuda:
        at = {(row["method"], row["cells"]): row for row in made}
        for cells, bar in BARS.items():
            htp, rival, jacobi = (at.get((name, cells)) for name in ("htp", "multigrid", "jacobi"))
            if htp and rival and jacobi:
                _bar(report, cells, bar, htp, rival, jacobi)
    return report


def _bar(report: Report, cells: int, bar: float, htp: rows.Row, rival: rows.Row, jacobi: rows.Row) -> None:
    per_iteration = 1000 * rows.per_iteration(jacobi)
    report.say(f"{cells:,} cells: htp {htp['total_ms']:.2f} ms (bar {bar}), jacobi {per_iteration:.1f} us an iteration")
    report.check(htp["total_ms"] <= bar, f"{cells:,} cells: htp takes {htp['total_ms']:.2f} ms, more than {bar}")
    report.check(htp["total_ms"] < rival["total_ms"], f"{cells:,} cells: multigrid is faster than htp")
    report.check(per_iteration <= JACOBI_US, f"{cells:,} cells: an iteration of jacobi takes {per_iteration:.1f} us")


def fused_or_plain(extent: Extent) -> Report:
    """Kernels in Triton and torch's operations in turns."""
    made = []
    engines = ("auto", "torch") if extent.on_cuda else ("torch",)
    for cells in (extent.sizes[0], extent.sizes[-1]):
        group = runner.generated("barrier", cells, extent.frames, 0, (5, 100), extent.device)
        made += _measured(extent, group, extent.rivals, RTOL, engines)
    return _tabled(made)


def in_loop(extent: Extent) -> Report:
    """The systems of a running simulation, with warm starts."""
    name, files = recorded_suites.files_of("dam-break")
    group = runner.from_files(name, files[: extent.in_loop], extent.device, warm=True)
    return _tabled(_measured(extent, group, extent.rivals, 1e-6, (extent.engine,)))


def network(extent: Extent) -> Report:
    """A solve whose network is due, and one whose network is not."""
    report = Report(data={"rows": []})
    lines = [["method", "cells", "network", "setup", "network ms", "solve", "total ms", "iterations"]]
    for cells in (extent.sizes[0], extent.sizes[-1]):
        for name in ("hierarchy", "htp", "spai"):
            if registry.why_unavailable(name):
                report.say(f"{name}: {registry.why_unavailable(name)}")
                continue
            there, _, b = recorded.frame(extent, cells, "barrier")
            solver = recorded.solver(name, there, extent.device, extent.engine)
            for due in (False, True) if registry.entry(name).takes_weights else (False,):
                found = _timed(extent, solver, there, b, due)
                report.data["rows"].append({"method": name, "cells": cells, "due": due, **found})
                numbers = [f"{found[k]:.2f}" for k in ("setup_ms", "inference_ms", "solve_ms", "total_ms")]
                lines.append([name, f"{cells:,}", "on" if due else "off", *numbers, str(found["iterations"])])
    report.table(lines)
    return report


def chunks(extent: Extent) -> Report:
    """Iterations between two looks: 4, 8, or as many as the last solve took."""
    report = Report(data={"rows": []})
    lines = [["method", "cells", "chunk", "iterations", "total ms"]]
    for cells in (extent.sizes[0], extent.sizes[-1]):
        for name in ("jacobi", "multigrid", "htp"):
            there, _, b = recorded.frame(extent, cells, "barrier")
            for chunk in (None, 4, 8):
                solver = recorded.solver(name, there, extent.device, extent.engine)
                loop: Any = type(solver._pcg.loop)
                solver._pcg = PCG(loop(*there.shape, solver.device, chunk))
                found = _timed(extent, solver, there, b)
                report.data["rows"].append({"method": name, "cells": cells, "chunk": chunk, **found})
                lines.append(
                    [name, f"{cells:,}", str(chunk or "own"), str(found["iterations"]), f"{found['total_ms']:.2f}"]
                )
    report.table(lines)
    return report


def tops(extent: Extent) -> Report:
    """The hierarchy with fewer levels, the last one denser."""
    report = Report(data={"rows": []})
    lines = [["method", "cells", "inverted", "iterations", "setup", "solve", "total ms"]]
    for cells in (extent.sizes[0], extent.sizes[-1]):
        for name in ("hierarchy", "htp"):
            there, _, b = recorded.frame(extent, cells, "barrier")
            for coarsest in TOPS:
                with _densest(name, there, extent, coarsest) as solver:
                    found = _timed(extent, solver, there, b)
                report.data["rows"].append({"method": name, "cells": cells, "coarsest": coarsest, **found})
                times = [f"{found[k]:.2f}" for k in ("setup_ms", "solve_ms", "total_ms")]
                lines.append([name, f"{cells:,}", str(coarsest), str(found["iterations"]), *times])
    report.table(lines)
    return report


@contextmanager
def _densest(name: str, system: PoissonSystem, extent: Extent, coarsest: int) -> Iterator[Solver]:
    solver = recorded.solver(name, system, extent.device, extent.engine)
    made: Any = solver._method(name).wrapped
    made.coarsest = coarsest  # read when it sees its first system
    yield solver


def by_kernel(extent: Extent) -> Report:
    """Where the time goes, from torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    report = Report(data={"kernels": {}})
    activity = ProfilerActivity.CUDA if extent.on_cuda else ProfilerActivity.CPU
    for name in ("multigrid", "htp"):
        there, _, b = recorded.frame(extent, extent.sizes[-1], "barrier")
        b = b.to(extent.device)
        solver = recorded.solver(name, there, extent.device, extent.engine)
        for _ in range(runner.WARM_UP):
            solver.solve(there, b)
        with profile(activities=[activity]) as measured:
            solver.renew()
            solver.solve(there, b)
            now(extent.device)
        found = [(e.key, e.count, e.self_device_time_total if extent.on_cuda else e.self_cpu_time_total)
                 for e in measured.key_averages()]  # fmt: skip
        found = sorted(found, key=lambda entry: -entry[2])[:12]
        report.check(bool(found) and found[0][2] > 0, f"{name}: the profiler saw nothing")
        report.data["kernels"][name] = found
        report.say(f"{name}, {extent.sizes[-1]:,} cells, one solve with its network")
        report.table([["kernel", "times", "us"], *([key[:70], str(n), f"{us:.0f}"] for key, n, us in found)])
    return report


def counted(extent: Extent) -> Report:
    """Kernels by stage: `python -m precond.bench --launches`."""
    made = launches.rows(extent.rivals, extent.counted, extent.device)
    report = Report(data={"launches": launches.as_json(made)})
    report.say(launches.table(made))
    for row in made:
        report.check(row.waits <= 2, f"{row.method}, {row.cells:,} cells: {row.waits} waits in a solve, not 2")
        report.check(
            row.operations <= 8, f"{row.method}, {row.cells:,} cells: {row.operations} operations outside, not 8"
        )
    return report


def _measured(
    extent: Extent, group: runner.Group, methods: tuple[str, ...], rtol: float, engines: tuple[str, ...]
) -> list[rows.Row]:
    known = [m for m in methods if registry.why_unavailable(m) is None]
    runs = runner.run_methods(known, group, rtol, extent.device, 5000, engines=engines)
    return [rows.row(method, group, outcomes, "single-shot") for method, outcomes in runs.items()]


def _tabled(made: list[rows.Row], may_fail: tuple[str, ...] = (), note: str = "") -> Report:
    report = Report(data={"rows": made})
    report.say(rows.table(made))
    report.say(note)
    for row in made:
        fine = not row["failures"] or row["method"] in may_fail
        why = row.get("error", row["statuses"])
        report.check(fine, f"{row['method']}, {row['cells']:,} cells: {row['failures']} solves failed: {why}")
    return report


def _timed(extent: Extent, solver: Solver, there: PoissonSystem, b: torch.Tensor, due: bool = False) -> dict[str, Any]:
    """Medians of some solves, after those in which everything is recorded."""
    b, found = b.to(extent.device), []
    for k in range(runner.WARM_UP + extent.repeats):
        if due:
            solver.renew()
        begin = now(extent.device)
        solution = solver.solve(there, b, RTOL)
        if k >= runner.WARM_UP:
            total = 1000 * (now(extent.device) - begin)
            found.append((total, solution.setup_ms, solution.inference_ms, solution.solve_ms))
    names = ("total_ms", "setup_ms", "inference_ms", "solve_ms")
    medians = {name: statistics.median(values) for name, values in zip(names, zip(*found))}
    return {**medians, "iterations": solution.iterations, "status": solution.status.name}
