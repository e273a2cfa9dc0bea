"""Colour maps can be read by everybody."""

import numpy as np
import pytest

from app.render import colormaps

# Full loss of one kind of cone, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
LOSSES = {
    loss: np.array(numbers).reshape(3, 3)
    for loss, numbers in {
        "none": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "red": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
        "green": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
        "blue": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
    }.items()
}


def lab(table, loss):
    """CIE L*a*b* of a colour map as seen with a loss."""
    rgb = table / 255.0
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ LOSSES[loss].T
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear.clip(0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", colormaps.ANCHORS)
def test_colour_maps_can_be_read_with_any_colour_blindness(name, loss):
    seen = lab(colormaps.table(name).astype(float), loss)
    light = seen[:, 0]
    if name == "balance":
        assert np.diff(light[:120:8]).min() > 0
        assert np.diff(light[136::8]).max() < 0
        for share in (0.0, 0.1, 0.2, 0.3):  # the same distance from the middle, on either side
            k = round(255 * share)
            assert np.linalg.norm(seen[k] - seen[255 - k]) > 15
    else:
        assert np.diff(light[::8]).min() > 0
        assert light[-1] - light[0] > 60
