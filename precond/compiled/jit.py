"""How kernels are compiled, and where they are kept.

A kernel is compiled at its first call and kept on disk. Numba looks at the age of the file that a kernel stands in, but
not at what it calls or at constants from elsewhere, so the folder is named by the contents of all files here: a changed
one never meets kernels of before. It lies in the user's cache and not beside the code, which may be read-only.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit

F = TypeVar("F", bound=Callable[..., Any])
# Sums may be taken in another order and products fused, but NaN and infinity must stay what they are: a solve that
# fails has to notice it.
FAST = {"contract", "reassoc", "arcp", "nsz"}
SOURCES = (Path(__file__).parent, Path(__file__).parents[1] / "classical" / "multigrid.py")


def kernel(function: F) -> F:
    """Decorator: the function compiled, without Python's lock while it runs."""
    settings: Any = config
    kept = bool(cache_folder()) and os.path.isfile(function.__code__.co_filename)  # what was typed at a prompt is not
    before = settings.CACHE_DIR
    settings.CACHE_DIR = cache_folder() or before
    try:
        compiled: Any = njit(function, nogil=True, fastmath=FAST, error_model="numpy", cache=kept)
        return compiled
    finally:
        settings.CACHE_DIR = before


@cache
def cache_folder() -> str:
    """Where compiled kernels are kept; "" where no folder can be written, so that every start compiles anew."""
    digest = hashlib.sha256()
    for path in sorted(path for source in SOURCES for path in ([source] if source.is_file() else source.glob("*.py"))):
        digest.update(path.read_bytes())
    for root in roots():
        folder = root / "estuary" / "kernels" / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return ""


COMPLETE = "complete"  # a file that says that every kernel has been compiled into the folder


def is_complete() -> bool:
    """Whether every kernel has been compiled before."""
    return bool(cache_folder()) and Path(cache_folder(), COMPLETE).exists()


def mark_complete() -> None:
    """Note that every kernel has been compiled."""
    Path(cache_folder(), COMPLETE).touch()


def roots() -> list[Path]:
    """Folders for caches, the best first."""
    places = [os.environ.get("XDG_CACHE_HOME", "")]
    if sys.platform == "win32":
        places.append(os.environ.get("LOCALAPPDATA", ""))
    elif sys.platform == "darwin":
        places.append(os.path.expanduser("~/Library/Caches"))
    places += [os.path.expanduser("~/.cache"), tempfile.gettempdir()]
    return [Path(place) for place in places if place and os.path.isabs(place)]
