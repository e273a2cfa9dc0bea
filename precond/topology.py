"""Connected fluid regions, and the projector that removes what a closed region cannot balance."""

from __future__ import annotations

import numpy as np
import torch

# Up to this many closed regions the projector is a dense (regions x cells) product, deterministic on every device
# and about 4 us per region at 16,384 cells on a CPU; beyond it an indexed sum (55 us) is cheaper.
DENSE_REGIONS = 12


class Topology:
    """The regions of one pattern of open faces.

    labels: (ny, nx) int64, regions numbered in row-major order of their first cell, -1 in solids.
    count:  number of regions;  closed: (count,) bool, True where a region has no way out: no open top, no reaction.
    singular, enclosed: whether any region is closed, and whether all are.
    Cells are in one region when a path of faces with beta > 0 joins them; a fluid cell without any is its own region.
    """

    def __init__(self, link_x: torch.Tensor, link_y: torch.Tensor, solid: torch.Tensor, outlet: torch.Tensor):
        """link_x (ny, nx + 1), link_y (ny + 1, nx): beta > 0;  solid, outlet: reaction > 0 (ny, nx): all boolean."""
        fluid = ~solid
        roots = _components(link_x[:, 1:-1], link_y[1:-1])
        self.labels = torch.full(solid.shape, -1, dtype=torch.int64, device=solid.device)
        found, numbered = torch.unique(roots[fluid], return_inverse=True)
        self.labels[fluid] = numbered
        self.count = found.numel()
        self.closed = torch.ones(self.count, dtype=torch.bool, device=solid.device)
        top = self.labels[-1][link_y[-1] & fluid[-1]]
        self.closed[top] = False
        self.closed[self.labels[outlet & fluid]] = False
        self.singular = bool(self.closed.any())
        self.enclosed = bool(self.closed.all())
        self.projector = Projector(self, fluid)


class Projector:
    """P: zero in solids, mean zero over the fluid cells of every closed region; identity elsewhere.

    P v = keep * (v - Q^T Q v), with one orthonormal row of Q per closed region. A closed region of one cell can only
    hold 0, so it is masked like a solid and needs no row.
    """

    def __init__(self, topology: Topology, fluid: torch.Tensor):
        labels = topology.labels.clamp(min=0).reshape(-1)
        inside = topology.labels[fluid]
        sizes = torch.bincount(inside, minlength=topology.count)
        keep = fluid.reshape(-1)
        if topology.count:
            keep = keep & ~(topology.closed & (sizes == 1))[labels]
        rows = torch.nonzero(topology.closed & (sizes > 1)).reshape(-1)
        self.labels, self.regions = labels, rows.numel()
        self._inside, self._means = (keep, rows), sizes
        self.masked = not bool(keep.all())
        self.hidden = ~keep
        self.whole = self.regions == 1 and int(sizes[rows[0]]) == labels.numel()
        if self.regions <= DENSE_REGIONS:
            member = (labels == rows[:, None]) & keep
            self.Q = member / sizes[rows, None].to(torch.float64).sqrt()
            self.QT, self.row, self.sums = self.Q.T, self.Q[:1].reshape(-1), self.Q.new_zeros(self.regions)
            self.sum = self.sums[0] if self.regions == 1 else self.sums
        else:
            self.weight = torch.where(topology.closed, 1 / sizes.to(torch.float64), 0.0)
            self.sums = self.weight.clone()

    def by_region(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) int32: the row of weights that belongs to a cell, -1 in open regions and solids; (rows,) 1 / cells."""
        keep, rows = self._inside
        number = torch.full((self._means.numel(),), -1, dtype=torch.int32, device=rows.device)
        number[rows] = torch.arange(rows.numel(), dtype=torch.int32, device=rows.device)
        region = torch.where(keep, number[self.labels], -1) if number.numel() else torch.full_like(self.labels, -1)
        weight = 1 / self._means[rows].double()
        return region.to(torch.int32).numpy(force=True), weight.numpy(force=True)

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        """Project the flat float64 vector v (N,) in place; no host synchronisation."""
        if self.masked:
            v.masked_fill_(self.hidden, 0.0)  # not a product: a preconditioner may leave NaN where it has no equation
        if self.whole:
            v.sub_(v.mean())
        elif self.regions == 1:
            torch.linalg.vecdot(self.row, v, out=self.sum)
            v.addcmul_(self.row, self.sum, value=-1)
        elif 0 < self.regions <= DENSE_REGIONS:
            torch.mv(self.Q, v, out=self.sums)
            v.addmv_(self.QT, self.sums, alpha=-1)
        elif self.regions:
            self.sums.zero_().index_add_(0, self.labels, v).mul_(self.weight)
            v.sub_(self.sums[self.labels]).masked_fill_(self.hidden, 0.0)
        return v


def _components(link_x: torch.Tensor, link_y: torch.Tensor) -> torch.Tensor:
    """One number per connected component, (ny, nx) int64; link_x (ny, nx - 1), link_y (ny - 1, nx) boolean.

    Runs along rows are numbered by a cumulative sum; then every root hooks onto its smallest neighbour root and paths
    are halved until flat (Shiloach and Vishkin 1982). The edges left over shrink geometrically in practice.
    """
    ny, nx = link_y.shape[0] + 1, link_x.shape[1] + 1
    start = torch.ones((ny, nx), dtype=torch.int64, device=link_x.device)
    start[:, 1:] -= link_x.to(torch.int64)
    run = (start.reshape(-1).cumsum(0) - 1).reshape(ny, nx)
    parent = torch.arange(int(run[-1, -1]) + 1, device=link_x.device)
    a, b = run[:-1][link_y], run[1:][link_y]
    while a.numel():
        parent.scatter_reduce_(0, torch.maximum(a, b), torch.minimum(a, b), "amin")
        while not torch.equal(parent, grand := parent[parent]):
            parent = grand
        a, b = parent[a], parent[b]
        apart = a != b
        a, b = a[apart], b[apart]
    return parent[run]
