"""The contract between the solver and a preconditioner M.

A preconditioner has two verbs, `setup` and `apply`; everything else is optional and does nothing unless overridden. A
class of your own need not inherit from `Preconditioner`: `adapted` takes any object that has the two verbs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat

import numpy as np
import torch

if TYPE_CHECKING:
    from .system import PoissonSystem

Arrays = Mapping[str, np.ndarray]


class CompiledForm(NamedTuple):
    """M inside the compiled loop of conjugate gradients: see precond/compiled/loop.py.

    iterate: a Numba function iterate(loop, data, count) that runs up to `count` iterations.
    data: what it needs besides the loop, in arrays that `setup` rewrites in place.
    """

    iterate: Callable[..., Any]
    data: tuple[Any, ...]


class Preconditioner(ABC):
    """z = M r: linear, symmetric and positive definite on the vectors that are mean-free in every closed region.

    The scale of M is free; what it writes into solids and into constants of closed regions is projected away.

    flexible: M is not quite linear, or changes between iterations (an inner iteration, a network that normalises its
        input): the solver then uses flexible conjugate gradients. M must still be near to one symmetric positive
        definite map.
    capturable: `apply` neither waits for the device nor allocates outside torch, so that a CUDA graph may replay it.
    recordable: the same holds for `setup`, which then writes into the tensors of its first call and depends on nothing
        but the system; it is recorded anew when walls have changed.
    recorded_for: what a recording of `apply` depends on besides tensors that setup refreshes in place; None: on the
        walls, so that it is made anew when they change.
    inference_ms: the part of the last setup that a network took [ms]; set it to a number or to what has a float(...).
    """

    flexible: bool = False
    capturable: bool = False
    recordable: bool = False
    recorded_for: Hashable = None
    _inference: SupportsFloat = 0.0

    @property
    def inference_ms(self) -> float:
        """See above; reading it may wait for the device."""
        return float(self._inference)

    @inference_ms.setter
    def inference_ms(self, time: SupportsFloat) -> None:
        self._inference = time

    @abstractmethod
    def setup(self, system: PoissonSystem) -> None:
        """Prepare M for the system's present coefficients, before every solve.

        The system is on the solver's device. One instance only ever sees one grid shape; after the first call buffers
        are refreshed in place. May run a network.
        """

    @abstractmethod
    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r in every iteration; both (ny, nx), float64, contiguous, on the solver's device."""

    # What follows is optional.

    def compiled(self) -> CompiledForm | None:
        """M for the compiled engine, after `setup`; None: `apply` is called between two compiled pieces."""
        return None

    def observe(self, iterations: int) -> None:  # noqa: B027
        """Learn how many iterations a solve took, after each."""

    def renew(self) -> None:  # noqa: B027
        """Run networks in the next setup, whatever their age."""

    def forget(self) -> None:  # noqa: B027
        """Start the next setup from nothing, as on a first frame."""

    def memory(self) -> dict[str, np.ndarray]:
        """What later setups depend on besides their systems, as arrays for `recall`: see io/network_memory.py."""
        return {}

    def recall(self, arrays: Arrays) -> None:  # noqa: B027
        """Go on with the memory of another run, from the first setup on."""

    @property
    def wrapped(self) -> object:
        """The object that does the work: this one, or the one that was adapted."""
        return self


class Adapted(Preconditioner):
    """An object with the two verbs, and any of the others, that does not inherit from Preconditioner."""

    def __init__(self, inner: Any):
        self._inner = inner
        for flag in ("flexible", "capturable", "recordable"):
            setattr(self, flag, bool(getattr(inner, flag, False)))

    def setup(self, system: PoissonSystem) -> None:
        """As the inner one."""
        self._inner.setup(system)
        self.inference_ms = float(getattr(self._inner, "inference_ms", 0.0))

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """As the inner one."""
        self._inner.apply(r, out)

    def compiled(self) -> CompiledForm | None:
        """As the inner one."""
        form = self._optional("compiled")
        return None if form is None else CompiledForm(*form)

    def observe(self, iterations: int) -> None:
        """As the inner one."""
        self._optional("observe", iterations)

    def renew(self) -> None:
        """As the inner one."""
        self._optional("renew")

    def forget(self) -> None:
        """As the inner one."""
        self._optional("forget")

    def memory(self) -> dict[str, np.ndarray]:
        """As the inner one."""
        return dict(self._optional("memory") or {})

    def recall(self, arrays: Arrays) -> None:
        """As the inner one."""
        self._optional("recall", arrays)

    @property
    def wrapped(self) -> object:
        """The inner one."""
        return self._inner

    def _optional(self, verb: str, *arguments: Any) -> Any:
        method = getattr(self._inner, verb, None)
        return None if method is None else method(*arguments)


def has_verbs(thing: object) -> bool:
    """Whether a class or an object has setup and apply."""
    return all(callable(getattr(thing, verb, None)) for verb in ("setup", "apply"))


def adapted(made: Any) -> Preconditioner:
    """The object itself if it is a Preconditioner, else an adapter around it. It must have both verbs."""
    return made if isinstance(made, Preconditioner) else Adapted(made)
