"""THE table of methods: how each preconditioner is named, coloured and marked, in the window, videos and pictures.

One hue for each method, in two shades: for a dark ground and for a light one. The methods compared most often have the
hues of Okabe and Ito's palette (2008), which every kind of colour vision tells apart; variants of a method are shades
of its hue. Nobody tells twenty colours apart: markers, and labels at the lines, do.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

MARKERS = ("circle", "square", "diamond", "triangle")  # at the end of a curve
CIRCLE, SQUARE, DIAMOND, TRIANGLE = MARKERS
IN_MATPLOTLIB = {CIRCLE: "o", SQUARE: "s", DIAMOND: "D", TRIANGLE: "^"}


class Style(NamedTuple):
    """A method as readers see it. Colours are "#rrggbb"."""

    title: str
    dark: str  # on a dark ground
    light: str  # on a light ground
    marker: str


METHODS = {
    "none": Style("No preconditioner", "#b4bcc4", "#7b8087", CIRCLE),
    "jacobi": Style("Jacobi", "#ee7339", "#bf3206", SQUARE),
    "dilu": Style("DILU", "#f0e442", "#b09800", TRIANGLE),
    "multigrid": Style("Multigrid", "#63b8f0", "#0b66bd", DIAMOND),
    "htp": Style("HTP (learned)", "#17c192", "#009e73", CIRCLE),
    "hierarchy": Style("HTP without its network", "#d98bbb", "#a33b8a", SQUARE),
    "polynomials": Style("HTP of polynomials", "#f3c4e0", "#cc7db5", DIAMOND),
    "htp-paper": Style("HTP as published", "#a6d94f", "#5f9100", TRIANGLE),
    "dct": Style("Fast Poisson", "#e6a417", "#c07600", CIRCLE),
    "ic0": Style("Incomplete Cholesky", "#b58a63", "#5e3717", DIAMOND),
    "amg-rs": Style("Ruge-Stüben AMG", "#5d83e0", "#2b2389", SQUARE),
    "amg-sa": Style("Aggregation AMG", "#43d3dc", "#38a3c0", TRIANGLE),
    "direct": Style("Sparse LU", "#ffffff", "#16181b", DIAMOND),
    "spai": Style("Learned sparse inverse", "#ff8a9b", "#d81b5b", TRIANGLE),
    "spai-static": Style("Sparse inverse", "#d4566e", "#8e0f3c", DIAMOND),
    "npo": Style("Neural operator", "#a98bf5", "#6f35d0", CIRCLE),
    "dilu-natural": Style("DILU, natural order", "#a39526", "#55520a", SQUARE),
    "nystrom": Style("Nyström", "#cdb89b", "#96704a", SQUARE),
    "nystrom-16": Style("Nyström, rank 16", "#e5d9c6", "#b8926a", CIRCLE),
    "nystrom-256": Style("Nyström, rank 256", "#857a66", "#7a5f4a", TRIANGLE),
    "amgx-dilu": Style("AmgX DILU", "#f7f0a0", "#a89a4a", CIRCLE),
    "amgx-dilu-stock": Style("AmgX DILU, stock", "#d3bd3a", "#7d6c00", DIAMOND),
    "amgx-amg": Style("AmgX AMG", "#9aecf0", "#00616b", SQUARE),
    "sweeps": Style("Plain Jacobi sweeps", "#3df03d", "#0d800d", SQUARE),
    "scipy-jacobi": Style("SciPy's cg, Jacobi", "#f7ab86", "#8a2b08", CIRCLE),
    "scipy-amg-rs": Style("SciPy's cg, Ruge-Stüben AMG", "#9db4f2", "#5d78d6", TRIANGLE),
}
GROUPS = {  # headings of lists, and under each the methods with a sentence about them
    "Learned": {
        "htp": "Blocks of a quadtree, whose functions a transformer proposes and whose sizes the present system gives.",
        "htp-paper": "The published form (arXiv 2605.13343): the network's output is the preconditioner, as it is.",
        "spai": "A small network proposes a sparse approximate inverse.",
        "npo": "A graph network applied in every iteration. It is not linear, so iterations are flexible ones.",
    },
    "Multigrid": {
        "multigrid": "Geometric multigrid with red-black smoothing, made for these grids: few iterations at any size.",
        "hierarchy": "HTP's cycle with functions computed from the system: what is left without the network.",
        "polynomials": "The same cycle with plain polynomials in every block: shows what continuing them is worth.",
        "amg-rs": "Algebraic multigrid of Ruge and Stüben, set up by pyamg in every step.",
        "amg-sa": "Smoothed aggregation by pyamg: a cheaper set-up, more iterations.",
        "amgx-amg": "Classical algebraic multigrid of NVIDIA's AmgX.",
    },
    "Incomplete factors and inverses": {
        "dilu": "Diagonal incomplete LU in a colouring that runs in parallel.",
        "dilu-natural": "Diagonal incomplete LU in natural order: fewer iterations, not parallel.",
        "ic0": "Incomplete Cholesky without fill, in natural order.",
        "spai-static": "Sparse approximate inverse of fixed pattern, computed and not learned.",
        "nystrom": "Nyström approximation of rank 64 from random vectors.",
        "nystrom-16": "Nyström approximation of rank 16.",
        "nystrom-256": "Nyström approximation of rank 256.",
        "amgx-dilu": "Diagonal incomplete LU of NVIDIA's AmgX, tuned as ours.",
        "amgx-dilu-stock": "Diagonal incomplete LU of NVIDIA's AmgX as it comes.",
    },
    "Direct": {
        "direct": "Sparse LU: exact in one iteration, and slow.",
        "dct": "Fast Poisson solver for constant density, by cosine transforms: blind to contrast and walls.",
    },
    "For comparison": {
        "none": "Conjugate gradients alone.",
        "jacobi": "Divides by the diagonal: the cheapest there is, and many iterations.",
        "sweeps": "A fixed number of plain Jacobi iterations instead of conjugate gradients, as in many games.",
    },
}
OWN = "Your own"  # heading of registered methods
TITLES = {name: style.title for name, style in METHODS.items()}
SPARE = (  # (dark, light) of registered methods
    ("#7f9db3", "#4a7a99"),
    ("#e36fd8", "#c026b4"),
    ("#c96f5a", "#d9705a"),
    ("#b9e3a0", "#4f8a2c"),
    ("#c9c3f2", "#8f86f0"),
)


def style(name: str) -> Style:
    """The method's row of the table; a registered one has its own name as title and one of the spare colours."""
    if name in METHODS:
        return METHODS[name]
    number = zlib.crc32(name.encode())  # the same in every process
    return Style(name, *SPARE[number % len(SPARE)], MARKERS[number // len(SPARE) % len(MARKERS)])


def title(name: str) -> str:
    """What readers call the method."""
    return style(name).title


def grouped(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The names by the headings of GROUPS; registered ones under OWN. Empty groups are left out."""
    found = {heading: tuple(name for name in group if name in names) for heading, group in GROUPS.items()}
    known = {name for group in GROUPS.values() for name in group}
    found[OWN] = tuple(name for name in names if name not in known)
    return {heading: group for heading, group in found.items() if group}


def sentence(name: str) -> str:
    """What the method is; empty for a registered one."""
    return next((group[name] for group in GROUPS.values() if name in group), "")


def color(name: str) -> str:
    """The method's colour on a dark ground."""
    return style(name).dark


def marker(name: str) -> str:
    """One of MARKERS."""
    return style(name).marker


def on_paper(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(colour on a light ground, matplotlib's marker) of every method; unknown ones take the spare colours in turn."""
    unknown = [method for method in methods if method not in METHODS]
    styles = {method: METHODS[method] for method in methods if method in METHODS}
    for k, method in enumerate(unknown):
        styles[method] = Style(method, *SPARE[k % len(SPARE)], MARKERS[k % len(MARKERS)])
    return {method: (styles[method].light, IN_MATPLOTLIB[styles[method].marker]) for method in methods}
