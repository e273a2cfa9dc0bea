"""The command line: every option checked before anything is simulated or written."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from precond.commandline import (
    Parser,
    Refusal,
    check_device,
    check_outputs,
    check_writable,
    joined,
    path_of,
    positive,
    whole,
)

if TYPE_CHECKING:
    from app.replay import Replay
    from app.state import SavedState
    from sim.layout import Scene

DEFAULT_SCENE, DEFAULT_PRECOND, DEFAULT_FRAMES = "dam-break", "htp", 240
DEFAULT_TOL = "1e-6"
TOL_MIN = 1e-14  # relative; rounding of float64 hides anything smaller
THREADS_PER_CPU = 4  # more only wait for each other


@dataclass(frozen=True)
class Options:
    """What the command line asks for, checked."""

    scene: Scene
    grid: tuple[int, int] | None = None  # (ny, nx), None: the scene's own
    preconds: tuple[str, ...] = (DEFAULT_PRECOND,)
    weights: str | None = None
    tol: float = 1e-6  # relative residual of every pressure solve
    device: str = "auto"
    threads: int | None = None
    seed: int = 0
    paused: bool = False
    headless: bool = False
    frames: int | None = None  # output frames of 1/60 s
    record: Path | None = None
    json: Path | None = None
    state: SavedState | None = None
    save_state: Path | None = None
    log: Path | None = None
    replay: Replay | None = None
    dump_systems: Path | None = None  # a folder
    dump_every: int = 1  # solves
    command: str = ""  # as typed


def parser() -> Parser:
    """The parser; values stay texts here and are checked in `options`, where the message can name the fix."""
    p = Parser(
        prog="python -m app",
        description="Two liquids in a window, the pressure solver switched live.",
        allow_abbrev=False,
    )
    p.add_argument("--scene", metavar="NAME|FILE.toml", help=f"what to simulate (default {DEFAULT_SCENE})")
    p.add_argument("--grid", metavar="NYxNX", help="cells, rows x columns, 16 to 2048 each (default: the scene's)")
    p.add_argument(
        "--precond",
        metavar="NAME[,NAME...]",
        help=f"preconditioner (default {DEFAULT_PRECOND}); a list, with --headless, takes turns at equal shares of "
        "--frames; with --replay: in place of those of the log",
    )
    p.add_argument("--weights", metavar="FILE", help="weights of a learned preconditioner, or random:SEED")
    p.add_argument("--tol", metavar="R", help=f"relative residual of every pressure solve (default {DEFAULT_TOL})")
    p.add_argument("--device", metavar="auto|cpu|cuda", help="where to compute (default auto)")
    p.add_argument("--threads", metavar="K", help="CPU threads of the simulation (default: all)")
    p.add_argument("--seed", metavar="K", help="seed of everything random (default 0)")
    p.add_argument("--paused", action="store_true", help="open the window paused")
    p.add_argument("--headless", action="store_true", help="run without a window and print a table")
    p.add_argument(
        "--frames", metavar="K", help=f"stop after K frames of 1/60 s (default {DEFAULT_FRAMES} with --headless)"
    )
    p.add_argument("--record", metavar="FILE.mp4", help="write a video of the window")
    p.add_argument("--json", metavar="FILE", help="write the numbers of the run")
    p.add_argument("--state", metavar="FILE.npz", help="continue from a saved state")
    p.add_argument("--save-state", metavar="FILE.npz", help="save the state at the end")
    p.add_argument("--log", metavar="FILE.jsonl", help="write every input, with the frame at which it took effect")
    p.add_argument(
        "--replay", metavar="FILE.jsonl", help="repeat a logged run exactly; --precond may differ, for comparisons"
    )
    p.add_argument(
        "--dump-systems", metavar="DIR", help="with --headless: record every pressure system in a new folder"
    )
    p.add_argument("--dump-every", metavar="K", help="with --dump-systems: only the first of every K systems")
    p.add_argument("--list-scenes", action="store_true", help="print the scenes and exit")
    p.add_argument("--version", action="version", version=f"estuary {__version__}")
    return p


def options(argv: Sequence[str]) -> Options | None:
    """Checked options, or None after a request that only prints. Raises Refusal."""
    given = parser().parse_args(joined(argv))
    import sim.scene

    if given.list_scenes:
        for name in sim.scene.names():
            print(f"{name:16s} {sim.scene.load(name).sentence}")
        return None
    outputs = {
        "--record": path_of(given.record, "--record", ".mp4"),
        "--json": path_of(given.json, "--json", ""),
        "--save-state": path_of(given.save_state, "--save-state", ".npz"),
        "--log": path_of(given.log, "--log", ".jsonl"),
    }
    replay = None if given.replay is None else replay_of(given)
    fill_in(given, replay)
    grid, tol = grid_of(given.grid), tol_of(given.tol)
    threads = None
    if given.threads is not None:
        threads = whole(given.threads, "--threads", 1, THREADS_PER_CPU * (os.cpu_count() or 1))
    seed = whole(given.seed, "--seed", 0)
    frames = whole(given.frames, "--frames", 1) if given.frames is not None else None
    if given.headless and frames is None:
        frames = DEFAULT_FRAMES if replay is None else max(replay.frames, 1)
    saved = None
    if replay is None:
        scene = scene_of(DEFAULT_SCENE if given.scene is None else given.scene)
    else:
        scene, grid, saved = replay.start.scene, replay.start.grid.shape, replay.start.state
    check_display(given.headless)
    preconds = preconds_of(given.precond, given.weights, given.headless, frames)
    check_device(given.device)
    check_weights(given.weights, given.precond, preconds)
    if given.state is not None:
        saved = state_of(given.state, scene if given.scene else None, grid)
        scene, grid = saved.scene, saved.grid.shape
    check_outputs(outputs)
    dump_systems = path_of(given.dump_systems, "--dump-systems", "")
    if dump_systems is not None:
        check_dump(dump_systems, given.headless, outputs)
    elif given.dump_every is not None:
        raise Refusal("--dump-every thins out what is recorded: add --dump-systems DIR")
    return Options(
        scene=scene,
        grid=grid,
        preconds=preconds,
        weights=given.weights,
        tol=tol,
        device=given.device,
        threads=threads,
        seed=seed,
        paused=given.paused,
        headless=given.headless,
        frames=frames,
        record=outputs["--record"],
        json=outputs["--json"],
        state=saved,
        save_state=outputs["--save-state"],
        log=outputs["--log"],
        replay=replay,
        dump_systems=dump_systems,
        dump_every=1 if given.dump_every is None else whole(given.dump_every, "--dump-every", 1),
        command=shlex.join(["python", "-m", "app", *argv]),
    )


def replay_of(given: Namespace) -> Replay:
    """The log to replay, which decides about everything but the preconditioner, the device and what is written."""
    from app import replay

    for option in ("scene", "grid", "state", "seed", "tol"):
        if getattr(given, option) is not None:
            raise Refusal(f"--{option} {getattr(given, option)!r} is for the log of --replay to decide: leave it out")
    path = path_of(given.replay, "--replay", "")
    assert path is not None
    if given.log is not None and path.resolve() == Path(given.log).resolve():
        raise Refusal(f"--log {given.log!r} is also the file of --replay: give another name")
    try:
        found = replay.load(path)
    except ValueError as error:
        raise Refusal(error) from None
    return found if given.precond is None else found.with_own_preconditioners()


def fill_in(given: Namespace, replay: Replay | None) -> None:
    """Sets what the command line leaves open: as logged, or to the defaults."""
    if replay is None:
        texts = {"precond": DEFAULT_PRECOND, "tol": DEFAULT_TOL, "device": "auto", "seed": "0"}
    else:
        start, most = replay.start, THREADS_PER_CPU * (os.cpu_count() or 1)
        texts = {"tol": repr(start.choice.tol), "device": start.device, "seed": str(start.seed)}
        if given.precond is None:  # other methods may have no use for the weights
            texts |= {"precond": start.choice.precond} | ({"weights": start.weights} if start.weights else {})
        if start.threads is not None:
            texts["threads"] = str(min(start.threads, most))
    for option, text in texts.items():
        if getattr(given, option) is None:
            setattr(given, option, text)


def tol_of(text: str) -> float:
    """The tolerance, within reach of float64."""
    tol = positive(text, "--tol")
    if not TOL_MIN <= tol < 1:
        raise Refusal(f"--tol {text} is out of reach: give {TOL_MIN:g} to 1, e.g. 1e-6")
    return tol


def check_weights(weights: str | None, precond: str, preconds: Sequence[str]) -> None:
    """Refuses weights that are not there or that no chosen method takes."""
    from precond.registry import entry

    if weights and not weights.startswith("random:") and not Path(weights).is_file():
        raise Refusal(f"--weights {weights!r} is not a file: give a file of weights or random:SEED")
    if weights and not any(entry(name).takes_weights for name in preconds):
        raise Refusal(f"--weights {weights!r} is of no use to --precond {precond!r}: leave it out")


def check_dump(folder: Path, headless: bool, outputs: dict[str, Path | None]) -> None:
    """Refuses a folder of recorded systems that is not new or empty, and one that another output would write into."""
    option = "--dump-systems"
    name = f"{option} {str(folder)!r}"
    if not headless:
        raise Refusal(f"{name} needs a run without a window: add --headless")
    for other, path in outputs.items():
        if path is not None and folder.resolve() in (path.resolve(), *path.resolve().parents):
            raise Refusal(f"{name} would also hold the file of {other}: give two places")
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise Refusal(f"{name} is not a folder: give a new one")
        check_writable(folder, option)
        return
    try:
        filled = any(folder.iterdir())
    except OSError as error:
        raise Refusal(f"{name} cannot be read: {error.strerror or error}, give a new folder") from None
    if filled:
        raise Refusal(f"{name} is not empty: give a new folder, nothing is overwritten")
    check_writable(folder / "000000.npz", option)


def grid_of(text: str | None) -> tuple[int, int] | None:
    """(ny, nx) of "NYxNX"."""
    from sim.grid import Grid

    if text is None:
        return None
    try:
        return Grid.parse(text).shape
    except ValueError as error:
        raise Refusal(f"--grid: {error}" if text in str(error) else f"--grid {text!r}: {error}") from None


def scene_of(name: str) -> Scene:
    """The scene of that name or file."""
    import sim.scene

    try:
        return sim.scene.load(name)
    except ValueError as error:
        raise Refusal(error if name in str(error) else f"--scene {name!r}: {error}") from None


def preconds_of(text: str, weights: str | None, headless: bool, frames: int | None) -> tuple[str, ...]:
    """The preconditioners to use in turn, each known and available here, or with another to stand in for it."""
    import precond
    from precond.registry import entry

    chosen = tuple(part.strip() for part in text.split(","))
    for name in chosen:
        if name not in precond.names():
            raise Refusal(f"preconditioner {name!r} is unknown: choose one of {', '.join(precond.names())}")
        reason = precond.why_unavailable(name)
        method = entry(name)
        if reason is not None and method.stand_in is None and not (weights and method.takes_weights):
            raise Refusal(f"preconditioner {name!r} is not available: {reason}")
    if len(chosen) > 1 and not headless:
        raise Refusal(f"--precond {text!r} names several: add --headless, or give one and switch in the panel")
    if frames is not None and frames < len(chosen):
        raise Refusal(
            f"--frames {frames} is fewer than the {len(chosen)} preconditioners of --precond {text!r}: give more frames"
        )
    return chosen


def check_display(headless: bool) -> None:
    """Refuses to open a window where there is no display."""
    if (
        not headless
        and sys.platform.startswith("linux")
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    ):
        raise Refusal(
            "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set): add --headless to run without a window"
        )


def state_of(file: str, scene: Scene | None, grid: tuple[int, int] | None) -> SavedState:
    """The saved state, which must fit the scene and the grid where those were asked for too."""
    from app import state

    try:
        saved = state.load(Path(file))
    except ValueError as error:
        raise Refusal(error) from None
    if scene is not None and scene != saved.scene:
        raise Refusal(
            f"--state {file!r} holds scene {saved.scene.name!r}, not --scene {scene.name!r}: leave out --scene"
        )
    if grid is not None and grid != saved.grid.shape:
        have, asked = ("x".join(map(str, shape)) for shape in (saved.grid.shape, grid))
        raise Refusal(f"--state {file!r} holds a grid of {have}, not --grid {asked}: leave out --grid")
    return saved
