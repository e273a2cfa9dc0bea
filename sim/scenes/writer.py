"""Writing scenes as toml: the inverse of `sim.scenes.reader`, for scenes that were drawn in the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from precond.support.files import replacing
from sim.scenes.reader import KEYS_OF_KIND
from sim.scenes.scene import FloatingBody, Opening, Phase, Scene, Shape, Walls


def write(path: Path, scene: Scene) -> None:
    """Write the scene, whole or not at all. Raises OSError."""
    with replacing(path) as part:
        part.write_text(text_of(scene), encoding="utf-8")


def text_of(scene: Scene) -> str:
    """The toml text from which `sim.scenes.reader.parse` makes this scene again."""
    head = {"title": scene.title, "sentence": scene.sentence, "grid": list(scene.grid), "height": scene.height}
    head |= {"gravity": scene.gravity, "open_top": scene.open_top}
    parts = [assignments(head)]
    walls = {entry.name: getattr(scene.walls, entry.name) for entry in fields(Walls)}
    if scene.walls != Walls():
        parts.append("[walls]\n" + assignments(walls))
    parts += [table("phases", of_phase(phase)) for phase in scene.phases]
    parts += [table("tensions", {"between": list(t.between), "value": t.value}) for t in scene.tensions]
    parts += [table("contact_angles", {"between": list(a.between), "angle": a.angle}) for a in scene.contact_angles]
    parts += [table("inlets" if opening.phase else "outlets", of_opening(opening)) for opening in scene.openings]
    if scene.barriers is not None:
        parts.append("[barriers]\n" + assignments(vars(scene.barriers)))
    if scene.shaking is not None:
        parts.append("[shaking]\n" + assignments(vars(scene.shaking)))
    parts += [table("shapes", {"phase": shape.phase} | of_shape(shape)) for shape in scene.shapes]
    parts += [table("solids", of_shape(shape) | ({"erase": True} if shape.erase else {})) for shape in scene.solids]
    parts += [table("bodies", of_body(body)) for body in scene.bodies]
    return "\n".join(parts)


def of_phase(phase: Phase) -> dict[str, Any]:
    """Name, density, viscosity and colour as '#rrggbb'."""
    color = "#" + "".join(f"{round(255 * part):02x}" for part in phase.color)
    return {"name": phase.name, "density": phase.density, "viscosity": phase.viscosity, "color": color}


def of_opening(opening: Opening) -> dict[str, Any]:
    """An outlet has neither phase nor speed."""
    place = {"side": opening.side, "start": opening.start, "end": opening.end}
    return place | ({"phase": opening.phase, "speed": opening.speed} if opening.phase else {})


def of_body(body: FloatingBody) -> dict[str, Any]:
    """Every key of it."""
    motion = {"angle": body.angle, "velocity": list(body.velocity), "spin": body.spin}
    return {"name": body.name, "density": body.density} | of_shape(body.shape) | motion


def of_shape(shape: Shape) -> dict[str, Any]:
    """The kind and the keys that it has."""
    keys = sorted(KEYS_OF_KIND[shape.kind])
    values = {key: getattr(shape, key) for key in keys}
    return {"kind": shape.kind} | {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def table(name: str, values: Mapping[str, Any]) -> str:
    """One entry of an array of tables."""
    return f"[[{name}]]\n" + assignments(values)


def assignments(values: Mapping[str, Any]) -> str:
    """One line for each key."""
    return "".join(f"{key} = {literal(value)}\n" for key, value in values.items())


def literal(value: Any) -> str:
    """A value in toml's notation; texts as basic strings, in which a few characters are escaped."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(escaped(character) for character in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def escaped(character: str) -> str:
    """As it may stand in a basic string."""
    if character in '\\"':
        return "\\" + character
    return f"\\u{ord(character):04x}" if ord(character) < 32 or ord(character) == 127 else character
