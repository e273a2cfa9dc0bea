"""The list of files to open: states, scenes and logs of the folder out, the newest first, or any by its path."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from imgui_bundle import imgui

from app.session.open_file import KINDS
from app.ui import theme

MOST = 40  # files listed
WIDTH = 26.0  # in letters' heights


class OpenList:
    """A list that opens below the item before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: list[tuple[Path, float]] = []  # with the time of their last change
        self._typed = ""

    def show(self) -> None:
        """Opens the list, with what is in the folder now."""
        self._found = newest_first(self._folder)
        imgui.open_popup("open a file")

    def draw(self, open_file: Callable[[Path], None]) -> None:
        """The list, while it is open."""
        if not imgui.begin_popup("open a file"):
            return
        imgui.set_next_item_width(WIDTH * imgui.get_font_size())
        hint = "path of a state (.npz), a scene (.toml) or a log (.jsonl)"
        flags = imgui.InputTextFlags_.enter_returns_true
        entered, self._typed = imgui.input_text_with_hint("##path", hint, self._typed, flags)
        chosen = Path(self._typed.strip()).expanduser() if entered and self._typed.strip() else None
        if not self._found:
            imgui.text_disabled(f"There is nothing to open in {self._folder}")
        for path, changed in self._found:
            kind = KINDS[path.suffix.lower()]
            if imgui.selectable(f"{path.name}##{path}", False)[0]:
                chosen = path
            imgui.same_line(0.7 * WIDTH * imgui.get_font_size())
            imgui.text_colored(theme.DIM, f"{kind}, {ago(time.time() - changed)}")
        if chosen is not None:
            open_file(chosen)
            imgui.close_current_popup()
        imgui.end_popup()


def newest_first(folder: Path) -> list[tuple[Path, float]]:
    """The files of a folder that can be opened, with the time of their last change."""
    found = []
    for path in folder.glob("*"):
        try:
            if path.suffix.lower() in KINDS and path.is_file():
                found.append((path, path.stat().st_mtime))
        except OSError:  # gone in the meantime
            continue
    return sorted(found, key=lambda pair: pair[1], reverse=True)[:MOST]


def ago(seconds: float) -> str:
    """How long ago, in a few words."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= 60):
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
