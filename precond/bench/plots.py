"""Pictures of the benchmark's results: `draw` makes four, each as PNG and SVG. matplotlib is imported when it draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..figures.method_style import on_paper
from ..figures.sheet import (
    FAINT,
    LEFT,
    STYLE,
    Row,
    Sheet,
    distinct,
    label_below,
    label_right,
    largest,
    methods_of,
    power,
    size_axis,
)
from .heatmap import heat_maps

# Paul Tol's high-contrast set: still three shades in grey
STAGES = (("setup", "#DDAA33"), ("inference", "#BB5566"), ("solve", "#004488"))
DEEP = 1e3  # curves are drawn down to the tolerance over this; a direct solver would need twice the height
REST = "#D5D5D5"  # of the total: assembling, copying, looking
CUT = 6.0  # bars longer than this many medians are cut, or one slow method would leave only hairlines of the others
PUBLISHED = "hollow: published, one H200"
FAILED = "×: some frames failed"


def draw(results: Mapping[str, Any], directory: Path) -> list[Path]:
    """Writes the pictures into a folder, made where missing, and returns the files.

    results: the dictionary that `python -m precond.bench --json` writes. A picture without data, such as the curves of
    a result that holds none, is left out. Raises ValueError if there are no rows, OSError.
    """
    if not results.get("rows"):
        raise ValueError("The results have no rows to draw; run the benchmark with at least one method and one size.")
    from matplotlib import rc_context

    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    pictures: dict[str, Callable[[Mapping[str, Any]], Sheet | None]] = {
        "convergence": convergence,
        "time-against-size": time_against_size,
        "stages": stages,
        "iterations-against-size": iterations_against_size,
    }
    if results.get("protocol") == "generalisation":  # far too many kinds for panels
        pictures = heat_maps(results)
    with rc_context(STYLE):
        for name, picture in pictures.items():
            sheet = picture(results)
            if sheet is not None:
                paths += sheet.save(directory, name)
    return paths


def convergence(results: Mapping[str, Any]) -> Sheet | None:
    """Relative residual after each iteration, for the largest size of every kind."""
    curves = [curve for curve in results.get("curves", ()) if len(curve["residuals"]) > 1]
    if not curves:
        return None
    look, rtol = on_paper(methods_of(results["rows"])), float(results["rtol"])
    kinds, methods = distinct(curves, "kind"), methods_of(curves)
    sheet = Sheet(kinds, "How the residual falls", results, keyed=len(methods) if len(kinds) > 1 else 0)
    for kind, ax in sheet.axes.items():
        here = largest([curve for curve in curves if curve["kind"] == kind])
        _curves(ax, sheet, here, look, rtol)
        if kind in sheet.first_column:
            ax.set_ylabel("relative residual")
        if not sheet.single:
            ax.set_title(f"{kind}, {here[0]['cells']:,} cells", fontsize=9.5, loc="left", fontweight="bold")
    size = f"{largest(curves)[0]['cells']:,} cells, " if sheet.single else ""
    sheet.subtitle.set_text(f"{size}first frame; dashed: tolerance {power(rtol)}; {protocol_of(results)}")
    if not sheet.single:
        sheet.key(handles(methods, look, markers=False))
    return sheet


def _curves(ax: Any, sheet: Sheet, curves: Sequence[Row], look: Mapping[str, tuple[str, str]], rtol: float) -> None:
    floor = rtol / DEEP
    ends, highest, lowest = [], 1.0, rtol
    for curve in curves:
        residuals = [max(value, floor) for value in curve["residuals"]]
        colour, iterations = look[curve["method"]][0], len(residuals) - 1
        ax.plot(range(iterations + 1), residuals, color=colour, linewidth=1.6)
        more = "" if residuals[-1] <= rtol else "> "  # not there yet: failed, or the curve was cut
        ends.append((float(iterations), residuals[-1], f"{curve['method']} {more}{iterations:,}", colour))
        highest, lowest = max(highest, *residuals), min(lowest, *residuals)
    ax.axhline(rtol, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    longest = max(x for x, *_ in ends)
    ax.set_xscale("symlog", linthresh=1, linscale=0.3)  # logarithmic from iteration 1 on, with a place for 0
    ax.set(xlim=(0, longest * 1.15), yscale="log", xlabel="iterations")
    ticks = [0, *(10**k for k in range(math.floor(math.log10(longest)) + 1))]
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    top, bottom = math.ceil(math.log10(highest) + 0.1), math.log10(lowest) - 0.3
    share = 0.3 if sheet.single else 0.0  # of the panel, for the labels that hang under the ends
    ax.set_ylim(10 ** (bottom - (top - bottom) * share / (1 - share)), 10**top)
    decades = range(0, math.floor(bottom), -2 if top - bottom < 16 else -4)
    ax.set_yticks([10.0**k for k in decades])
    ax.set_yticks([], minor=True)
    if sheet.single:
        label_below(ax, sheet.panel[0], share - 0.04, ends)


def time_against_size(results: Mapping[str, Any]) -> Sheet:
    """Total milliseconds against cells, the quartiles as a band."""
    return _against_size(results, "total_ms", "published_ms", "Time to solve", "total [ms]")


def iterations_against_size(results: Mapping[str, Any]) -> Sheet:
    """Mean iterations against cells, the standard deviation as a band."""
    return _against_size(results, "iterations_mean", "published_iterations", "Iterations to solve", "iterations")


def _against_size(results: Mapping[str, Any], what: str, published: str, title: str, unit: str) -> Sheet:
    rows, rtol = results["rows"], float(results["rtol"])
    kinds, look = distinct(rows, "kind"), on_paper(methods_of(rows))
    right = 1.25 if len(kinds) == 1 else 0.2
    sheet = Sheet(kinds, title, results, keyed=len(methods_of(rows)) if len(kinds) > 1 else 0, right=right)
    for kind, ax in sheet.axes.items():
        here = [row for row in rows if row["kind"] == kind]
        ends = []
        size_axis(ax, sorted({row["cells"] for row in here}), sheet.panel[0], labelled=sheet.single)
        ax.set_yscale("log")
        for method in methods_of(here):
            line = sorted((row for row in here if row["method"] == method), key=lambda row: row["cells"])
            colour, marker = look[method]
            x, y = [row["cells"] for row in line], [visible(row[what]) for row in line]
            low, high = zip(*(band(row, what) for row in line))
            ax.plot(x, y, color=colour, marker=marker)
            ax.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            if len(line) == 1:  # a band of one point has no area
                ax.plot(x * 2, [low[0], high[0]], color=colour, alpha=0.4, linewidth=4, solid_capstyle="butt")
            theirs = [row for row in line if row.get(published)]
            ax.plot(
                [row["cells"] for row in theirs], [row[published] for row in theirs], color=colour, marker=marker,
                markerfacecolor="white", linewidth=1, linestyle=(0, (2, 2)), zorder=1.5,
            )  # fmt: skip
            failed = [row for row in line if row["failures"]]
            ax.plot(
                [row["cells"] for row in failed], [visible(row[what]) for row in failed], linestyle="none", marker="x",
                color="black", markersize=9, markeredgewidth=1.8, zorder=4,
            )  # fmt: skip
            ends.append((x[-1], y[-1], method, colour))
        plain_numbers(ax)
        if kind in sheet.first_column:
            ax.set_ylabel(unit)
        if sheet.single:
            label_right(ax, sheet.panel[1], ends)
    notes = [f"tolerance {power(rtol)}", protocol_of(results)]
    notes.append("band: quartiles" if what == "total_ms" else "band: one standard deviation")
    notes += [PUBLISHED] if any(row.get(published) for row in rows) else []
    notes += [FAILED] if any(row["failures"] for row in rows) else []
    sheet.subtitle.set_text("; ".join(notes))
    if not sheet.single:
        sheet.key(handles(methods_of(rows), look))
    return sheet


def stages(results: Mapping[str, Any]) -> Sheet:
    """Setup, inference and solve of every method at the largest size of every kind, the fastest on top."""
    from matplotlib.patches import Patch

    rows = results["rows"]
    kinds, longest = distinct(rows, "kind"), max(len(row["method"]) for row in rows)
    most = max(len(largest([row for row in rows if row["kind"] == kind])) for kind in kinds)
    left = max(LEFT, 0.3 + 0.075 * longest)
    sheet = Sheet(kinds, "Where the time goes", results, keyed=1, left=left, columns=2, high=0.25 + 0.27 * most)
    cut = False
    for kind, ax in sheet.axes.items():
        here = largest([row for row in rows if row["kind"] == kind])
        cut |= _bars(ax, sorted(here, key=lambda row: row["total_ms"]), sheet.panel[0])
        if not sheet.single:
            ax.set_title(f"{kind}, {here[0]['cells']:,} cells", fontsize=9.5, loc="left", fontweight="bold")
    size = f"{largest(rows)[0]['cells']:,} cells, " if sheet.single else ""
    notes = [f"{size}tolerance {power(float(results['rtol']))}", protocol_of(results)]
    sheet.subtitle.set_text("; ".join([*notes, *(["//: longer than drawn"] if cut else [])]))
    shown = STAGES if all(rest(row) < 0.01 * row["total_ms"] for row in rows) else (*STAGES, ("rest", REST))
    sheet.key([Patch(color=colour, label=stage) for stage, colour in shown])
    return sheet


def _bars(ax: Any, rows: Sequence[Row], width: float) -> bool:
    """rows: the fastest first; width: inches of the panel. True if a bar had to be cut."""
    totals = [row["total_ms"] for row in rows]
    limit = max(total for total in totals if total <= CUT * totals[len(totals) // 2])
    reach = limit or 1.0
    for k, row in enumerate(rows):
        start, full = 0.0, min(row["total_ms"], limit)
        parts = [row[f"{stage}_ms"] for stage, _ in STAGES]
        for length, colour in zip([*parts, rest(row)], [*(colour for _, colour in STAGES), REST]):
            ax.barh(k, max(0.0, min(length, full - start)), left=start, color=colour, height=0.62)
            start = min(full, start + length)
        if row["total_ms"] > limit:
            ax.text(full * 0.97, k, "//", color="white", ha="center", va="center", fontweight="bold", fontsize=13)
        text = f" {milliseconds(row['total_ms'])}"
        if row["failures"]:
            text += f"  × {row['failures']} of {row['frames']} failed"
        reach = max(reach, full * width / max(width - 0.07 * len(text), width / 4))  # 0.07 inches for a letter
        ax.text(full, k, text, va="center", fontsize=8.5, color="#B00020" if row["failures"] else "black")
    ax.set_yticks(range(len(rows)), [row["method"] for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, reach)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("ms")
    return totals[-1] > limit


def rest(row: Row) -> float:
    """Milliseconds of the total in none of the stages."""
    return max(0.0, row["total_ms"] - sum(row[f"{stage}_ms"] for stage, _ in STAGES))


def handles(methods: Sequence[str], look: Mapping[str, tuple[str, str]], markers: bool = True) -> list[Any]:
    """Entries of a key."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=look[m][0], marker=look[m][1] if markers else "", label=m) for m in methods]


def band(row: Row, what: str) -> tuple[float, float]:
    """(low, high) of a row's number: quartiles of the time, one standard deviation of the iterations."""
    if what == "total_ms":
        return visible(row.get("total_ms_low", row[what])), visible(row.get("total_ms_high", row[what]))
    mean, spread = row[what], row.get("iterations_std", 0.0)
    return max(visible(mean - spread), visible(mean) / 10), visible(mean + spread)


def visible(value: float) -> float:
    """The value, or something small and positive that a logarithmic axis can show."""
    return max(float(value), 1e-3)


def plain_numbers(ax: Any) -> None:
    """Numbers rather than powers of ten on the logarithmic y axis, more of them where it spans few decades."""
    from matplotlib.ticker import LogLocator

    low, high = ax.get_ylim()
    if high / low < 10:
        low, high = low / 2, high * 2
        ax.set_ylim(low, high)
    if high / low < 100:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda value, _: "")


def milliseconds(value: float) -> str:
    """Three digits with the unit."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def protocol_of(results: Mapping[str, Any]) -> str:
    """The protocol, for a subtitle."""
    return f"protocol: {results.get('protocol', 'single-shot')}"
