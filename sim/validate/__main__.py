"""`python -m sim.validate`: flows with a known answer, measured against published numbers, as a table and pictures."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import precond
from precond.figures.sheet import STYLE
from precond.support.command_line import (
    RUN_TIME,
    Parser,
    Refusal,
    check_outputs,
    exit_code,
    joined,
    path_of,
    positive,
    whole,
)
from precond.support.files import write_json
from precond.support.provenance import commit, machine
from sim.validate.cases import CASES
from sim.validate.results import Curve, Result
from sim.validate.solver import pressure_solver

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOL = 1e-8  # relative residual of every pressure solve
MEASURED, PUBLISHED = "#004488", "#BB5566"  # Paul Tol's high-contrast set


@dataclass(frozen=True)
class Options:
    """What the command line asks for, checked."""

    cases: tuple[str, ...]
    full: bool
    sizes: tuple[int, ...]  # empty: each case's own
    precond: str
    tol: float
    plot: Path | None
    json: Path | None


def options(argv: Sequence[str]) -> Options:
    """Checked options. Raises Refusal."""
    p = Parser(
        prog="python -m sim.validate", description="Compares the fluid with published numbers.", allow_abbrev=False
    )
    p.add_argument("cases", metavar="CASE", nargs="*", help=f"of {', '.join(CASES)} (default: all)")
    p.add_argument("--full", action="store_true", help="on all grids, the fine ones too (half an hour)")
    p.add_argument("--sizes", metavar="N[,N...]", help="cells to the characteristic length instead")
    p.add_argument("--precond", metavar="NAME", default="multigrid", help="pressure solver (default %(default)s)")
    p.add_argument(
        "--tol", metavar="R", default=str(TOL), help="relative residual of every solve (default %(default)s)"
    )
    p.add_argument("--plot", metavar="DIR", help="draw every comparison as DIR/CASE.png")
    p.add_argument("--json", metavar="FILE", help="write the numbers")
    given = p.parse_args(joined(argv))
    for name in given.cases:
        if name not in CASES:
            raise Refusal(f"case {name!r} is unknown: choose of {', '.join(CASES)}")
    reason = precond.why_unavailable(given.precond) if given.precond in precond.names() else "it is unknown"
    if reason:
        raise Refusal(f"--precond {given.precond!r} cannot be used: {reason}")
    sizes = tuple(whole(text, "--sizes", 16, 512) for text in given.sizes.split(",")) if given.sizes else ()
    json = path_of(given.json, "--json", "")
    check_outputs({"--json": json})
    plot = path_of(given.plot, "--plot", "")
    if plot is not None and plot.exists() and not plot.is_dir():
        raise Refusal(f"--plot {str(plot)!r} is not a folder: give a new one")
    return Options(
        tuple(given.cases) or tuple(CASES), given.full, sizes, given.precond, positive(given.tol, "--tol"), plot, json
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the cases; 0 if every number is where it should be, 1 if one is not, 2 for bad usage."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("sim.validate", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    chosen = options(given)
    results = [result for name in chosen.cases for result in measured(name, chosen)]
    holds = all(check.holds for result in results for check in result.checks)
    try:
        if chosen.json:
            write_json(chosen.json, as_table(results, shlex.join(["python", "-m", "sim.validate", *given])))
            print(f"wrote {chosen.json}")
        if chosen.plot:
            for path in draw(results, chosen.plot):
                print(f"wrote {path}")
    except OSError as error:
        raise Refusal(f"{error.filename or 'output'} cannot be written: {error.strerror}", RUN_TIME) from None
    return 0 if holds else RUN_TIME


def measured(name: str, chosen: Options) -> list[Result]:
    """The results of one case, each printed as soon as it is there."""
    case = CASES[name]
    print(f"{name}: {case.about}; reference: {case.source}")
    results = []
    for n in chosen.sizes or (case.full if chosen.full else case.sizes):
        start = time.perf_counter()
        results.append(case.run(n, pressure_solver(chosen.precond, chosen.tol)))
        print(f"  n = {n}, {time.perf_counter() - start:.0f} s")
        for check in results[-1].checks:
            beside = "" if check.reference is None else f"{check.reference:10.5g}"
            verdict = "ok" if check.holds else f"MISSED, allowed {check.tolerance:.3g}"
            print(f"    {check.quantity:38s}{check.measured:12.5g}{beside:>12s}   {verdict}", flush=True)
    return results


def as_table(results: Sequence[Result], command: str) -> dict[str, Any]:
    """What --json writes."""
    rows = [
        {"case": result.case, "n": result.n, **asdict(check), "holds": check.holds, "source": CASES[result.case].source}
        for result in results
        for check in result.checks
    ]
    return {"machine": machine("cpu"), "commit": commit(), "command": command, "rows": rows}


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """One picture for each case: its curves with the published points, all grids together, and the finest fluid."""
    from matplotlib import pyplot, rc_context

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with rc_context(STYLE):
        for name in dict.fromkeys(result.case for result in results):
            own = [result for result in results if result.case == name]
            finest = own[-1]
            panels = len(finest.curves) + 1
            figure, axes = pyplot.subplots(1, panels, figsize=(3.6 * panels, 3.2), layout="constrained", squeeze=False)
            for k, ax in enumerate(axes[0, :-1]):
                plot(ax, [(result.n, result.curves[k]) for result in own])
            if finest.picture is not None:
                axes[0, -1].imshow(finest.picture, origin="lower", cmap="Blues", vmin=0, vmax=1.3)
                axes[0, -1].set_title(f"n = {finest.n}, {'most stretched' if name == 'vortex' else 'at the end'}")
            axes[0, -1].set_xticks([])
            axes[0, -1].set_yticks([])
            figure.suptitle(f"{name}: {CASES[name].source}")
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=130)
            pyplot.close(figure)
    return paths


def plot(ax: Axes, curves: Sequence[tuple[int, Curve]]) -> None:
    """One quantity: measured lines, the finer the darker, and published points."""
    for k, (n, curve) in enumerate(curves):
        ax.plot(curve.x, curve.y, color=MEASURED, alpha=(k + 1) / len(curves), label=f"n = {n}")
    _, last = curves[-1]
    if last.points_x:
        ax.plot(last.points_x, last.points_y, "o", color=PUBLISHED, mfc="none", label="reference")
    ax.set_title(last.title)
    ax.set_xlabel(last.x_label)
    ax.set_ylabel(last.y_label)
    ax.legend(frameon=False)


if __name__ == "__main__":
    sys.exit(main())
