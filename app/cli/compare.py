"""--compare without a window: fluids side by side as a table, as json and as a video."""

from __future__ import annotations

from typing import Any

from app.cli.options import DEFAULT_FRAMES, Options
from app.cli.outputs import write_or_refuse
from app.cli.progress import with_progress
from app.compare.comparison import Comparison, machine_name
from app.compare.pane import Pane
from app.session.session import Session
from app.solving import run_stats
from app.solving.choice import Choice, Variant
from app.solving.run_stats import RunStats, merged
from app.solving.switchable_solver import SwitchableSolver
from precond.support.command_line import RUN_TIME, Refusal
from precond.support.files import write_json
from precond.support.provenance import machine


def run(options: Options) -> int:
    """Simulates the panes, writes what was asked for and returns the exit code."""
    if options.race and options.replay is not None and options.replay.changes_scene:
        raise Refusal(f"--replay {options.replay.file!r} changes the scene, which a race cannot: leave out --race")
    try:
        panes = [open_pane(name, options) for name in options.compare]
    except (ValueError, RuntimeError) as error:
        raise Refusal(error) from None
    except MemoryError:
        raise Refusal(f"{len(options.compare)} fluids of this size do not fit into memory", RUN_TIME) from None
    comparison = Comparison(panes, options.race, options.frames or DEFAULT_FRAMES)
    print(heading(comparison), flush=True)
    kind = "race" if options.race else "comparison"
    snapshots = with_progress(comparison.snapshots(), comparison.frames, lambda: kind)
    if options.record is None:
        for _ in snapshots:
            pass
    else:
        from app.window import toolkit

        toolkit.prepare_toolkit(offscreen=True)
        from app.window import comparison_video

        comparison_video.record(comparison, snapshots, options.record)
    print(run_stats.table([pane.run_stats for pane in panes]))
    for pane in panes:
        if pane.run_stats.notice:
            print(f"note: {pane.run_stats.notice}")
    if comparison.failure:
        raise Refusal(comparison.failure, RUN_TIME)
    if options.json is not None:
        write_or_refuse("--json", options.json, lambda path: write_json(path, results(comparison)))
    return 0


def open_pane(variant: Variant, options: Options) -> Pane:
    """A fluid at the start of the run, solved as the variant says."""
    choice = Choice(variant.precond, variant.tol or options.tol)
    session = Session(
        options.scene,
        options.grid,
        SwitchableSolver(choice, options.device, options.weights, iterations=variant.iterations),
        device=options.device,
        seed=options.seed,
        threads=options.threads,
        saved=options.state,
        replay=options.replay and options.replay.with_own_preconditioners(),  # each reads the log for itself
    )
    return Pane(session, variant)


def heading(comparison: Comparison) -> str:
    """One line that says what runs and where."""
    session = comparison.panes[0].session
    ny, nx = session.simulation.grid.shape
    kind = "race" if comparison.race else "equal simulated times"
    return (
        f"{session.simulation.scene.name}, {ny}x{nx} cells, tolerance {session.solve.choice.tol:g}, "
        f"{machine_name(session)}, {kind}"
    )


def results(comparison: Comparison) -> dict[str, Any]:
    """What --json writes: the totals, each pane, and every number of every frame."""
    panes, simulation = comparison.panes, comparison.panes[0].session.simulation
    total = RunStats(",".join(pane.precond for pane in panes))
    for pane in panes:
        total = merged(total, pane.run_stats)
    return {
        **total.numbers(),
        "frames": comparison.frames,
        "scene": simulation.scene.name,
        "grid": list(simulation.grid.shape),
        "tol": comparison.panes[0].session.solve.choice.tol,
        "seed": simulation.seed,
        "race": comparison.race,
        "scale": comparison.scale,
        "panes": [numbers(pane) for pane in panes],
        "pictures": comparison.numbers,
        "machine": machine(simulation.device.type),
    }


def numbers(pane: Pane) -> dict[str, Any]:
    """The totals of a pane, and where it ended."""
    stats, variant = pane.method_stats, pane.variant
    table = {
        **pane.run_stats.numbers(),
        "time": pane.frame.time,
        "clock": 0.0 if pane.failed else stats.clock,
        "computing": stats.computing,
        "tol": pane.session.solve.choice.tol,
        "iterations_limit": variant.iterations or None,
        "parted": pane.trace.parted,
        "difference": pane.trace.difference,
    }
    return table | ({"failure": stats.error} if pane.failed else {})
