"""How exactly a CUDA device computes in float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def whole_float32() -> Iterator[None]:
    """Convolutions and products with all 24 bits. By default CUDA's convolutions keep 11 of them (TF32).

    What a network proposes would then depend on the device by 1e-3, and with it iteration counts. Holds for what is
    recorded meanwhile as well.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products
