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
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite.binding import get_host_cpu_name
from numba import config, njit

F = TypeVar("F", bound=Callable[..., Any])
# Sums may be taken in another order and products fused, but NaN and infinity must stay what they are: a solve that
# fails has to notice it.
FAST = {"contract", "reassoc", "arcp", "nsz"}
PACKAGE = Path(__file__).parents[1]
if "NUMBA_SLP_VECTORIZE" not in os.environ:
    # Short loops of known length are unrolled before they could become vector instructions; this makes them so again.
    # Groups of the hierarchy: set-up and product take three quarters of the time.
    setattr(config, "SLP_VECTORIZE", 1)  # noqa: B010 - mypy does not know what Numba's settings hold
SOURCES = (  # whatever kernels take a constant from
    Path(__file__).parent,
    *(PACKAGE / place for place in ("classical/multigrid.py", "htp/blocks.py", "htp/layout.py")),
)


def kernel(function: F) -> F:
    """Decorator: the function compiled, without Python's lock while it runs.

    What a kernel writes through one argument it must not read or write through another one: see `apart`.
    """
    settings: Any = config
    compile_: Any = njit
    kept = bool(cache_folder()) and os.path.isfile(function.__code__.co_filename)  # what was typed at a prompt is not
    before = settings.CACHE_DIR
    settings.CACHE_DIR = cache_folder() or before
    try:
        compiled: F = compile_(function, nogil=True, fastmath=FAST, error_model="numpy", cache=kept, **apart())
        return compiled
    finally:
        settings.CACHE_DIR = before


@cache
def apart() -> dict[str, bool]:
    """The option that arrays given to a kernel do not overlap where they are written, if this Numba lets us say so.

    Numba has it inside, but offers it for other targets only. Without it the compiler reloads what it has just stored:
    solving with a grid's tiles takes 2.7 times as long (0.037 ms for 0.014 at 96 x 128).
    """
    try:
        options: Any = import_module("numba.core.cpu").CPUTargetOptions
        flags: Any = import_module("numba.core.compiler").Flags()
        if not hasattr(options, "noalias"):
            flags.noalias = True  # raises where there is no such flag
            options.noalias = options.Mapping("noalias")
    except Exception:  # whatever another Numba makes of it: slower kernels are all that follows
        return {}
    return {"noalias": True}


@cache
def cache_folder() -> str:
    """Where compiled kernels are kept; "" where no folder can be written, so that every start compiles anew."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    for root in roots():
        folder = root / "estuary" / "kernels" / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue  # Numba runs what lies there: it must not be somebody else's
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return ""


def sources() -> list[Path]:
    """The files that kernels are made of."""
    return sorted(path for source in SOURCES for path in ([source] if source.is_file() else source.glob("*.py")))


def mark() -> Path:
    """A file that says that every kernel has been compiled into the folder, by what Numba knows its kernels by.

    That is more than the folder's name: another copy of the program, another Python, Numba or CPU compiles anew.
    """
    known = [(str(path), path.stat().st_mtime_ns) for path in sources()]
    machine = numba.__version__, sys.implementation.cache_tag, get_host_cpu_name()
    return Path(cache_folder(), "complete-" + hashlib.sha256(repr((known, machine)).encode()).hexdigest()[:16])


def is_complete() -> bool:
    """Whether every kernel has been compiled before."""
    return bool(cache_folder()) and mark().exists()


def mark_complete() -> None:
    """Note that every kernel has been compiled."""
    mark().touch()


def roots() -> list[Path]:
    """Folders for caches, the best first."""
    places = [os.environ.get("XDG_CACHE_HOME", "")]
    if sys.platform == "win32":
        places.append(os.environ.get("LOCALAPPDATA", ""))
    elif sys.platform == "darwin":
        places.append(os.path.expanduser("~/Library/Caches"))
    places += [os.path.expanduser("~/.cache"), tempfile.gettempdir()]
    return [Path(place) for place in places if place and os.path.isabs(place)]
