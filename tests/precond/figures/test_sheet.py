"""Labels at the ends of lines never cover one another."""

from itertools import pairwise

import pytest

from precond.figures.sheet import spread


def test_labels_keep_their_distance_and_move_no_further_than_needed():
    assert spread([0.5], 0.1, 0, 1) == [0.5]
    assert spread([0.2, 0.8], 0.1, 0, 1) == [0.2, 0.8]
    middle = (0.52 + 0.5 + 0.5) / 3
    assert spread([0.52, 0.5, 0.5], 0.1, 0, 1) == pytest.approx([middle + 0.1, middle - 0.1, middle])
    places = spread([0.99, 0.98, 0.01, 0.97], 0.1, 0, 1)
    assert max(places) <= 1 + 1e-12
    ordered = sorted(places)
    assert all(b - a >= 0.1 - 1e-12 for a, b in pairwise(ordered))
    assert ordered[0] == 0.01
