"""Shared by all tests: solvers for the fluid, small scenes, fixed seeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from sim.layout import Scene

# A change is judged by the same examples as the one before it; HYPOTHESIS_PROFILE=search draws new ones every time.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

POOL = """
title = "Pool"
sentence = "A flat pool."
grid = [32, 48]
{more}
[[phases]]
name = "liquid"
density = {density}
color = "#0000ff"
[[phases]]
name = "gas"
density = 1.0
color = "#ffffff"
[[shapes]]
phase = "liquid"
{shape}
"""


def pool(density: float = 100.0, shape: str = 'kind = "pool"\nheight = 0.43', more: str = "") -> Scene:
    """A small two-phase scene; the gas weighs 1."""
    from sim.scene import parse  # here, so that tests of precond need nothing of what sim needs

    return parse("pool", POOL.format(density=density, shape=shape, more=more))


def pressure_solver(method: str = "multigrid", rtol: float = 1e-8) -> Callable:
    """solve(system, b, x0) for a Simulation."""
    from sim.validate import solver

    return solver(method, rtol)


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    torch.manual_seed(0)
