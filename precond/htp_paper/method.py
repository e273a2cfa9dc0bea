"""`htp-paper`: the published preconditioner with trained weights."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

from ..device.precision import whole_float32
from ..device.timer import Elapsed
from ..io import network_file
from ..io import weights as files
from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from .factors import Product
from .frames import of_systems
from .network import Config, Network
from .partition import Partition

NAME = "htp-paper"


class HtpPaper(Preconditioner):
    """M as a network predicts it from A. Symmetric; nothing keeps it positive definite, which the solver watches.

    The network, the factors and every product are float32. Weights belong to one size; others work, but not well.
    """

    capturable = True

    def __init__(self, weights: str | nn.Module | None = None):
        """weights: file, "random:SEED", a network, or None: those shipped for the nearest size. Raises ValueError."""
        self.network: nn.Module | None = None
        if weights is not None:
            self.network = network_of(weights) if isinstance(weights, str) else weights
        elif not shipped():
            raise ValueError(f"There are no weights of {NAME!r}: {why_unavailable()}")
        self.inference_ms = 0.0
        self.solid = torch.zeros(0, dtype=torch.bool)

    @torch.no_grad()
    def setup(self, system: PoissonSystem) -> None:
        """Run the network on A."""
        if self.solid.shape != system.shape or not torch.equal(self.solid, system.solid):
            self._allocate(system)
        assert self.network is not None
        frames = of_systems(self.partition, [system])
        watch = Elapsed(system.device)
        with whole_float32():
            factors = self.network(frames)
        self.inference_ms = watch.stop()
        self.product.load(factors)

    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        self.padded[:-1] = r.view(-1)
        z = self.product(self.padded[self.partition.cell])
        out.view(-1).copy_(torch.cat((z.view(-1), self.nothing))[self.place])

    def _allocate(self, system: PoissonSystem) -> None:
        """Index tables and buffers of this pattern of solids."""
        device = system.device
        self.solid = system.solid.clone()
        partition = self.partition = Partition(system.solid)
        if self.network is None:
            self.network = network_of(str(nearest(partition.cells)))
        self.network.to(device)
        self.product = Product(partition)
        cell = partition.cell.view(-1)
        self.place = torch.full((self.solid.numel() + 1,), cell.numel(), dtype=torch.int64, device=device)
        self.place[cell] = torch.arange(cell.numel(), device=device)
        self.place = self.place[:-1].masked_fill(self.solid.view(-1), cell.numel())
        self.padded = torch.zeros(self.solid.numel() + 1, device=device)
        self.nothing = torch.zeros(1, device=device)


def network_of(weights: str) -> Network:
    """The network of a file or of "random:SEED", the published configuration. Raises ValueError."""
    seed = files.seed_of(weights)
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Network(Config())
    return network_file.load_network(weights, NAME, Config, Network)


def shipped() -> dict[int, Path]:
    """The files of weights that come with the program, by the number of cells that they were trained on."""
    found = {}
    for path in sorted(files.models_dir().glob(f"{NAME}-*.safetensors")):
        match = re.fullmatch(rf"{NAME}-(\d+)", path.stem)
        if match:
            found[int(match[1])] = path
    return found


def nearest(cells: int) -> Path:
    """The shipped weights of the size nearest in proportion."""
    known = shipped()
    return known[min(known, key=lambda size: max(size / cells, cells / size))]


def why_unavailable() -> str | None:
    """None if there are weights, else a sentence that names the missing file."""
    if shipped():
        return None
    return f"models/{NAME}-1024.safetensors is missing; train it with 'python -m precond.train {NAME}'."
