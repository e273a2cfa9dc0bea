"""`htp`: the hierarchy with functions proposed by a transformer, which runs every EVERY solves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..device import cuda_graph
from ..device.precision import whole_float32
from ..device.timer import Elapsed
from ..io import network_file, network_memory
from ..system import PoissonSystem
from . import blocks, galerkin
from .cycle import Cycle
from .hierarchy import FUNCTIONS, Hierarchy
from .network import Config, Network, Places

NAME = "htp"
EVERY = 32  # solves between two runs of the network: replayed scenes then take 0.1 iterations more than with 8
EXTRA = 16  # ... or sooner, when the iterations beyond those right after a run cost as much as a run would
FIRST = 4  # solves after a run that say how few iterations are possible


def default_weights() -> Path:
    """The weights that come with the program."""
    return network_file.shipped(NAME)


def why_unavailable() -> str | None:
    """None, or a sentence that says which file is missing."""
    return network_file.why_unavailable(NAME)


def load(weights: str | None) -> Network:
    """The network of a file, of "random:SEED", or of the file that comes with the program. Raises ValueError."""
    network = network_file.load_network(weights, NAME, Config, Network)
    if network.config.functions != FUNCTIONS:
        path = default_weights() if weights is None else weights
        raise ValueError(f"The weights {str(path)!r} cannot be used: they have {network.config.functions} functions.")
    return network


class Htp(Hierarchy):
    """The hierarchy whose functions are continued from polynomials plus what a network proposes around each block.

    The continuation, all inverses and all couplings are computed from the frame's own coefficients, so M is symmetric
    positive definite for any weights, and functions proposed some frames ago only cost iterations. The
    network runs every EVERY solves, or when iterations rise for long; inference_ms is its time in the last setup.
    """

    solves_between, extra_iterations = EVERY, EXTRA

    def __init__(self, weights: str | Network | None = None, every: int | None = None):
        """weights: file, "random:SEED" or a network; None: the file that comes along. Raises ValueError."""
        super().__init__()
        self.network = weights if isinstance(weights, Network) else load(weights).requires_grad_(False)
        self.functions = self.network.config.functions  # 8 in what is shipped; ablations have fewer
        self.every = self.solves_between if every is None else every
        self.inference_ms = 0.0
        self.places: Places | None = None
        self.proposal = cuda_graph.GraphCache()
        self.proposed: list[torch.Tensor] = []  # traces, corrections level by level
        self.recalled: network_memory.Arrays = {}
        self.forget()

    def forget(self) -> None:
        """Start the next setup from nothing, as on a first frame."""
        super().forget()
        self.age = self.every
        self.counts: list[int] = []

    def renew(self) -> None:
        """Run the network in the next setup, whatever its age."""
        self.age = self.every

    def memory(self) -> dict[str, np.ndarray]:
        """What later setups depend on besides their systems: see precond.io.network_memory."""
        if not self.proposed:
            return {}
        proposed = {f"proposed{k}": tensor for k, tensor in enumerate(self.proposed)}
        return {
            **network_memory.to_arrays(self.network, self.age, proposed),
            "counts": np.array(self.counts, dtype=np.int64),
        }

    def recall(self, arrays: network_memory.Arrays) -> None:
        """Go on with the memory of another run, from the first setup on."""
        self.recalled = arrays

    def observe(self, iterations: int) -> None:
        """Record the iterations of a solve; the solver calls this after every one."""
        self.counts.append(iterations)

    def _prepare(self, system: PoissonSystem, constants: galerkin.Constants) -> None:
        self.inference_ms = 0.0
        if self.age >= self.every or self._extra() > self.extra_iterations:
            watch = Elapsed(system.device)
            self.proposal(lambda: self._propose(system, constants), system.device, system, self.pockets, self.closed)
            self.inference_ms = watch.stop()
            self.age = 0
            self.counts.clear()
        self.age += 1

    def _propose(self, system: PoissonSystem, constants: galerkin.Constants) -> None:
        with torch.no_grad(), whole_float32():
            traces, corrections = self.network(
                blocks.tiled(system, constants.layout, self.pockets, self.closed), constants.layout, self.places
            )
        proposed = [self.polynomials + traces, *corrections]
        if self.proposed and cuda_graph.possible(system.device):
            torch._foreach_copy_(self.proposed, proposed)  # what was recorded reads these tensors where they are
        else:
            self.proposed = proposed

    def _cycle(self, constants: galerkin.Constants) -> Cycle:
        traces, *corrections = self.proposed
        tiles = self.cache.refresh(self.cells, traces)
        return galerkin.cycle(self.cells, tiles, constants, corrections, visits=self.visits_now)

    def _extra(self) -> int:
        """Iterations since the network ran beyond the fewest right after it."""
        return sum(self.counts) - len(self.counts) * min(self.counts[:FIRST], default=0)

    def _allocate(self, system: PoissonSystem) -> galerkin.Constants:
        constants = super()._allocate(system)
        self.network.to(system.device)
        self.places = Places(constants.layout, system.device)
        self._take_up(constants, system.device)
        return constants

    def _take_up(self, constants: galerkin.Constants, device: torch.device) -> None:
        r, layout = self.functions, constants.layout
        shapes = [(layout.count, *constants.ring.T.shape)]
        shapes += [(groups.count, len(groups.slots) * r, r) for groups in layout.groups]
        named = {f"proposed{k}": shape for k, shape in enumerate(shapes)}
        found = network_memory.from_arrays(self.recalled, self.network, named, device)
        if found is not None:
            self.age, proposed = found
            self.proposed = list(proposed.values())
            counts = self.recalled.get("counts", np.zeros(0, dtype=np.int64))
            self.counts = counts.tolist() if counts.dtype.kind == "i" and counts.ndim == 1 else []
