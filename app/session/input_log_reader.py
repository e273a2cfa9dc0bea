"""Reads the log of a run, line by line, into a Replay.

Nothing in a log is executed: every line names one of COMMANDS, and its arguments are checked before the run starts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import precond
from app.session import state_file
from app.session.input_log import VERSION, digest
from app.session.replay import LoggedInput, Replay, RunStart
from app.session.session import Session
from app.solving.choice import Choice
from sim.frame import Controls, Stroke
from sim.grid import Grid
from sim.scenes import reader as scene_reader
from sim.scenes.reader import checked, integer, number, text
from sim.scenes.scene import Scene

NUMBERS_MAX = 64  # in a list: eight phases make 28 pairs
THREADS_MAX = 4096


def load(path: Path) -> Replay:
    """Reads and checks a log. Raises ValueError with one sentence."""
    name = f"log {str(path)!r}"
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text") from None
    if len(lines) < 2:
        raise ValueError(f"{name} is empty or was not written by this program: write one with --log")
    reader = LogReader(path)
    for row, line in enumerate(lines[:-1], start=1):  # a last line without its end was cut off by a crash
        try:
            table = json.loads(line)
            if not isinstance(table, dict):
                raise ValueError("this is not a table")
            reader.read_start(table) if row == 1 else reader.read(table)
        except json.JSONDecodeError:
            raise ValueError(f"{name}, line {row} is not json") from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{name}, line {row}: {' '.join(str(error).split())}") from None
    return reader.replay()


class LogReader:
    """Reads a log line by line; every line is checked against the scene that it is about."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start: RunStart | None = None
        self.settings = Controls()  # those that a later line must fit
        self.inputs: list[LoggedInput] = []
        self.marks: dict[int, str] = {}
        self.frame, self.frames, self.ended = 0, 0, False

    def replay(self) -> Replay:
        """The log, once every line has been read."""
        assert self.start is not None
        return Replay(str(self.path), self.start, self.inputs, self.marks, self.frames)

    def read_start(self, table: dict[str, Any]) -> None:
        """The first line."""
        if table.get("log") != VERSION:
            raise ValueError(f"version {table.get('log')!r} of the log is not {VERSION}, which this program reads")
        keys = {"log", "estuary", *(f.name for f in fields(RunStart)), *(f.name for f in fields(Choice))} - {"choice"}
        table = checked(table, keys, keys, "the start")
        device, threads = text(table["device"], "device"), table["threads"]
        if device not in ("cpu", "cuda"):
            raise ValueError(f"key 'device' must be cpu or cuda, not {device!r}")
        scene, grid = self.scene({**checked_table(table["scene"], "'scene'"), "grid": table["grid"]})
        saved = None
        if table["state"] is not None:
            (path,) = self.state_file(checked_table(table["state"], "'state'"))
            saved = state_file.load(path)
            scene, grid = saved.scene, saved.grid
        self.start = RunStart(
            scene=scene,
            grid=grid,
            seed=at_least(0, table["seed"], "seed"),
            device=device,
            threads=None if threads is None else min(at_least(1, threads, "threads"), THREADS_MAX),
            weights=None if table["weights"] is None else text(table["weights"], "weights"),
            choice=self.choice(table),
            settings=self.all_settings(checked_table(table["settings"], "'settings'"), scene),
            state=saved,
        )
        self.settings = self.start.settings

    def read(self, table: dict[str, Any]) -> None:
        """A later line."""
        do, frame = text(table.pop("do", None), "do"), at_least(self.frame, table.pop("frame", None), "frame")
        if self.ended:
            raise ValueError("nothing may follow the line 'end'")
        self.frame = frame
        if do in ("mark", "end"):
            table = checked(table, {"time", "sum"}, {"sum"}, f"'{do}'")
            self.marks[frame] = text(table["sum"], "sum")
            self.ended = do == "end"
            self.frames = frame if self.ended else max(self.frames, frame)
            return
        if do not in COMMANDS:
            raise ValueError(f"command {do!r} is unknown: allowed are {', '.join(COMMANDS)}, mark, end")
        command, keys, arguments = COMMANDS[do]
        given = arguments(self, checked(table, set(keys), set(keys), f"'{do}'"))
        self.inputs.append(LoggedInput(frame, do, command, given))
        self.frames = max(self.frames, frame + 1)  # until a later line says otherwise

    # Arguments of the commands, from checked keys -------------------------------------------------------------------

    def nothing(self, table: dict[str, Any]) -> tuple[()]:
        """The arguments of commands that have none."""
        return ()

    def gravity(self, table: dict[str, Any]) -> tuple[float]:
        """[m/s^2]"""
        self.settings = replace(self.settings, gravity=number(table["value"], "value"))
        return (self.settings.gravity,)

    def densities(self, table: dict[str, Any]) -> tuple[tuple[float, ...]]:
        """[kg/m^3]"""
        values = numbers(table["values"], "values")
        if len(values) != len(self.settings.densities):
            raise ValueError(f"{len(values)} densities are given for {len(self.settings.densities)} phases")
        self.settings = replace(self.settings, densities=values)
        return (values,)

    def body_densities(self, table: dict[str, Any]) -> tuple[tuple[float, ...]]:
        """[kg/m^3]"""
        values = numbers(table["values"], "values")
        if len(values) != len(self.settings.body_densities):
            raise ValueError(f"{len(values)} densities are given for {len(self.settings.body_densities)} bodies")
        self.settings = replace(self.settings, body_densities=values)
        return (values,)

    def checked_bodies(self, values: Any, scene: Scene) -> tuple[float, ...]:
        """Densities of the scene's bodies; those of the scene where a log has none [kg/m^3]."""
        given = numbers(values, "body_densities") or tuple(body.density for body in scene.bodies)
        if len(given) != len(scene.bodies):
            raise ValueError(f"{len(given)} densities are given for {len(scene.bodies)} bodies")
        return given

    def viscosities(self, table: dict[str, Any]) -> tuple[tuple[float, ...]]:
        """[Pa s]"""
        self.settings = replace(self.settings, viscosities=numbers(table["values"], "values"))
        return (self.settings.viscosities,)

    def tensions(self, table: dict[str, Any]) -> tuple[tuple[float, ...]]:
        """[N/m]"""
        self.settings = replace(self.settings, tensions=numbers(table["values"], "values"))
        return (self.settings.tensions,)

    def color(self, table: dict[str, Any]) -> tuple[int, tuple[float, ...]]:
        """A phase that exists, and its colour."""
        phase, color = at_least(0, table["phase"], "phase"), scene_reader.numbers(table["color"], 3, "color")
        if phase >= len(self.settings.densities):
            raise ValueError(f"phase {phase} does not exist: there are {len(self.settings.densities)}")
        if not all(0 <= part <= 1 for part in color):
            raise ValueError("key 'color' must hold numbers from 0 to 1")
        return phase, color

    def stroke(self, table: dict[str, Any]) -> tuple[Stroke]:
        """A stroke whose phase exists."""
        made = Stroke(
            text(table["tool"], "tool"),
            number(table["x0"], "x0"),
            number(table["y0"], "y0"),
            number(table["x1"], "x1"),
            number(table["y1"], "y1"),
            number(table["radius"], "radius"),
            integer(table["phase"], "phase"),
        )
        replace(self.settings, strokes=(made,))
        return (made,)

    def scene(self, table: dict[str, Any]) -> tuple[Scene, Grid]:
        """A scene from its source and the grid that it ran on."""
        table = checked(table, {"name", "source", "grid"}, {"name", "source", "grid"}, "a scene")
        scene = scene_reader.parse(text(table["name"], "name"), text(table["source"], "source"))
        rows, columns = scene_reader.numbers(table["grid"], 2, "grid")
        return scene, Grid(int(rows), int(columns), scene.height)

    def size(self, table: dict[str, Any]) -> tuple[tuple[int, int]]:
        """Rows and columns."""
        rows, columns = scene_reader.numbers(table["grid"], 2, "grid")
        return (Grid(int(rows), int(columns)).shape,)

    def next_scene(self, table: dict[str, Any]) -> tuple[Scene, tuple[int, int]]:
        """As `scene`; lines that follow are about it."""
        scene, grid = self.scene(table)
        self.settings = settings_of(scene)
        return scene, grid.shape

    def state_file(self, table: dict[str, Any]) -> tuple[Path]:
        """A state file as it was, at its place or beside the log."""
        table = checked(table, {"file", "sha256"}, {"file", "sha256"}, "a state")
        place = Path(text(table["file"], "file"))
        try:
            for path in (place, self.path.parent / place.name):
                if path.is_file():
                    if digest(path) != table["sha256"]:
                        raise ValueError(f"state file {str(path)!r} has changed since the logged run continued from it")
                    return (path,)
        except OSError as error:
            raise ValueError(f"state file {str(place)!r} cannot be read: {error.strerror or error}") from None
        raise ValueError(f"state file {str(place)!r} is missing: put it there or beside the log")

    def next_state(self, table: dict[str, Any]) -> tuple[Path]:
        """As `state_file`; lines that follow are about its scene."""
        (path,) = self.state_file(table)
        self.settings = settings_of(state_file.load(path).scene)
        return (path,)

    def moment(self, table: dict[str, Any]) -> tuple[int]:
        """The number of an output frame that has been made."""
        number = at_least(0, table["to"], "to")
        if number > self.frame:
            raise ValueError(f"key 'to' goes back to frame {number}, but only {self.frame} were made by then")
        return (number,)

    def change_of_choice(self, table: dict[str, Any]) -> tuple[int, Choice]:
        """The number of a pressure solve in its frame and what it uses."""
        return at_least(0, table["solve"], "solve"), self.choice(table)

    def choice(self, table: dict[str, Any]) -> Choice:
        """A preconditioner that is known, and a tolerance."""
        name, tol = text(table["precond"], "precond"), number(table["tol"], "tol")
        if name not in precond.names():
            raise ValueError(f"preconditioner {name!r} is unknown: choose one of {', '.join(precond.names())}")
        if not 0 < tol < 1:
            raise ValueError(f"key 'tol' must lie between 0 and 1, not {tol}")
        return Choice(name, tol)

    def all_settings(self, table: dict[str, Any], scene: Scene) -> Controls:
        """Settings of every kind, which must fit the scene."""
        kinds = {"gravity", "densities", "viscosities", "tensions"}
        table = checked(table, kinds | {"body_densities"}, kinds, "'settings'")
        bodies = self.checked_bodies(table.get("body_densities", []), scene)
        densities, viscosities, tensions = (
            numbers(table[key], key) for key in ("densities", "viscosities", "tensions")
        )
        if len(densities) != len(scene.phases):
            raise ValueError(f"{len(densities)} densities are given for {len(scene.phases)} phases")
        return Controls(number(table["gravity"], "gravity"), densities, (), viscosities, tensions, bodies)


