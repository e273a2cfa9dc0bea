"""`hierarchy`: the nested Galerkin cycle whose functions are continued from polynomials; no network."""

from __future__ import annotations

import numpy as np
import torch

from ..device import cuda_graph
from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from ..topology import Topology
from . import blocks, galerkin
from .cycle import VISITS, VISITS_AMONG_SOLIDS, Cycle
from .layout import CELLS, Layout

FUNCTIONS = 8  # per tile and group: 6 take 2-4 iterations more, 4 take twice as many
COARSEST = 128  # unknowns that are inverted densely: 0.5 ms, where 512 would take 13


class Hierarchy(Preconditioner):
    """M = S C S with S = D^-1/2 and C the cycle over tiles of 8x8 cells, groups of 2x2 tiles, groups of groups, ...

    Every tile and group is solved exactly; between them run Galerkin corrections in 8 functions each, namely the
    solutions of A p = 0 inside whose values just outside are 1, x, y, xy, x^2, y^2, x^2 y, x y^2 (multiscale finite
    elements: Hou and Wu 1997). Symmetric positive definite for every system. Float32 but for the densest block.
    """

    capturable = True
    continued = True
    functions, visits, visits_among_solids, coarsest = FUNCTIONS, VISITS, VISITS_AMONG_SOLIDS, COARSEST

    def __init__(self) -> None:
        self.constants: galerkin.Constants | None = None
        self.cycle: Cycle | None = None
        self.scale = torch.empty(0)
        self.algebra = cuda_graph.GraphCache()
        self.topology: Topology | None = None
        self.pockets: torch.Tensor | None = None
        self.closed = False
        self.visits_now: tuple[int, ...] = self.visits

    def setup(self, system: PoissonSystem) -> None:
        """Invert the tiles that changed, continue their functions, and build the coarse operators.

        On CUDA all tiles are inverted, in a graph that is recorded when the same system comes a second time.
        """
        constants = self.constants or self._allocate(system)
        topology = system.topology
        if topology is not self.topology:
            self.topology, self.pockets = topology, blocks.pockets(topology, constants.layout)
            self.closed = topology.enclosed
            self.visits_now = self.visits_among_solids if bool(system.solid.any()) else self.visits
        self._prepare(system, constants)
        inputs = system, self.pockets, self.closed, self.visits_now
        self.algebra(lambda: self._build(system, constants), system.device, *inputs)

    def forget(self) -> None:
        """Start the next setup from nothing, as on a first frame."""
        if self.constants is not None:
            self.cache = galerkin.Cache(self.constants, self.continued)

    def _prepare(self, system: PoissonSystem, constants: galerkin.Constants) -> None:
        """Work that is not due in every setup: nothing here; `htp` runs its network."""

    def _build(self, system: PoissonSystem, constants: galerkin.Constants) -> None:
        self.cells = blocks.tiled(system, constants.layout, self.pockets, self.closed)
        made, scale = self._cycle(constants), self.cells.scale.view(-1)
        if self.cycle is not None and cuda_graph.possible(system.device):
            self.cycle.copy_from(made)  # the solver's graph reads these tensors where they are
            self.scale.copy_(scale)
        else:
            self.cycle, self.scale = made, scale

    def _cycle(self, constants: galerkin.Constants) -> Cycle:
        tiles = self.cache.refresh(self.cells, self.polynomials)
        return galerkin.cycle(self.cells, tiles, constants, continued=self.continued, visits=self.visits_now)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        assert self.cycle is not None
        torch.mul(r.view(-1).take(self.source), self.scale, out=self.scaled.view(-1))
        z = self.cycle(self.scaled).view(-1) * self.scale
        torch.take(z, self.place, out=self.natural)
        out.view(-1).copy_(self.natural)

    def functions_of(self, tile: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Of a tile in the last setup: d^1/2 (64,), up to a factor, and its functions (8, 64) in scaled variables."""
        if self.cache.tiles is None:
            return None
        root, functions = self.cells.root[tile], self.cache.tiles.functions[tile]
        return root.double().cpu().numpy(), functions.double().cpu().numpy()

    def _allocate(self, system: PoissonSystem) -> galerkin.Constants:
        layout = Layout(*system.shape, self.functions, self.coarsest, system.device)
        self.constants = galerkin.Constants(layout, self.functions, system.device)
        self.cache = galerkin.Cache(self.constants, self.continued)
        self.polynomials = self.constants.ring.T[None]
        self.place = layout.place
        self.source = layout.cell.view(-1).remainder(system.solid.numel())  # padding reads any cell and has scale 0
        self.scaled = torch.zeros((layout.count, 1, CELLS), dtype=torch.float32, device=system.device)
        self.natural = torch.zeros(self.place.shape, dtype=torch.float32, device=system.device)
        return self.constants


class Polynomials(Hierarchy):
    """The same cycle on plain polynomials inside every block: shows what it is worth to continue them."""

    continued = False
