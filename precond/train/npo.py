"""What `python -m precond.train npo` trains: small frames of all kinds, by data, residual and condition losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from .. import problems
from ..bench import canonical
from ..message_passing.coefficient_planes import Planes, planes
from ..npo.method import NAME, Npo
from ..npo.network import Config, Network
from ..solver import Solver
from ..system import PoissonSystem
from .evaluation import iterations_with
from .recipe import Training
from .spai import random_system

SHAPES = ((32, 32), (32, 32), (32, 32), (40, 32), (48, 48), (64, 64))
PROBES, DEPTH = 8, 5  # probe k has gone k mod DEPTH times through I - c M A: what is left is what M is slow on
SOLVED = 2  # of the probes are A^-1 N(0, I) instead, nearly all of which is in the smoothest modes
RESIDUAL, CONDITION = 0.1, 0.1  # weights of the losses beside the data's
CANONICAL_SHARE = 0.15  # of the steps
HELD_OUT_SEED, TEST_SEED, HELD_OUT, TEST = 500, 700, 3, 5  # the benchmark's tables begin at 0
KINDS = ("barrier", "blobs", "checker")
RTOL, CAP = 1e-6, 1000


@dataclass(frozen=True)
class Preset:
    """One way to train: the network, and frames in a step."""

    model: Config = field(default_factory=Config)
    training: Training = field(default_factory=lambda: Training(minutes=45, lr=3e-3, evaluate_minutes=2))
    batch: int = 2


@dataclass(frozen=True)
class Batch:
    """Scaled systems of one shape, errors to reduce (B, p, ny, nx), and which of them are smooth already (p,)."""

    planes: Planes
    z: torch.Tensor
    solved: torch.Tensor


def losses(A: Callable[[torch.Tensor], torch.Tensor], M: Callable[[torch.Tensor], torch.Tensor], data: Batch) -> tuple:
    """(data, residual, condition) with probes z sent through I - c M A, of |z|_A = 1; c is free, CG does not see it.

    data: log of the mean over probes of |z - c M A z|_A^2;  residual: the same of |A z - c A M A z|^2 / |A z|^2;
    condition: log of the largest over the smallest <A z, M A z>, Rayleigh quotients of M in the energy norm.
    """
    z, turn = unit(A, data.z), torch.arange(data.z.shape[1], device=data.z.device) % DEPTH
    turn = torch.where(data.solved, turn % 2, turn)
    with torch.no_grad():
        for k in range(1, DEPTH):
            image = M(A(z))
            further = unit(A, z - step(A, image, z) * image)
            z = torch.where((turn >= k)[:, None, None], further, z)
    r = A(z)
    image = M(r)
    c = step(A, image, z)
    e = z - c * image
    left = (e * A(e)).sum((2, 3))
    residual = A(e).square().sum((2, 3)) / r.square().sum((2, 3)).clamp(min=1e-30)
    quotients = (r * image).sum((2, 3)).clamp(min=1e-6)
    condition = quotients.amax(1).log() - quotients.amin(1).log()
    return left.mean().clamp(min=1e-12).log(), residual.mean(), condition.mean()


def unit(A: Callable[[torch.Tensor], torch.Tensor], z: torch.Tensor) -> torch.Tensor:
    """z / |z|_A for every probe."""
    return z / (z * A(z)).sum((2, 3), keepdim=True).clamp(min=1e-20).sqrt()


def step(A: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The c of each system that makes the sum over probes of |z - c image|_A^2 smallest, (B, 1, 1, 1)."""
    along, square = ((image * A(v)).sum((1, 2, 3), keepdim=True) for v in (z, image))
    return along / square.clamp(min=1e-30)


SHORT = Training(minutes=3, lr=3e-3, evaluate_minutes=1)


