"""Cells between cells, who owns them, and where edges are."""

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


@given(seed=st.integers(0, 10**6), phases=st.integers(2, 5), pixels=st.sampled_from([1.5, 2.0, 3.5, 9.0]))
def test_where_no_edge_is_near_one_owner_stays_ahead_in_every_pixel(seed, phases, pixels):
    random = np.random.default_rng(seed)
    fine = random.integers(0, 255 // (phases - 1) + 1, (phases, 12, 15)).astype(np.uint8)
    fine[:, :, 4:] = fine[:, :1, :1]  # mostly of one kind, so that much is far from edges
    fine[-1] = 255 * (random.uniform(size=(12, 15)) < 0.01)
    owner, marked = resample.owners(fine), resample.near_edges(resample.owners(fine), pixels)
    assert owner.shape == marked.shape == (12, 15)
    points = random.uniform(0, 1, (2, 4000)) * np.array([[12], [15]])
    inside = ~marked[points[0].astype(int), points[1].astype(int)]
    assert inside.mean() > 0.05
    reach = random.uniform(-resample.EDGE / pixels, resample.EDGE / pixels, (2, 4000))  # as far as an edge is seen
    owners = [owner_at(fine, *points), owner_at(fine, *(points + reach))]
    expected = owner[points[0].astype(int), points[1].astype(int)]
    for found in owners:
        assert (found == expected)[inside].all()


def owner_at(fine, row, column):
    """Between texels, as the shader reads them."""
    y, x = (np.clip(place - 0.5, 0, n - 1) for place, n in ((row, fine.shape[1]), (column, fine.shape[2])))
    j, i = np.minimum(y.astype(int), fine.shape[1] - 2), np.minimum(x.astype(int), fine.shape[2] - 2)
    s, t, f = y - j, x - i, fine.astype(float)
    low = (1 - t) * f[:, j, i] + t * f[:, j, i + 1]
    high = (1 - t) * f[:, j + 1, i] + t * f[:, j + 1, i + 1]
    *shares, solid = (1 - s) * low + s * high
    every = np.stack([*shares, 255 - sum(shares)])
    return np.where(solid > 127.5, len(every), every.argmax(axis=0))


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
