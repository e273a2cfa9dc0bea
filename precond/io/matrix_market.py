"""Pressure systems from MatrixMarket files, as other programs write them, compressed (.mtx.gz) or not.

NAME.mtx     a symmetric matrix of the five-point kind on ny x nx cells: entries -beta <= 0 beside the diagonal, and
             rows that sum to 0 or more. Cells are in row-major order, where nx is the largest distance of an entry from
             the diagonal, or in any order if the couplings tell where the cells lie.
NAME_b.mtx   the right-hand side, ny nx numbers; where it is missing, b ~ N(0, I) from seed 0.

What rows sum to is reaction, or an open top if only the last row of cells has any. A row with a diagonal only is a
solid cell, unless the right-hand side is not 0 there. The grid may come back turned or mirrored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..system import PoissonSystem

SUM, ROUNDING = 1e-9, 1e-14  # of the diagonal: what a sum of 0 may be in a file with few digits, or with all
ENDINGS = (".mtx", ".mtx.gz")


def is_named(file: Path) -> bool:
    """Whether a file is called as one of these."""
    return file.name.endswith(ENDINGS)


def files_in(directory: Path) -> list[Path]:
    """The matrices of a folder by name, without right-hand sides."""
    return sorted(path for path in directory.iterdir() if is_named(path) and not _stem(path).endswith("_b"))


def _stem(file: Path) -> str:
    """The name without its ending."""
    return file.name.removesuffix(".gz").removesuffix(".mtx")


def read(file: Path) -> tuple[PoissonSystem, torch.Tensor]:
    """(system, b) of one file, on the CPU. Raises ValueError with one sentence that names the file."""
    try:
        n, row, column, value = _entries(file)
        given = _right_hand_side(file, n)
        place = _natural_or_found(n, row, column)
        b = None if given is None else np.empty(n)
        if b is not None:
            b[place] = given
        system = _system(n, place[row], place[column], value, b)
        if b is None:
            b = np.random.default_rng(0).standard_normal(n)
        return system, torch.from_numpy(b.reshape(system.shape)).masked_fill(system.solid, 0.0)
    except ValueError as error:
        raise ValueError(f"{str(file)!r} holds no pressure system: {error}") from None


def _entries(file: Path) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(n, rows, columns, values) of A, each place once."""
    from scipy.sparse import coo_matrix, issparse  # kept out of the solver: it needs torch and numpy alone

    A = _load(file)
    if not issparse(A) or A.shape[0] != A.shape[1]:
        raise ValueError("the matrix is dense or not square; write a square sparse one.")
    if not A.shape[0]:
        raise ValueError("the matrix is empty.")
    A = coo_matrix(A)
    A.sum_duplicates()
    if np.iscomplexobj(A.data) or not np.isfinite(A.data).all():
        raise ValueError("the matrix holds complex numbers, NaN or infinity; write finite real ones.")
    if abs(A - A.T).max() > SUM * abs(A).max():
        raise ValueError("the matrix is not symmetric.")
    used = A.data != 0
    return A.shape[0], A.row[used], A.col[used], A.data[used].astype(np.float64)


def _load(file: Path) -> Any:
    from scipy.io import mmread

    try:
        return mmread(file)
    except FileNotFoundError:
        raise ValueError(f"{file.name} does not exist.") from None
    except Exception as error:  # its parser raises whatever it stumbles over
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file.name} is no MatrixMarket file ({why}).") from None