class NpoRecipe:
    """How `npo` is trained; see recipe.Recipe."""

    presets: ClassVar[dict[str, Preset]] = {
        "default": Preset(),
        "short": Preset(training=SHORT),
        "one-function": Preset(Config(functions=1), SHORT),
        "galerkin": Preset(Config(galerkin=True), SHORT),  # attention added to the inverse of A between the tokens
        "tiny": Preset(Config(across=4, width=8, heads=2, layers=1), Training(minutes=0.2, warm_up=5)),
    }
    known_failures = (
        "Plain conjugate gradients stagnate with it near 1e-5; the solver uses flexible ones and refuses plain ones.",
        "Solids and high contrast: blobs and filaments at 1000:1 among solids take more than Jacobi, or the cap.",
        "64 tokens for every size, each attended to by every cell: 0.8 kB a cell, 2 to 5 ms an iteration on a CPU.",
    )

    def stem(self, config: Preset) -> str:
        """The name of the file of weights."""
        name = next(name for name, preset in self.presets.items() if preset == config)
        return NAME if name == "default" else f"{NAME}-{name}"

    def make(self, config: Preset, seed: int, device: torch.device) -> nn.Module:
        """The network, its random initial values from the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Network(config.model).to(device)

    def batch(self, config: Preset, rng: np.random.Generator, step: int, device: torch.device) -> Batch:
        """Frames of one shape with their probes; now and then the canonical box instead."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        systems: list[PoissonSystem]
        if rng.uniform() < CANONICAL_SHARE:
            systems = [canonical.box(canonical.N, canonical.N, device)] * config.batch
        else:
            shape = SHAPES[rng.integers(len(SHAPES))]
            systems = [random_system(rng, shape, device) for _ in range(config.batch)]
        made = planes(systems, torch.float64)
        z = torch.randn((config.batch, PROBES, *systems[0].shape), generator=generator, dtype=torch.float64).to(device)
        for k, system in enumerate(systems):
            x = solutions(system, z[k, :SOLVED])
            z[k, :SOLVED] = torch.where(made.alive[k], x / made.root[k].clamp(min=1e-300), 0.0)
        constant = made.constant() * (made.leak.amax((1, 2, 3), keepdim=True) == 0)
        z = z * made.alive
        z = z - constant * (z * constant).sum((2, 3), keepdim=True)
        z = z / z.flatten(2).norm(dim=2).clamp(min=1e-300)[..., None, None]
        return Batch(made.to(torch.float32), z.float(), torch.arange(PROBES, device=device) < SOLVED)

    def loss(self, config: Preset, model: nn.Module, data: Batch) -> torch.Tensor:
        """The weighted sum."""
        assert isinstance(model, Network)
        operator = model.prepare(data.planes)
        first, residual, condition = losses(data.planes.apply, lambda v: model(operator, v), data)
        return first + RESIDUAL * residual + CONDITION * condition

    def evaluate(self, config: Preset, model: nn.Module, final: bool) -> dict[str, float]:
        """Mean iterations to 1e-6 at 100:1, barrier 5:1 to 100:1; the canonical box to 1e-10."""
        first, count = (TEST_SEED, TEST) if final else (HELD_OUT_SEED, HELD_OUT)
        scores = {}
        for kind in KINDS:
            for cells in (1024, 4096):
                contrast = (5.0, 100.0) if kind == "barrier" else 100.0
                frames = [problems.frame(kind, cells, first + k, contrast) for k in range(count)]
                scores[f"{kind} {cells}"] = float(np.mean([iterations(model, *frame) for frame in frames]))
        assert isinstance(model, Network)
        scores["canonical"] = canonical.mean_iterations(Npo(model), count, first, next(model.parameters()).device)
        return scores

    def data(self, config: Preset) -> dict[str, Any]:
        """Frames and seeds, for the card."""
        return {
            "frames": "all kinds of precond.problems, 15% with solids, 15% with an open top; 15% the canonical box",
            "shapes": [list(shape) for shape in SHAPES],
            "held_out_seeds": [HELD_OUT_SEED, HELD_OUT_SEED + HELD_OUT - 1],
            "test_seeds": [TEST_SEED, TEST_SEED + TEST - 1],
            "preset": asdict(config),
        }


def solutions(system: PoissonSystem, b: torch.Tensor) -> torch.Tensor:
    """A^-1 b for b (m, ny, nx), to what training needs."""
    solver = Solver("multigrid", system, device=b.device)
    return torch.stack([solver.solve(system, system.project(v), rtol=1e-6).x for v in b])


def iterations(network: nn.Module, system: PoissonSystem, b: torch.Tensor) -> int:
    """Iterations to 1e-6 with this network, flexible; the cap if it fails."""
    assert isinstance(network, Network)
    return iterations_with(Npo(network), system, b, RTOL, CAP, next(network.parameters()).device)


RECIPE = NpoRecipe()
