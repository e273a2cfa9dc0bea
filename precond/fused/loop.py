"""The loop of conjugate gradients on CUDA with four kernels an iteration beside those of M."""

from __future__ import annotations

import torch
import triton

from ..device.fixed_projector import FixedProjector
from ..torch_loop import TorchLoop
from . import vectors
from .launch import launch


class FusedLoop(TorchLoop):
    """TorchLoop whose iterations are those of vectors.py. Up to one closed region is projected within them."""

    def __init__(self, ny: int, nx: int, device: torch.device, chunk: int | None = None):
        """As TorchLoop."""
        super().__init__(ny, nx, device, chunk)
        n = ny * nx
        self.fixed = FixedProjector(n, device)
        self._nothing = FixedProjector(n, device)  # where the projector has several regions and works by itself
        self._block = vectors.block_of(n)
        self._programs = triton.cdiv(n, self._block)
        self._part = triton.next_power_of_2(self._programs)
        self.parts = torch.zeros((vectors.ROWS, self._part), dtype=torch.float64, device=device)
        self.pending = torch.zeros(1, dtype=torch.int64, device=device)
        self._going = self.active.view(torch.uint8)
        self._width = nx

    def _iteration(self) -> None:
        """One iteration. What it comes to is said by the next one, or by a look."""
        self.M.apply(self.r_grid, self.z_grid)
        inner = self._nothing
        if self.project is self.fixed:
            inner = self.fixed
        else:
            self.project(self.z)
        n, nx, flexible, size = self.unknowns, self._width, self.flexible, {"PARTS": self._part, "BLOCK": self._block}
        p, parts, numbers, A = self.p.buffer, self.parts, self.numbers, self.A
        walls = inner.row, inner.hidden.view(torch.uint8)
        end = parts, numbers, self._going, self.count, self.pending
        launch(vectors.products, self._programs, self.r, self.z, self.q, *walls, *end, n, FLEXIBLE=flexible, **size)
        seen = parts, numbers, self._going
        launch(vectors.direct, self._programs, self.z, p, *walls, *seen, n, nx, FLEXIBLE=flexible, **size)
        launch(vectors.multiply, self._programs, p, self.q, A.diagonal, A.faces_x, A.faces_y, parts, n, nx, **size)
        moved = self.x.buffer, self.r, p, self.q, inner.row, parts, numbers, self._going, self.pending
        launch(vectors.step, self._programs, *moved, n, nx, **size)

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self.pending.zero_()

    def _look(self) -> None:
        end = self.parts, self.numbers, self._going, self.count, self.pending
        launch(vectors.close, 1, *end, PARTS=self._part, FLEXIBLE=self.flexible)
        super()._look()
