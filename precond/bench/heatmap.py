"""Heat maps of kinds by methods, one for each size: time over the fastest method's, iterations, failures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..figures.sheet import Row, Sheet, distinct, methods_of, power

DARK, DARKEST = 20.0, (0.0, 0.27, 0.53)  # times the fastest that is the darkest shade, and that shade
FAILED = "#F4C6C6"
LEFT, ROW, FRAME = 2.2, 0.19, 0.15  # inches beside the map for the kinds, of a row, around the rows


def heat_maps(results: Mapping[str, Any]) -> dict[str, Callable[[Mapping[str, Any]], Sheet | None]]:
    """Functions that draw, by the names of their files."""
    sizes = sorted({row["cells"] for row in results["rows"]})
    return {f"generalisation-{cells}": partial(heat_map, cells=cells) for cells in sizes}


def heat_map(results: Mapping[str, Any], cells: int) -> Sheet:
    """Shade: total time over the fastest method's on the same kind; number: mean iterations."""
    rows = [row for row in results["rows"] if row["cells"] == cells]
    methods, kinds = methods_of(rows), distinct(rows, "kind")
    sheet = Sheet(
        ["map"],
        f"Time and iterations by kind of frame, {cells:,} cells",
        results,
        left=LEFT,
        high=FRAME + ROW * len(kinds),
    )
    ax = sheet.axes["map"]
    at = {(row["kind"], row["method"]): row for row in rows}
    for j, kind in enumerate(kinds):
        _line(ax, j, [at.get((kind, method)) for method in methods])
    ax.set(xlim=(-0.5, len(methods) - 0.5), ylim=(len(kinds) - 0.5, -0.5))
    ax.set_xticks(range(len(methods)), methods, fontsize=8)
    ax.set_yticks(range(len(kinds)), kinds, fontsize=7.5)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    sheet.subtitle.set_text(
        f"number: mean iterations; white, bold: least total time; darkest: {DARK:g} times that or more; "
        f"× failed; tolerance {power(float(results['rtol']))}"
    )
    return sheet


def _line(ax: Any, j: int, line: Sequence[Row | None]) -> None:
    """One kind; a method that failed any frame cannot be the fastest."""
    from matplotlib.patches import Rectangle

    least = min((row["total_ms"] for row in line if row and not row["failures"]), default=0.0)
    for i, row in enumerate(line):
        if row is None:
            continue
        slower = row["total_ms"] / least if least > 0 else 1.0
        depth = min(1.0, math.log(max(1.0, slower)) / math.log(DARK))
        failed = bool(row["failures"])
        colour = FAILED if failed else tuple(1 - depth * (1 - c) for c in DARKEST)
        ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.6))
        text = f"× {row['failures']}/{row['frames']}" if failed else f"{row['iterations_mean']:,.0f}"
        weight = "bold" if not failed and row["total_ms"] == least else "normal"
        ink = "white" if depth > 0.6 and not failed else "black"
        ax.text(i, j, text, ha="center", va="center", fontsize=7, color=ink, fontweight=weight)
