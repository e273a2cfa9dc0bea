"""The hierarchy of tiles and groups in Triton's kernels: one for each step of a level, in set-up and in the cycle."""

from __future__ import annotations

import numpy as np
import torch

from ..device.precision import whole_float32
from ..htp import bases, blocks
from ..htp import galerkin as torch_galerkin
from ..htp import hierarchy as torch_hierarchy
from ..htp import method as torch_method
from ..system import PoissonSystem
from . import cells, groups, tiles
from .cycle import Cycle
from .launch import launch
from .proposal import Proposal, why_not
from .workspace import Level, Tiles, Workspace


class Hierarchy(torch_hierarchy.Hierarchy):
    """See htp/hierarchy.py."""

    built = False

    def _allocate(self, system: PoissonSystem) -> torch_galerkin.Constants:
        constants = super()._allocate(system)
        self.polynomials = self.polynomials.contiguous()  # kernels take them as (8, 32)
        self.workspace = Workspace(constants)
        self.cycle = Cycle(self.workspace)
        return constants

    def _build(self, system: PoissonSystem, constants: torch_galerkin.Constants) -> None:
        traces, corrections = self._functions()
        read_cells(self.workspace, system)
        build_tiles(self.workspace, constants, traces, self.pockets, self.continued)
        build_groups(self.workspace, corrections, self.continued)
        build_top(self.workspace, self.closed)
        self.cycle.visits = self.visits_now
        self.built = True

    def _functions(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Traces around the tiles, and what is added to the monomials around groups, level by level or not at all."""
        return self.polynomials, []

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        self.cycle(r, out)

    def functions_of(self, tile: int) -> tuple[np.ndarray, np.ndarray] | None:
        """See htp/hierarchy.py."""
        if not self.built:
            return None
        root, functions = self.workspace.cells.root[tile], self.workspace.tiles.functions[tile]
        return root.double().cpu().numpy(), functions.double().cpu().numpy()


class Polynomials(Hierarchy):
    """See htp/hierarchy.py."""

    continued = False


class Htp(Hierarchy, torch_method.Htp):
    """See htp/method.py."""

    def _functions(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return self.proposed[0], self.proposed[1:]

    def _allocate(self, system: PoissonSystem) -> torch_galerkin.Constants:
        constants = super()._allocate(system)
        self.proposal_kernels: Proposal | None = None
        if why_not(self.network.config) is None:
            assert self.places is not None
            self.proposal_kernels = Proposal(self.network, self.workspace, self.places)
        return constants

    def _propose(self, system: PoissonSystem, constants: torch_galerkin.Constants) -> None:
        read_cells(self.workspace, system)
        if self.proposal_kernels is None:
            with torch.no_grad(), whole_float32():
                traces, corrections = self.network(self.workspace.cells, constants.layout, self.places)
            made = [(self.polynomials + traces).contiguous(), *(c.contiguous() for c in corrections)]
            if self.proposed:
                torch._foreach_copy_(self.proposed, made)  # what was recorded reads these tensors where they are
            else:
                self.proposed = made
            return
        self.proposed = self.proposed or self.proposal_kernels.room()
        self.proposal_kernels.run(self.polynomials, self.proposed)


def read_cells(w: Workspace, system: PoissonSystem) -> None:
    """The system's coefficients in tile order."""
    N, nx, c = w.cell_count, w.shape[1], w.cells
    chunk = max(1024, 1 << (-(-N // cells.PARTS) - 1).bit_length())
    given = system.beta_x, system.beta_y, system.reaction, system.solid.view(torch.uint8)
    launch(cells.largest_diagonals, -(-N // chunk), *given, w.largest, N, nx, CHUNK=chunk)
    launch(
        cells.tile_cells, w.tiles.count, *given, w.largest, -(-N // chunk), w.cell, w.ring_cell,
        c.scale, c.measure, c.root, c.ring, c.east, c.north, c.rim, N, nx, PARTS=cells.PARTS,
    )  # fmt: skip


def build_tiles(
    w: Workspace,
    constants: torch_galerkin.Constants,
    traces: torch.Tensor,
    pockets: torch.Tensor | None,
    continued: bool,
) -> None:
    """Inverses, functions and couplings of the tiles."""
    t, c = w.tiles, w.cells
    label = w.cell if pockets is None else pockets
    launch(
        tiles.invert_tiles, t.count, c.root, c.east, c.north, label, t.inverse,
        SHIFT=blocks.SHIFT, POCKET=pockets is not None,
    )  # fmt: skip
    stride = 0 if traces.shape[0] == 1 else traces[0].numel()
    launch(
        tiles.tile_functions, t.count, t.inverse, traces, stride, c.root, c.ring, c.rim, c.measure, constants.inside,
        t.functions, t.coefficients, GRAM_SHIFT=bases.GRAM_SHIFT, CONTINUED=continued,
    )  # fmt: skip
    launch(
        tiles.couple_tiles,
        t.count,
        t.functions,
        c.east,
        c.north,
        c.rim,
        t.around,
        t.entries,
        t.down,
        t.coupling,
        t.count,
    )


def build_groups(w: Workspace, corrections: list[torch.Tensor], continued: bool) -> None:
    """Inverses, functions and couplings of the groups, from the tiles' up."""
    for k, level in enumerate(w.groups):
        below = w.below(k)
        more = corrections[k] if corrections else below.entries
        launch(
            groups.build_groups, level.count, below.entries, below.coefficients, level.inside, level.slots,
            level.neighbours, level.member_monomials, level.outside_monomials, more, level.inverse, level.functions,
            level.scratch, level.down, level.entries, level.coefficients, below.count,
            M=level.members, SLOTS=level.slot_count, K=level.K, SHIFT=blocks.SHIFT, GRAM_SHIFT=bases.GRAM_SHIFT,
            CONTINUED=continued, CORRECTED=bool(corrections),
        )  # fmt: skip
        launch(
            groups.couple_groups, level.count, below.entries, level.functions, level.outer, level.lift, level.entries,
            below.count, level.count, M=level.members,
        )  # fmt: skip


def build_top(w: Workspace, closed: bool) -> None:
    """The dense inverse of the last level."""
    last: Tiles | Level = w.below(len(w.groups))
    n = w.top.shape[0]
    launch(
        groups.invert_top, 1, last.entries, last.coefficients, w.which, w.top, w.top_blocks,
        n=n, SHIFT=blocks.TOP_SHIFT, CLOSED=closed, num_warps=16 if n > 64 else 4,
    )  # fmt: skip
