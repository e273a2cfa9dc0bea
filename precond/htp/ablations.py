"""Ablations: the same method with one thing changed, as preconditioners of their own.

`python -m precond.bench --suite ablations` registers and runs them. Variants that need weights of their own are there
once `python -m precond.train htp --preset NAME` has been run for the presets short, no-highways, cosine and sai.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from ..io.weights import models_dir
from .cycle import Cycle
from .galerkin import Constants
from .hierarchy import Hierarchy
from .method import Htp


class Additive(Hierarchy):
    """The additive form, tiles and coarse correction side by side: M = B + V M_c V^T."""

    capturable = False  # prolongation and restriction are allocated anew in every setup

    def _cycle(self, constants: Constants) -> Cycle:
        cycle = super()._cycle(constants)
        tiles = self.cache.tiles
        assert tiles is not None
        self.prolongation, self.restriction = tiles.functions.contiguous(), tiles.functions.transpose(1, 2).contiguous()
        return cycle

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        cycle = self.cycle
        assert cycle is not None
        torch.mul(r.view(-1).take(self.source), self.scale, out=self.scaled.view(-1))
        B = self.scaled.shape[0]
        members = B // cycle.levels[1].inverse.shape[0] if len(cycle.levels) > 1 else 1
        e = cycle._solve(1, torch.bmm(self.scaled, self.restriction).double().view(B // members, 1, -1))
        z = torch.baddbmm(torch.bmm(self.scaled, cycle.levels[0].inverse), e.float().view(B, 1, -1), self.prolongation)
        out.view(-1).copy_((z.view(-1) * self.scale).take(self.place))


def varied(base: type, **attributes: Any) -> Callable[[], Any]:
    """The class with other values of its attributes."""
    return type(base.__name__, (base,), attributes)


def variants() -> dict[str, Callable[[], Any]]:
    """Name and factory of every variant that can be run here."""
    found: dict[str, Callable[[], Any]] = {
        "hierarchy-r4": varied(Hierarchy, functions=4),
        "hierarchy-r6": varied(Hierarchy, functions=6),
        "hierarchy-v": varied(Hierarchy, visits=(1, 1)),
        "hierarchy-w3": varied(Hierarchy, visits=(1, 3)),
        "additive": Additive,
    }
    for preset in ("short", "no-highways", "cosine", "sai"):
        file = models_dir() / f"htp-{preset}.safetensors"
        if file.is_file():
            found[f"htp-{preset}"] = partial(Htp, str(file))
    return found