STROKE_KEYS = tuple(f.name for f in fields(Stroke))
COMMANDS: dict[str, tuple[Callable[..., None], tuple[str, ...], Callable[..., tuple[Any, ...]]]] = {
    "gravity": (Session.set_gravity, ("value",), LogReader.gravity),
    "densities": (Session.set_densities, ("values",), LogReader.densities),
    "body-densities": (Session.set_body_densities, ("values",), LogReader.body_densities),
    "viscosities": (Session.set_viscosities, ("values",), LogReader.viscosities),
    "tensions": (Session.set_tensions, ("values",), LogReader.tensions),
    "color": (Session.set_color, ("phase", "color"), LogReader.color),
    "stroke": (Session.stroke, STROKE_KEYS, LogReader.stroke),
    "let-go": (Session.let_go, (), LogReader.nothing),
    "undo": (Session.undo, (), LogReader.nothing),
    "redo": (Session.redo, (), LogReader.nothing),
    "grid": (Session.set_grid, ("grid",), LogReader.size),
    "discard": (Session.discard, (), LogReader.nothing),
    "reset": (Session.reset, (), LogReader.nothing),
    "scene": (Session.set_scene, ("name", "source", "grid"), LogReader.next_scene),
    "load": (Session.load, ("file", "sha256"), LogReader.next_state),
    "rewind": (Session.rewind, ("to",), LogReader.moment),
    "choose": (Session.choose, ("solve", "precond", "tol"), LogReader.change_of_choice),
}
"""By the name of an input: what is called, the keys of its line, and how they become arguments."""


def settings_of(scene: Scene) -> Controls:
    """Settings for the phases and bodies of the scene."""
    bodies = tuple(body.density for body in scene.bodies)
    return Controls(scene.gravity, tuple(phase.density for phase in scene.phases), body_densities=bodies)


def checked_table(value: Any, owner: str) -> dict[str, Any]:
    """The value, if it is a table."""
    if not isinstance(value, dict):
        raise ValueError(f"{owner} must be a table, not {value!r}")
    return value


def numbers(value: Any, key: str) -> tuple[float, ...]:
    """A list of finite numbers."""
    if not isinstance(value, list) or len(value) > NUMBERS_MAX:
        raise ValueError(f"key '{key}' must be a list of at most {NUMBERS_MAX} numbers")
    return scene_reader.numbers(value, len(value), key)


def at_least(smallest: int, value: Any, key: str) -> int:
    """A whole number, `smallest` or larger."""
    if integer(value, key) < smallest:
        raise ValueError(f"key '{key}' must be at least {smallest}, not {value}")
    return int(value)
