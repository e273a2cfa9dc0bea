"""An independent float64 reference for the solver tests: scipy assembly, regions, projection and residual."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


def coefficients(rho, solid, open_top, dx=1.0, dt=1.0, harmonic=False):
    """Face coefficients by plain loops over cells: {(cell, neighbour): beta} and top coefficients {cell: 2 beta}."""
    ny, nx = rho.shape
    faces, top = {}, {}
    for j in range(ny):
        for i in range(nx):
            for jj, ii in ((j, i + 1), (j + 1, i)):
                if jj < ny and ii < nx and not solid[j, i] and not solid[jj, ii]:
                    a, b = rho[j, i], rho[jj, ii]
                    beta = (a + b) / (2 * a * b) if harmonic else 2 / (a + b)
                    faces[j * nx + i, jj * nx + ii] = beta * dt / dx**2
        if open_top and j == ny - 1:
            top = {j * nx + i: 2 / rho[j, i] * dt / dx**2 for i in range(nx) if not solid[j, i]}
    return faces, top


def matrix(rho, solid, open_top, **options):
    """A over the fluid cells, row-major, csr."""
    faces, top = coefficients(rho, solid, open_top, **options)
    A = sp.lil_matrix((rho.size, rho.size))
    for (k, m), beta in faces.items():
        A[k, k] += beta
        A[m, m] += beta
        A[k, m] -= beta
        A[m, k] -= beta
    for k, beta in top.items():
        A[k, k] += beta
    fluid = np.flatnonzero(~solid.ravel())
    return A.tocsr()[fluid][:, fluid]


def regions(system):
    """(ny, nx) labels, -1 in solids, by scipy's connected components of the system's own faces."""
    ny, nx = system.shape
    index = np.arange(ny * nx).reshape(ny, nx)
    open_x, open_y = system.beta_x.numpy()[:, 1:-1] > 0, system.beta_y.numpy()[1:-1] > 0
    a = np.concatenate((index[:, :-1][open_x], index[:-1][open_y]))
    b = np.concatenate((index[:, 1:][open_x], index[1:][open_y]))
    graph = sp.coo_matrix((np.ones(a.size), (a, b)), shape=(ny * nx, ny * nx))
    labels = connected_components(graph, directed=False)[1].reshape(ny, nx)
    return np.where(system.solid.numpy(), -1, labels)


def project(system, b):
    """P b by a loop over scipy's regions."""
    labels, out = regions(system), np.where(system.solid.numpy(), 0.0, b)
    open_cells = np.zeros(system.shape, dtype=bool)
    open_cells[-1] = system.beta_y.numpy()[-1] > 0
    open_cells |= system.reaction.numpy() > 0
    opened = np.zeros(labels.max() + 1, dtype=bool)
    opened[labels[open_cells]] = True
    sums = np.bincount(labels[labels >= 0], weights=out[labels >= 0], minlength=opened.size)
    sizes = np.maximum(np.bincount(labels[labels >= 0], minlength=opened.size), 1)
    means = np.where(opened, 0.0, sums / sizes)
    return np.where(labels >= 0, out - np.append(means, 0.0)[labels], 0.0)  # -1 picks the appended 0


def residual(system, b, x):
    """||P b - A x|| / ||P b|| with A from to_scipy and P from scipy's regions."""
    fluid = ~system.solid.numpy()
    Pb = project(system, b)[fluid]
    return np.linalg.norm(Pb - system.to_scipy() @ x[fluid]) / np.linalg.norm(Pb)


def same_partition(a, b):
    """Whether two labellings mean the same regions; negative labels are solids."""
    pairs = set(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs}) and np.array_equal(a < 0, b < 0)
