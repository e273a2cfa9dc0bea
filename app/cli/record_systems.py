"""--dump-systems: the pressure systems of a run go to a folder before they are solved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.cli.options import Options
from app.session.session import Session
from precond.io.recorded_systems import Origin, Recording
from precond.support.command_line import Refusal
from precond.support.provenance import commit

if TYPE_CHECKING:
    import torch

    import precond


class Dump:
    """solve(system, b, x0) for a session's simulation: records each `every`-th system, solves as the session does."""

    def __init__(self, session: Session, recording: Recording, every: int) -> None:
        self._session, self._recording, self._every = session, recording, every
        self._seen = 0

    def __call__(self, system: precond.PoissonSystem, b: torch.Tensor, x0: torch.Tensor) -> precond.Solution:
        recording, session = self._recording, self._session
        wanted = self._seen % self._every == 0
        self._seen += 1
        try:
            if wanted:
                recording.add(system, b, session.simulation.substep_dt, session.frames)
        except OSError as error:  # a full disk ends the run as a failing solve would
            raise RuntimeError(
                f"--dump-systems {str(recording.directory)!r} could not be written: {error.strerror or error}; "
                f"the {len(recording)} systems before it are complete"
            ) from None
        return session.solve(system, b, x0)


def start(session: Session, options: Options) -> Recording | None:
    """Records the systems that the session solves from now on, where that was asked for. Raises Refusal."""
    folder = options.dump_systems
    if folder is None:
        return None
    simulation = session.simulation
    origin = Origin(
        scene=simulation.scene.name,
        grid=simulation.grid.shape,
        precond=",".join(options.preconds),
        tol=options.tol,
        commit=commit(),
        command=options.command,
    )
    try:
        recording = Recording(folder, origin)
    except OSError as error:
        raise Refusal(f"--dump-systems {str(folder)!r} cannot be written: {error.strerror or error}") from None
    except ValueError as error:  # filled since the command line was checked
        raise Refusal(f"--dump-systems: {error}") from None
    simulation.solve = Dump(session, recording, options.dump_every)
    return recording
