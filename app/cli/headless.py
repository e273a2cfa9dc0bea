"""A run without a window: frames in, a table and files out."""

from __future__ import annotations

import sys

from app.cli import compare, record_systems
from app.cli.options import Options
from app.cli.outputs import Run, open_session, write_results
from app.session.session import Session
from app.solving import kernels, run_stats
from app.window import offscreen
from precond.support.command_line import INTERRUPTED, RUN_TIME, Refusal


def run(options: Options) -> int:
    """Simulates options.frames output frames, writes what was asked for and returns the exit code."""
    kernels.prepare(options.device, lambda text: print(text, file=sys.stderr))
    if options.compare:
        return compare.run(options)
    try:
        session = open_session(options)
    except (ValueError, RuntimeError) as error:
        raise Refusal(error) from None
    except MemoryError:
        raise Refusal(f"--grid {'x'.join(map(str, options.grid or ()))} does not fit into memory", RUN_TIME) from None
    recording = record_systems.start(session, options)
    work = Run(session, options)
    print(heading(session, options), flush=True)
    try:
        if options.record is None:
            for _ in work.frames():
                pass
        else:
            ended = offscreen.record(session, work.frames(), options.record, options.pictures)
            work.failure = work.failure or ended
    finally:
        session.close_log()
    print(run_stats.table(work.parts))
    log, replay = session.journal.log, session.journal.replay
    about_log = (log and log.error, replay and replay.verdict())
    for notice in filter(None, (*(part.notice for part in work.parts), work.notice, *about_log)):
        print(f"note: {notice}")
    if work.failure:  # half a run's numbers under a whole run's name would mislead
        raise Refusal(work.failure, RUN_TIME)
    if recording is not None:
        print(f"wrote {len(recording)} systems to {recording.directory}")
    write_results(options, session, work.total, work.parts)
    if work.interrupted:
        raise Refusal(f"interrupted after {work.total.frames} frames", INTERRUPTED)
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
