"""The names of all preconditioners: for the panel, the command line, the benchmark, and your own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .classical import amg, amgx
from .classical.dct import Dct
from .classical.dilu import Dilu
from .classical.dilu_natural import DiluNatural
from .classical.fsai import SpaiStatic
from .classical.ic0 import Ic0
from .classical.identity import Identity
from .classical.jacobi import Jacobi
from .classical.multigrid import Multigrid
from .classical.nystrom import Nystrom
from .classical.sparse_lu import Direct
from .htp import method as htp
from .htp.hierarchy import Hierarchy, Polynomials
from .htp_paper import method as htp_paper
from .npo import method as npo
from .preconditioner import Preconditioner, adapted, has_verbs
from .spai import method as spai


def _always() -> str | None:
    return None


def _needs_scipy() -> str | None:
    return None if find_spec("scipy") else "SciPy is not installed; run 'pip install scipy'."


@dataclass(frozen=True)
class Entry:
    """One method: how to make it, whether its factory takes weights=..., and why it may be missing here.

    stand_in: who takes its place, and says so, when only the weights that come with the program are missing.
    only_flexible: M is nonlinear, so that plain conjugate gradients would stagnate and the solver refuses them.
    compiled: "module.Class" of the method's kernels in precond/compiled; "": `factory` serves there too.
    fused: likewise in precond/fused.
    """

    factory: Callable[..., Any]
    takes_weights: bool = False
    why_unavailable: Callable[[], str | None] = _always
    stand_in: str | None = None
    only_flexible: bool = False
    compiled: str = ""
    fused: str = ""

    def factory_for(self, kernels: str) -> Callable[..., Any]:
        """The factory for "compiled", "fused" or "torch" kernels: see engine.py."""
        place = {"compiled": self.compiled, "fused": self.fused}.get(kernels, "")
        if not place:
            return self.factory
        module, _, name = place.rpartition(".")
        return getattr(import_module(f"{__package__}.{kernels}.{module}"), name)


BUILT_IN = {
    "none": Entry(Identity, compiled="pointwise.Identity"),
    "jacobi": Entry(Jacobi, compiled="pointwise.Jacobi", fused="pointwise.Jacobi"),
    "dilu": Entry(Dilu, compiled="dilu.Dilu", fused="dilu.Dilu"),
    "multigrid": Entry(Multigrid, compiled="multigrid.Multigrid", fused="multigrid.Multigrid"),
    "htp-paper": Entry(htp_paper.HtpPaper, takes_weights=True, why_unavailable=htp_paper.why_unavailable),
    "htp": Entry(
        htp.Htp,
        takes_weights=True,
        why_unavailable=htp.why_unavailable,
        stand_in="hierarchy",
        compiled="hierarchy.Htp",
        fused="hierarchy.Htp",
    ),
    "spai": Entry(spai.Spai, takes_weights=True, why_unavailable=spai.why_unavailable),
    "spai-static": Entry(SpaiStatic, compiled="neighbours.SpaiStatic"),
    "npo": Entry(npo.Npo, takes_weights=True, why_unavailable=npo.why_unavailable, only_flexible=True),
    "hierarchy": Entry(Hierarchy, compiled="hierarchy.Hierarchy", fused="hierarchy.Hierarchy"),
    "polynomials": Entry(Polynomials, compiled="hierarchy.Polynomials", fused="hierarchy.Polynomials"),
    "dct": Entry(Dct),
    "dilu-natural": Entry(DiluNatural, why_unavailable=_needs_scipy, compiled="dilu.DiluNatural"),
    "ic0": Entry(Ic0, why_unavailable=_needs_scipy, compiled="dilu.Ic0"),
    "amg-rs": Entry(amg.RugeStuben, why_unavailable=amg.why_unavailable),
    "amg-sa": Entry(amg.SmoothedAggregation, why_unavailable=amg.why_unavailable),
    "direct": Entry(Direct, why_unavailable=_needs_scipy),
    "nystrom-16": Entry(partial(Nystrom, rank=16)),
    "nystrom": Entry(Nystrom),
    "nystrom-256": Entry(partial(Nystrom, rank=256)),
    "amgx-dilu": Entry(amgx.Dilu, why_unavailable=amgx.why_unavailable),
    "amgx-dilu-stock": Entry(amgx.DiluStock, why_unavailable=amgx.why_unavailable),
    "amgx-amg": Entry(amgx.ClassicalAmg, why_unavailable=amgx.why_unavailable),
}
_entries = dict(BUILT_IN)


def names() -> tuple[str, ...]:
    """Every preconditioner's name, available here or not."""
    return tuple(_entries)


def why_unavailable(name: str) -> str | None:
    """None if the method can be used here, else a sentence that says what is missing. ValueError if unknown."""
    return entry(name).why_unavailable()


def register(name: str, factory: Callable[..., Any]) -> None:
    """Add a preconditioner: factory() returns an object with setup(system) and apply(r, out).

    A name of your own may be registered again, which replaces it; a built-in name raises ValueError.
    """
    if not isinstance(name, str):
        raise TypeError(f"The preconditioner's name is {name!r}; pass a string.")
    if not name or name in BUILT_IN:
        raise ValueError(f"The preconditioner's name {name!r} is taken or empty; choose another one.")
    if not callable(factory):
        raise TypeError(f"The factory of {name!r} is {factory!r}; pass a class or a function without arguments.")
    if inspect.isclass(factory):
        _demand_verbs(factory, f"The factory of {name!r} is the class {factory.__name__}")
    _entries[name] = Entry(factory)


def checked(name: str, made: Any) -> Preconditioner:
    """What the factory of that name made, as a Preconditioner. TypeError unless it has both verbs."""
    _demand_verbs(made, f"The factory of {name!r} made {made!r}")
    return adapted(made)


def _demand_verbs(thing: object, what: str) -> None:
    if not has_verbs(thing):
        raise TypeError(f"{what}, which lacks setup(system) or apply(r, out); give it both.")


def entry(name: str) -> Entry:
    """The method of that name. ValueError that lists the known names if there is none, TypeError unless a string."""
    if not isinstance(name, str):
        raise TypeError(f"The preconditioner is {name!r}; pass a name, one of {', '.join(_entries)}.")
    if name not in _entries:
        raise ValueError(f"There is no preconditioner {name!r}; choose one of {', '.join(_entries)}.")
    return _entries[name]
