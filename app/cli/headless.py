"""A run without a window: frames in, a table and files out."""

from __future__ import annotations

from app.cli import interactive, record_systems
from app.cli.options import Options
from app.cli.outputs import Journey, open_session, write_results
from app.compare import comparison
from app.session.session import Session
from app.solving import run_stats
from precond.support.command_line import RUN_TIME, Refusal


def run(options: Options) -> int:
    """Simulates options.frames output frames, writes what was asked for and returns the exit code."""
    if options.compare:
        return comparison.run(options)
    try:
        session = open_session(options)
    except (ValueError, RuntimeError) as error:
        raise Refusal(error) from None
    except MemoryError:
        raise Refusal(f"--grid {'x'.join(map(str, options.grid or ()))} does not fit into memory", RUN_TIME) from None
    recording = record_systems.start(session, options)
    journey = Journey(session, options)
    print(heading(session, options), flush=True)
    try:
        if options.record is None:
            for _ in journey.frames():
                pass
        else:
            interactive.record(journey, options.record)
    finally:
        session.close_log()
    print(run_stats.table(journey.panes))
    about_log = (session.log and session.log.error, session.replay and session.replay.verdict())
    for notice in filter(None, (*(pane.notice for pane in journey.panes), journey.notice, *about_log)):
        print(f"note: {notice}")
    if journey.failure:  # half a run's numbers under a whole run's name would mislead
        raise Refusal(journey.failure, RUN_TIME)
    if recording is not None:
        print(f"wrote {len(recording)} systems to {recording.directory}")
    write_results(options, session, [journey.total, *journey.panes])
    return 0


def heading(session: Session, options: Options) -> str:
    """One line that says what runs and where."""
    simulation = session.simulation
    ny, nx = simulation.grid.shape
    device = simulation.device.type
    why = "as asked for"
    if options.device == "auto":
        why = f"chosen because torch sees {'CUDA' if device == 'cuda' else 'no CUDA'}"
    return f"{simulation.scene.name}, {ny}x{nx} cells, tolerance {options.tol:g}, {device} ({why})"
