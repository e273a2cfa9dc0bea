"""How the panes of a comparison are named, coloured and marked: by their methods, or by their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.solving.method_stats import MethodResult
from precond.figures import method_style

PLACES = ("#63b8f0", "#ee7339", "#f0e442", "#d98bbb")  # of Okabe and Ito's palette, where methods repeat


@dataclass(frozen=True)
class PaneStyle:
    """A pane as its viewers see it."""

    title: str
    color: str  # "#rrggbb"
    marker: str  # one of method_style.MARKERS


def styles_of(results: Sequence[MethodResult]) -> tuple[PaneStyle, ...]:
    """One for each pane. Where two have the same method, colours and markers tell places instead of methods."""
    methods = [result.precond for result in results]
    places = len(set(methods)) < len(methods)
    return tuple(
        PaneStyle(
            result.label or method_style.title(result.precond),
            PLACES[k % len(PLACES)] if places else method_style.color(result.precond),
            method_style.MARKERS[k % len(method_style.MARKERS)] if places else method_style.marker(result.precond),
        )
        for k, result in enumerate(results)
    )
