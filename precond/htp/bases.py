"""Local functions that carry the coarse levels: traces around a tile, continued into it by the equation itself.

A function on a tile is given by its values on the ring of cells just outside. Inside it solves A p = 0: V = B W T with
the block inverse B, the couplings W to the ring and the traces T. So the jumps of the coefficients inside a tile, and
the constant, are exact at no further cost, whoever chooses the traces.
"""

from __future__ import annotations

import torch

from .layout import CELLS, SIDE

POWERS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2))  # of x and y; closed under shifts
GRAM_SHIFT = 1e-6  # relative: functions that a tile with few fluid cells cannot tell apart become small, not infinite


def monomials(x: torch.Tensor, y: torch.Tensor, r: int) -> torch.Tensor:
    """(..., r) the first r monomials."""
    return torch.stack([x**a * y**b for a, b in POWERS[:r]], dim=-1)


def inside(r: int, device: torch.device) -> torch.Tensor:
    """(64, r) monomials at a tile's cell centres, x and y in (-1, 1)."""
    at = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    y, x = (field.reshape(CELLS) for field in torch.meshgrid(at, at, indexing="ij"))
    return monomials(x, y, r).to(device)


def ring(r: int, device: torch.device) -> torch.Tensor:
    """(32, r) monomials at the centres of the cells beyond the rim, side by side: west, east, south, north."""
    at, edge = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1, torch.full((SIDE,), 1 + 1 / SIDE)
    x, y = torch.cat((-edge, edge, at, at)), torch.cat((at, at, -edge, edge))
    return monomials(x, y, r).to(device)


def shifted(factors: tuple[int, int], place: tuple[int, int], r: int) -> torch.Tensor:
    """(r, r): column q holds a group's monomial q in the monomials of the block at `place` = (row, column) of it.

    The group spans (-1, 1) in its own x and y, and so does each block in its own; places outside the group are blocks
    around it. Exact for r = 1, 3, 4 and 8, where POWERS[:r] is closed under shifts; else missing terms are dropped.
    """
    (fy, fx), (row, column) = factors, place
    table = torch.zeros((r, r))
    for q, (a, b) in enumerate(POWERS[:r]):
        for p, (i, j) in enumerate(POWERS[:r]):
            table[p, q] = _term(a, i, fx, column) * _term(b, j, fy, row)
    return table


def _term(power: int, term: int, parts: int, part: int) -> float:
    """Coefficient of x^term in ((x + shift) / parts)^power: the part's own x in place of the group's."""
    if term > power:
        return 0.0
    shift = 2 * part + 1 - parts
    binomial = ((1,), (1, 1), (1, 2, 1))[power]
    return float(binomial[term] * shift ** (power - term)) / parts**power


def orthonormal(V: torch.Tensor) -> torch.Tensor:
    """Rows of V (B, r, n) made orthonormal in order, by Cholesky of their Gram matrix; zero rows stay zero."""
    lengths = V.norm(dim=2, keepdim=True)
    V = V / lengths.clamp(min=1e-30)
    identity = torch.eye(V.shape[1], device=V.device, dtype=V.dtype)
    L = torch.linalg.cholesky_ex(V @ V.transpose(1, 2) + GRAM_SHIFT * identity).L
    return torch.linalg.solve_triangular(L, V, upper=False)
