"""`--suite generalisation`: every kind of frame x contrast x size, with and without solids, and recorded simulations.

Learned methods have seen some of these kinds in training and none of these frames; the recorded sequences are of scenes
that no training uses. Every cell of the map is one cold solve (more by --frames) after an untimed one; a failed one
counts in `failures` and with its cap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from .. import problems
from ..io.recorded_systems import sequence
from .recorded_suites import SHIPPED
from .runner import Group, from_files, generated

CONTRASTS = (25.0, 100.0, 1000.0)
RECORDED = ("dam-break", "rising-bubble")  # not those in `training`
OURS = ("htp", "hierarchy")
CLOSE = 1.1  # times the least total: within this two methods are as good as each other

Row = Mapping[str, Any]


def groups(sizes: Sequence[int], frames: int, seed: int, device: torch.device) -> list[Group]:
    """One group for each row of the map and size; the recorded ones at the size that they have."""
    made = []
    for cells in sizes:
        for kind in problems.KINDS:
            for contrast in CONTRASTS:
                for solids in (False, True):
                    group = generated(kind, cells, frames, seed, (contrast, contrast), device, solids)
                    made.append(Group(label(kind, contrast, solids), cells, group.cases))
    for scene in RECORDED:
        files = sequence(SHIPPED / scene)
        made.append(from_files(f"recorded {scene}", spaced(files, frames), device, warm=False))
    return made


def label(kind: str, contrast: float, solids: bool) -> str:
    """The name of a row of the map, such as "blobs 100:1 + solids"."""
    return f"{kind} {contrast:g}:1" + " + solids" * solids


def spaced(files: Sequence[Path], count: int) -> list[Path]:
    """That many of the files, evenly over the sequence."""
    count = min(count, len(files))
    return [files[k * len(files) // count] for k in range(count)]


def recommendations(rows: Sequence[Row]) -> list[str]:
    """Which method to pick for each kind and size: the least total time without a failure, and by how much."""
    lines = ["", "Least total time without a failed frame, sum over contrasts and solids:"]
    for (kind, cells), totals in sums(rows).items():
        lines.append(f"{kind}, {cells:,} cells: {advice(totals)}")
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        failed = [row for row in own if row["failures"]]
        if failed:
            where = ", ".join(f"{row['kind']} ({row['cells']:,})" for row in failed[:3])
            how = sorted({status for row in failed for status in row.get("statuses", {}) if status != "CONVERGED"})
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            lines.append(f"{method} failed in {len(failed)} of {len(own)} entries ({', '.join(how)}): {where}{more}")
    return lines


def sums(rows: Sequence[Row]) -> dict[tuple[str, int], dict[str, float | None]]:
    """By (kind, cells): total ms of every method over all contrasts, with and without solids; None if it failed."""
    found: dict[tuple[str, int], dict[str, float | None]] = {}
    for row in rows:
        at = found.setdefault((family(row["kind"]), row["cells"]), {})
        before = at.get(row["method"], 0.0)
        at[row["method"]] = None if before is None or row["failures"] else before + row["total_ms"]
    return found


def family(kind: str) -> str:
    """The kind of frame without its contrast and its solids."""
    return kind if kind.startswith("recorded") else kind.split()[0]


def advice(totals: Mapping[str, float | None]) -> str:
    """The fastest method, the one after it, and where the best of ours stands."""
    order = sorted((total, name) for name, total in totals.items() if total is not None)
    if not order:
        return "every method failed somewhere"
    least, best = order[0]
    words = [f"pick {best}"]
    if len(order) > 1:
        second, name = order[1]
        words.append(f"{second / least:.2f}x less time than {name}" if second > CLOSE * least else f"{name} is as good")
    ours = next(((total, name) for total, name in order if name in OURS), None)
    if ours is not None and ours[1] not in (best, order[1][1] if len(order) > 1 else ""):
        words.append(f"{ours[1]} takes {ours[0] / least:.2f}x")
    absent = sorted(name for name, total in totals.items() if total is None)
    if absent:
        words.append(f"failed: {', '.join(absent)}")
    return "; ".join(words)
