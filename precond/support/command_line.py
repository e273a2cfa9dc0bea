"""What every command line here shares: refusals of one sentence, checked numbers and paths, files written whole."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

BAD_USAGE, RUN_TIME, INTERRUPTED = 2, 1, 130  # exit codes
NAME_MAX = 230  # bytes; file systems take 255, and the temporary name beside it is longer


class Refusal(Exception):
    """What is wrong and what to do about it, in one line. Ends a program with a sentence instead of a traceback."""

    def __init__(self, message: object, code: int = BAD_USAGE) -> None:
        super().__init__(" ".join(str(message).split()))
        self.code = code


def exit_code(program: str, work: Callable[[], int], interrupted: str = "interrupted") -> int:
    """What work() returns, or the code of the refusal or the interruption that ended it, told in one line on stderr."""
    try:
        code = work()
        sys.stdout.flush()  # what is left would meet a closed pipe when nobody can catch it any more
        return code
    except BrokenPipeError:  # whoever reads has seen enough, as `head` has
        with contextlib.suppress(OSError, ValueError):  # and Python would flush once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return RUN_TIME
    except Refusal as refusal:
        print(f"{program}: {refusal}", file=sys.stderr)
        return refusal.code
    except SystemExit as done:  # --help
        return int(done.code or 0)
    except KeyboardInterrupt:
        print(f"{program}: {interrupted}", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are refusals of one line."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}, see --help")


def joined(argv: Sequence[str]) -> list[str]:
    """The arguments with negative numbers tied to their option: argparse takes a lone "-1e-6" for another option."""
    result: list[str] = []
    for argument in argv:
        if argument[:1] == "-" and argument[1:2] in set("0123456789.") and result and result[-1][:2] == "--":
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


def whole(text: str, option: str, smallest: int, largest: int = 2**31 - 1) -> int:
    """A whole number in a range."""
    try:
        value = int(text)
    except ValueError:
        raise Refusal(f"{option} {text!r} is not a whole number") from None
    if not smallest <= value <= largest:
        raise Refusal(f"{option} {text} is out of range: give {smallest} to {largest}")
    return value


def positive(text: str, option: str) -> float:
    """A positive finite number."""
    try:
        value = float(text)
    except ValueError:
        raise Refusal(f"{option} {text!r} is not a number") from None
    if not (math.isfinite(value) and value > 0):
        raise Refusal(f"{option} {text} must be positive, e.g. 1e-6")
    return value


def path_of(text: str | None, option: str, suffix: str) -> Path | None:
    """The path of an output, its ending checked."""
    if text is None:
        return None
    if not text or "\0" in text:
        raise Refusal(f"{option} {text!r} is not a file name")
    if suffix and Path(text).suffix != suffix:
        raise Refusal(f"{option} {text!r} must end in {suffix}")
    return Path(text)


def check_outputs(outputs: Mapping[str, Path | None]) -> None:
    """Refuses outputs that could not be written, or two that are one file."""
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        check_writable(path, option)
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise Refusal(f"{option} {str(path)!r} is also the file of {other}: give two names")


def check_device(name: str) -> None:
    """Refuses an unknown device, and CUDA where there is none."""
    if name not in ("auto", "cpu", "cuda"):
        raise Refusal(f"--device {name!r} is unknown: choose auto, cpu or cuda")
    if name == "cuda":
        from .argument_checks import why_no_cuda

        if why_no_cuda():
            raise Refusal(f"--device 'cuda' is not available: {why_no_cuda()} here, use --device cpu")


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


def aligned(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns under their headings, the first `left` of them flush left."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = [
        "  ".join(c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths))).rstrip()
        for line in lines
    ]
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:]])
