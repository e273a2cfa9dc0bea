"""Reading scenes from toml, checked key by key; whatever is wrong is named in one sentence."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.frame import GRAVITY_MAX, TENSION_MAX, Controls
from sim.grid import Grid
from sim.scenes.outline import KINDS
from sim.scenes.scene import (
    ANGLES,
    SIDES,
    Barriers,
    ContactAngle,
    FloatingBody,
    Opening,
    Phase,
    Scene,
    Shaking,
    Shape,
    Tension,
    Walls,
)

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser under its older name
    import tomli as tomllib

__all__ = ["FOLDER", "Scene", "SceneError", "load", "names", "parse"]

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "scenes"
PHASES_MAX = 8  # what a colour scheme can tell apart
BODIES_MAX = 8  # each takes three more pressure solves a step
REQUIRED_OF_KIND = {
    "box": {"start", "end"},
    "disc": {"center", "radius"},
    "stroke": {"start", "end", "radius"},
    "pool": {"height"},
}
KEYS_OF_KIND = REQUIRED_OF_KIND | {"pool": {"height", "amplitude", "waves"}}


class SceneError(ValueError):
    """A scene that cannot be read; the message is one sentence naming the file, the key and the fix."""


def names() -> tuple[str, ...]:
    """Names of the scenes that come with the program."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name_or_file: str | Path) -> Scene:
    """The scene of that name, or of that toml file. Raises SceneError with one sentence."""
    path = Path(name_or_file)
    if path.suffix != ".toml":
        if str(name_or_file) not in names():
            raise SceneError(
                f"scene {str(name_or_file)!r} is unknown: choose one of {', '.join(names())}, or give a .toml file"
            )
        path = FOLDER / f"{name_or_file}.toml"
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SceneError(f"scene file {str(name_or_file)!r} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SceneError(f"scene file {str(name_or_file)!r} is not text") from None
    return parse(str(name_or_file) if path.suffix != ".toml" else path.stem, source)


def parse(name: str, source: str) -> Scene:
    """The scene that a toml text describes. Raises SceneError with one sentence."""
    try:
        return replace(scene_from_table(name, tomllib.loads(source)), source=source)
    except tomllib.TOMLDecodeError as error:
        raise SceneError(f"scene {name!r} is not valid toml: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise SceneError(f"scene {name!r}: {error}") from None


def scene_from_table(name: str, table: dict[str, Any]) -> Scene:
    """A checked Scene from a parsed toml table. Raises ValueError naming the key at fault."""
    table = dict(table)
    phases = tuple(phase_from_table(entry) for entry in entries(table, "phases"))
    if not 2 <= len(phases) <= PHASES_MAX:
        raise ValueError(f"key 'phases' must hold 2 to {PHASES_MAX} phases, not {len(phases)}")
    phase_names = [phase.name for phase in phases]
    if len(set(phase_names)) < len(phase_names):
        raise ValueError(f"phase names {phase_names} must differ")
    shapes = tuple(shape_from_table(entry, phase_names) for entry in entries(table, "shapes", optional=True))
    solids = tuple(shape_from_table(entry, None) for entry in entries(table, "solids", optional=True))
    tensions = tuple(tension_from_table(entry, phase_names) for entry in entries(table, "tensions", optional=True))
    if len({frozenset(tension.between) for tension in tensions}) < len(tensions):
        raise ValueError("key 'tensions' gives one pair of phases twice")
    angles = tuple(angle_from_table(entry, phase_names) for entry in entries(table, "contact_angles", optional=True))
    if len({frozenset(each.between) for each in angles}) < len(angles):
        raise ValueError("key 'contact_angles' gives one pair of phases twice")
    tense = {frozenset(tension.between) for tension in tensions if tension.value > 0}
    for each in angles:
        if frozenset(each.between) not in tense:
            raise ValueError(
                f"the contact angle between {' and '.join(each.between)} needs a surface tension of the two"
            )
    shaking = shaking_from_table(table.pop("shaking")) if "shaking" in table else None
    walls = walls_from_table(table.pop("walls", {}))
    inlets = [opening_from_table(entry, phase_names) for entry in entries(table, "inlets", optional=True)]
    outlets = [opening_from_table(entry, None) for entry in entries(table, "outlets", optional=True)]
    bodies = tuple(body_from_table(entry, k + 1) for k, entry in enumerate(entries(table, "bodies", optional=True)))
    if len(bodies) > BODIES_MAX:
        raise ValueError(f"key 'bodies' must hold at most {BODIES_MAX} bodies, not {len(bodies)}")
    if len({body.name for body in bodies}) < len(bodies):
        raise ValueError(f"names of bodies {[body.name for body in bodies]} must differ")
    barriers = None
    if "barriers" in table:
        entry = checked(table.pop("barriers"), {"phase", "count", "seed"}, {"phase"}, "barriers")
        if entry["phase"] not in phase_names:
            raise ValueError(f"key 'phase' of 'barriers' names {entry['phase']!r}, which is not one of {phase_names}")
        count, seed = integer(entry.get("count", 3), "count"), integer(entry.get("seed", 0), "seed")
        if not 1 <= count <= 16 or seed < 0:
            raise ValueError(f"'barriers' takes count 1 to 16 and seed >= 0, not {count} and {seed}")
        barriers = Barriers(entry["phase"], count, seed)
    optional = {"grid", "height", "gravity", "open_top"}
    table = checked(table, {"title", "sentence"} | optional, {"title", "sentence"}, "the scene")
    rows, columns = numbers(table.get("grid", (96, 128)), 2, "grid")
    height = number(table.get("height", 1.0), "height")
    Grid(int(rows), int(columns), height)
    gravity = number(table.get("gravity", 9.81), "gravity")
    Controls(
        gravity,
        tuple(phase.density for phase in phases),
        (),
        tuple(phase.viscosity for phase in phases),
        body_densities=tuple(body.density for body in bodies),
    )
    open_top = table.get("open_top", False)
    if not isinstance(open_top, bool):
        raise ValueError(f"key 'open_top' must be true or false, not {open_top!r}")
    if inlets and not (outlets or open_top):
        raise ValueError("key 'inlets' needs a way out: add [[outlets]] or open_top = true")
    if outlets and open_top:
        raise ValueError("keys 'outlets' and 'open_top' exclude each other: leave one out")
    return Scene(
        name=name,
        title=text(table["title"], "title"),
        sentence=text(table["sentence"], "sentence"),
        phases=phases,
        grid=(int(rows), int(columns)),
        height=height,
        gravity=gravity,
        open_top=open_top,
        shapes=shapes,
        solids=solids,
        tensions=tensions,
        contact_angles=angles,
        walls=walls,
        openings=(*inlets, *outlets),
        barriers=barriers,
        shaking=shaking,
        bodies=bodies,
    )


def phase_from_table(entry: Any) -> Phase:
    """Phase from {name, density, color = "#rrggbb", viscosity = 0}."""
    entry = checked(entry, {f.name for f in fields(Phase)}, {"name", "density", "color"}, "a phase")
    density = number(entry["density"], "density")
    if not density > 0:
        raise ValueError(f"density {density} of phase {entry['name']!r} must be positive [kg/m^3]")
    color = text(entry["color"], "color")
    try:
        if len(color) != 7 or color[0] != "#":
            raise ValueError
        red, green, blue = (int(color[k : k + 2], 16) / 255 for k in (1, 3, 5))
    except ValueError:
        raise ValueError(f"color {color!r} of phase {entry['name']!r} is not of the form '#rrggbb'") from None
    return Phase(
        text(entry["name"], "name"), density, (red, green, blue), number(entry.get("viscosity", 0), "viscosity")
    )


def tension_from_table(entry: Any, phase_names: list[str]) -> Tension:
    """Tension from {between = [name, name], value}."""
    entry = checked(entry, {"between", "value"}, {"between", "value"}, "a tension")
    between = pair_of(entry["between"], phase_names, "a tension")
    value = number(entry["value"], "value")
    if not 0 <= value <= TENSION_MAX:
        raise ValueError(f"key 'value' of a tension must lie in 0 to {TENSION_MAX:g} [N/m], not {value!r}")
    return Tension(between, value)


def angle_from_table(entry: Any, phase_names: list[str]) -> ContactAngle:
    """ContactAngle from {between = [name, name], angle}, degrees through the first of the two."""
    entry = checked(entry, {"between", "angle"}, {"between", "angle"}, "a contact angle")
    angle = number(entry["angle"], "angle")
    if not ANGLES[0] <= angle <= ANGLES[1]:
        raise ValueError(
            f"key 'angle' of a contact angle must lie in {ANGLES[0]:g} to {ANGLES[1]:g} degrees, not {angle}"
        )
    return ContactAngle(pair_of(entry["between"], phase_names, "a contact angle"), angle)


def pair_of(between: Any, phase_names: list[str], owner: str) -> tuple[str, str]:
    """Two different names of phases."""
    if not (isinstance(between, list) and len(set(between)) == 2 and set(between) <= set(phase_names)):
        raise ValueError(f"key 'between' of {owner} must be two of {phase_names}, not {between!r}")
    return between[0], between[1]


def shaking_from_table(entry: Any) -> Shaking:
    """Shaking from {amplitude, period}."""
    entry = checked(entry, {"amplitude", "period"}, {"amplitude", "period"}, "'shaking'")
    amplitude, period = number(entry["amplitude"], "amplitude"), number(entry["period"], "period")
    if not (abs(amplitude) <= 1e6 and 1e-3 <= period <= 1e6):
        raise ValueError(f"'shaking' takes an amplitude within 1e6 [m] and a period of 1e-3 to 1e6 [s], not "
                         f"{amplitude} and {period}")  # fmt: skip
    made = Shaking(amplitude, period)
    if made.acceleration() > GRAVITY_MAX:
        raise ValueError(f"'shaking' accelerates by {made.acceleration():.3g} m/s^2, more than {GRAVITY_MAX:g}")
    return made


def walls_from_table(entry: Any) -> Walls:
    """Walls from {left, right, bottom, top, solids = "slip" or "no-slip"}."""
    return Walls(**checked(entry, {*SIDES, "solids"}, set(), "'walls'"))


def opening_from_table(entry: Any, phase_names: list[str] | None) -> Opening:
    """Opening from {side, start, end} of an outlet, and phase and speed of an inlet."""
    more = set() if phase_names is None else {"phase", "speed"}
    owner = "an outlet" if phase_names is None else "an inlet"
    entry = checked(entry, {"side", "start", "end"} | more, {"side"} | more, owner)
    if entry["side"] not in SIDES:
        raise ValueError(f"key 'side' of {owner} is {entry['side']!r}: choose one of {', '.join(SIDES)}")
    start, end = number(entry.get("start", 0), "start"), number(entry.get("end", 1), "end")
    if not 0 <= start < end <= 1:
        raise ValueError(f"{owner} must have 0 <= start < end <= 1, not {start} and {end}")
    if phase_names is None:
        return Opening(entry["side"], start, end)
    if entry["phase"] not in phase_names:
        raise ValueError(f"key 'phase' of {owner} names {entry['phase']!r}, which is not one of {phase_names}")
    speed = number(entry["speed"], "speed")
    if not speed > 0:
        raise ValueError(f"key 'speed' of {owner} must be positive [m/s], not {speed}")
    return Opening(entry["side"], start, end, entry["phase"], speed)


def body_from_table(entry: Any, count: int) -> FloatingBody:
    """FloatingBody from {kind, its keys, density, name = "body COUNT", angle, velocity, spin}."""
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if kind not in KINDS:
        raise ValueError(f"key 'kind' of a body is {kind!r}: choose one of {', '.join(KINDS)}")
    own = {"name", "density", "angle", "velocity", "spin"}
    entry = checked(
        entry, KEYS_OF_KIND[kind] | own | {"kind"}, REQUIRED_OF_KIND[kind] | {"density"}, f"a body ({kind})"
    )
    name = text(entry.get("name", f"body {count}"), "name")
    shape = shape_from_table({key: value for key, value in entry.items() if key not in own}, None)
    if kind == "box" and not all(a < b for a, b in zip(shape.start, shape.end)):
        raise ValueError(f"body {name!r} must have its start below and left of its end")
    if kind != "box" and not shape.radius > 0:
        raise ValueError(f"key 'radius' of body {name!r} must be positive")
    if kind == "stroke" and shape.start == shape.end:
        raise ValueError(f"body {name!r} must have two different ends: take kind 'disc' for one")
    u, v = numbers(entry.get("velocity", (0.0, 0.0)), 2, "velocity")
    angle, spin = number(entry.get("angle", 0), "angle"), number(entry.get("spin", 0), "spin")
    return FloatingBody(name, shape, number(entry["density"], "density"), angle, (u, v), spin)


def shape_from_table(entry: Any, phase_names: list[str] | None) -> Shape:
    """Shape from its table; phase_names is None for solids, which have no phase."""
    owner = "a shape" if phase_names else "a solid"
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if kind not in KEYS_OF_KIND:
        raise ValueError(f"key 'kind' of {owner} is {kind!r}: choose one of {', '.join(KEYS_OF_KIND)}")
    extra = {"kind", "phase"} if phase_names else {"kind"}
    allowed = KEYS_OF_KIND[kind] | extra | (set() if phase_names else {"erase"})
    entry = checked(entry, allowed, REQUIRED_OF_KIND[kind] | extra, f"{owner} of kind {kind!r}")
    erase = entry.pop("erase", False)
    if not isinstance(erase, bool):
        raise ValueError(f"key 'erase' of {owner} must be true or false, not {erase!r}")
    if phase_names and entry["phase"] not in phase_names:
        raise ValueError(f"key 'phase' of {owner} names {entry['phase']!r}, which is not one of {phase_names}")
    pairs = {"start", "end", "center"}
    values: dict[str, Any] = {
        key: numbers(value, 2, key) if key in pairs else number(value, key)
        for key, value in entry.items()
        if key not in extra
    }
    return Shape(kind=kind, phase=entry.get("phase", ""), erase=erase, **values)


def entries(table: dict[str, Any], key: str, optional: bool = False) -> list[Any]:
    """The array of tables under `key`, removed from `table`."""
    if key not in table and not optional:
        raise ValueError(f"key '{key}' is missing")
    value = table.pop(key, [])
    if not isinstance(value, list):
        raise ValueError(f"key '{key}' must be an array of tables, written [[{key}]]")
    return value


def checked(entry: Any, allowed: set[str], required: set[str], owner: str) -> dict[str, Any]:
    """The table itself, once it has every required key and no unknown one."""
    if not isinstance(entry, dict):
        raise ValueError(f"{owner} must be a table, not {entry!r}")
    unknown, missing = sorted(set(entry) - allowed), sorted(required - set(entry))
    if unknown:
        raise ValueError(f"key '{unknown[0]}' of {owner} is unknown: allowed are {', '.join(sorted(allowed))}")
    if missing:
        raise ValueError(f"key '{missing[0]}' of {owner} is missing")
    return dict(entry)


def number(value: Any, key: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"key '{key}' must be a finite number, not {value!r}")
    return float(value)


def integer(value: Any, key: str) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"key '{key}' must be a whole number, not {value!r}")
    return value


def numbers(value: Any, count: int, key: str) -> tuple[float, ...]:
    """`count` finite numbers."""
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise ValueError(f"key '{key}' must be {count} numbers, not {value!r}")
    return tuple(number(entry, key) for entry in value)


def text(value: Any, key: str) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"key '{key}' must be a non-empty text, not {value!r}")
    return value
