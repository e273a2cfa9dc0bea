"""`python -m precond.htp.explain`: draws the pictures of this folder's README, each as PNG and SVG."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import problems, registry
from ..figures.method_style import on_paper
from ..figures.sheet import FAINT, INK, STYLE, Sheet, label_right, power
from ..htp import bases, tile_inspection
from ..htp.hierarchy import FUNCTIONS
from ..htp.layout import SIDE, levels
from ..htp.method import Htp
from ..htp_paper import method as paper
from ..preconditioner import Preconditioner
from ..solver import Solver
from ..support.command_line import RUN_TIME, Parser, Refusal, check_writable, exit_code
from ..support.provenance import commit
from ..system import PoissonSystem
from . import plots

OUT = Path("assets/docs/htp")
METHODS = ("jacobi", "dilu", "multigrid", "htp-paper", "hierarchy", "htp")
SHOWN = ("blobs", 9216, 0, 100.0)  # kind, cells, seed, contrast
CUT = (6, 6)  # row and column of a tile there that a blob's rim divides
SPECTRUM, CONVERGENCE = ("barrier", 1024, 0), ("barrier", 16384, 0)
RTOL = 1e-8
NAMES = ("1", "x", "y", "xy", "x²", "y²", "x²y", "xy²")  # of bases.POWERS
LIGHT, HEAVY = "#F1EEE6", "#9DBAD3"


def main(argv: Sequence[str] | None = None) -> int:
    """Draws the pictures and returns the exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("precond.htp.explain", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """`main` without its errors."""
    out, weights = options(given)
    about = {"commit": commit(), "command": shlex.join(["python", "-m", "precond.htp.explain", *given])}
    for path in draw(out, about, weights):
        print(f"wrote {path}")
    return 0


def options(argv: Sequence[str]) -> tuple[Path, str | None]:
    """(folder, weights of htp) of the command line. Raises Refusal."""
    p = Parser(
        prog="python -m precond.htp.explain",
        description="Draws what the preconditioner htp does: four pictures, each as PNG and SVG.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("--out", metavar="DIR", default=str(OUT), help="the folder, made where missing")
    p.add_argument("--weights", metavar="FILE", help="weights of htp, or random:SEED; without: those of the program")
    given = p.parse_args(argv)
    if not given.out or "\0" in given.out:
        raise Refusal(f"--out {given.out!r} is not a folder: give another one")
    out = Path(given.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"--out {given.out!r} cannot be made: {error.strerror or error}, give another folder") from None
    check_writable(out / "partition.png", "--out")
    if given.weights is not None:
        try:
            Htp(given.weights)
        except ValueError as error:
            raise Refusal(f"--weights: {error}") from None
    return out, given.weights


def draw(out: Path, about: Mapping[str, Any], weights: str | None) -> list[Path]:
    """Writes the pictures into a folder that exists and returns the files.

    about: "commit" and "command" for the captions.  weights: of htp, as for Solver. Methods without weights are left
    out, with a line that says so. Raises Refusal if the disk does.
    """
    from matplotlib import rc_context

    methods = available(weights)
    paths: list[Path] = []
    with torch.no_grad(), rc_context(STYLE):
        for name, sheet in (
            ("partition", partition(about)),
            ("functions", functions(about, weights if "htp" in methods else "")),
            ("spectrum", spectrum(about, methods, weights)),
            ("convergence", convergence(about, methods, weights)),
        ):
            try:
                paths += sheet.save(out, name)
            except OSError as error:
                raise Refusal(f"--out {str(out)!r} cannot be written: {error.strerror or error}", RUN_TIME) from None
    return paths


def available(weights: str | None) -> list[str]:
    """The methods that can be used; a line about every other."""
    found = []
    for name in METHODS:
        reason = None if name == "htp" and weights else registry.why_unavailable(name)
        if reason is None:
            found.append(name)
        else:
            print(f"{name} is left out: {reason}")
    return found


def solver_of(name: str, system: PoissonSystem, weights: str | None) -> Solver:
    """Nothing steps in for a method that fails."""
    return Solver(name, system, device="cpu", fallback=(), weights=weights if name == "htp" else None)


# The pictures ---------------------------------------------------------------------------------------------------------


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
    """A short line at inches, as in the picture."""
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
    """An axis without any furniture, at inches."""
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


def spectrum(about: Mapping[str, Any], methods: Sequence[str], weights: str | None) -> Sheet:
    """Eigenvalues of M A where neither has a null space, sorted, over the largest."""
    system, _ = problems.frame(*SPECTRUM)
    sheet = Sheet(["all"], "Eigenvalues of M A", about, left=0.85, right=2.3)
    ax, look, ends = sheet.axes["all"], on_paper(methods), []
    for name in methods:
        values = eigenvalues(solver_of(name, system, weights), system)
        positive = values[values > 0] / values[-1]
        start = len(values) - len(positive)  # an indefinite M has some that no logarithm shows
        ax.plot(np.arange(start, len(values)) + 1, positive, color=look[name][0], linewidth=1.6)
        ratio = values[-1] / values[0]
        said = f"{start} negative" if start else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
        ends.append((1.0 + start, float(positive[0]), f"{name}  {said}", look[name][0]))
    ax.set(yscale="log", xscale="log", xlim=(len(values), 1), ylabel="eigenvalue over the largest")
    ax.set_xlabel("number, counted from the smallest")
    ax.set_xticks([1000, 100, 10, 1], ["1,000", "100", "10", "1"])
    label_right(ax, sheet.panel[1], ends)
    sheet.subtitle.set_text(
        f"{SPECTRUM[0]}, {SPECTRUM[1]:,} cells, seed {SPECTRUM[2]}, on the vectors without mean; the labels say the "
        "largest over the smallest, the condition number"
    )
    return sheet


def eigenvalues(solver: Solver, system: PoissonSystem) -> np.ndarray:
    """Of M A, ascending, the constant left out: with A = U L U^T those of the symmetric L^1/2 U^T M U L^1/2."""
    n, shape = system.solid.numel(), system.shape
    units = torch.eye(n, dtype=torch.float64).view(n, *shape)
    A = torch.stack([system.apply(unit).view(-1) for unit in units]).numpy()
    solver.apply(units[0])
    M_of = solver.preconditioner  # as it stands: solver.apply would set it up for every column
    assert isinstance(M_of, Preconditioner)
    columns = []
    for unit in units:
        z = torch.zeros_like(unit)
        M_of.apply(system.project(unit), z)
        columns.append(system.project(z).view(-1))
    M = torch.stack(columns).numpy()
    values, U = np.linalg.eigh(A)
    U = U[:, 1:] * np.sqrt(values[1:])
    return np.linalg.eigvalsh(U.T @ (M + M.T) @ U / 2)


def convergence(about: Mapping[str, Any], methods: Sequence[str], weights: str | None) -> Sheet:
    """The benchmark's picture of residuals, for one frame."""
    system, b = problems.frame(*CONVERGENCE)
    kind, cells, seed = CONVERGENCE
    curves = []
    for name in methods:
        if name == paper.NAME and cells not in paper.shipped():  # its weights belong to one size
            print(f"{name} is left out of convergence: there are no weights for {cells:,} cells")
            continue
        history = solver_of(name, system, weights).solve(system, b, rtol=RTOL).history
        curves.append({"method": name, "kind": kind, "cells": cells, "residuals": [1.0, *map(float, history)]})
    sheet = plots.convergence({**about, "rows": curves, "curves": curves, "rtol": RTOL})
    assert sheet is not None
    sheet.subtitle.set_text(f"{kind}, {cells:,} cells, seed {seed}; dashed: tolerance {power(RTOL)}")
    return sheet


if __name__ == "__main__":
    sys.exit(main())
