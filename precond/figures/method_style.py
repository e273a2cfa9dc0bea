"""How each preconditioner is named and coloured for readers, the same in every picture."""

from __future__ import annotations

import zlib

TITLES = {
    "none": "No preconditioner",
    "jacobi": "Jacobi",
    "dilu": "DILU",
    "multigrid": "Multigrid",
    "htp-paper": "HTP as published",
    "htp": "HTP (learned)",
    "hierarchy": "HTP without its network",
    "polynomials": "HTP of polynomials",
    "spai": "Learned sparse inverse",
    "spai-static": "Sparse inverse",
    "npo": "Neural operator",
    "dct": "Fast Poisson",
    "dilu-natural": "DILU, natural order",
    "ic0": "Incomplete Cholesky",
    "amg-rs": "Ruge-Stüben AMG",
    "amg-sa": "Aggregation AMG",
    "direct": "Sparse LU",
    "nystrom-16": "Nyström, rank 16",
    "nystrom": "Nyström",
    "nystrom-256": "Nyström, rank 256",
    "amgx-dilu": "AmgX DILU",
    "amgx-dilu-stock": "AmgX DILU, stock",
    "amgx-amg": "AmgX AMG",
}
# Okabe and Ito's palette (2008), which the colour-blind tell apart, lighter where a dark ground asks for it.
GREEN, VERMILION, YELLOW, SKY = "#17c192", "#ee7339", "#f0e442", "#63b8f0"
PURPLE, ORANGE, WHITE, BLUE = "#d98bbb", "#e6a417", "#dfe5ea", "#5d83e0"
COLORS = {
    "htp": GREEN, "jacobi": VERMILION, "dilu": YELLOW, "multigrid": SKY, "hierarchy": PURPLE, "dct": ORANGE,
    "none": WHITE, "amg-rs": BLUE, "amg-sa": WHITE, "htp-paper": ORANGE, "polynomials": BLUE, "ic0": PURPLE,
    "direct": WHITE, "dilu-natural": YELLOW, "nystrom": ORANGE, "nystrom-16": BLUE, "nystrom-256": PURPLE,
    "spai": WHITE, "spai-static": BLUE, "npo": PURPLE,
    "amgx-dilu": YELLOW, "amgx-dilu-stock": VERMILION, "amgx-amg": SKY,
}  # fmt: skip
MARKERS = ("circle", "square", "diamond", "triangle")  # at the end of a curve


def title(name: str) -> str:
    """What readers call the method; a registered one goes by its own name."""
    return TITLES.get(name, name)


def color(name: str) -> str:
    """The method's colour as "#rrggbb"."""
    palette = (GREEN, VERMILION, YELLOW, SKY, PURPLE, ORANGE, WHITE, BLUE)
    return COLORS.get(name) or palette[zlib.crc32(name.encode()) % len(palette)]


def marker(name: str) -> str:
    """One of MARKERS; methods of one colour differ in it."""
    alike = [other for other in COLORS if COLORS[other] == color(name)]
    place = alike.index(name) if name in alike else zlib.crc32(name.encode()) // 8
    return MARKERS[place % len(MARKERS)]
