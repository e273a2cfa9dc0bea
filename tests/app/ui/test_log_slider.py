"""Numbers as the panel writes them."""

import pytest

from app.ui.log_slider import short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1000.0, "1,000"),
        (-4912.3, "-4,912"),
        (3.29, "3.29"),
        (-0.5, "-0.5"),
        (1e7, "1e+07"),
        (2e-5, "2e-05"),
    ],
)
def test_numbers_are_short_and_without_exponents(value, text):
    assert short(value) == text
