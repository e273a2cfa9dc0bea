"""What `python -m precond.train spai` trains: random frames of all kinds, and the error after some PCG iterations."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from .. import problems
from ..message_passing.coefficient_planes import Planes, planes
from ..solver import Solver
from ..spai.method import NAME, Spai
from ..spai.network import Config, Factor, Network
from ..system import PoissonSystem
from .evaluation import iterations_with
from .recipe import Training

SHAPES = ((32, 32), (32, 32), (48, 40), (40, 64), (64, 64))
STEPS = 0.6  # PCG iterations of the loss per cell across: a third of what a frame takes to 1e-6
WEIGHT = {"barrier": 4, "closed": 1, "blobs": 3, "spray": 2, "checker": 2, "filament": 2}  # of a kind among the frames
CONTRAST = (2.0, 1000.0)
HELD_OUT_SEED, TEST_SEED, HELD_OUT, TEST = 500, 700, 3, 5  # the benchmark's tables begin at 0
KINDS = ("barrier", "blobs", "checker", "filament")
RTOL, CAP = 1e-6, 2000


@dataclass(frozen=True)
class Preset:
    """One way to train: frames in a step, which loss, and grids of one size only where `cells` is given."""

    model: Config = field(default_factory=Config)
    training: Training = field(default_factory=lambda: Training(minutes=8, lr=3e-3))
    batch: int = 2
    loss: str = "energy"
    cells: int | None = None


@dataclass(frozen=True)
class Batch:
    """Scaled systems of one shape with right-hand sides b^ = A^ x^, (B, 1, ny, nx); float32."""

    planes: Planes
    b: torch.Tensor
    x: torch.Tensor


def random_system(rng: np.random.Generator, shape: tuple[int, int], device: torch.device) -> PoissonSystem:
    """A frame of any kind and contrast, now and then with solids or an open top."""
    share = np.array(list(WEIGHT.values()), dtype=float)
    kind = str(rng.choice(list(WEIGHT), p=share / share.sum()))
    rho = torch.from_numpy(problems.density(kind, shape, rng, CONTRAST)).to(device)
    solid = torch.from_numpy(problems.obstacles(shape, rng)).to(device) if rng.uniform() < 0.15 else None
    return PoissonSystem.from_density(rho, solid=solid, open_top=rng.uniform() < 0.15)


def edge_noise(system: PoissonSystem, rng: np.random.Generator) -> torch.Tensor:
    """b ~ N(0, A): sums of sqrt(beta) N(0, 1) over faces, so that x = A^-1 b has the same energy in every mode."""
    x, y = (beta.sqrt().cpu().numpy() for beta in (system.beta_x, system.beta_y))
    fx, fy = x * rng.standard_normal(x.shape), y * rng.standard_normal(y.shape)
    b = torch.from_numpy(fx[:, :-1] - fx[:, 1:] + fy[:-1] - fy[1:]).to(system.device)
    return system.project(b)


def energy(planes: Planes, M: Factor, b: torch.Tensor, x: torch.Tensor, iterations: int) -> torch.Tensor:
    """log |x - x_k|_A^2 / |x|_A^2 after k PCG iterations, mean over the batch.

    x_k minimises that error over all polynomials in M A of degree k, so what the loss says is how well M is suited to
    the best of them; the gradient goes through the iterations themselves.
    """
    r, xk, p = b, torch.zeros_like(b), torch.zeros_like(b)
    rz_old = torch.full_like(_dot(b, b), torch.inf)
    for _ in range(iterations):
        z = M.apply(planes, r)
        rz = _dot(r, z)
        p = z + rz / rz_old * p
        q = planes.apply(p)
        alpha = rz / _dot(p, q).clamp(min=1e-30)
        xk, r, rz_old = xk + alpha * p, r - alpha * q, rz
    e = x - xk
    return (_dot(e, planes.apply(e)) / _dot(x, b)).clamp(min=1e-12).log().mean()


def sai(planes: Planes, M: Factor, w: torch.Tensor) -> torch.Tensor:
    """min over s of |A^ M^ w - s w|^2 / |A^ M^ w|^2, w ~ N(0, I): the published loss; knows no scale of A or of M."""
    y = planes.apply(M.apply(planes, w))
    w = w * planes.alive
    return (1 - _dot(y, w).square() / (_dot(y, y) * _dot(w, w)).clamp(min=1e-30)).mean()


LOSSES = ("energy", "sai")
SHORT = Training(minutes=3, lr=3e-3, evaluate_minutes=1)


class SpaiRecipe:
    """How `spai` is trained; see recipe.Recipe."""

    presets: ClassVar[dict[str, Preset]] = {
        "default": Preset(),
        "short": Preset(training=SHORT),
        "sai": Preset(training=SHORT, batch=8, loss="sai"),
        "tiny": Preset(Config(width=4, layers=1), Training(minutes=0.2, warm_up=5), cells=256),  # for a first look
        "1024": Preset(cells=1024),  # one size, as published
        "4096": Preset(cells=4096),
        "16384": Preset(cells=16384),
    }
    known_failures = (
        "What the network says hardly varies over a frame: it is a slightly better polynomial in A^ for every cell.",
        "Without weights that polynomial takes 72 / 127 / 252 barrier iterations where these take 64 / 124 / 247.",
        "Iterations grow with the number of cells across, as Jacobi's do: M reaches two cells.",
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
        """Frames of one shape, each with a right-hand side and its solution."""
        shape = SHAPES[rng.integers(len(SHAPES))] if config.cells is None else problems.grid_shape(config.cells)
        systems = [random_system(rng, shape, device) for _ in range(config.batch)]
        made = planes(systems, torch.float64)
        b = torch.stack([edge_noise(system, rng) for system in systems])[:, None]
        x = torch.zeros_like(b)
        if config.loss == "energy":
            solver = Solver("multigrid", systems[0], device=device)
            x = torch.stack([solver.solve(s, v[0], rtol=1e-9).x for s, v in zip(systems, b)])[:, None]
        x = torch.where(made.alive, x / made.root.clamp(min=1e-300), 0.0)
        size = (x * b * made.root).flatten(1).sum(1).clamp(min=1e-300).sqrt()[:, None, None, None]
        return Batch(made.to(torch.float32), (b * made.root / size).float(), (x / size).float())

    def loss(self, config: Preset, model: nn.Module, data: Batch) -> torch.Tensor:
        """The mean over the frames."""
        M = model(data.planes)
        if config.loss == "sai":
            return sai(data.planes, M, torch.randn_like(data.b))
        return energy(data.planes, M, data.b, data.x, round(STEPS * max(data.b.shape[-2:])))

    def evaluate(self, config: Preset, model: nn.Module, final: bool) -> dict[str, float]:
        """Mean iterations to 1e-6, barrier 5:1 to 100:1, other kinds 100:1."""
        first, count = (TEST_SEED, TEST) if final else (HELD_OUT_SEED, HELD_OUT)
        sizes = (1024, 4096, 16384) if final else (1024, 4096)
        scores = {}
        for kind in KINDS:
            for cells in sizes if config.cells is None else (config.cells,):
                contrast = (5.0, 100.0) if kind == "barrier" else 100.0
                frames = [problems.frame(kind, cells, first + k, contrast) for k in range(count)]
                scores[f"{kind} {cells}"] = float(np.mean([iterations(model, *frame) for frame in frames]))
        return scores

    def data(self, config: Preset) -> dict[str, Any]:
        """Frames and seeds, for the card."""
        return {
            "frames": "all kinds of precond.problems, 15% with solids, 15% with an open top; b ~ N(0, A)",
            "shapes": [list(shape) for shape in SHAPES] if config.cells is None else [config.cells],
            "weight_of_kind": WEIGHT,
            "contrast": list(CONTRAST),
            "held_out_seeds": [HELD_OUT_SEED, HELD_OUT_SEED + HELD_OUT - 1],
            "test_seeds": [TEST_SEED, TEST_SEED + TEST - 1],
            "preset": asdict(config),
        }


def iterations(network: nn.Module, system: PoissonSystem, b: torch.Tensor) -> int:
    """Iterations to 1e-6 with this network; the cap if it fails."""
    assert isinstance(network, Network)
    return iterations_with(Spai(network), system, b, RTOL, CAP, next(network.parameters()).device)


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """<a, b> of every system, (B, 1, 1, 1)."""
    return (a * b).flatten(1).sum(1)[:, None, None, None]


RECIPE = SpaiRecipe()
