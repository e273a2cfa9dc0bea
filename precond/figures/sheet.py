"""A sheet of panels for pictures on white: a title, a key, labels at the ends of lines, a caption."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]  # one of "rows" or "curves" in what `python -m precond.bench --json` writes

INK, FAINT = "#333333", "#777777"
COLUMNS, WIDTH = 3, 9.0  # panels side by side; inches, so that 9 points are 12 pixels where a page shows 830
LEFT, GAP_Y, BELOW = 0.75, 0.75, 0.55  # inches around panels
HEIGHTS = {1: 4.2, 2: 3.1, 3: 2.5}  # inches of a panel, by columns
LINE, KEY_LINE, KEY_COLUMNS = 0.15, 0.2, 7  # inches from one line of the caption, of the key, to the next
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "svg.fonttype": "none",  # text stays text: small files that can be searched
    "svg.hashsalt": "estuary",  # the same picture gives the same bytes
}


class Sheet:
    """A figure with one panel for each kind of problem, at most three side by side."""

    def __init__(
        self,
        kinds: Sequence[str],
        title: str,
        results: Mapping[str, Any],
        keyed: int = 0,
        left: float = LEFT,
        right: float = 0.2,
        columns: int = COLUMNS,
        high: float | None = None,
    ) -> None:
        """keyed: entries of the key above the panels.  left, right: inches beside every panel, for names and labels.

        columns: panels side by side at most.  high: inches of a panel, None: what suits the number of columns.
        """
        from matplotlib.figure import Figure

        columns = min(columns, len(kinds))
        rows = -(-len(kinds) // columns)
        caption = caption_lines(results)
        top = 0.85 + KEY_LINE * -(-keyed // KEY_COLUMNS) + (0.3 if len(kinds) > 1 else 0.0)
        below = BELOW + LINE * len(caption) + 0.1
        high, wide = high or HEIGHTS[columns], (WIDTH - columns * (left + right)) / columns
        self.height = top + rows * high + (rows - 1) * GAP_Y + below
        self.panel = (wide, high)  # inches
        self.first_column = tuple(kinds[::columns])
        self.figure: Figure = Figure(figsize=(WIDTH, self.height), facecolor="white")
        self.axes: dict[str, Axes] = {}
        for k, kind in enumerate(kinds):
            row, column = divmod(k, columns)
            x, y = left + column * (wide + left + right), self.height - top - high - row * (high + GAP_Y)
            ax = self.figure.add_axes((x / WIDTH, y / self.height, wide / WIDTH, high / self.height))
            if len(kinds) > 1:
                ax.set_title(kind, fontsize=9.5, loc="left", fontweight="bold")
            self.axes[kind] = ax
        self.write(0.2, self.height - 0.34, title, fontsize=13, fontweight="bold")
        self.subtitle = self.write(0.2, self.height - 0.6, "", fontsize=9, color=FAINT)
        for k, line in enumerate(reversed(caption)):
            self.write(0.2, 0.1 + k * LINE, line, fontsize=7, color=FAINT)

    @property
    def single(self) -> bool:
        """Whether there is one panel, with room for labels at its lines."""
        return len(self.axes) == 1

    def write(self, x: float, y: float, text: str, **style: Any) -> Any:
        """Text at inches from the lower left corner."""
        return self.figure.text(x / WIDTH, y / self.height, text, **style)

    def key(self, handles: Sequence[Any]) -> None:
        """One key for all panels, above them."""
        columns = min(len(handles), KEY_COLUMNS)
        place = (0.2 / WIDTH, (self.height - 0.68) / self.height)
        self.figure.legend(
            handles=handles, ncols=columns, loc="upper left", bbox_to_anchor=place, frameon=False, fontsize=8.5,
            borderaxespad=0, handlelength=1.6, columnspacing=1.2,
        )  # fmt: skip

    def save(self, directory: Path, name: str) -> list[Path]:
        """Writes NAME.png and NAME.svg and returns them. Raises OSError."""
        paths = [directory / f"{name}.png", directory / f"{name}.svg"]
        self.figure.savefig(paths[0], dpi=200)
        self.figure.savefig(paths[1], metadata={"Date": None})
        return paths


def label_right(ax: Axes, height: float, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Writes texts right of a panel of that height [inches], by the (x, y, text, colour) ends of lines, none over
    another."""
    from matplotlib.transforms import blended_transform_factory

    wanted = [ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[1] for x, y, _, _ in ends]
    right = blended_transform_factory(ax.transAxes, ax.transAxes)
    for (x, y, text, colour), place in zip(ends, spread(wanted, 0.17 / height, 0.0, 1.0)):
        ax.annotate(
            text, (x, y), (1.03, place), textcoords=right, color=colour, fontsize=9, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.5, "shrinkA": 1, "shrinkB": 4},
        )  # fmt: skip


