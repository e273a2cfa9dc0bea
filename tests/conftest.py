"""Shared by all tests: fixed seeds, repeatable examples."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

# A change is judged by the same examples as the one before it; HYPOTHESIS_PROFILE=search draws new ones every time.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    torch.manual_seed(0)
