"""The window's settings from one run to the next: a small json file in the user's own folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from precond.support.files import replacing

VARIABLE = "ESTUARY_SETTINGS"  # "off": neither read nor written
SIZES = (320, 16384)  # pixels of a window that can be worked with
BUDGET, BUDGET_MAX = 512, 16384  # [MiB] of the time line, at first and at most
CAPTURES = (720, 1080, 1440, 2160)  # heights of pictures and recordings of the fluid [pixels] to choose from
SCALES = (0.75, 3.0)  # of the interface
RADII = (0.01, 0.2)


@dataclass(frozen=True)
class Settings:
    """Settings of the window; the defaults are those of a first run."""

    width: int = 1280  # of the window, in points
    height: int = 720
    side: float = 0.285  # share of the width that the panel takes
    scale: float = 1.0  # of the interface, besides what the display asks for
    closed: tuple[str, ...] = ("Files", "Fluid", "Forces", "Notices", "Probes", "Window")  # sections of the panel
    rows: int = 0  # of the grid; 0: as many as this machine keeps up with, found anew
    tol: float = 0.0  # 0: the command line's default
    view: str = "phase"
    theme: str = "clean"  # of the picture
    capture: int = 720  # height of pictures and recordings of the fluid [pixels]
    tool: str = "push"
    radius: float = 0.05
    mirror: bool = False
    overlay: bool = True  # numbers on the fluid
    timeline: int = BUDGET  # memory for the time line [MiB]; 0: none
    toured: bool = False  # the tour was made, or declined


def place(environment: Mapping[str, str]) -> Path | None:
    """The file, or None where settings are switched off or there is no folder for them."""
    if environment.get(VARIABLE, "").lower() in ("off", "0", "no"):
        return None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        folder = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        given = environment.get("XDG_CONFIG_HOME", "")
        folder = Path(given) if os.path.isabs(given) else home / ".config"  # relative ones count as not set
    return folder / "estuary" / "settings.json"


def load(path: Path | None) -> tuple[Settings, str]:
    """The settings, and a sentence where the file was of no use; a first run has neither file nor sentence."""
    if path is None:
        return Settings(), ""
    try:
        return checked(json.loads(path.read_text(encoding="utf-8-sig"))), ""
    except FileNotFoundError:
        return Settings(), ""
    except OSError as error:
        return Settings(), f"settings {str(path)!r} cannot be read: {error.strerror or error}"
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        return Settings(), f"settings {str(path)!r} are not valid and were ignored: {' '.join(str(error).split())}"


def save(path: Path, settings: Settings) -> str:
    """Writes them whole or not at all; a sentence where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        return f"settings {str(path)!r} cannot be written: {error.strerror or error}"
    return ""


def checked(table: Any) -> Settings:
    """Settings whose values are of the right kind and in range; unknown keys are ignored. Raises ValueError."""
    if not isinstance(table, dict):
        raise ValueError("this is not a table")
    known = {f.name: type(getattr(Settings(), f.name)) for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, kind in known.items():
        if key not in table:
            continue
        value: Any = table[key]
        value = tuple(value) if kind is tuple and isinstance(value, list) else value
        value = float(value) if kind is float and type(value) is int else value
        if type(value) is not kind or (kind is tuple and not all(isinstance(entry, str) for entry in value)):
            raise ValueError(f"key {key!r} has the value {value!r}")
        values[key] = value
    for key, (low, high) in {"width": SIZES, "height": SIZES, "scale": SCALES, "side": (0.1, 0.8), "radius": RADII,
                             "rows": (0, 2048), "tol": (0.0, 1.0), "capture": (16, 4320),
                             "timeline": (0, BUDGET_MAX)}.items():  # fmt: skip
        if key in values and not low <= values[key] <= high:
            raise ValueError(f"key {key!r} has the value {values[key]!r}: it must lie in {low} to {high}")
    return Settings(**values)
