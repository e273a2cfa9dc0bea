"""How kernels in Triton are started, all of them here, so that whoever records or counts sees them."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import _disable_current_modes

from ..device.launch_count import watchers


def launch(kernel: Any, programs: int, *arguments: Any, **constants: Any) -> None:
    """Start so many programs of a kernel on these tensors and numbers.

    constants: its tl.constexpr parameters, and num_warps, 4 where nothing is said.
    """

    def start() -> None:
        kernel[(programs,)](*arguments, **constants)

    if not watchers:
        start()
        return
    with _disable_current_modes():  # whoever watches sees the launch, not what Triton's interpreter does for it
        start()
    for watch in watchers:
        watch(kernel.__name__, start)
