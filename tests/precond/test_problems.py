"""Laws of the random frames: sizes, seeds, contrast, solids; what the import may load; and the README's snippets."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import precond
from precond import problems, registry


@pytest.mark.parametrize(
    ("cells", "shape"), [(1024, (32, 32)), (2048, (45, 46)), (4096, (64, 64)), (8192, (91, 91)), (16384, (128, 128))]
)
def test_frames_have_the_published_sizes(cells, shape):
    system, b = problems.frame("barrier", cells, 0)
    assert system.shape == b.shape == shape
    assert int((~system.solid).sum()) == cells
    assert system.singular


@pytest.mark.parametrize("kind", problems.KINDS)
def test_frames_repeat_and_differ_by_seed(kind):
    (one, b), (two, c), (other, _) = (problems.frame(kind, 400, seed) for seed in (1, 1, 2))
    assert torch.equal(one.beta_x, two.beta_x)
    assert torch.equal(b, c)
    assert not torch.equal(one.beta_x, other.beta_x)
    assert b.dtype == torch.float64
    assert abs(float(b.mean())) < 1e-14


@pytest.mark.parametrize("kind", problems.KINDS)
def test_densities_keep_the_contrast(kind):
    rho = problems.density(kind, (64, 64), 0, (50, 60))
    noise = 0.3 if kind in ("barrier", "closed") else 0.0  # 6 standard deviations of 5%
    assert 1 - noise <= rho.min() < 1.01
    assert 50 * (1 - noise) <= rho.max() <= 60 * (1 + noise)
    assert problems.density(kind, (64, 64), 0, 1.0).std() < 0.1


def test_morton_order_interleaves_bits():
    assert problems.morton_rank((4, 4)).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert sorted(problems.morton_rank((5, 3)).ravel()) == list(range(15))


def test_contrast_is_log_uniform():
    heavy = [problems.density("checker", (8, 8), seed, (1, 100)).max() for seed in range(2000)]
    assert abs(np.mean(np.log10(heavy)) - 1.0) < 0.05  # standard error 0.013


def test_solids_and_open_top_are_options():
    system, b = problems.frame("spray", 4096, 0, solids=True, open_top=True)
    assert 0.03 < float(system.solid.double().mean()) < 0.3
    assert not b[system.solid].any()
    assert system.beta_y[-1].any()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("waves", 64, 0), ValueError, "'waves'.*barrier"),
        ((None, 64, 0), TypeError, "None"),
        (("blobs", 0, 0), ValueError, "cells is 0"),
        (("blobs", 64.0, 0), TypeError, "64.0"),
        (("blobs", 64, -1), ValueError, "seed is -1"),
        (("blobs", 64, None), TypeError, "None"),
        (("blobs", 64, 0, (100, 5)), ValueError, "100, 5"),
        (("blobs", 64, 0, (0, 5)), ValueError, "0.0"),
        (("blobs", 64, 0, (1, 2, 3)), ValueError, "1, 2, 3"),
        (("blobs", 64, 0, "high"), TypeError, "'high'"),
        (("blobs", 64, 0, 5, "yes"), TypeError, "'yes'"),
    ],
)
def test_misuse_is_refused_with_the_offending_value(arguments, error, says):
    with pytest.raises(error, match=says) as caught:
        problems.frame(*arguments)
    assert "\n" not in str(caught.value)


def test_import_needs_torch_and_numpy_only():
    code = "import sys, precond; print(*(m for m in ('scipy', 'taichi', 'glfw', 'imgui_bundle') if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root())
    assert run.stdout.split() == []


def test_readme_snippets_run(monkeypatch):
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))
    text = (Path(precond.__file__).parent / "README.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert [len(snippet.splitlines()) <= limit for snippet, limit in zip(snippets, (10, 6, 30, 36), strict=True)] == [
        True
    ] * 4
    exec("\n".join(snippets[:2]), {"__name__": "snippet"})  # the second goes on with the first one's names
    for snippet in snippets[2:]:
        exec(snippet, {"__name__": "snippet"})


def root():
    return Path(precond.__file__).parents[1]
