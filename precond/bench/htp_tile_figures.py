"""Two pictures of htp's page: where the tiles lie, and the functions of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from .. import problems
from ..figures.sheet import FAINT, INK, Sheet
from ..htp import bases, tile_inspection
from ..htp.hierarchy import FUNCTIONS
from ..htp.layout import SIDE, levels
from ..htp.method import Htp
from ..system import PoissonSystem

SHOWN = ("blobs", 9216, 0, 100.0)  # kind, cells, seed, contrast
CUT = (6, 6)  # row and column of a tile there that a blob's rim divides
NAMES = ("1", "x", "y", "xy", "x²", "y²", "x²y", "xy²")  # of bases.POWERS
LIGHT, HEAVY = "#F1EEE6", "#9DBAD3"


def partition(about: Mapping[str, Any]) -> Sheet:
    """Tiles, groups and groups of groups over the density."""
    rho, _, _ = problems.fields(*SHOWN)
    ny, nx = rho.shape
    sheet = Sheet(["cells"], "Tiles and groups of tiles", about, left=0.2, right=4.9, high=3.9)
    ax = sheet.axes["cells"]
    ax.set(xlim=(0, nx), ylim=(0, ny), aspect="equal", anchor="NW")
    ax.set_axis_off()
    ax.pcolormesh(rho, cmap=_two(), rasterized=True)
    for level, (rows, columns) in enumerate(tile_inspection.edges(ny, nx)):
        for draw_line, places in ((ax.axhline, rows), (ax.axvline, columns)):
            for place in places:
                draw_line(place, color=INK, linewidth=0.6 + 1.3 * level)
    counts = [up * across for up, across in levels(ny, nx, FUNCTIONS, tile_inspection.COARSEST)[0]]
    lines = [f"{ny * nx:,} cells", f"{counts[0]} tiles of {SIDE}x{SIDE} cells, {FUNCTIONS} functions each"]
    lines += [
        f"{count} groups of 2x2 {name}, {4 * FUNCTIONS} unknowns and {FUNCTIONS} functions each"
        for count, name in zip(counts[1:], ("tiles", "groups"))
    ]
    lines.append(f"{counts[-1] * FUNCTIONS} unknowns left, inverted densely")
    for k, line in enumerate(lines):
        y = sheet.height - 1.3 - 0.42 * k
        weight = 0.6 + 1.3 * (k - 1)
        if 0 < k < len(lines) - 1:
            _line(sheet, 4.45, y + 0.045, weight)
        sheet.write(4.85, y, line)
    sheet.subtitle.set_text(
        f"{SHOWN[0]}, {nx}x{ny} cells, blue {SHOWN[3]:.0f} times as heavy; the coarser a level, the heavier its lines"
    )
    return sheet


def _line(sheet: Sheet, x: float, y: float, weight: float) -> None:
    """A short line at (x, y) inches, for the list of levels."""
    from matplotlib.lines import Line2D

    size = sheet.figure.get_size_inches()
    ends = [x / size[0], (x + 0.25) / size[0]], [y / size[1]] * 2
    sheet.figure.add_artist(Line2D(*ends, color=INK, linewidth=weight))


def functions(about: Mapping[str, Any], weights: str | None) -> Sheet:
    """One tile's functions on its cells and the ring around it.

    weights: as for Solver, "": the row of the network is left out.
    """
    rho, _, _ = problems.fields(*SHOWN)
    pictures = {"polynomials": _polynomials()}
    heavy = rho > SHOWN[3] ** 0.5
    system = PoissonSystem.from_density(torch.from_numpy(rho))
    M = Htp(weights or None) if weights != "" else Htp("random:0")
    M.setup(system)
    pictures["continued into the tile by A p = 0, from polynomials on the ring around it"] = _continued(
        M, M.polynomials
    )
    if weights != "":
        pictures["continued from what the network makes of them"] = _continued(M, M.proposed[0])
    wide, gap, top, line = 0.76, 0.06, 1.05, 0.3
    sheet = Sheet(["all"], "The functions of a tile", about, high=len(pictures) * (wide + line))
    sheet.axes["all"].remove()
    left = 9.0 - 0.2 - 8 * (wide + gap) + gap
    first, column = CUT[0] * SIDE, CUT[1] * SIDE
    for row, (title, picture) in enumerate(pictures.items()):
        y = sheet.height - top - (row + 1) * (wide + line) + 0.1
        sheet.write(left, y + wide + 0.06, title, fontsize=8.5)
        for k in range(FUNCTIONS):
            ax = _square(sheet, left + k * (wide + gap), y, wide)
            shown = picture[k] / np.nanmax(np.abs(picture[k]))
            ax.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, origin="lower", extent=(-1, SIDE + 1, -1, SIDE + 1))
            _interface(ax, heavy[first - 1 : first + SIDE + 1, column - 1 : column + SIDE + 1], -1)
            _frame(ax, 0, 0)
            if row == 0:
                sheet.write(left + k * (wide + gap) + wide / 2, y + wide + 0.24, NAMES[k], ha="center", fontsize=9)
    around = 3 * SIDE
    side = left - 0.2 - 0.25
    ax = _square(sheet, 0.2, sheet.height - top - line + 0.1 - side, side)
    window = heavy[first - SIDE : first + 2 * SIDE, column - SIDE : column + 2 * SIDE]
    ax.imshow(np.where(window, 1.0, 0.0), cmap=_two(), origin="lower", extent=(0, around, 0, around))
    _interface(ax, window, 0)
    _frame(ax, SIDE, SIDE)
    sheet.write(0.2, sheet.height - top - line + 0.1 - side - 0.17, "the tile and what is around it", fontsize=8.5)
    sheet.subtitle.set_text(
        "as pressure, each over its largest value, red 1, white 0, blue -1; with the ring of cells around the tile; "
        f"black: where density jumps {SHOWN[3]:.0f}:1"
    )
    return sheet


def _polynomials() -> np.ndarray:
    """(8, 10, 10) the monomials on a tile and the ring."""
    device = torch.device("cpu")
    return _with_ring(bases.inside(FUNCTIONS, device).T.numpy(), bases.ring(FUNCTIONS, device).T.numpy())


def _continued(M: Htp, traces: torch.Tensor) -> np.ndarray:
    """(8, 10, 10) pressures in the tile of the picture for these traces, and the traces."""
    assert M.constants is not None
    assert M.cache.tiles is not None
    k = int(M.constants.layout.tile_grid[CUT])
    c, own = M.cells.of(torch.tensor([k])), traces[k if traces.shape[0] > 1 else 0]
    back = M.cache.tiles.inverse[k, M.constants.layout.rim]  # (32, 64)
    V = (own * c.ring * c.rim) @ back  # B W T
    return _with_ring((V / c.root).numpy(), own.numpy())


def _with_ring(inside: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(r, 10, 10) from (r, 64) and (r, 32); NaN in the corners."""
    picture = np.full((len(inside), SIDE + 2, SIDE + 2), np.nan)
    picture[:, 1:-1, 1:-1] = inside.reshape(-1, SIDE, SIDE)
    west, east, south, north = np.split(ring, 4, axis=1)
    picture[:, 1:-1, 0], picture[:, 1:-1, -1], picture[:, 0, 1:-1], picture[:, -1, 1:-1] = west, east, south, north
    return picture


def _square(sheet: Sheet, x: float, y: float, side: float) -> Any:
    """Square axes without ticks and frame, at (x, y) inches."""
    wide, high = sheet.figure.get_size_inches()
    ax = sheet.figure.add_axes((x / wide, y / high, side / wide, side / high))
    ax.set_axis_off()
    return ax


def _two() -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([LIGHT, HEAVY])


def _interface(ax: Any, heavy: np.ndarray, origin: int) -> None:
    """The faces between heavy and light cells; the first cell begins at (origin, origin)."""
    from matplotlib.collections import LineCollection

    rows, columns = np.nonzero(heavy[:, 1:] != heavy[:, :-1])
    faces = [((c + 1 + origin, r + origin), (c + 1 + origin, r + 1 + origin)) for r, c in zip(rows, columns)]
    rows, columns = np.nonzero(heavy[1:] != heavy[:-1])
    faces += [((c + origin, r + 1 + origin), (c + 1 + origin, r + 1 + origin)) for r, c in zip(rows, columns)]
    ax.add_collection(LineCollection(faces, colors="black", linewidths=1.1, capstyle="projecting"))


def _frame(ax: Any, x: float, y: float) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), SIDE, SIDE, fill=False, edgecolor=FAINT, linewidth=0.8))
