"""What the interpreter runs must also compile for CUDA: its language is the larger one."""

import os
import subprocess
import sys

import pytest

from precond import registry

FUSED = [name for name, entry in registry.BUILT_IN.items() if entry.fused]
MOST_ON_STACK = 1024  # bytes that do not fit into registers; measured 616 in `restrict` of multigrid, 320 elsewhere


@pytest.mark.slow
@pytest.mark.parametrize("name", FUSED)
def test_kernels_compile_for_cuda(name, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    command = [sys.executable, "-m", "tests.precond.fused.compile_for_cuda", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    compiled = [line.split() for line in done.stdout.splitlines()]
    assert compiled
    assert all(int(stack) <= MOST_ON_STACK for _, _, _, stack in compiled), done.stdout
