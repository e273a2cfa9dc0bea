"""The table of methods: every one has a title, two shades of one hue and a marker; no two are alike."""

import colorsys
import math

import pytest

import precond
from precond.bench.external_solvers import OUTSIDE
from precond.figures import method_style
from precond.figures.method_style import GROUPS, METHODS, OWN, SPARE, on_paper, sentence


def test_colours_are_distinct_and_stable():
    assert {*precond.registry.BUILT_IN, *OUTSIDE} <= set(METHODS)
    for ground in (0, 1):
        colours = [(style.dark, style.light)[ground] for style in METHODS.values()] + [pair[ground] for pair in SPARE]
        channels = [[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours]
        assert min(math.dist(a, b) for k, a in enumerate(channels) for b in channels[:k]) > 30  # of 441
    assert on_paper(["mine", "jacobi"])["jacobi"] == on_paper(["jacobi", "other", "mine"])["jacobi"]
    assert len(set(on_paper([f"mine-{k}" for k in range(5)]).values())) == 5
    assert on_paper([f"mine-{k}" for k in range(6)])["mine-5"][0] == SPARE[0][1]


def test_every_method_is_in_one_group_with_a_sentence():
    grouped = [name for group in GROUPS.values() for name in group]
    assert len(set(grouped)) == len(grouped)
    assert {*precond.registry.BUILT_IN, "sweeps"} == set(grouped)
    assert all(sentence(name).endswith(".") and len(sentence(name)) < 120 for name in grouped)
    found = method_style.grouped(("mine", "jacobi", "htp"))
    assert found == {"Learned": ("htp",), "For comparison": ("jacobi",), OWN: ("mine",)}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_one_hue_on_every_ground(method):
    """And stands out from both: contrast of luminance 2.5:1 or more (WCAG 2.2)."""
    style = METHODS[method]
    shades = [[int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)] for colour in (style.dark, style.light)]
    hues = [colorsys.rgb_to_hsv(*shade) for shade in shades]
    if min(hue[1] for hue in hues) > 0.2:  # not a grey
        apart = abs(hues[0][0] - hues[1][0])
        assert min(apart, 1 - apart) < 0.09, "30 degrees"
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade] for shade in shades]
    on_dark, on_light = (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in linear)
    assert (on_dark + 0.05) / 0.06 > 2.5
    assert 1.05 / (on_light + 0.05) > 2.5