def _natural_or_found(n: int, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The place of every unknown in row-major order: its own number, or that in a grid that fits the couplings."""
    own = np.arange(n)
    distance = abs(column - row)
    nx = int(distance.max(initial=1))
    beside = distance == 1
    if not (n % nx or ((distance > 1) & (distance < nx)).any()):
        broken = beside & (np.minimum(row, column) % nx == nx - 1) if nx > 1 else np.zeros(0, bool)
        if not broken.any():
            return own
    found = _grid(n, row[row != column], column[row != column])
    if found is None:
        far = sorted(set(distance[distance > 0].tolist()))[:5]
        raise ValueError(
            f"rows couple to cells {far} places on, which is no row-major grid, and its couplings do not tell of one "
            "in another order; number the cells row by row, and keep solid ones as rows with a diagonal only."
        )
    return found


def _grid(n: int, row: np.ndarray, column: np.ndarray) -> np.ndarray | None:
    """Row-major places on a full grid in which all coupled pairs are neighbours; None if none is found.

    A corner has two neighbours (one at the end of a single row). Distances along couplings from two corners of one side
    are i + j and nx - 1 - i + j.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    couplings = csr_matrix((np.ones(row.size), (row, column)), shape=(n, n))
    neighbours = np.diff(couplings.indptr)
    corners = np.flatnonzero(neighbours == neighbours.min())
    first = dijkstra(couplings, indices=corners[0], unweighted=True)
    if not np.isfinite(first).all():
        return None
    others = corners[corners != corners[0]]
    for second in others[np.argsort(first[others], kind="stable")][:2]:
        nx = int(first[second]) + 1
        if n % nx:
            continue
        i = (first - dijkstra(couplings, indices=second, unweighted=True) + nx - 1) / 2
        place = np.round((first - i) * nx + i).astype(np.int64)
        if (i % 1).any() or not np.array_equal(np.sort(place), np.arange(n)):
            continue
        a, b = np.minimum(place[row], place[column]), np.maximum(place[row], place[column])
        if (((b - a == 1) & (a % nx < nx - 1)) | (b - a == nx)).all():
            return place
    return None


def _system(n: int, row: np.ndarray, column: np.ndarray, value: np.ndarray, b: np.ndarray | None) -> PoissonSystem:
    """The coefficients of the grid from the entries of A, in row-major order."""
    diagonal = np.bincount(row[row == column], value[row == column], n)
    upper = column > row
    row, column, beta = row[upper], column[upper], -value[upper]
    distance = column - row
    nx = int(distance.max(initial=1))
    east, north = (distance == 1) & (nx > 1), distance == nx
    if (beta < 0).any():
        raise ValueError(f"beside its diagonal it holds {-beta.min():g}; write numbers of at most 0.")
    ny = n // nx
    beta_x, beta_y = np.zeros((ny, nx + 1)), np.zeros((ny + 1, nx))
    beta_x.ravel()[row[east] + row[east] // nx + 1] = beta[east]
    beta_y.ravel()[row[north] + nx] = beta[north]
    coupled = beta_x[:, :-1] + beta_x[:, 1:] + beta_y[:-1] + beta_y[1:]
    alone = coupled == 0
    solid = alone if b is None else alone & (b.reshape(ny, nx) == 0)
    left = np.where(solid, 0.0, diagonal.reshape(ny, nx) - coupled)
    # A file with few digits has rows that miss 0 to either side; one with all of them may mean its small sums.
    rounded = bool((left < -ROUNDING * coupled).any())
    left[abs(left) <= (SUM if rounded else ROUNDING) * coupled] = 0.0
    if (left < 0).any():
        j, i = np.argwhere(left < 0)[0]
        raise ValueError(f"row {j * nx + i} sums to {left[j, i]:g}; write rows whose sum is at least 0.")
    top = bool(left[-1].any()) and not left[:-1].any()
    if top:
        beta_y[-1] = left[-1]
    return PoissonSystem.from_faces(beta_x, beta_y, top, solid, None if top else left)


def _right_hand_side(file: Path, n: int) -> np.ndarray | None:
    """The numbers of NAME_b.mtx or NAME_b.mtx.gz (n,), in the order of the file; None where there is none."""
    for ending in ENDINGS:
        beside = file.with_name(f"{_stem(file)}_b{ending}")
        if beside.exists():
            break
    else:
        return None
    from scipy.sparse import issparse

    found = _load(beside)
    b = np.asarray(found.todense() if issparse(found) else found)
    if b.size != n or not np.isrealobj(b) or not np.isfinite(b).all():
        raise ValueError(f"{beside.name} has {b.size} numbers; write {n} finite real ones.")
    return np.array(b, dtype=np.float64).reshape(-1)
