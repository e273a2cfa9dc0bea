"""The pressure Poisson system: five-point, variable coefficients, solid cells, walls, open tops, free surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .support import argument_checks
from .topology import Topology

if TYPE_CHECKING:
    import scipy.sparse

FACES = ("arithmetic", "harmonic")
SMALLEST_BETA = 1e-290  # below it products of coefficients are no longer normal numbers


class PoissonSystem:
    """A p = reaction p_i + sum over the faces of a cell of beta (p_i - p_j),  beta = dt / (rho_face dx^2).

    Units: p [Pa], A p [1/s], so beta and reaction [m s / kg].
    beta_x: (ny, nx + 1) float64, face between cells (j, i - 1) and (j, i); 0 on the two walls and beside solids.
    beta_y: (ny + 1, nx) float64, face between cells (j - 1, i) and (j, i); 0 on the bottom wall and beside solids;
            the last row is 0, or with an open top twice the top cells' beta: p = 0 half a cell above them.
    solid:  (ny, nx) bool, cells without an unknown. Their rows of A are identity rows; right-hand sides and solutions
            are 0 there.
    reaction: (ny, nx) float64, >= 0, added to the diagonal: of an equation with a reaction term, or beta of the faces
            to cells where p = 0 is prescribed (air beside a free surface); 0 in solids.
    Row 0 is the bottom. A is symmetric and positive semi-definite, with the constants of every closed region, which
    has neither an open top nor any reaction, as null space. The tensors may be rewritten in place every step (keep the
    zeros above); everything derived from them is computed when asked for. Build one with `from_density`, `from_faces`
    or `empty`.
    """

    def __init__(
        self,
        beta_x: torch.Tensor,
        beta_y: torch.Tensor,
        solid: torch.Tensor,
        open_top: bool,
        reaction: torch.Tensor | None = None,
    ):
        """Wrap tensors that already are as described above, unchecked; reaction None: 0 everywhere."""
        self.beta_x, self.beta_y, self.solid, self.open_top = beta_x, beta_y, solid, open_top
        self.reaction = torch.zeros_like(solid, dtype=torch.float64) if reaction is None else reaction
        self._pattern: tuple[torch.Tensor, ...] | None = None
        self._topology: Topology | None = None
        self._settled = False

    @classmethod
    def from_density(
        cls,
        rho: object,
        dx: float = 1.0,
        dt: float = 1.0,
        open_top: bool = False,
        solid: object = None,
        face: str = "arithmetic",
    ) -> PoissonSystem:
        """The system of a density field: beta = dt / (rho_face dx^2).

        rho: (ny, nx) [kg/m^3], above 0 in fluid cells, ignored in solids;  dx [m];  dt [s].
        face: "arithmetic": beta = 2 / (rho_i + rho_j) dt / dx^2;  "harmonic": from the mean of the cells' 1 / rho,
        (rho_i + rho_j) / (2 rho_i rho_j) dt / dx^2, as in the published protocol of arXiv 2605.13343.
        Raises ValueError (TypeError for wrong types) with the offending value. The tensors lie on rho's device.
        """
        density = argument_checks.field(rho, "rho")
        spacing = argument_checks.positive(dx, "dx")
        scale = argument_checks.positive(dt, "dt") / spacing / spacing  # spacing ** 2 may underflow to a division by 0
        open_top = argument_checks.flag(open_top, "open_top")
        argument_checks.choice(face, "face", FACES)
        shape = (density.shape[0], density.shape[1])
        system = cls.empty(*shape, open_top=open_top, device=density.device)
        if solid is not None:
            system.solid.copy_(argument_checks.mask(solid, "solid", shape))
        bad = ~(torch.isfinite(density) & (density > 0)) & ~system.solid
        if bad.any():
            raise ValueError(f"rho is {density[bad][0].item()} in a fluid cell; pass finite densities above 0.")
        density = torch.where(system.solid, 1.0, density)  # any harmless number: solid faces are zeroed below

        def beta(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return scale * (2 / (a + b) if face == "arithmetic" else (1 / a + 1 / b) / 2)

        system.beta_x[:, 1:-1] = beta(density[:, :-1], density[:, 1:])
        system.beta_y[1:-1] = beta(density[:-1], density[1:])
        if open_top:
            system.beta_y[-1] = 2 * scale / density[-1]
        inner = torch.cat((system.beta_x[:, 1:-1].reshape(-1), system.beta_y[1 : None if open_top else -1].reshape(-1)))
        if not (torch.isfinite(inner) & (inner >= SMALLEST_BETA)).all():
            raise ValueError(f"dt / (rho dx^2) leaves the range of float64 with dt = {dt}, dx = {dx}; use other units.")
        system._close_solids()
        return system

    @classmethod
    def from_faces(
        cls,
        beta_x: object,
        beta_y: object,
        open_top: bool = False,
        solid: object = None,
        reaction: object = None,
        dirichlet: object = None,
    ) -> PoissonSystem:
        """The system with the given face coefficients, copied.

        beta_x: (ny, nx + 1), beta_y: (ny + 1, nx), finite, >= 0 [m s / kg]; 0 on the walls: the first and last
        column of beta_x, the first row of beta_y and, unless open_top, its last row. Entries beside solid cells are
        ignored (taken as 0).
        reaction: (ny, nx), finite, >= 0 [m s / kg], added to the diagonal of fluid cells.
        dirichlet: (ny, nx) bool, cells with p = 0 where they are not solid. They are no unknowns: `solid` becomes True,
        and the coefficients of their faces to fluid cells become part of `reaction`. p = 0 on the outer side of a grid
        is a margin of such cells, or the coefficient of that side in reaction.
        Raises ValueError (TypeError for wrong types) with the offending value.
        """
        faces_x, faces_y = argument_checks.field(beta_x, "beta_x"), argument_checks.field(beta_y, "beta_y")
        open_top = argument_checks.flag(open_top, "open_top")
        ny, nx = faces_x.shape[0], faces_y.shape[1]
        if tuple(faces_x.shape) != (ny, nx + 1) or tuple(faces_y.shape) != (ny + 1, nx):
            raise ValueError(
                f"beta_x has shape {tuple(faces_x.shape)} and beta_y {tuple(faces_y.shape)}; "
                "pass shapes (ny, nx + 1) and (ny + 1, nx)."
            )
        system = cls.empty(ny, nx, open_top=open_top, device=faces_x.device)
        if solid is not None:
            system.solid.copy_(argument_checks.mask(solid, "solid", (ny, nx)))
        system.beta_x.copy_(faces_x)
        system.beta_y.copy_(faces_y)
        if reaction is not None:
            system.reaction.copy_(argument_checks.field(reaction, "reaction", (ny, nx)))
        system._close_solids()
        fields = ("beta_x", system.beta_x), ("beta_y", system.beta_y), ("reaction", system.reaction)
        for name, faces in fields:
            bad = ~(torch.isfinite(faces) & (faces >= 0))
            if bad.any():
                raise ValueError(f"{name} holds {faces[bad][0].item()}; pass finite coefficients of at least 0.")
        walls = [("beta_x[:, 0]", system.beta_x[:, 0]), ("beta_x[:, -1]", system.beta_x[:, -1])]
        walls += [("beta_y[0]", system.beta_y[0])] + ([] if open_top else [("beta_y[-1]", system.beta_y[-1])])
        for name, wall in walls:
            if wall.any():
                hint = " (or pass open_top=True)" if name == "beta_y[-1]" else ""
                raise ValueError(f"{name} is a wall but holds {wall[wall != 0][0].item()}; set it to 0{hint}.")
        if dirichlet is not None:
            system._ground(argument_checks.mask(dirichlet, "dirichlet", (ny, nx)).to(system.device))
        return system

    @classmethod
    def empty(cls, ny: int, nx: int, open_top: bool = False, device: str | torch.device = "cpu") -> PoissonSystem:
        """A system of ny x nx fluid cells with every coefficient 0, to be filled in place."""
        ny, nx, open_top = (
            argument_checks.count(ny, "ny", 1),
            argument_checks.count(nx, "nx", 1),
            argument_checks.flag(open_top, "open_top"),
        )
        place = argument_checks.device(device)
        beta_x = torch.zeros((ny, nx + 1), dtype=torch.float64, device=place)
        beta_y = torch.zeros((ny + 1, nx), dtype=torch.float64, device=place)
        return cls(beta_x, beta_y, torch.zeros((ny, nx), dtype=torch.bool, device=place), open_top)

    def copy_from(self, other: PoissonSystem) -> None:
        """Take over the tensors' present values of a system of the same shape, from any device."""
        self.copy_tensors(other)
        self.open_top, self._settled = other.open_top, False

    def copy_tensors(self, other: PoissonSystem) -> None:
        """The part of `copy_from` that a recording may hold."""
        for own, given in zip(self.tensors, other.tensors):
            own.copy_(given)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All that it consists of beside `open_top`."""
        return self.beta_x, self.beta_y, self.solid, self.reaction

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.solid.shape[0], self.solid.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.beta_x.device

    def apply(self, p: object) -> torch.Tensor:
        """A p, float64, shape (ny, nx); p in solids is passed through and touches no neighbour."""
        field = argument_checks.field(p, "p", self.shape).to(self.device)
        inside = torch.where(self.solid, 0.0, field)
        flux_x = self.beta_x[:, 1:-1] * (inside[:, 1:] - inside[:, :-1])
        flux_y = self.beta_y[1:-1] * (inside[1:] - inside[:-1])
        out = torch.where(self.solid, field, 0.0)
        out[:, :-1] -= flux_x
        out[:, 1:] += flux_x
        out[:-1] -= flux_y
        out[1:] += flux_y
        out[-1] += self.beta_y[-1] * inside[-1]
        return out.addcmul_(self.reaction, inside)

    def diagonal(self) -> torch.Tensor:
        """The diagonal of A, float64, shape (ny, nx): 1 in solids, 0 in a fluid cell without any open face."""
        total = self.beta_x[:, :-1] + self.beta_x[:, 1:] + self.beta_y[:-1] + self.beta_y[1:] + self.reaction
        return torch.where(self.solid, 1.0, total)

    def to_scipy(self) -> scipy.sparse.csr_matrix:
        """A over the fluid cells only, in row-major order, as scipy.sparse.csr_matrix (float64)."""
        from scipy.sparse import csr_matrix  # kept out of the solver: it needs torch and numpy alone

        fluid = ~self.solid.cpu().reshape(-1)
        number = (torch.cumsum(fluid, 0) - 1).reshape(self.shape)
        beta_x, beta_y = self.beta_x.cpu()[:, 1:-1], self.beta_y.cpu()[1:-1]
        open_x, open_y = beta_x > 0, beta_y > 0
        a = torch.cat((number[:, :-1][open_x], number[:-1][open_y]))
        b = torch.cat((number[:, 1:][open_x], number[1:][open_y]))
        off = -torch.cat((beta_x[open_x], beta_y[open_y]))
        self_index = torch.arange(int(fluid.sum()))
        rows, columns = torch.cat((a, b, self_index)), torch.cat((b, a, self_index))
        values = torch.cat((off, off, self.diagonal().cpu().reshape(-1)[fluid]))
        n = self_index.numel()
        A = csr_matrix((values.numpy(), (rows.numpy(), columns.numpy())), shape=(n, n))
        A.sort_indices()
        return A

    @property
    def topology(self) -> Topology:
        """Regions and projector, recomputed only when the pattern of open faces or solids has changed."""
        if self._settled and self._topology is not None:
            return self._topology
        fresh = self._fresh_pattern()
        if self._pattern is None or self._topology is None:
            self._pattern = tuple(mask.clone() for mask in fresh)
            self._topology = Topology(*self._pattern)
        elif not all(map(torch.equal, fresh, self._pattern)):
            for old, new in zip(self._pattern, fresh):  # in place: a recording may read them
                old.copy_(new)
            self._topology = Topology(*self._pattern)
        return self._topology

    @property
    def last_topology(self) -> Topology | None:
        """Regions as they were when somebody last asked, without looking whether they still are."""
        return self._topology

    def walls_moved(self) -> torch.Tensor:
        """0-d bool on the device: whether `last_topology` is no longer true. Does not wait for the device."""
        assert self._pattern is not None, "nobody has asked for the topology yet"
        moved = [(new ^ old).any() for new, old in zip(self._fresh_pattern(), self._pattern)]
        return moved[0] | moved[1] | moved[2] | moved[3]

    def _fresh_pattern(self) -> tuple[torch.Tensor, ...]:
        """What regions depend on: which faces are open, which cells are solid, which have a way out."""
        return self.beta_x > 0, self.beta_y > 0, self.solid, self.reaction > 0

    def settle(self, settled: bool = True) -> None:
        """Spare further looks at the pattern until the next `copy_from`: nobody writes to the tensors meanwhile."""
        self._settled = settled

    @property
    def regions(self) -> torch.Tensor:
        """(ny, nx) int64: connected fluid regions numbered from 0 in row-major order, -1 in solids."""
        return self.topology.labels.clone()

    @property
    def singular(self) -> bool:
        """True if any region has no open boundary, so that A has constants in its null space."""
        return self.topology.singular

    def project(self, b: object) -> torch.Tensor:
        """P b, float64, shape (ny, nx): the mean of every closed region's fluid cells removed, solids set to 0.

        A p = b has a solution exactly when P b = b; P is the orthogonal projector onto the range of A in the fluid.
        """
        field = argument_checks.field(b, "b", self.shape).to(self.device)
        clean = torch.where(self.solid, 0.0, field)  # where, not a product: NaN in a solid must not count
        return self.topology.projector(clean.reshape(-1)).reshape(self.shape)

    def _close_solids(self) -> None:
        beside = torch.zeros_like(self.beta_x, dtype=torch.bool)
        beside[:, :-1] |= self.solid
        beside[:, 1:] |= self.solid
        self.beta_x.masked_fill_(beside, 0.0)
        beside = torch.zeros_like(self.beta_y, dtype=torch.bool)
        beside[:-1] |= self.solid
        beside[1:] |= self.solid
        self.beta_y.masked_fill_(beside, 0.0)
        self.reaction.masked_fill_(self.solid, 0.0)

    def _ground(self, dirichlet: torch.Tensor) -> None:
        """Take the cells with p = 0 out, leaving the coefficients of their faces in their neighbours' reaction."""
        fluid = ~(self.solid | dirichlet)
        x, y = self.beta_x[:, 1:-1], self.beta_y[1:-1]
        self.reaction[:, :-1] += x * (fluid[:, :-1] & dirichlet[:, 1:])
        self.reaction[:, 1:] += x * (fluid[:, 1:] & dirichlet[:, :-1])
        self.reaction[:-1] += y * (fluid[:-1] & dirichlet[1:])
        self.reaction[1:] += y * (fluid[1:] & dirichlet[:-1])
        self.solid |= dirichlet
        self._close_solids()
