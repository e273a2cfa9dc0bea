"""How the picture of the fluid looks: the colours that no scene sets, and how strongly light falls.

Phases keep the colours of their scene. Light and shadow touch the neighbourhood of interfaces alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.scenes.scene import Scene

Color = tuple[float, float, float]  # sRGB 0..1
GAS = 20.0  # the heaviest phase is at least so many times denser than a gas


@dataclass(frozen=True)
class Theme:
    """A look. The strengths of light and shadow are shares, 0 to 1."""

    name: str
    stone: Color
    ground: Color  # around a picture of another aspect
    gas: Color | None = None  # None: a gas has its scene's colour too
    light: float = 0.50  # white added on faces towards the light
    shade: float = 0.26  # black added on faces away from it
    shadow: float = 0.14  # black that a liquid throws on a gas
    rim: float = 0.55  # white of the thin line along lit edges


THEMES = (
    Theme("clean", stone=(0.50, 0.47, 0.44), ground=(0.93, 0.92, 0.90)),
    Theme("dark", stone=(0.25, 0.27, 0.31), ground=(0.035, 0.043, 0.059), gas=(0.063, 0.078, 0.106),
          light=0.60, shade=0.30, shadow=0.45, rim=0.75),
)  # fmt: skip


def theme_named(name: str) -> Theme:
    """The theme, or the first one for a name that is unknown."""
    return next((theme for theme in THEMES if theme.name == name), THEMES[0])


def gas_of(scene: Scene) -> int | None:
    """Index of the phase that counts as the background: the last one, if it is a gas."""
    densities = [phase.density for phase in scene.phases]
    is_gas = densities[-1] == min(densities) and max(densities) >= GAS * densities[-1]
    return len(densities) - 1 if is_gas else None


def colors(scene: Scene, theme: Theme) -> list[Color]:
    """The colour of every phase."""
    shown = [phase.color for phase in scene.phases]
    gas = gas_of(scene)
    if gas is not None and theme.gas is not None:
        shown[gas] = theme.gas
    return shown
