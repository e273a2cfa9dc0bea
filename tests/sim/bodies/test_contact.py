"""Laws of contact between bodies and walls."""

import numpy as np
import pytest

from sim.bodies.contact import Walls, distance_to, nearest
from sim.grid import Grid


@pytest.mark.parametrize("seed", range(6))
def test_the_nearest_velocity_meets_all_conditions_and_is_pushed_only_by_those_that_bind(seed: int) -> None:
    random = np.random.default_rng(seed)
    B, J = random.normal(size=(6, 6)), random.normal(size=(5, 6))
    H, q, c = B @ B.T + np.eye(6), 3 * random.normal(size=6), -np.abs(random.normal(size=5))
    x = nearest(q, H, J, c)
    assert (J @ x - c).min() > -1e-9
    multipliers, *_ = np.linalg.lstsq(J.T, H @ (x - q), rcond=None)
    assert np.abs(J.T @ multipliers - H @ (x - q)).max() < 1e-8  # pushed along the conditions,
    assert multipliers.min() > -1e-8  # never pulled,
    assert np.abs(multipliers * (J @ x - c)).max() < 1e-8  # and only where they bind
    assert x @ H @ x <= q @ H @ q + 1e-9 or (J @ q < c).any()


def test_contact_never_adds_energy_where_rest_is_allowed() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        B, J, q = random.normal(size=(3, 3)), random.normal(size=(4, 3)), random.normal(size=3)
        H = B @ B.T + 0.1 * np.eye(3)
        x = nearest(q, H, J, np.zeros(4))
        assert x @ H @ x <= q @ H @ q * (1 + 1e-9)


def test_distances_from_walls_and_bodies_are_right() -> None:
    solid = np.zeros((20, 30), dtype=bool)
    solid[:5, 10:20] = True
    walls = Walls(solid, Grid(20, 30, height=2.0))  # dx = 0.1 m
    distance, away = walls.at(np.array([[1.5, 0.62], [0.25, 1.0], [1.5, 1.83]]))
    assert distance == pytest.approx([0.12, 0.25, 0.17])
    assert away == pytest.approx(np.array([[0, 1], [1, 0], [0, -1]]))
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    distance, away = distance_to(np.array([[1.4, 0.5], [0.5, 0.9]]), square)
    assert distance == pytest.approx([0.4, -0.1])
    assert away == pytest.approx(np.array([[1, 0], [0, 1]]))
