"""Triton's kernels run by its interpreter, on a CPU."""

import os

import pytest

os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is defined
pytest.importorskip("triton", reason="needs Triton")


@pytest.fixture
def fused(monkeypatch):
    """Solvers made in this test with engine "auto" or "compiled" take Triton's kernels."""
    from precond import engine

    monkeypatch.setattr(engine, "chosen", lambda name, device: ("torch" if name == "torch" else "fused", ""))
