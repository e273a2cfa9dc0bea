"""The command line: every option checked before anything is simulated or written."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.cli.pictures import pictures_of, record_of
from app.cli.validation import (
    check_display,
    check_dump,
    check_new_folder,
    check_weights,
    compared,
    export_of,
    parsed_grid,
    preconds_of,
    scene_of,
    state_of,
    tol_of,
)
from app.record.animation import is_folder
from app.record.video import poster_of
from app.render.look import StillOptions
from app.solving.choice import Variant
from precond.support.command_line import Parser, Refusal, check_device, check_outputs, joined, path_of, whole

if TYPE_CHECKING:
    from app.session.replay import Replay
    from app.session.state_file import SavedState
    from sim.scenes.scene import Scene

DEFAULT_SCENE, DEFAULT_PRECOND, DEFAULT_FRAMES = "dam-break", "htp", 240
DEFAULT_TOL = "1e-6"
KEEP_GRID = ("state", "replay", "log", "record", "compare", "frames")  # a run with one of these keeps its grid
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
    pictures: StillOptions | None = None  # how the fluid alone is recorded; None: the window is
    compare: tuple[Variant, ...] = ()  # methods side by side
    race: bool = False  # each as fast as its solver allows
    json: Path | None = None
    state: SavedState | None = None
    save_state: Path | None = None
    export: Path | None = None  # fields of the last frame
    log: Path | None = None
    replay: Replay | None = None
    dump_systems: Path | None = None  # a folder
    dump_every: int = 1  # solves
    remembers: bool = True  # the window's settings
    free_grid: bool = False  # the window may choose what this machine keeps up with
    free_tol: bool = False
    command: str = ""  # as typed


def parser() -> Parser:
    """The parser; values stay texts here and are checked in `options`, where the message can name the fix."""
    p = Parser(
        prog="python -m app",
        description="Interactive simulation of liquids and gases whose pressure solver is switched while it runs.",
        allow_abbrev=False,
    )
    p.add_argument("--scene", metavar="NAME|FILE.toml", help=f"the scene to simulate (default {DEFAULT_SCENE})")
    p.add_argument("--grid", metavar="NYxNX", help="cells, rows x columns, 16 to 2048 each (default: the scene's)")
    p.add_argument(
        "--precond",
        metavar="NAME[,NAME...]",
        help=f"preconditioner (default {DEFAULT_PRECOND}), or auto: the fastest here, as measured; with --headless, "
        "a list shares --frames equally, one after another; with --replay, used instead of those in the log",
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
    p.add_argument(
        "--record",
        metavar="FILE|DIR/",
        help="record a picture after every frame: .mp4 of the window, or with --size of the fluid alone; with "
        "--headless also .webp, .gif or a new folder of PNG pictures, of the fluid alone",
    )
    p.add_argument("--size", metavar="WxH", help="with --record: pixels of a recording of the fluid alone")
    p.add_argument(
        "--supersample",
        metavar="N",
        nargs="?",
        const="2",
        help="with --record: draw N times as fine (2 without a number, 4 at most) and average",
    )
    p.add_argument("--theme", metavar="NAME", help="with --record: clean (default) or dark")
    p.add_argument("--transparent", action="store_true", help="with --record of .webp or PNG: without the gas")
    p.add_argument(
        "--compare",
        metavar="NAME,NAME[,...]",
        help="compare up to four preconditioners side by side; with --record, a split-screen video. "
        "NAME@TOLERANCE and NAME:ITERATIONS solve less, e.g. multigrid@1e-2 or jacobi:50; sweeps:20 are plain Jacobi "
        "iterations",
    )
    p.add_argument(
        "--race", action="store_true", help="with --compare: each fluid runs as fast as its own solver allows"
    )
    p.add_argument("--json", metavar="FILE", help="write the statistics of the run")
    p.add_argument("--state", metavar="FILE.npz", help="continue from a saved state")
    p.add_argument("--save-state", metavar="FILE.npz", help="save the state at the end of the run")
    p.add_argument(
        "--export", metavar="FILE.npz|FILE.vti", help="write the fields of the last frame, for NumPy or ParaView"
    )
    p.add_argument("--log", metavar="FILE.jsonl", help="log every input with the frame at which it took effect")
    p.add_argument(
        "--replay", metavar="FILE.jsonl", help="repeat a logged run exactly; --precond may differ, for comparisons"
    )
    p.add_argument("--dump-systems", metavar="DIR", help="with --headless: write every pressure system to a new folder")
    p.add_argument("--dump-every", metavar="K", help="with --dump-systems: write only the first of every K systems")
    p.add_argument(
        "--no-settings",
        action="store_true",
        help="neither load nor save the window's settings; ESTUARY_SETTINGS=off does the same",
    )
    p.add_argument("--list-scenes", action="store_true", help="print the scenes and exit")
    p.add_argument("--version", action="version", version=f"estuary {__version__}")
    return p


def options(argv: Sequence[str]) -> Options | None:
    """Checked options, or None after a request that only prints. Raises Refusal."""
    given = parser().parse_args(joined(argv))
    from sim.scenes import reader as scene_reader

    if given.list_scenes:
        for name in scene_reader.names():
            print(f"{name:16s} {scene_reader.load(name).sentence}")
        return None
    outputs = {
        "--record": record_of(given.record),
        "--json": path_of(given.json, "--json", ""),
        "--save-state": path_of(given.save_state, "--save-state", ".npz"),
        "--log": path_of(given.log, "--log", ".jsonl"),
        "--export": export_of(given.export),
    }
    check_comparison(given)
    fixed = given.headless or any(getattr(given, option) is not None for option in KEEP_GRID)
    free = not fixed and given.grid is None, not fixed and given.tol is None
    replay = None if given.replay is None else replay_of(given)
    grid = parsed_grid(given.grid)
    saved = None if given.state is None else state_of(given.state, scene_of(given.scene) if given.scene else None, grid)
    fill_in(given, replay, saved)
    tol = tol_of(given.tol)
    threads = None
    if given.threads is not None:
        threads = whole(given.threads, "--threads", 1, THREADS_PER_CPU * (os.cpu_count() or 1))
    seed = whole(given.seed, "--seed", 0)
    frames = whole(given.frames, "--frames", 1) if given.frames is not None else None
    if given.headless and frames is None:
        frames = DEFAULT_FRAMES if replay is None else max(replay.frames, 1)
    if saved is not None:
        scene, grid = saved.scene, saved.grid.shape
    elif replay is None:
        scene = scene_of(DEFAULT_SCENE if given.scene is None else given.scene)
    else:
        scene, grid, saved = replay.start.scene, replay.start.grid.shape, replay.start.state
    check_display(given.headless)
    compare = () if given.compare is None else compared(given.compare, given.weights)
    if compare and outputs["--record"] is not None:
        outputs["the picture beside --record"] = poster_of(outputs["--record"])
    preconds = preconds_of(given.precond, given.weights, given.headless, frames)
    check_device(given.device)
    check_weights(given.weights, given.precond, (*preconds, *(each.precond for each in compare)))
    pictures = pictures_of(given, outputs["--record"], scene)
    if outputs["--record"] is not None and is_folder(given.record):
        check_new_folder(outputs["--record"], "--record", f"--record '{outputs['--record']}/'", "00000.png")
        check_outputs({option: path for option, path in outputs.items() if option != "--record"})
    else:
        check_outputs(outputs)
    dump_systems = path_of(given.dump_systems, "--dump-systems", "")
    if dump_systems is not None:
        check_dump(dump_systems, given.headless, outputs)
    elif given.dump_every is not None:
        raise Refusal("--dump-every needs --dump-systems DIR")
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
        pictures=pictures,
        compare=compare,
        race=given.race,
        json=outputs["--json"],
        state=saved,
        save_state=outputs["--save-state"],
        export=outputs["--export"],
        log=outputs["--log"],
        replay=replay,
        dump_systems=dump_systems,
        remembers=not given.no_settings,
        free_grid=free[0],
        free_tol=free[1],
        dump_every=1 if given.dump_every is None else whole(given.dump_every, "--dump-every", 1),
        command=shlex.join(["python", "-m", "app", *argv]),
    )


def check_comparison(given: Namespace) -> None:
    """Refuses options that do not go with a comparison."""
    if given.race and given.compare is None:
        raise Refusal("--race needs --compare NAME,NAME")
    if given.race and given.replay is not None and not given.headless:
        raise Refusal(f"--replay {given.replay!r} cannot drive a race in the window: add --headless")
    if given.compare is None or not given.headless:
        return
    for option in ("precond", "log", "dump_systems", "save_state", "export"):
        if getattr(given, option) is not None:
            name = option.replace("_", "-")
            raise Refusal(
                f"--{name} {getattr(given, option)!r} is for a single fluid, --compare has several: leave one out"
            )


def replay_of(given: Namespace) -> Replay:
    """The log to replay. It sets everything but the preconditioner, the device and the outputs."""
    from app.session import input_log_reader

    for option in ("scene", "grid", "state", "seed", "tol"):
        if getattr(given, option) is not None:
            raise Refusal(f"--{option} {getattr(given, option)!r} is set by the replayed log: leave it out")
    path = path_of(given.replay, "--replay", "")
    assert path is not None
    if given.log is not None and path.resolve() == Path(given.log).resolve():
        raise Refusal(f"--log {given.log!r} is also the file of --replay: give another name")
    try:
        found = input_log_reader.load(path)
    except ValueError as error:
        raise Refusal(error) from None
    return found if given.precond is None else found.with_own_preconditioners()


def method_of(file: str, name: str, weights: str | None) -> str:
    """The method that a state was saved with, or the default, with a note, where that one cannot be used."""
    from precond.registry import entry, names, why_unavailable

    why = "which is not known here"
    if name in names():
        known = entry(name)
        reason = None if known.stand_in or (weights and known.takes_weights) else why_unavailable(name)
        why = f"which cannot be used here ({reason})" if reason else ""
        if not why and weights and not known.takes_weights:
            why = "which takes no --weights"
    if why:
        print(f"note: {file} was saved with {name!r}, {why}; it continues with {DEFAULT_PRECOND!r}")
    return DEFAULT_PRECOND if why else name


def fill_in(given: Namespace, replay: Replay | None, saved: SavedState | None) -> None:
    """Fills in what the command line leaves open: as logged, as saved, or the defaults."""
    if replay is None:
        texts = {"precond": DEFAULT_PRECOND, "tol": DEFAULT_TOL, "device": "auto", "seed": "0"}
        if saved is not None and saved.choice is not None:
            texts["tol"] = repr(saved.choice.tol)
            if given.precond is None:
                texts["precond"] = method_of(saved.file, saved.choice.precond, given.weights)
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