def label_below(ax: Axes, width: float, place: float, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Hangs texts upright under the (x, y, text, colour) ends of curves, their tops at that height of the axes, in a
    panel of that width [inches]."""
    wanted = [ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[0] for x, y, _, _ in ends]
    for (x, y, text, colour), across in zip(ends, spread(wanted, 0.17 / width, 0.01, 0.99)):
        ax.annotate(
            text, (x, y), (across, place), textcoords="axes fraction", color=colour, fontsize=9, rotation=90,
            ha="center", va="top",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.5, "shrinkA": 1, "shrinkB": 2},
        )  # fmt: skip


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to those wanted (least squares) that lie `gap` apart, in [low, high] where all fit into it."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    blocks: list[tuple[float, int]] = []  # isotonic regression of place - rank * gap: (mean, number) of equal ones
    for rank, k in enumerate(order):
        mean, number = wanted[k] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, number = (mean * number + before * many) / (number + many), number + many
        blocks.append((mean, number))
    shifts = [mean for mean, number in blocks for _ in range(number)]
    highest = max(low, high - (len(wanted) - 1) * gap)
    places = dict(zip(order, (min(max(s, low), highest) + rank * gap for rank, s in enumerate(shifts))))
    return [places[k] for k in range(len(wanted))]


def size_axis(ax: Axes, sizes: Sequence[int], width: float, labelled: bool) -> None:
    """A logarithmic axis of cells with as many of the sizes written out as fit. labelled: by texts on its right."""
    ax.set_xscale("log")
    step = math.ceil(len(sizes) * 0.65 / width)  # inches that "1,048,576" takes
    shown = sizes[::-1][::step][::-1]
    ax.set_xticks(shown, [f"{cells:,}" for cells in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlim(sizes[0] / 1.25, sizes[-1] * (1.02 if len(sizes) == 1 and labelled else 1.25))
    ax.set_xlabel("cells")


def caption_lines(results: Mapping[str, Any]) -> list[str]:
    """Machine, commit and command, in lines that fit the picture."""
    machine = results.get("machine", {})
    named = [str(machine["device_name"])] if machine.get("device_name") else []
    named += [f"torch {machine['torch']}"] if machine.get("torch") else []
    named += [f"{machine['threads']} CPU threads"] if machine.get("threads") else []
    named.append(f"commit {results.get('commit', 'unknown')}")
    wrapped = textwrap.wrap(", ".join(named), 160) + textwrap.wrap(str(results.get("command", "")), 160)
    return wrapped[:6]


def largest(entries: Sequence[Row]) -> list[Row]:
    """Those of the largest size."""
    cells = max(entry["cells"] for entry in entries)
    return [entry for entry in entries if entry["cells"] == cells]


def methods_of(rows: Sequence[Row]) -> list[str]:
    """The methods in the order in which they come."""
    return distinct(rows, "method")


def distinct(entries: Sequence[Row], key: str) -> list[str]:
    """The different values of a key, in the order in which they come."""
    return list(dict.fromkeys(str(entry[key]) for entry in entries))


def power(value: float) -> str:
    """A tolerance as people write it, 1e-8 instead of 1e-08."""
    return f"{value:g}".replace("e-0", "e-")
