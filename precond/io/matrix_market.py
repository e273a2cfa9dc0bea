"""Pressure systems from MatrixMarket files, as other programs write them.

NAME.mtx     a symmetric matrix of the five-point kind on ny x nx cells in row-major order, solid cells as rows with a
             diagonal only. nx is read off the matrix: it is the largest distance of an entry from the diagonal.
NAME_b.mtx   the right-hand side, ny nx numbers; where it is missing, b ~ N(0, I) from seed 0.

A must be what a PoissonSystem can hold: entries -beta <= 0 beside the diagonal, and rows that sum to 0, except in the
last row of cells, where a positive sum is an open top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..system import PoissonSystem

SUM = 1e-9  # of the diagonal: a row whose sum is smaller has no open boundary


def files_in(directory: Path) -> list[Path]:
    """The matrices of a folder by name, without right-hand sides."""
    return sorted(path for path in directory.glob("*.mtx") if not path.stem.endswith("_b"))


def read(file: Path) -> tuple[PoissonSystem, torch.Tensor]:
    """(system, b) of one file, on the CPU. Raises ValueError with one sentence that names the file."""
    try:
        system = _system(*_entries(file))
        return system, _right_hand_side(file.with_name(f"{file.stem}_b.mtx"), system)
    except ValueError as error:
        raise ValueError(f"{str(file)!r} holds no pressure system: {error}") from None


def _entries(file: Path) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(n, rows, columns, values) of A, each place once."""
    from scipy.sparse import coo_matrix, issparse  # kept out of the solver: it needs torch and numpy alone

    A = _load(file)
    if not issparse(A) or A.shape[0] != A.shape[1]:
        raise ValueError("the matrix is dense or not square; write a square sparse one.")
    A = coo_matrix(A)
    A.sum_duplicates()
    if np.iscomplexobj(A.data) or not np.isfinite(A.data).all():
        raise ValueError("the matrix holds complex numbers, NaN or infinity; write finite real ones.")
    if abs(A - A.T).max() > SUM * abs(A).max():
        raise ValueError("the matrix is not symmetric.")
    return A.shape[0], A.row, A.col, A.data.astype(np.float64)


def _load(file: Path) -> Any:
    from scipy.io import mmread

    try:
        return mmread(file)
    except FileNotFoundError:
        raise ValueError(f"{file.name} does not exist.") from None
    except Exception as error:  # its parser raises whatever it stumbles over
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file.name} is no MatrixMarket file ({why}).") from None


def _system(n: int, row: np.ndarray, column: np.ndarray, value: np.ndarray) -> PoissonSystem:
    """The grid and its coefficients from the entries of A."""
    used = value != 0
    row, column, value = row[used], column[used], value[used]
    diagonal = np.bincount(row[row == column], value[row == column], n)
    upper = column > row
    row, column, beta = row[upper], column[upper], -value[upper]
    distance = column - row
    nx = int(distance.max(initial=1))
    east, north = (distance == 1) & (nx > 1), distance == nx
    if n % nx or not (east | north).all() or (row[east] % nx == nx - 1).any():
        raise ValueError(f"a row couples to cells {sorted(set(distance.tolist()))[:5]} places on; write 1 and nx only.")
    if (beta < 0).any():
        raise ValueError(f"beside its diagonal it holds {-beta.min():g}; write numbers of at most 0.")
    ny = n // nx
    beta_x, beta_y = np.zeros((ny, nx + 1)), np.zeros((ny + 1, nx))
    beta_x.ravel()[row[east] + row[east] // nx + 1] = beta[east]
    beta_y.ravel()[row[north] + nx] = beta[north]
    coupled = beta_x[:, :-1] + beta_x[:, 1:] + beta_y[:-1] + beta_y[1:]
    solid = coupled == 0
    left = np.where(solid, 0.0, diagonal.reshape(ny, nx) - coupled)
    left[abs(left) <= SUM * coupled] = 0.0
    if (left[:-1] != 0).any() or (left < 0).any():
        j, i = np.argwhere((left < 0) | ((left != 0) & (np.arange(ny) < ny - 1)[:, None]))[0]
        raise ValueError(f"row {j * nx + i} sums to {left[j, i]:g}; only the last {nx} may be above 0, an open top.")
    beta_y[-1] = left[-1]
    return PoissonSystem.from_faces(beta_x, beta_y, bool(left.any()), solid)


def _right_hand_side(file: Path, system: PoissonSystem) -> torch.Tensor:
    """b (ny, nx), 0 in solid cells."""
    n = system.solid.numel()
    if file.exists():
        from scipy.sparse import issparse

        found = _load(file)
        b = np.asarray(found.todense() if issparse(found) else found)
        if b.size != n or not np.isrealobj(b) or not np.isfinite(b).all():
            raise ValueError(f"{file.name} has {b.size} numbers; write {n} finite real ones.")
    else:
        b = np.random.default_rng(0).standard_normal(n)
    return torch.from_numpy(np.array(b, dtype=np.float64).reshape(system.shape)).masked_fill(system.solid, 0.0)
