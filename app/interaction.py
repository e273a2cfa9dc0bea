"""What the user has set in the window itself: the view, the brush, the help. The simulation knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.theme import Fonts
from app.views import VIEWS, Range, View

KEYS = (
    ("Space", "pause or go on"),
    (".", "one frame, then pause"),
    ("R", "reset the scene"),
    ("1 - 7", "views: " + ", ".join(view.name for view in VIEWS)),
    ("F9", "start or end a recording"),
    ("F12", "screenshot"),
    ("H", "this help"),
    ("Esc", "quit"),
    ("Left mouse", "use the brush on the fluid; Move: press on a wall and drag it"),
    ("Right mouse", "push the fluid; in the view tiles also: pick one"),
)


UNIT = Range(0.0, 1.0)  # until values have been seen


@dataclass
class Interaction:
    """Changed by keys, mouse and panel; read when drawing."""

    view: View = VIEWS[0]
    automatic: bool = True  # the range of the colour map follows the values
    limits: Range = UNIT  # as shown
    tool: str = "push"
    phase: int = 0  # that pour pours
    radius: float = 0.05  # of the brush, fraction of the domain's height
    show_help: bool = False
    fonts: Fonts = field(default_factory=Fonts)

    def look_at(self, view: View) -> None:
        """Another view, its range found afresh."""
        self.view, self.automatic, self.limits = view, True, UNIT
