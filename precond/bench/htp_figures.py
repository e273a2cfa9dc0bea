"""`python -m precond.htp.explain`: draws the pictures of precond/htp/README.md, each as PNG and SVG."""

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
from ..figures.sheet import STYLE, Sheet, label_right, power
from ..htp.method import Htp
from ..htp_paper import method as paper
from ..preconditioner import Preconditioner
from ..solver import Solver
from ..support.command_line import RUN_TIME, Parser, Refusal, check_writable, exit_code
from ..support.provenance import commit
from ..system import PoissonSystem
from . import plots
from .htp_tile_figures import functions, partition

OUT = Path("assets/docs/htp")
METHODS = ("jacobi", "dilu", "multigrid", "htp-paper", "hierarchy", "htp")
SPECTRUM, CONVERGENCE = ("barrier", 1024, 0), ("barrier", 16384, 0)
RTOL = 1e-8


def main(argv: Sequence[str] | None = None) -> int:
    """Draws the pictures and returns the exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("precond.htp.explain", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
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
    """A solver of that name without fallback."""
    return Solver(name, system, device="cpu", fallback=(), weights=weights if name == "htp" else None)


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
    """Eigenvalues of M A, ascending, without the constant's.

    With A = U L U^T they are those of the symmetric L^1/2 U^T M U L^1/2.
    """
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
