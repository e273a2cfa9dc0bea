"""Taichi, started once per process on the thread that will run the kernels."""

from __future__ import annotations

import contextlib
import io
import os
import threading

import taichi as ti
import torch

from precond.support.argument_checks import why_no_cuda

_home: tuple[int, str] | None = None  # (thread, device) that Taichi runs on


def start(device: str = "auto", threads: int | None = None) -> torch.device:
    """Start Taichi on "cpu", "cuda" or "auto" for this thread and return the torch device of its tensors.

    Kernels compile only on the thread that started Taichi. Another thread may take it over by building a Simulation of
    its own; those of the thread before can then no longer be stepped (`require_home`). Raises ValueError for an unknown
    or absent device.
    """
    global _home
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device {device!r} is unknown: choose auto, cpu or cuda")
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= 1024):
        raise ValueError(f"threads {threads!r} must be a whole number from 1 to 1024")
    if device == "auto":
        device = "cpu" if why_no_cuda() else "cuda"
    if device == "cuda" and (reason := why_no_cuda()):
        raise ValueError(f"device 'cuda' was asked for, but {reason}: use --device cpu")
    home = (threading.get_ident(), device)
    if _home != home:
        with contextlib.redirect_stdout(io.StringIO()):  # its greeting would break programs that print a table or json
            ti.init(
                arch=ti.cuda if device == "cuda" else ti.cpu,
                default_fp=ti.f64,
                fast_math=False,  # runs must repeat bit for bit, and NaN must stay visible
                offline_cache=True,
                log_level=ti.ERROR,
                cpu_max_num_threads=threads or os.cpu_count() or 1,
            )
        if device == "cuda" and ti.cfg.arch != ti.cuda:  # Taichi falls back without a word that we would see
            _home = None
            raise ValueError(f"Taichi cannot use CUDA here and fell back to {ti.cfg.arch}: use --device cpu")
        _home = home
    return torch.device(device)


def require_home() -> None:
    """Raise RuntimeError unless this thread is the one that Taichi runs on."""
    if _home is None or _home[0] != threading.get_ident():
        raise RuntimeError("this Simulation belongs to another thread: build it on the thread that steps it")
