"""Pressure systems as inputs of the network: in leaf order, scaled, in batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..system import PoissonSystem
from .partition import BASIS, LEAF, Partition

GLOBALS = 12


@dataclass(frozen=True)
class Frames:
    """A divided by its largest absolute row sum, so that the unit of pressure does not matter; float32.

    diagonal: (B, K, L), 0 in solids and padding;  weights: (B, 4, K L) couplings to the west, east, south and north.
    """

    partition: Partition
    diagonal: torch.Tensor
    weights: torch.Tensor

    def apply(self, v: torch.Tensor) -> torch.Tensor:
        """A v for v (B, K, L, P)."""
        B, K, L, P = v.shape
        padded = torch.cat((v.view(B, K * L, P), v.new_zeros(B, 1, P)), 1)
        out = self.diagonal.view(B, K * L, 1) * padded[:, :-1]
        for side in range(4):
            out.addcmul_(self.weights[:, side, :, None], padded[:, self.partition.neighbour[side]], value=-1)
        return out.view_as(v)

    def blocks(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A inside leaves, (B, K, L, L), and between them, pooled 4 x 4 and added up over strips, (B, M, L_s, L_s).

        Sums and not means: a mean would vanish with the area of a tile, while couplings live on edges.
        """
        p, B = self.partition, self.diagonal.shape[0]
        flat = self.weights.reshape(B, -1)
        leaf = flat.new_zeros(B, p.leaves * LEAF * LEAF)
        leaf[:, p.in_leaf[1]] = -flat[:, p.in_leaf[0]]
        leaf = leaf.view(B, p.leaves, LEAF, LEAF)
        leaf.diagonal(dim1=-2, dim2=-1).copy_(self.diagonal)
        tile = flat.new_zeros(B, p.count * BASIS * BASIS)
        tile.index_add_(1, p.in_tile[1], -flat[:, p.in_tile[0]])
        return leaf, tile.view(B, p.count, BASIS, BASIS)

    def features(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Per cell (B, K, L, 2): standardised log density and diagonal;  per system (B, 12).

        A system knows no density; the mean coefficient of a cell's open faces is the inverse of it but for averaging.
        """
        B, K, L = self.diagonal.shape
        d = self.diagonal.view(B, -1)
        fluid = (d > 0).float()
        n = fluid.sum(1, keepdim=True).clamp(min=1)
        open_faces = (self.weights > 0).sum(1)
        log_density = -torch.log((d / open_faces.clamp(min=1)).clamp(min=1e-12)) * fluid
        log_diagonal = torch.log(d.clamp(min=1e-12)) * fluid

        def moments(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = (v * fluid).sum(1, keepdim=True) / n
            return mean, (((v - mean) * fluid).square().sum(1, keepdim=True) / n).sqrt()

        (m, s), (md, sd), (ml, sl) = moments(log_density), moments(d), moments(log_diagonal)
        cells = torch.stack(((log_density - m) / (s + 1e-3), (d - md) / (sd + 1e-3)), -1) * fluid[..., None]
        ny, nx = self.partition.grid
        top = log_density.amax(1, keepdim=True)
        bottom = torch.where(fluid > 0, log_density, top).amin(1, keepdim=True)
        shape = torch.full_like(n, nx / ny).log()
        face_mean, face_std = moments(self.weights.sum(1) / open_faces.clamp(min=1))
        numbers = (n.log2() / 10, m, s, md, sd, ml, sl, bottom, top - bottom, shape, face_mean, face_std)
        return cells.view(B, K, L, 2), torch.cat(numbers, 1)


def of_systems(partition: Partition, systems: list[PoissonSystem]) -> Frames:
    """The systems, all of the partition's grid and solids, on its device."""
    diagonals, weights = zip(*(_one(partition, system) for system in systems))
    return Frames(partition, torch.stack(diagonals), torch.stack(weights))


def _one(partition: Partition, system: PoissonSystem) -> tuple[torch.Tensor, torch.Tensor]:
    sides = (system.beta_x[:, :-1], system.beta_x[:, 1:], system.beta_y[:-1], system.beta_y[1:])
    diagonal = system.diagonal().masked_fill(system.solid, 0.0)
    scale = 1 / (2 * diagonal.amax()).clamp(min=1e-300)  # as published: a row of A without a way out adds up to 0
    weights = torch.stack([partition.gather(side * scale) for side in sides])
    return partition.gather(diagonal * scale).float(), weights.view(4, -1).float()
