"""Lists of methods: by group, each under one name and with a sentence about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imgui_bundle import imgui

from app.ui import theme
from app.ui.tooltips import show
from precond.figures import method_style


def entries(reasons: Mapping[str, str | None]) -> Iterator[tuple[str, str | None]]:
    """Name and why it cannot be chosen, in the order of the list; draws the headings in between."""
    for heading, names in method_style.grouped(tuple(reasons)).items():
        imgui.text_colored(theme.ACCENT, heading)
        for name in names:
            yield name, reasons[name]


def label(name: str) -> str:
    """A widget's label: the method's title, and its name as ImGui's id."""
    return f"{method_style.title(name)}##{name}"


def explain(name: str, reason: str | None = None) -> None:
    """The tooltip of the entry before: what the method is, and why it cannot be chosen."""
    if imgui.is_item_hovered(imgui.HoveredFlags_.allow_when_disabled):
        called = f"On the command line: {name}."
        show("\n".join(filter(None, (method_style.sentence(name), called, reason))))


def pick(reasons: Mapping[str, str | None], chosen: str) -> str | None:
    """Lines to choose one method from; the one clicked."""
    found = None
    for name, reason in entries(reasons):
        flags = imgui.SelectableFlags_.disabled if reason else 0
        if imgui.selectable(label(name), name == chosen, flags)[0]:
            found = name
        explain(name, reason)
    return found
