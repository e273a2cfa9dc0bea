"""How many kernels some work starts: torch's operations that compute, and launches of Triton's kernels.

Counted on any device, as if it were CUDA: there every one of them costs about 2 us, and an operation is at least one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

Start = Callable[[], None]

watchers: list[Callable[[str, Start], None]] = []  # of fused/launch.py: each is told a name, and how to start it again

# They allocate or name memory; views are known by their schemas.
NO_KERNEL = {"empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "_unsafe_view"}


class Launches(TorchDispatchMode):
    """Counts while it is entered. by_name: "aten.add" or a kernel's name, and how often it was started."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, int] = Counter()

    @property
    def total(self) -> int:
        """All of them together."""
        return sum(self.by_name.values())

    def watch(self, name: str, _start: Start) -> None:
        """Note a launch."""
        self.by_name[name] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name not in NO_KERNEL and not _is_view(func):
            self.by_name[f"aten.{name}"] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def counted() -> Iterator[Launches]:
    """`with counted() as launches: work()`; then launches.total and launches.by_name."""
    launches = Launches()
    watchers.append(launches.watch)
    try:
        with launches:
            yield launches
    finally:
        watchers.remove(launches.watch)


def _is_view(func: Any) -> bool:
    aliases = [value.alias_info for value in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)
