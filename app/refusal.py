"""The one exception that ends the program with a sentence instead of a traceback."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

BAD_USAGE, RUN_TIME = 2, 1  # exit codes
NAME_MAX = 230  # bytes; file systems take 255, and the temporary name beside it is longer


class Refusal(Exception):
    """What is wrong and what to do about it, in one line."""

    def __init__(self, message: object, code: int = BAD_USAGE) -> None:
        super().__init__(" ".join(str(message).split()))
        self.code = code


def check_writable(path: Path, option: str) -> None:
    """Refuses a path that cannot be written at the end of the run; leaves what is there untouched."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise Refusal(
            f"{option} {str(path)!r} cannot be written: the folder {str(folder)!r} does not exist, create it first"
        )
    if len(path.name.encode()) > NAME_MAX:
        raise Refusal(f"{option} {str(path)!r} cannot be written: the name is too long, give a shorter one")
    if path.exists() and not path.is_file():
        raise Refusal(f"{option} {str(path)!r} cannot be written: it is not a regular file, give another name")
    if path.exists() and not os.access(path, os.W_OK):
        raise Refusal(f"{option} {str(path)!r} cannot be written: the file is read-only, give another name")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Refusal(
            f"{option} {str(path)!r} cannot be written: {error.strerror or error}, give another folder"
        ) from None


def temporary_beside(path: Path) -> Path:
    """A name in the same folder and of the same kind, to write to first and then move over `path` in one go."""
    return path.absolute().with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def write_json(path: Path, table: dict[str, Any]) -> None:
    """Writes the table whole or not at all. Raises OSError."""
    part = temporary_beside(path)
    try:
        part.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
