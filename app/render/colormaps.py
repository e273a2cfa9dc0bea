"""Colour maps as 256 x 3 tables, interpolated between a few anchors in a space that is even to the eye."""

from __future__ import annotations

from functools import cache

import numpy as np

# Anchors in sRGB. Sequential maps rise in lightness from end to end; the diverging one is lightest in its middle.
ANCHORS = {
    "depth": ("#0b1d33", "#123f6b", "#16679a", "#2a92b5", "#63bcc2", "#b0dfcf", "#f3f8e4"),
    "ember": ("#0d1020", "#2f1a4a", "#6b1f63", "#aa2f5d", "#dc5544", "#f39b4a", "#fbe7a1"),
    "leaf": ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"),
    "balance": ("#0f3b73", "#2f77b5", "#8dbbdc", "#f2f1ee", "#eda98a", "#c4503d", "#78131f"),
}


@cache
def table(name: str) -> np.ndarray:
    """(256, 3) uint8 sRGB."""
    anchors = np.array([[int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in ANCHORS[name]]) / 255
    lab = _oklab(anchors)
    position = np.linspace(0, 1, len(anchors))
    fine = np.stack([np.interp(np.linspace(0, 1, 256), position, channel) for channel in lab.T], axis=1)
    colors = np.rint(255 * _srgb(fine)).clip(0, 255).astype(np.uint8)
    colors.flags.writeable = False
    return colors


# Oklab, the space of B. Ottosson, "A perceptual color space for image processing" (2020): equal distances look equal.
_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def _oklab(srgb: np.ndarray) -> np.ndarray:
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def _srgb(lab: np.ndarray) -> np.ndarray:
    linear = ((lab @ np.linalg.inv(_TO_LAB).T) ** 3) @ np.linalg.inv(_TO_LMS).T
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
