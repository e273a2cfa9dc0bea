"""`spai`: M = G G^T + eps D^-1 with a sparse G that a graph network predicts, after arXiv 2510.27517."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..device import cuda_graph
from ..device.precision import whole_float32
from ..device.timer import Elapsed
from ..io import network_file, network_memory
from ..message_passing.coefficient_planes import planes
from ..preconditioner import CompiledForm, Preconditioner
from ..stencil import Halo, plus_neighbours
from ..system import PoissonSystem
from .network import BASE, EPSILON, Config, Factor, Network, transposed

NAME = "spai"
EVERY = 16  # solves between two runs of the network: what it predicts is relative to couplings that are always fresh


def why_unavailable() -> str | None:
    """None, or a sentence that says which file is missing."""
    return network_file.why_unavailable(NAME)


def default_weights() -> Path:
    """The weights that come with the program."""
    return network_file.shipped(NAME)


class Spai(Preconditioner):
    """M = D^-1/2 (G G^T + eps I) D^-1/2, G with A's pattern; symmetric positive definite for any weights.

    With G = diag(g) (I + N), four products per cell for each of N^T and N: an iteration costs about twice one of
    Jacobi's, whose M reaches one cell where this one reaches two. The network is in float32, the products in float64.
    inference_ms is the network's time in the last setup, 0 where an earlier run still serves.
    """

    capturable = True

    def __init__(self, weights: str | Network | None = None, every: int = EVERY):
        """weights: file, "random:SEED" or a network; None: the file that comes along. Raises ValueError."""
        self.network = (
            weights if isinstance(weights, Network) else network_file.load_network(weights, NAME, Config, Network)
        )
        self.every, self.inference_ms = every, 0.0
        self.shape = (0, 0)
        self.factor: Factor | None = None
        self.age = 0
        self.recalled: network_memory.Arrays = {}
        self.prediction, self.algebra = cuda_graph.GraphCache(), cuda_graph.GraphCache()

    def forget(self) -> None:
        """Start the next setup from nothing, as on a first frame."""
        self.renew()

    def renew(self) -> None:
        """Run the network in the next setup, whatever its age."""
        self.age = self.every

    def memory(self) -> dict[str, np.ndarray]:
        """What later setups depend on besides their systems: see precond.io.network_memory."""
        return {} if self.factor is None else network_memory.to_arrays(self.network, self.age, vars(self.factor))

    def recall(self, arrays: network_memory.Arrays) -> None:
        """Go on with the memory of another run, from the first setup on."""
        self.recalled = arrays

    @torch.no_grad()
    def setup(self, system: PoissonSystem) -> None:
        """Run the network where it is due and multiply its prediction with the present couplings."""
        if self.shape != system.shape:
            self._allocate(system)
        self.inference_ms = 0.0
        if self.factor is None or self.age >= self.every:
            watch = Elapsed(system.device)
            self.prediction(lambda: self._predict(system), system.device, system)
            self.inference_ms, self.age = watch.stop(), 0
        self.age += 1
        self.algebra(lambda: self._build(system), system.device, system)

    def _predict(self, system: PoissonSystem) -> None:
        with whole_float32():
            factor = self.network(planes([system], torch.float64).to(torch.float32))
        if self.factor is not None and cuda_graph.possible(system.device):
            torch._foreach_copy_(list(vars(self.factor).values()), list(vars(factor).values()))
        else:
            self.factor = factor

    def _build(self, system: PoissonSystem) -> None:
        exact, factor = planes([system], torch.float64), self.factor
        assert factor is not None
        root = exact.root.view(-1)
        g = factor.diagonal.double().exp()
        towards = (BASE + factor.sides.double()) * exact.couplings / g
        back = transposed(towards)
        for k in range(4):
            self.towards[k].copy_(towards[0, k].view(-1))
            self.back[k].copy_(back[0, k].view(-1))
        torch.mul(root, g.view(-1), out=self.scale)
        eps = EPSILON * factor.log_eps.double().exp().view(())
        torch.mul(eps, root * root, out=self.shift)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        y, t, flat, z = self.y, self.t, r.view(-1), out.view(-1)
        torch.mul(self.scale, flat, out=y.centre)
        plus_neighbours(y, self.back, t.centre)
        plus_neighbours(t, self.towards, z)
        z.mul_(self.scale).addcmul_(self.shift, flat)

    def compiled(self) -> CompiledForm:
        """For the loop."""
        from ..compiled.neighbours import iterate_learned

        towards, back = (tuple(side.numpy() for side in sides) for sides in (self.towards, self.back))
        data = (self.scale.numpy(), self.shift.numpy(), towards, back, self.y.buffer.numpy(), self.t.buffer.numpy())
        return CompiledForm(iterate_learned, data)

    def _allocate(self, system: PoissonSystem) -> None:
        self.shape, device = system.shape, system.device
        self.network.to(device)
        shapes = {"diagonal": (1, 1, *system.shape), "sides": (1, 4, *system.shape), "log_eps": (1, 1, 1, 1)}
        found = network_memory.from_arrays(self.recalled, self.network, shapes, device)
        if found is not None:
            self.age, self.factor = found[0], Factor(**found[1])
        self.y, self.t = Halo(*system.shape, device), Halo(*system.shape, device)
        self.towards, self.back = ([torch.zeros_like(self.y.centre) for _ in range(4)] for _ in range(2))
        self.scale, self.shift = torch.zeros_like(self.y.centre), torch.zeros_like(self.y.centre)
