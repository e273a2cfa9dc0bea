"""Options about recordings of the fluid alone: --record's ending, --size, --supersample, --theme, --transparent."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from app.record.animation import ENDINGS, is_folder
from app.render.look import Look, StillOptions
from app.render.themes import THEMES, Theme, gas_of
from precond.support.command_line import Refusal, path_of, whole

if TYPE_CHECKING:
    from sim.scenes.scene import Scene

SIZE = (1280, 720)  # of pictures, where none is given
SIDES = (16, 8192)  # pixels
LARGEST = 16384  # pixels on a side that OpenGL drivers can draw at once
SAMPLES_MAX = 4
ONLY_PICTURES = ("size", "supersample", "theme", "transparent")


def record_of(text: str | None) -> Path | None:
    """The path of --record: a file of a kind that can be written, or a folder, which ends in a slash."""
    path = path_of(text, "--record", "")
    if text is None or path is None:
        return None
    if is_folder(text):
        if path.suffix in ENDINGS:
            raise Refusal(f"--record {text!r} is a folder named like a file: leave out the slash, or the ending")
        return path
    if path.suffix not in ENDINGS:
        raise Refusal(f"--record {text!r} must end in {', '.join(ENDINGS)} or, for a folder of PNG pictures, in /")
    return path


def pictures_of(given: Namespace, record: Path | None, scene: Scene) -> StillOptions | None:
    """How the fluid alone is to be recorded; None where the window is, or nothing. Raises Refusal."""
    asked = [option for option in ONLY_PICTURES if getattr(given, option) not in (None, False)]
    for option in asked:
        if record is None:
            raise Refusal(f"--{option} needs --record: it says how the fluid is recorded")
        if given.compare is not None:
            raise Refusal(
                f"--{option} has no effect with --compare, whose videos have a layout of their own: leave it out"
            )
    if record is None or (not asked and record.suffix == ".mp4"):
        return None
    if given.compare is not None and record.suffix != ".mp4":
        raise Refusal(f"--record {given.record!r} must end in .mp4 with --compare")
    if not given.headless:
        if record.suffix != ".mp4":
            raise Refusal(f"--record {given.record!r} needs a run without a window: add --headless, or record .mp4")
        for option in ("supersample", "transparent"):
            if option in asked:
                raise Refusal(f"--{option} needs a run without a window: add --headless")
    size = SIZE if given.size is None else size_of(given.size, record.suffix == ".mp4")
    supersample = 1 if given.supersample is None else whole(given.supersample, "--supersample", 1, SAMPLES_MAX)
    if max(size) * supersample > LARGEST:
        raise Refusal(
            f"--supersample {supersample} of {size[0]}x{size[1]} pixels is beyond {LARGEST} a side: give a smaller one"
        )
    if given.transparent:
        check_transparent(record, scene)
    return StillOptions(size, supersample, given.transparent, Look(theme_of(given.theme)))


def size_of(text: str, video: bool) -> tuple[int, int]:
    """(width, height) of "WIDTHxHEIGHT"."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Refusal(f"--size {text!r} is not of the form WIDTHxHEIGHT, e.g. 1920x1080")
    width, height = map(int, parts)
    if not (SIDES[0] <= width <= SIDES[1] and SIDES[0] <= height <= SIDES[1]):
        raise Refusal(f"--size {text} is out of range: give {SIDES[0]} to {SIDES[1]} pixels each, e.g. 1920x1080")
    if video and (width % 2 or height % 2):
        raise Refusal(f"--size {text} is odd: videos need an even width and height")
    return width, height


def theme_of(name: str | None) -> Theme:
    """The theme of that name."""
    if name is None:
        return THEMES[0]
    for theme in THEMES:
        if theme.name == name:
            return theme
    raise Refusal(f"--theme {name!r} is unknown: choose one of {', '.join(theme.name for theme in THEMES)}")


def check_transparent(record: Path, scene: Scene) -> None:
    """Refuses a transparent gas where there is none, or where the file cannot have it."""
    if record.suffix in (".mp4", ".gif"):
        raise Refusal(f"--transparent does not go with {record.suffix}: record .webp, or a folder of PNG pictures")
    if gas_of(scene) is None:
        raise Refusal(f"--transparent needs a gas, and scene {scene.name!r} has none")
