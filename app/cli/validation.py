"""Checks of single options. Each raises Refusal with a message that names the fix."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.solving.choice import AUTO, METHODS_MAX, SWEEPS, TOL_MIN, Variant
from precond.support.command_line import RUN_TIME, Refusal, check_writable, path_of, positive

if TYPE_CHECKING:
    from app.session.state_file import SavedState
    from sim.scenes.scene import Scene


def tol_of(text: str) -> float:
    """The tolerance, no finer than float64 resolves."""
    tol = positive(text, "--tol")
    if not TOL_MIN <= tol < 1:
        raise Refusal(f"--tol {text} is out of range: give {TOL_MIN:g} to 1, e.g. 1e-6")
    return tol


def check_weights(weights: str | None, precond: str, preconds: Sequence[str]) -> None:
    """Refuses weights that are not there, that no chosen method takes, or that do not fit one that does."""
    from precond.registry import entry

    if weights and not weights.startswith("random:") and not Path(weights).is_file():
        raise Refusal(f"--weights {weights!r} is not a file: give a file of weights or random:SEED")
    if weights and not any(name == AUTO or entry(name).takes_weights for name in preconds):
        raise Refusal(f"--weights {weights!r} has no effect with --precond {precond!r}: leave it out")
    for name in preconds if weights else ():
        if name != AUTO and entry(name).takes_weights:
            try:
                entry(name).factory(weights=weights)
            except (ValueError, OSError) as error:
                raise Refusal(error, RUN_TIME) from None


def check_dump(folder: Path, headless: bool, outputs: dict[str, Path | None]) -> None:
    """Refuses a folder of recorded systems that is not new or empty, and one that another output would write into."""
    option = "--dump-systems"
    name = f"{option} {str(folder)!r}"
    if not headless:
        raise Refusal(f"{name} needs a run without a window: add --headless")
    for other, path in outputs.items():
        if path is not None and folder.resolve() in (path.resolve(), *path.resolve().parents):
            raise Refusal(f"{name} would also hold the file of {other}: give two different places")
    check_new_folder(folder, option, name, "000000.npz")


def check_new_folder(folder: Path, option: str, name: str, first: str) -> None:
    """Refuses a folder that is not new or empty, or cannot be written.

    name: what the option is called with its value.  first: the first file that will be written.
    """
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
    check_writable(folder / first, option)


def export_of(text: str | None) -> Path | None:
    """The file of --export, of a kind that can be written."""
    from sim.export import SUFFIXES

    path = path_of(text, "--export", "")
    if path is not None and path.suffix not in SUFFIXES:
        raise Refusal(f"--export {text!r} must end in {' or '.join(SUFFIXES)}")
    return path


def parsed_grid(text: str | None) -> tuple[int, int] | None:
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
    from sim.scenes import reader as scene_reader

    try:
        return scene_reader.load(name)
    except ValueError as error:
        raise Refusal(error if name in str(error) else f"--scene {name!r}: {error}") from None


def preconds_of(text: str, weights: str | None, headless: bool, frames: int | None) -> tuple[str, ...]:
    """The preconditioners to use, one after another."""
    chosen = methods_of(text, weights, automatic=True)
    if len(chosen) > 1 and not headless:
        raise Refusal(f"--precond {text!r} names several: add --headless, or give one and switch in the panel")
    if frames is not None and frames < len(chosen):
        raise Refusal(
            f"--frames {frames} is fewer than the {len(chosen)} preconditioners of --precond {text!r}: give more frames"
        )
    return chosen


def methods_of(text: str, weights: str | None, automatic: bool = False) -> tuple[str, ...]:
    """The names in a comma-separated list; each is known, and available here or replaced by a stand-in.

    automatic: "auto" is a name too.
    """
    import precond
    from precond.registry import entry

    chosen = tuple(part.strip() for part in text.split(","))
    for name in chosen:
        if automatic and name == AUTO:
            continue
        if name not in precond.names():
            raise Refusal(f"preconditioner {name!r} is unknown: choose one of {', '.join(precond.names())}")
        reason = precond.why_unavailable(name)
        method = entry(name)
        if reason is not None and method.stand_in is None and not (weights and method.takes_weights):
            raise Refusal(f"preconditioner {name!r} is not available: {reason}")
    return chosen


def compared(text: str, weights: str | None) -> tuple[Variant, ...]:
    """The methods of --compare: two to four, each once, as NAME[@TOLERANCE][:ITERATIONS]."""
    texts = [part.strip() for part in text.split(",")]
    chosen = tuple(variant_of(part, weights) for part in texts)
    if len(chosen) < 2:
        raise Refusal(f"--compare {text!r} names one preconditioner: give two to {METHODS_MAX}, or --precond {text}")
    if len(chosen) > METHODS_MAX:
        raise Refusal(f"--compare {text!r} names {len(chosen)} preconditioners: give {METHODS_MAX} at most")
    twice = [part for k, part in enumerate(texts) if chosen[k] in chosen[:k]]
    if twice:
        raise Refusal(f"--compare {text!r} names {twice[0]!r} twice: give each once")
    return chosen


def variant_of(text: str, weights: str | None) -> Variant:
    """A method as --compare takes it: NAME[@TOLERANCE][:ITERATIONS]."""
    rest, colon, iterations = text.partition(":")
    name, at, tol = rest.partition("@")
    if name != SWEEPS:
        (name,) = methods_of(name, weights)
    wrong = f"--compare {text!r} is not of the form NAME[@TOLERANCE][:ITERATIONS], e.g. jacobi:50 or multigrid@1e-2"
    try:
        made = Variant(name, float(tol) if at else 0.0, int(iterations) if colon else 0)
    except ValueError as error:
        raise Refusal(
            f"--compare {text!r}: {error}" if "out of range" in str(error) or "sweeps" in str(error) else wrong
        ) from None
    if (at and not made.tol) or (colon and not made.iterations):
        raise Refusal(wrong)
    return made


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
    from app.session import state_file

    try:
        saved = state_file.load(Path(file))
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
