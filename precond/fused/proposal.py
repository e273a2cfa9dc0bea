"""The network's run from kernel to kernel, and the tensors between them."""

from __future__ import annotations

from typing import Any

import torch

from ..htp.network import FEATURES, SMALLEST_ROOT, TOKENS, Config, Network, Places
from . import network as kernels
from .launch import launch
from .workspace import R, Workspace, single

WIDTHS = (16, 32, 64, 128)


def why_not(config: Config) -> str | None:
    """None where the kernels can run a network of these sizes, else a sentence."""
    if config.width not in WIDTHS or config.functions != R:
        return f"kernels are for {R} functions and widths {WIDTHS}, not {config.functions} and {config.width}"
    return None


class Proposal:
    """The network on the tiles and groups of one workspace; `proposed` as in htp/method.py."""

    def __init__(self, network: Network, workspace: Workspace, places: Places):
        self.network, self.workspace = network, workspace
        T, d, device = places.count, network.config.width, places.ring.device
        self.across = torch.where(places.ring < T * TOKENS, places.ring, -1).int().contiguous()
        self.row, self.column, self.grid = places.row.int(), places.column.int(), places.grid.int()
        self.tiles = ty, tx = places.tiles
        self.x, self.y = (single((T, TOKENS, d), device) for _ in range(2))
        self.mean, self.means = single((T, d), device), single((ty + tx + 1, d), device)
        self.blocks = [single((T, d), device), *(single((level.count, d), device) for level in workspace.groups)]

    def room(self) -> list[torch.Tensor]:
        """Tensors for what is proposed: traces, then corrections level by level."""
        w, device = self.workspace, self.x.device
        groups = (single((level.count, level.slot_count * R, R), device) for level in w.groups)
        return [single((w.tiles.count, R, w.tiles.K), device), *groups]

    def run(self, polynomials: torch.Tensor, proposed: list[torch.Tensor]) -> None:
        """Propose for the cells in the workspace; polynomials (1, 8, 32) are what traces are added to."""
        net, w, d, T = self.network, self.workspace, self.network.config.width, self.workspace.tiles.count
        c = w.cells
        launch(
            kernels.embed_patches, T, c.root, c.east, c.north, c.rim, *_layers(net.embed[0], net.embed[2]), net.place,
            self.x, d=d, FEATURES=FEATURES, SMALLEST=SMALLEST_ROOT,
        )  # fmt: skip
        for block in (*net.blocks, net.last):
            last = block is net.last
            self._attend(block, last)
            self._feed_forward(block, last, polynomials, proposed[0])
        if w.groups:
            mix = _layers(net.mix[0], net.mix[2])
            launch(kernels.mix_tiles, -(-T // 16), self.x, *mix, self.blocks[0], T, d=d)
        for k, level in enumerate(w.groups):
            launch(
                kernels.propose_groups, level.count, self.blocks[k], level.slots, level.neighbours, net.slot,
                *_layers(net.groups[0], net.groups[2]), self.blocks[k + 1], proposed[1 + k], w.below(k).count,
                M=level.members, SLOTS=level.slot_count, d=d, num_warps=8,
            )  # fmt: skip

    def _attend(self, block: Any, last: bool) -> None:
        c, config = self.workspace.cells, self.network.config
        weights = _layers(block.before, block.query, block.key, block.value, block.out)
        launch(
            kernels.attend, self.workspace.tiles.count, self.x, self.across, self.network.ring, c.east, c.north, c.rim,
            *weights, block.strength, self.y, self.mean, d=config.width, HEADS=config.heads, OF_RING=last,
        )  # fmt: skip

    def _feed_forward(self, block: Any, last: bool, polynomials: torch.Tensor, traces: torch.Tensor) -> None:
        (ty, tx), d = self.tiles, self.network.config.width
        ways = block.highway
        if ways is not None:
            launch(kernels.mean_tiles, ty + tx + 1, self.mean, self.grid, self.means, ty, tx, d=d)
        launch(
            kernels.feed_forward, self.workspace.tiles.count, self.y, *_layers(block.between), self.means, self.row,
            self.column, *_layers(ways or block.first), *_layers(block.first, block.second), self.x,
            *_layers(self.network.traces), polynomials, traces, ty, tx, d=d, HIGHWAYS=ways is not None, LAST=last,
        )  # fmt: skip


def _layers(*layers: Any) -> tuple[torch.Tensor, ...]:
    """Weight and bias of each."""
    return tuple(tensor for layer in layers for tensor in (layer.weight, layer.bias))
