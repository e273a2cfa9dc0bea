"""What the user has set in the window itself: the view, the brush, the help. The simulation does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from app.render.look import Look
from app.render.region import WHOLE
from app.render.themes import theme_named
from app.render.views import VIEWS, Range, View
from app.ui.settings import BUDGET, CAPTURES, RADII, Settings
from app.ui.theme import Fonts

KEYS = (
    ("Space", "pause or resume"),
    (".", "make one frame, then pause"),
    ("Left, Right", "one frame back or forth on the time line"),
    ("R", "reset to time zero; what was drawn there stays"),
    ("1 - 9", "views: " + ", ".join(view.name for view in VIEWS)),
    ("0", "show the whole domain again"),
    ("L", "streamlines"),
    ("[ and ]", "smaller and larger brush"),
    ("P", "place a probe under the mouse, or remove it"),
    ("M", "mirror the brush"),
    ("Ctrl+Z, Ctrl+Y", "undo and redo drawing"),
    ("Ctrl+S", "save as scene"),
    ("F9", "start or end a recording of the fluid"),
    ("F12", "picture of the fluid"),
    ("Shift+F9, Shift+F12", "the same of the whole window"),
    ("Tab", "hide or show the panel"),
    ("F11", "full screen"),
    ("H", "this help"),
    ("O", "hide or show the numbers on the fluid"),
    ("Esc", "close a list, help or tour; twice: quit"),
    ("Ctrl+Q", "quit"),
)
MOUSE = (
    ("Left button", "use the tool chosen under Draw"),
    ("Right button", "push the fluid, whichever tool is chosen; in the view tiles, also pick a tile"),
    ("Push", "the fluid follows the mouse"),
    ("Pour, or a fluid's name", "add that fluid under the brush"),
    ("Wall, Erase", "build and remove walls"),
    ("Move", "drag a wall"),
    ("Wheel", "zoom"),
    ("Middle button", "drag what is zoomed; double click shows all"),
    ("Shift + wheel", "brush size"),
    ("Drop a file", "open a state (.npz), a scene (.toml) or a log (.jsonl)"),
)

NEWEST = -1  # the last iteration, as for Inspector
UNIT = Range(0.0, 1.0)  # until values have been seen
Corners = tuple[float, float, float, float]  # left, top, right, bottom [pixels]


@dataclass
class UiState:
    """The state of the interface, changed by keys, mouse and panel, read when drawing."""

    view: View = VIEWS[0]
    automatic: bool = True  # the range of the colour map follows the values
    limits: Range = UNIT  # as shown
    iteration: int = NEWEST  # of the newest solve, whose error or residual is shown
    tool: str = "push"
    phase: int = 0  # that pour pours
    radius: float = 0.05  # of the brush, fraction of the domain's height
    mirror: bool = False  # every stroke also from the other side
    look: Look = field(default_factory=Look)  # theme, magnified region, streamlines
    capture: int = CAPTURES[0]  # height of pictures and recordings of the fluid [pixels]
    panel: bool = True  # whether it is shown
    show_help: bool = False
    overlay: bool = True  # numbers on the fluid
    touring: bool = False  # the tour's card covers the foot of the fluid
    naming: bool = False  # the scene that is about to be saved
    scale: float = 1.0  # of the interface
    timeline: int = BUDGET  # memory for the time line [MiB]
    closed: set[str] = field(default_factory=lambda: set(Settings().closed))  # sections of the panel
    marks: dict[str, Corners] = field(default_factory=dict)  # by name, where the controls of the tour are
    fonts: Fonts = field(default_factory=Fonts)

    def set_radius(self, radius: float) -> None:
        """Sets the radius of the brush, within what the slider allows."""
        self.radius = min(max(round(radius, 4), RADII[0]), RADII[1])  # sliders are of single precision

    def show_all(self) -> None:
        """Ends the magnification."""
        self.look = replace(self.look, region=WHOLE)

    def toggle_streamlines(self) -> None:
        """Shows streamlines, or hides them."""
        self.look = replace(self.look, streamlines=not self.look.streamlines)

    def look_at(self, view: View) -> None:
        """Changes the view; its range is found anew."""
        self.view, self.automatic, self.limits = view, True, UNIT

    def follow(self, settings: Settings) -> None:
        """Takes over the settings of the last run."""
        self.view = next((view for view in VIEWS if view.name == settings.view), VIEWS[0])
        self.tool = settings.tool if settings.tool in ("push", "pour", "solid", "erase", "drag") else "push"
        self.radius, self.mirror, self.scale = settings.radius, settings.mirror, settings.scale
        self.timeline, self.overlay = settings.timeline, settings.overlay
        self.closed = set(settings.closed)
        self.look, self.capture = Look(theme_named(settings.theme)), settings.capture
