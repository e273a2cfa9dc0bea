"""The published format of M: dense leaves, low-rank tiles on bases that leaves share, and a gated Jacobi term."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .partition import BASIS, Partition


@dataclass(frozen=True)
class Factors:
    """M = blockdiag(F F^T) + sum over tiles (U_r B V_c^T + V_c B^T U_r^T) + diag(jacobi). Symmetric, not yet definite.

    F: (B, K, L, L);  U, V: (B, K, L, L_s);  B: (B, M, L_s, L_s);  jacobi: (B, K, L). Rows of solids and padding are 0.
    """

    F: torch.Tensor
    U: torch.Tensor
    V: torch.Tensor
    B: torch.Tensor
    jacobi: torch.Tensor

    def apply(self, partition: Partition, v: torch.Tensor) -> torch.Tensor:
        """M v for v (B, K, L, P)."""
        rows, columns = partition.rows, partition.columns
        from_rows = _strips(rows, self.U.mT @ v)  # (B, M, L_s, P)
        from_columns = _strips(columns, self.V.mT @ v)
        out = self.F @ (self.F.mT @ v) + self.jacobi[..., None] * v
        out = out + self.U @ _strips(rows.T, self.B @ from_columns)
        return out + self.V @ _strips(columns.T, self.B.mT @ from_rows)


def _strips(incidence: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """Sums of blocks, (m, k) and (B, k, L_s, P) -> (B, m, L_s, P)."""
    B, k, rows, P = blocks.shape
    return (incidence @ blocks.reshape(B, k, rows * P)).view(B, -1, rows, P)


class Product:
    """M v for one vector in static buffers: products with leaves, bases and tiles, and sums over strips."""

    def __init__(self, partition: Partition):
        K, L = partition.cell.shape
        device = partition.cell.device
        self.rows, self.columns = partition.rows, partition.columns
        self.rows_T, self.columns_T = partition.rows.T.contiguous(), partition.columns.T.contiguous()
        self.leaf = torch.zeros((K, L, L), device=device)  # F F^T + diag(jacobi)
        self.bases = torch.zeros((K, L, 2 * BASIS), device=device)  # U and V side by side
        self.B = torch.zeros((partition.count, BASIS, BASIS), device=device)

    def load(self, factors: Factors) -> None:
        """Take over the first system's factors."""
        F = factors.F[0]
        torch.bmm(F, F.mT, out=self.leaf)
        self.leaf.diagonal(dim1=-2, dim2=-1).add_(factors.jacobi[0])
        self.bases[:, :, :BASIS] = factors.U[0]
        self.bases[:, :, BASIS:] = factors.V[0]
        self.B.copy_(factors.B[0])

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        """(K, L) -> (K, L)."""
        row = v.unsqueeze(1)  # (K, 1, L); M is symmetric, so row vectors do
        seen = torch.bmm(row, self.bases).squeeze(1)  # (K, 2 L_s)
        from_rows = (self.rows @ seen[:, :BASIS]).unsqueeze(1)  # (M, 1, L_s)
        from_columns = (self.columns @ seen[:, BASIS:]).unsqueeze(2)  # (M, L_s, 1)
        to_rows = self.rows_T @ torch.bmm(self.B, from_columns).squeeze(2)  # (K, L_s)
        to_columns = self.columns_T @ torch.bmm(from_rows, self.B).squeeze(1)
        lifted = torch.cat((to_rows, to_columns), 1).unsqueeze(1)  # (K, 1, 2 L_s)
        return torch.baddbmm(torch.bmm(row, self.leaf), lifted, self.bases.mT).squeeze(1)
