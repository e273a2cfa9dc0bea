"""Which engine computes a solve: kernels compiled by Numba or, on CUDA, by Triton; or torch's operations."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import torch

from .pcg import Loop
from .preconditioner import Preconditioner
from .torch_loop import TorchLoop

ENGINES = ("auto", "compiled", "torch")


def why_not_compiled(device: torch.device) -> str | None:
    """None where the compiled engine can be used on a CPU, by Numba, else a sentence."""
    if device.type != "cpu":
        return f"Numba's kernels are for the CPU, not for {str(device)!r}"
    if not find_spec("numba"):
        return "Numba is not installed; run 'pip install numba'"
    try:
        import_module(f"{__package__}.compiled.jit")
    except ImportError as error:  # a Numba that does not know this NumPy says so here
        return f"Numba cannot be used: {error}"
    return None


def why_not_fused(device: torch.device) -> str | None:
    """None where the compiled engine can be used on CUDA, by Triton, else a sentence."""
    if device.type != "cuda":
        return f"Triton's kernels are for CUDA, not for {str(device)!r}"
    if not find_spec("triton"):
        return "Triton is not installed; run 'pip install triton'"
    return import_module(f"{__package__}.fused.trial").why_not(device)


def why_not_fused_method(
    fused: Callable[[], Preconditioner], plain: Callable[[], Preconditioner], device: torch.device
) -> str:
    """ "" where a method's kernels in Triton agree with torch's operations on this device, else a sentence."""
    return str(import_module(f"{__package__}.fused.trial").why_not_method(fused, plain, device))


def chosen(engine: str, device: torch.device) -> tuple[str, str]:
    """Whose kernels: "compiled" (Numba), "fused" (Triton) or "torch", and a notice where "auto" finds neither.

    ValueError for what cannot be had.
    """
    if engine == "torch":
        return engine, ""
    kernels, why_not = ("fused", why_not_fused) if device.type == "cuda" else ("compiled", why_not_compiled)
    reason = why_not(device)
    if reason is None:
        return kernels, ""
    if engine == "compiled":
        raise ValueError(f"engine is 'compiled' but {reason}; pass 'auto' or 'torch'.")
    return "torch", f"solvers run several times slower than they could: {reason}"


def must_compile(device: torch.device) -> bool:
    """Whether the kernels of the compiled engine are still to be compiled, which takes half a minute."""
    if why_not_compiled(device):
        return False
    from .compiled.jit import cache_folder, is_complete

    return bool(cache_folder()) and not is_complete()


def compile_apart(should_stop: Callable[[], bool] = lambda: False) -> None:
    """Compile every kernel in a process of its own, so that other threads of this one go on meanwhile.

    If that fails, kernels are compiled when they are first called.  should_stop: asked now and then; True ends it.
    """
    command = [sys.executable, "-m", f"{__package__}.compile_kernels"]
    compiler = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while compiler.poll() is None:
        if should_stop():
            compiler.terminate()
        time.sleep(0.05)


def loop(kernels: str, ny: int, nx: int, device: torch.device) -> Loop:
    """The loop of conjugate gradients on one grid shape; kernels: see `chosen`."""
    if kernels == "compiled":
        from .compiled.loop import CompiledLoop

        return CompiledLoop(ny, nx)
    if kernels == "fused":
        from .fused.loop import FusedLoop

        return FusedLoop(ny, nx, device)
    return TorchLoop(ny, nx, device)
