"""`npo`: a neural preconditioning operator after arXiv 2502.01337, for flexible conjugate gradients only."""

from __future__ import annotations

from pathlib import Path

import torch

from ..device.precision import whole_float32
from ..device.timer import Elapsed
from ..io import network_file
from ..message_passing.coefficient_planes import planes
from ..preconditioner import Preconditioner
from ..system import PoissonSystem
from .network import Config, Network, Operator

NAME = "npo"


def why_unavailable() -> str | None:
    """None, or a sentence that says which file is missing."""
    return network_file.why_unavailable(NAME)


def default_weights() -> Path:
    """The weights that come with the program."""
    return network_file.shipped(NAME)


class Npo(Preconditioner):
    """z = |x| f(x / |x|) with x = D^-1/2 r: homogeneous of degree one, nonlinear, so only near to symmetric.

    The network is float32. setup runs the part that sees only A: who attends to which token, and the logits among the
    tokens that come from the coefficients; inference_ms is its time.
    """

    capturable = True
    flexible = True

    def __init__(self, weights: str | Network | None = None):
        """weights: file, "random:SEED" or a network; None: the file that comes along. Raises ValueError."""
        self.network = (
            weights if isinstance(weights, Network) else network_file.load_network(weights, NAME, Config, Network)
        )
        self.inference_ms = 0.0
        self.operator: Operator | None = None
        self.root = torch.empty(0)

    @torch.no_grad()
    def setup(self, system: PoissonSystem) -> None:
        """Run the network's part for A; buffers are rewritten in place, so that captured graphs stay valid."""
        self.network.to(system.device)
        exact = planes([system], torch.float64)
        watch = Elapsed(system.device)
        with whole_float32():
            fresh = self.network.prepare(exact.to(torch.float32))
        self.inference_ms = watch.stop()
        if self.operator is None or self.root.shape != system.shape:
            self.operator, self.root = fresh, exact.root[0, 0].clone()
            return
        self.root.copy_(exact.root[0, 0])
        self.operator.copy_from(fresh)

    @torch.no_grad()
    def apply(self, r: torch.Tensor, out: torch.Tensor) -> None:
        """out = M r, shape (ny, nx), float64."""
        assert self.operator is not None
        x = r * self.root
        size = x.norm().clamp(min=1e-300)
        with whole_float32():
            z = self.network(self.operator, (x / size).to(torch.float32)[None, None])[0, 0]
        torch.mul(z, self.root, out=out)
        out.mul_(size)
