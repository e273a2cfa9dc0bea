"""Rows from runs: for people as a table, for programs as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..support.command_line import aligned
from .htp_paper_protocol import published
from .runner import Group, Run, timed

CURVE_POINTS = 2000  # a residual curve longer than this is cut, the table still counts all of it
STAGES = ("setup_ms", "inference_ms", "solve_ms", "total_ms")

Row = dict[str, Any]


def row(method: str, group: Group, runs: Sequence[Run], protocol: str) -> Row:
    """One line of the table. Times are medians over cold frames, with quartiles, and means over a simulation's steps.

    A failed frame counts in `failures`, with the cap as its iterations and with the time that it took.
    """
    of_all = list(timed(group, runs))
    iterations = np.array([run.iterations for run in of_all], dtype=float)
    average = np.mean if group.warm else np.median
    result: Row = {
        "method": method,
        "kind": group.kind,
        "cells": group.cells,
        "frames": len(of_all),
        "failures": sum(run.failed for run in of_all),
        "iterations_mean": float(iterations.mean()),
        "iterations_std": float(iterations.std(ddof=1)) if len(of_all) > 1 else 0.0,
    }
    for stage in STAGES:
        result[stage] = float(average([getattr(run, stage) for run in of_all]))
    low, high = np.percentile([run.total_ms for run in of_all], (25, 75))
    result |= {"total_ms_low": float(low), "total_ms_high": float(high)}
    result["residual_max"] = worst_residual(of_all)
    ends = Counter(run.status.name if run.status else "RAISED" for run in of_all)
    result["statuses"] = dict(sorted(ends.items()))
    errors = {run.error for run in of_all if run.error}
    if errors:
        result["error"] = sorted(errors)[0]
    if protocol == "paper":
        result |= published(method, group.cells)
    return result


def worst_residual(runs: Sequence[Run]) -> float | None:
    """The largest true relative residual; None where a run has none."""
    worst = max((run.residual for run in runs), key=lambda value: math.inf if math.isnan(value) else value)
    return worst if math.isfinite(worst) else None


def curve(method: str, group: Group, run: Run) -> dict[str, Any]:
    """The relative residual after each iteration of one run, to four digits."""
    residuals = [float(f"{value:.4g}") for value in (1.0, *run.history[:CURVE_POINTS]) if math.isfinite(value)]
    return {"method": method, "kind": group.kind, "cells": group.cells, "residuals": residuals}


def table(rows: Sequence[Row]) -> str:
    """The table for people; milliseconds are medians, or means where steps of a simulation were replayed."""
    paper = any("published_ms" in row for row in rows)
    headings = ["method", "kind", "cells", "frames", "failed", "iterations", "setup", "network", "solve", "total ms"]
    headings += ["quartiles", "residual"] + (["published (H200)", "within 1 sd"] if paper else [])
    lines, before = [headings], None
    for line in rows:
        if before is not None and (line["kind"], line["cells"]) != before:
            lines.append([""] * len(headings))
        before = (line["kind"], line["cells"])
        cells = [line["method"], line["kind"], f"{line['cells']:,}", str(line["frames"]), str(line["failures"] or "-")]
        cells.append(f"{line['iterations_mean']:.1f} ± {line['iterations_std']:.1f}")
        cells += [f"{line[stage]:.2f}" for stage in STAGES]
        cells.append(f"{line['total_ms_low']:.2f} .. {line['total_ms_high']:.2f}")
        cells.append("-" if line["residual_max"] is None else f"{line['residual_max']:.1e}")
        if paper:
            cells += _published(line)
        lines.append(cells)
    return aligned(lines, left=2)


def _published(line: Row) -> list[str]:
    if "published_ms" not in line:
        return ["-", "-"]
    spread = line.get("published_std")
    said = f"{line['published_ms']:.1f} ms ({line['published_iterations']:.0f}{f' ± {spread:.0f}' if spread else ''})"
    if not spread:
        return [said, "-"]
    return [said, "yes" if abs(line["iterations_mean"] - line["published_iterations"]) <= spread else "NO"]


def ratios(rows: Sequence[Row]) -> list[str]:
    """Sentences that compare our methods with the same ones of outside libraries, where both were run."""
    at: dict[tuple[str, str, int], Row] = {(row["method"], row["kind"], row["cells"]): row for row in rows}
    lines = []
    for (method, kind, cells), own in at.items():
        if method == "jacobi" and ("scipy-jacobi", kind, cells) in at:
            other = at["scipy-jacobi", kind, cells]
            ratio = per_iteration(own) / per_iteration(other)
            lines.append(f"{kind}, {cells:,} cells: jacobi takes {ratio:.2f}x the time per iteration of SciPy's cg")
        if ("scipy-amg-rs", kind, cells) in at and not method.startswith("scipy-"):
            ratio = own["total_ms"] / at["scipy-amg-rs", kind, cells]["total_ms"]
            lines.append(
                f"{kind}, {cells:,} cells: {method} takes {ratio:.2f}x the time of SciPy's cg + pyamg, set-up in"
            )
    return lines


def per_iteration(line: Mapping[str, Any]) -> float:
    """Milliseconds of one iteration, set-up apart."""
    return line["solve_ms"] / max(1.0, line["iterations_mean"])
