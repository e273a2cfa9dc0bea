"""Laws of the share of cells that bodies cover, and of fractions that follow it."""

import math

import numpy as np
import pytest
import torch

from sim.grid import Grid
from sim.kernels import rigid, taichi_runtime
from sim.scenes.outline import area, centroid, outline, second_moment
from sim.scenes.scene import FloatingBody, Shape

GRID = Grid(24, 32)
SHAPES = {
    "box": Shape("box", start=(0.3, 0.3), end=(0.55, 0.62)),
    "disc": Shape("disc", center=(0.45, 0.5), radius=0.21),
    "stroke": Shape("stroke", start=(0.3, 0.4), end=(0.6, 0.6), radius=0.1),
}


@pytest.fixture(autouse=True)
def _taichi() -> None:
    taichi_runtime.start("cpu")


def chi_of(corners: np.ndarray, box: tuple[int, int, int, int] = (0, 24, 0, 32)) -> torch.Tensor:
    chi = torch.zeros(24, 32, dtype=torch.float64)
    rigid.cover(torch.from_numpy(np.ascontiguousarray(corners / GRID.dx)), chi, *box)
    return chi


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("angle", [0.0, 17.0, 90.0])
def test_the_share_of_every_cell_is_exact(kind: str, angle: float) -> None:
    corners = outline(FloatingBody("a", SHAPES[kind], 1.0, angle), GRID)
    chi = chi_of(corners)
    assert float(chi.sum()) * GRID.dx**2 == pytest.approx(area(corners), rel=1e-12)
    x, y = np.meshgrid(*((np.arange(32 * 40) + 0.5) / 40, (np.arange(24 * 40) + 0.5) / 40))
    inside = np.ones(x.shape, dtype=bool)
    for a, b in zip(corners / GRID.dx, np.roll(corners, -1, axis=0) / GRID.dx):
        inside &= (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) > 0
    sampled = inside.reshape(24, 40, 32, 40).mean(axis=(1, 3))
    assert np.abs(chi.numpy() - sampled).max() < 0.03


def test_areas_and_moments_are_those_of_the_shapes() -> None:
    disc = outline(FloatingBody("a", SHAPES["disc"], 1.0), GRID)
    assert area(disc) == pytest.approx(math.pi * 0.21**2)
    assert second_moment(disc) == pytest.approx(0.5 * math.pi * 0.21**4, rel=1e-4)
    assert centroid(disc) == pytest.approx([0.45 * GRID.width, 0.5])
    box = outline(FloatingBody("a", SHAPES["box"], 1.0, 30.0), GRID)
    wide, high = 0.25 * GRID.width, 0.32
    assert second_moment(box) == pytest.approx(wide * high * (wide**2 + high**2) / 12)


def test_fractions_follow_a_body_without_loss_of_any_phase() -> None:
    before = chi_of(outline(FloatingBody("a", SHAPES["disc"], 1.0), GRID))
    after = chi_of(outline(FloatingBody("a", Shape("disc", center=(0.46, 0.515), radius=0.21), 1.0), GRID))
    water = torch.rand(24, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    F = torch.stack([before, before + (1 - before) * water])
    volumes = F.sum((1, 2))
    solid, lacking = torch.zeros(24, 32, dtype=torch.uint8), torch.zeros(24 * 32, dtype=torch.int32)
    rigid.follow(F, solid, after, lacking, 0, 24, 0, 32)
    assert (F[0] - after).abs().max() < 1e-11
    assert (F.sum((1, 2)) - volumes).abs().max() < 1e-11
    assert (F[1] - F[0]).min() > -1e-14
    assert F[1].max() < 1 + 1e-14
