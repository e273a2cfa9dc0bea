"""`python -m precond.compile_kernels`: compiles every kernel into the cache, once per installation."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import torch

from . import problems, registry
from .engine import why_not_compiled
from .solver import Solver
from .support.command_line import RUN_TIME, Parser, Refusal, exit_code, joined

HIERARCHIES = ("hierarchy", "htp", "polynomials")  # half of the work
PARENT = os.getppid()
PRECISIONS = (1.0, 1e4)  # contrasts that multigrid treats in single and in double precision


def main(argv: Sequence[str] | None = None) -> int:
    """Compiles and returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("precond.compile_kernels", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    p = Parser(prog="python -m precond.compile_kernels", description=__doc__, allow_abbrev=False)
    p.add_argument("methods", metavar="METHOD", nargs="*", help="only these (default: all, in two processes)")
    methods = p.parse_args(joined(given)).methods
    reason = why_not_compiled(torch.device("cpu"))
    if reason:
        print(f"nothing to compile: {reason}")
        return 0
    from .compiled.jit import cache_folder, mark_complete

    for name in methods:
        try:
            registry.entry(name)
        except ValueError as error:
            raise Refusal(error) from None
    if methods:
        for name in methods:
            compile_method(name)
        return 0
    if not cache_folder():
        print("there is no folder for compiled kernels: every start compiles them anew")
        return 0
    start = time.perf_counter()
    print("compiling the solvers' kernels, once per installation ...", flush=True)
    others = [name for name in registry.names() if name not in HIERARCHIES and registry.entry(name).compiled]
    beside = subprocess.Popen([sys.executable, "-m", f"{__package__}.compile_kernels", *HIERARCHIES])
    for name in (*others, "spai"):
        compile_method(name)
    if beside.wait():
        raise Refusal("kernels could not be compiled", RUN_TIME)
    mark_complete()
    print(f"done in {time.perf_counter() - start:.0f} s")
    return 0


def compile_method(name: str) -> None:
    """Has every kernel of a method be called once; ends the process where the program that started it has ended."""
    if os.getppid() != PARENT:
        raise Refusal("the program that wanted kernels has ended", RUN_TIME)
    if registry.why_unavailable(name) is not None:
        return
    for contrast in PRECISIONS if name == "multigrid" else PRECISIONS[:1]:
        system, b = problems.frame("blobs", 1024, 0, contrast=max(contrast, 2.0), solids=True)
        Solver(name, system, device="cpu", fallback=(), engine="compiled").solve(system, b)


if __name__ == "__main__":
    sys.exit(main())
