"""Transport of an interface by a given velocity."""

from __future__ import annotations

import math

import numpy as np
import torch

from sim.grid import Grid
from sim.kernels import taichi_runtime
from sim.kernels.transport import Transport
from sim.simulation import COURANT, Solve
from sim.validate.flow import sampled
from sim.validate.results import Check, Result

VORTEX = {32: 5.56e-2, 64: 1.10e-2, 128: 1.83e-3}


def vortex(n: int, solve: Solve) -> Result:
    """A disc drawn out to a spiral by a vortex that turns back: only the transport of the phases is at work."""
    del solve  # the velocity is given
    taichi_runtime.start("cpu")

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - 0.3) ** 2 + (y - 0.263662) ** 2 < 0.2**2

    F = torch.from_numpy(sampled(disc, Grid(n, n)))[None].contiguous()
    transport, start, enter = Transport(F), F.clone(), zeros(1, 4, n)
    solid = torch.zeros(n, n, dtype=torch.uint8)
    u, v = zeros(n, n + 1), zeros(n + 1, n)
    corner = np.arange(n + 1) / n
    psi = -1.5 * np.outer(np.sin(np.pi * corner), np.sin(np.pi * corner)) / np.pi
    shape_u, shape_v = torch.from_numpy(-np.diff(psi, axis=0) * n), torch.from_numpy(np.diff(psi, axis=1) * n)
    period, when, k = 15.0, 0.0, 0
    stretched = F[0].numpy()
    while when < period:
        # As long as the flow of the moment allows, as in the reference: short steps blur more.
        ahead = abs(math.sin(2 * math.pi * (when + 0.5 / n) / period))
        h = min(COURANT / (1.5 * n * max(ahead, 1e-3)), 0.1, period - when)
        strength = math.sin(2 * math.pi * (when + 0.5 * h) / period)
        while 1.5 * abs(strength) * h * n > COURANT:
            h *= 0.9
            strength = math.sin(2 * math.pi * (when + 0.5 * h) / period)
        u.copy_(shape_u * strength)
        v.copy_(shape_v * strength)
        transport.volume(k % 2, F, u, v, solid, enter, h * n)
        if when < 0.5 * period <= when + h:
            stretched = F[0].numpy().copy()
        when, k = when + h, k + 1
    error, volume = float((F - start).abs().mean()), float(start.sum())
    published = VORTEX.get(n, math.nan)
    checks = [
        Check("mean |f error|", error, None, 1.02 * published),
        Check("relative volume error", abs(float(F.sum()) - volume) / volume, None, 1e-12),
    ]
    return Result("vortex", n, checks, picture=stretched)
