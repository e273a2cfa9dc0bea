"""Compiles the solvers' kernels before the first solve, where that has not been done on this machine."""

from __future__ import annotations

from collections.abc import Callable

from precond import engine
from precond.support import argument_checks

NOTICE = "Compiling the solvers, once per installation: half a minute or so ..."


def prepare(device: str, notify: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False) -> None:
    """Calls notify and compiles, or returns at once. Other threads go on meanwhile."""
    if engine.must_compile(argument_checks.device(device)):
        notify(NOTICE)
        engine.compile_apart(should_stop)
