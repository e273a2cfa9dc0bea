"""Where `--in-loop` finds its sequence: a folder, the one shipped with a scene, or one recorded now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..io.matrix_market import files_in
from ..io.recorded_systems import sequence
from ..support.command_line import RUN_TIME, Refusal

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "frames"
RECORDED = Path("out") / "frames"
FRAMES = "10"  # output frames of a recording made here


def files_of(name: str) -> tuple[str, list[Path]]:
    """(name, files in order) of a recorded sequence. Raises Refusal."""
    for folder in (Path(name), SHIPPED / name, RECORDED / name):
        if folder.is_dir():
            break
    else:
        folder = RECORDED / name
        record(name, folder)
    try:
        return folder.resolve().name, sequence(folder)
    except ValueError as error:
        raise Refusal(error) from None


def systems_in(folder: Path) -> list[Path]:
    """Recorded systems or MatrixMarket files of a folder in order. Raises ValueError."""
    return files_in(folder) or sequence(folder)


def record(scene: str, folder: Path) -> None:
    """Runs the simulation, in a process of its own because nothing here knows it, and lets it write its systems."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "app", "--headless", "--scene", scene, "--frames", FRAMES]
    command += ["--dump-systems", str(folder)]
    print(f"Recording {folder}: {' '.join(['python', *command[1:]])}", file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Refusal(f"--in-loop {scene!r} could not be recorded: {reason}", RUN_TIME)
