"""Values between cells, means around them, and triangles over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.render import resample


def basis(x):
    """The cubic B-spline, by its pieces."""
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x**2 + x**3 / 2, np.where(x < 2, (2 - x) ** 3 / 6, 0))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_resampling_is_the_cubic_b_spline(factor):
    cells = np.random.default_rng(0).standard_normal((7, 9))
    rows, columns = ((np.arange(n * factor) + 0.5) / factor - 0.5 for n in cells.shape)
    wide = np.pad(cells, 3, mode="edge")
    along = [basis(where[:, None] - np.arange(-3, n + 3)) for where, n in ((rows, 7), (columns, 9))]
    np.testing.assert_allclose(resample.resampled(cells, factor), along[0] @ wide @ along[1].T, atol=1e-12)


def test_padding_is_numpys():
    values = np.random.default_rng(2).standard_normal((2, 5, 7))
    np.testing.assert_array_equal(resample.padded(values, 3), np.pad(values, ((0, 0), (3, 3), (3, 3)), mode="edge"))


@given(seed=st.integers(0, 10**6), reach=st.sampled_from([-0.5, 0.0, 0.4, 1.0, 2.3]))
def test_what_is_widened_reaches_as_far_as_it_was_told(seed, reach):
    marked = np.random.default_rng(seed).uniform(size=(9, 11)) < 0.05
    found = resample.widened(marked, reach)
    j, i = np.indices(marked.shape)
    expected = np.zeros_like(marked)
    for row, column in np.argwhere(marked):
        expected |= np.maximum(abs(j - row), abs(i - column)) < reach + 1 - 1e-9
    assert (found >= expected).all()
    assert (found >= marked).all()
    if reach <= 0:
        np.testing.assert_array_equal(found, marked)


def test_quads_cover_what_is_marked_and_nothing_else():
    marked = np.random.default_rng(1).uniform(size=(6, 8)) < 0.5
    corners = resample.quads(marked).reshape(-1, 6, 2) * [8, 6]
    seen = np.zeros((6, 8), int)
    for quad in corners:
        (left, low), (right, high) = quad.min(axis=0), quad.max(axis=0)
        assert {tuple(p) for p in quad} == {(left, low), (right, low), (right, high), (left, high)}
        seen[round(low) : round(high), round(left) : round(right)] += 1
    np.testing.assert_array_equal(seen, marked)
    assert len(resample.quads(np.zeros((4, 4), bool))) == 0


def test_surroundings_are_smooth_means_where_they_belong():
    steep = np.zeros((16, 24))
    steep[:8] = 1.0
    steep[:, :4] += 2.0
    means = steep.reshape(8, 2, 12, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(resample.around(steep, 2.0), resample.resampled(means, 1))
    wide = resample.around(steep, 4.0)  # blocks of four cells, two texels in each
    assert wide.shape == (8, 12)
    assert (np.diff(wide, axis=0) <= 1e-12).all()
    assert (np.diff(wide, axis=1) <= 1e-12).all()
    np.testing.assert_allclose([wide[0, 0], wide[0, -1], wide[-1, 0], wide[-1, -1]], [3, 1, 2, 0], atol=0.4)


def test_surroundings_are_at_half_the_resolution_whatever_the_size():
    for shape in ((9, 13), (12, 16), (5, 5)):
        around = resample.around(np.ones(shape), 2.1)
        assert around.shape == ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
        np.testing.assert_allclose(around, 1.0)
