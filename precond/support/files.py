"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def temporary_beside(path: Path) -> Path:
    """A name in the same folder and of the same kind, to write to first and then move over `path` in one go."""
    return path.absolute().with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; moved over it in one go if nothing was raised, else removed."""
    part = temporary_beside(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, table: Mapping[str, Any]) -> None:
    """Write the table as JSON. Raises OSError."""
    with replacing(path) as part:
        part.write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def npz_fault(error: Exception) -> str:
    """What is wrong with an .npz file, for its user. NumPy's advice to unpickle what it does not know is left out."""
    text = " ".join(str(error).split())
    return "it is damaged or no .npz file" + (f" ({text})" if text and "pickle" not in text else "")
