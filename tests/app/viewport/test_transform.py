"""One transform between window and fluid, at any magnification."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.render.crop import Crop
from app.render.region import LARGEST, WHOLE, Region
from app.ui.rect import Rect
from app.viewport.transform import ViewTransform
from sim.grid import Grid

GRID = Grid(96, 128, 2.0)
PICTURE = Rect(30, 50, 800, 600)
regions = st.builds(
    lambda size, x, y: Region(x * (1 - size), y * (1 - size), size),
    st.floats(1 / 32, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
places = st.tuples(st.floats(0, 1), st.floats(0, 1))


def test_the_whole_domain_fills_its_picture():
    shown = ViewTransform(PICTURE, WHOLE, GRID)
    assert shown.to_meters(30, 650) == (0, 0)
    assert shown.to_meters(830, 50) == pytest.approx((GRID.width, GRID.height))
    assert (shown.whole.x, shown.whole.y, shown.whole.width, shown.whole.height) == (30, 50, 800, 600)


@given(region=regions, place=places)
def test_there_and_back_is_the_same_place(region, place):
    shown = ViewTransform(PICTURE, region, GRID)
    x, y = PICTURE.x + place[0] * PICTURE.width, PICTURE.y + place[1] * PICTURE.height
    meters = shown.to_meters(x, y)
    assert shown.to_pixels(*meters) == pytest.approx((x, y), abs=1e-6)
    across, up = shown.shares(x, y)
    assert meters == pytest.approx((region.at(across, up)[0] * GRID.width, region.at(across, up)[1] * GRID.height))
    assert region.where(*region.at(across, up)) == pytest.approx((across, up), abs=1e-9)


@given(region=regions, place=places)
def test_the_picture_is_drawn_where_the_mouse_finds_it(region, place):
    crop = Crop.of(GRID, region, (800, 600))
    at = ViewTransform(PICTURE, region, GRID).to_meters(30 + 800 * place[0], 650 - 600 * place[1])
    (x, y), *_ = crop.pixels_of(np.array([[at[0] / GRID.dx, at[1] / GRID.dx]]))
    assert (x, y) == pytest.approx((800 * place[0], 600 * place[1]), abs=1e-6)
    offset_x, offset_y, scale_x, scale_y = crop.to_cells
    (j0, j1), (i0, i1) = crop.rows, crop.columns
    assert i0 + (offset_x + scale_x * place[0]) * (i1 - i0) == pytest.approx(at[0] / GRID.dx, abs=1e-6)
    assert j0 + (offset_y + scale_y * place[1]) * (j1 - j0) == pytest.approx(at[1] / GRID.dx, abs=1e-6)


@given(region=regions, place=places, factor=st.floats(0.05, 20))
def test_zoom_keeps_what_is_under_the_mouse_and_shows_nothing_but_the_domain(region, place, factor):
    zoomed = region.zoomed(factor, *place)
    assert 1 / LARGEST - 1e-12 <= zoomed.size <= 1
    assert zoomed.x >= 0
    assert zoomed.y >= 0
    assert zoomed.x + zoomed.size <= 1 + 1e-9
    assert zoomed.y + zoomed.size <= 1 + 1e-9
    if factor >= 1:  # out again the domain's edge may be in the way
        assert zoomed.at(*place) == pytest.approx(region.at(*place), abs=1e-9)


def test_what_is_dragged_follows_the_mouse():
    region = Region(0.4, 0.4, 0.2)
    moved = region.moved(0.25, -0.5)
    place = region.at(0.5, 0.6)
    assert moved.where(*place) == pytest.approx((0.75, 0.1))
    assert region.moved(100, 100) == Region(0, 0, 0.2)
