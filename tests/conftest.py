"""Shared by all tests: fixed seeds and arithmetic, repeatable examples."""

from __future__ import annotations

import os

import pytest
import torch

try:
    from hypothesis import settings
except ImportError:  # a machine with a device may have little; tests that draw examples do not run there
    settings = None

# A change is judged by the same examples as the one before it; HYPOTHESIS_PROFILE=search draws new ones every time.
if settings is not None:
    settings.register_profile("repeatable", deadline=None, derandomize=True)
    settings.register_profile("search", deadline=None, print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def _known_start() -> None:
    torch.manual_seed(0)
    torch.set_flush_denormal(False)  # a session of the app sets it and leaves it, as its thread makes frame after frame
