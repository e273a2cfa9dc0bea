"""What the user has set in the window itself: the view, the brush, the help. The simulation knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.render.views import VIEWS, Range, View
from app.ui.settings import RADII, Settings
from app.ui.theme import Fonts

KEYS = (
    ("Space", "pause or go on"),
    (".", "one frame, then pause"),
    ("R", "back to the scene's start, with what was drawn there"),
    ("1 - 7", "views: " + ", ".join(view.name for view in VIEWS)),
    ("[ and ]", "smaller and larger brush"),
    ("M", "mirror the brush, left and right"),
    ("Ctrl+Z, Ctrl+Y", "undo and redo what was drawn"),
    ("Ctrl+S", "save as scene"),
    ("F9", "start or end a recording"),
    ("F12", "screenshot"),
    ("H", "this help"),
    ("Esc", "close what is open, then quit"),
)
MOUSE = (
    ("Left button", "use the tool that is chosen under Draw"),
    ("Right button", "push the fluid, whatever the tool; in the view tiles also: pick one"),
    ("Push", "the fluid follows the mouse"),
    ("Pour", "replaces what is there by a phase"),
    ("Wall, Erase", "build walls and take them away"),
    ("Move", "press on a wall and drag it"),
    ("Shift + wheel", "size of the brush"),
    ("Drop a file", "a state (.npz), a scene (.toml) or a log (.jsonl) on the window opens it"),
)

UNIT = Range(0.0, 1.0)  # until values have been seen
Corners = tuple[float, float, float, float]  # left, top, right, bottom [pixels]


@dataclass
class Interaction:
    """Changed by keys, mouse and panel; read when drawing."""

    view: View = VIEWS[0]
    automatic: bool = True  # the range of the colour map follows the values
    limits: Range = UNIT  # as shown
    tool: str = "push"
    phase: int = 0  # that pour pours
    radius: float = 0.05  # of the brush, fraction of the domain's height
    mirror: bool = False  # every stroke also from the other side
    show_help: bool = False
    naming: bool = False  # the scene that is about to be saved
    scale: float = 1.0  # of the interface
    closed: set[str] = field(default_factory=lambda: set(Settings().closed))  # sections of the panel
    marks: dict[str, Corners] = field(default_factory=dict)  # where controls are that the tour points at
    fonts: Fonts = field(default_factory=Fonts)

    def set_radius(self, radius: float) -> None:
        """Of the brush, within what the slider allows."""
        self.radius = min(max(round(radius, 4), RADII[0]), RADII[1])  # sliders are of single precision

    def look_at(self, view: View) -> None:
        """Another view, its range found afresh."""
        self.view, self.automatic, self.limits = view, True, UNIT

    def follow(self, settings: Settings) -> None:
        """As it was at the end of another run."""
        self.view = next((view for view in VIEWS if view.name == settings.view), VIEWS[0])
        self.tool = settings.tool if settings.tool in ("push", "pour", "solid", "erase", "drag") else "push"
        self.radius, self.mirror, self.scale = settings.radius, settings.mirror, settings.scale
        self.closed = set(settings.closed)
