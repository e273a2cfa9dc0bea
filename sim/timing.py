"""`python -m sim.timing`: where the time of a step goes, by scene and grid, and the frame rate that it means."""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from precond.support.command_line import Parser, Refusal, aligned, check_outputs, exit_code, joined, path_of, whole
from precond.support.files import write_json
from precond.support.provenance import commit, machine
from precond.system import PoissonSystem
from sim.frame import Solution
from sim.grid import LARGEST, SMALLEST
from sim.scenes.reader import names
from sim.simulation import Simulation
from sim.validate.solver import pressure_solver

FIRST, FRAMES = 6, 20  # frames that warm up and frames that count, of one step each where the flow allows it
TOL = 1e-6
STAGES = ("advect", "assemble", "project")


@dataclass(frozen=True)
class Row:
    """Medians over the steps of one scene on one grid."""

    scene: str
    phases: int
    rows: int
    columns: int
    step_ms: float  # all but the pressure solve
    advect_ms: float
    assemble_ms: float
    project_ms: float
    solve_ms: float
    substeps: float  # in a frame of 1/60 s

    @property
    def frames_per_second(self) -> float:
        """Frames of 1/60 s in a second of computing."""
        return 1e3 / (self.substeps * (self.step_ms + self.solve_ms))

    def share(self, ms: float) -> str:
        """Milliseconds, and their share of the whole step with its solve."""
        return f"{ms:.2f} ({100 * ms / (self.step_ms + self.solve_ms):.0f}%)"


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 0, or 2 for bad usage."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("sim.timing", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    scenes, sizes, json = options(given)
    rows = []
    for scene in scenes:
        for grid in sizes or (None,):
            rows.append(timed(scene, grid))
            print(f"{scene}: {rows[-1].step_ms:.2f} ms", file=sys.stderr, flush=True)
    print(table(rows))
    if json:
        command = shlex.join(["python", "-m", "sim.timing", *given])
        lines = [asdict(row) for row in rows]
        write_json(json, {"machine": machine("cpu"), "commit": commit(), "command": command, "rows": lines})
        print(f"wrote {json}")
    return 0


def options(argv: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], Path | None]:
    """(scenes, sizes, json) of the command line. Raises Refusal."""
    p = Parser(prog="python -m sim.timing", description="Times a step of the fluid by stage.", allow_abbrev=False)
    p.add_argument("scenes", metavar="SCENE", nargs="*", help="default: all")
    p.add_argument("--sizes", metavar="N[,NYxNX...]", help="grids of N x N or NY x NX cells (default: the scene's own)")
    p.add_argument("--json", metavar="FILE", help="write the numbers")
    given = p.parse_args(joined(argv))
    for scene in given.scenes:
        if scene not in names():
            raise Refusal(f"scene {scene!r} is unknown: choose of {', '.join(names())}")
    json = path_of(given.json, "--json", "")
    check_outputs({"--json": json})
    sizes = () if given.sizes is None else tuple(map(shape, given.sizes.split(",")))
    return tuple(given.scenes) or names(), sizes, json


def shape(size: str) -> tuple[int, int]:
    """(rows, columns) of "128" or "96x128". Raises Refusal."""
    numbers = [whole(n, "--sizes", SMALLEST, LARGEST) for n in size.split("x")]
    if len(numbers) > 2:
        raise Refusal(f"--sizes {size!r} is neither N nor NYxNX")
    return numbers[0], numbers[-1]


def timed(scene: str, grid: tuple[int, int] | None) -> Row:
    """One scene on this grid, or on its own."""
    solve, spent = pressure_solver("multigrid", TOL), [0.0]

    def timed_solve(system: PoissonSystem, b: torch.Tensor, x0: torch.Tensor) -> Solution:
        start = time.perf_counter()
        solution = solve(system, b, x0)
        spent[0] += time.perf_counter() - start
        return solution

    simulation = Simulation(scene, grid, solve=timed_solve)
    samples: list[list[float]] = []
    for k in range(FIRST + FRAMES):
        spent[0], start = 0.0, time.perf_counter()
        frame = simulation.step(1 / 60 if k < FIRST else simulation.substep_dt)
        whole_ms = 1e3 * (time.perf_counter() - start - spent[0])
        parts = [whole_ms, *(frame.stats.ms[stage] for stage in STAGES), 1e3 * spent[0]]
        if k >= FIRST:
            samples.append([part / frame.substeps for part in parts])
    medians = [statistics.median(column) for column in zip(*samples)]
    ny, nx = simulation.grid.shape
    whole_ms, advect_ms, assemble_ms, project_ms, solve_ms = medians
    stages = whole_ms, advect_ms, assemble_ms, project_ms, solve_ms
    return Row(scene, len(simulation.scene.phases), ny, nx, *stages, 1 / 60 / simulation.substep_dt)


def table(rows: Sequence[Row]) -> str:
    """As text: milliseconds of a step with their share of it, and what that means for a frame."""
    heads = ("scene", "phases", "grid", "step without solve", *STAGES, "solve (multigrid)", "steps/frame", "frames/s")
    lines = [
        (
            row.scene,
            str(row.phases),
            f"{row.rows}x{row.columns}",
            *map(row.share, (row.step_ms, row.advect_ms, row.assemble_ms, row.project_ms, row.solve_ms)),
            f"{row.substeps:.1f}",
            f"{row.frames_per_second:.0f}",
        )
        for row in rows
    ]
    return aligned([heads, *lines])


if __name__ == "__main__":
    sys.exit(main())
