"""A simulation as plain arrays and back, such that the continued run equals the uninterrupted one bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sim.frame import Controls, settings_table
from sim.grid import Grid
from sim.scenes.reader import parse
from sim.scenes.scene import Scene

VERSION = 3
FIELDS = ("F", "u", "v", "p", "solid", "viscous", "responses")
BODIES_ONLY = "responses"  # where there are bodies: how the pressure answers to their motion


@dataclass(frozen=True)
class Numbers:
    """What a continued run needs besides its scene and its fields."""

    time: float  # [s]
    steps: int
    seed: int
    ahead: float  # of the velocity before the positions [s]
    ledger: list[float]  # volume of every phase that came from outside [m^2]
    volumes_at_start: list[float]  # [m^2]
    controls: Controls  # without strokes
    motion: list[list[float]]  # of every body: x, y [m], angle [rad], u, v [m/s], spin [rad/s]


def to_arrays(scene: Scene, grid: Grid, fields: Mapping[str, torch.Tensor], numbers: Numbers) -> dict[str, np.ndarray]:
    """The fields, the scene's toml and every number, as arrays that np.load reads without pickle."""
    about = {
        "version": VERSION,
        "scene": scene.name,
        "grid": grid.shape,
        "seed": numbers.seed,
        "time": numbers.time,
        "steps": numbers.steps,
        "ahead": numbers.ahead,
        "ledger": numbers.ledger,
        "volumes_at_start": numbers.volumes_at_start,
        "controls": {**settings_table(numbers.controls), "strokes": []},
        **({"motion": numbers.motion} if numbers.motion else {}),
    }
    copies = {name: field.cpu().numpy().copy() for name, field in fields.items()}
    return {**copies, "about": np.array(json.dumps(about)), "scene": np.array(scene.source)}


def scene_of(state: Mapping[str, np.ndarray]) -> tuple[Scene, Grid, int]:
    """Scene, grid and seed of a state. Raises ValueError with one sentence."""
    about = read_about(state)
    try:
        ny, nx = map(int, about["grid"])
        return parse(str(about["scene"]), str(state["scene"])), Grid(ny, nx), int(about["seed"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"state lacks or garbles its scene ({error})") from None


def from_arrays(
    state: Mapping[str, np.ndarray], phases: int, shapes: Mapping[str, torch.Size], bodies: int = 0
) -> tuple[dict[str, torch.Tensor], Numbers]:
    """Fields of these shapes and the numbers of a state, every part checked. Raises ValueError with one sentence."""
    about = read_about(state)
    if bodies and BODIES_ONLY not in state:
        raise ValueError(f"state lacks the field {BODIES_ONLY!r} of a scene with bodies")
    fields = {name: checked_field(name, state[name], shape) for name, shape in shapes.items()}
    nested = fields["F"]
    if nested.min() < -1e-9 or nested.max() > 1 + 1e-9 or (nested.diff(dim=0) < -1e-9).any():
        raise ValueError("state field 'F' holds fractions that are not nested in [0, 1]")
    try:
        given = about["controls"]
        densities, viscosities, tensions = (
            tuple(map(float, given[key])) for key in ("densities", "viscosities", "tensions")
        )
        body_densities = tuple(map(float, given.get("body_densities", ())))  # older states have none
        controls = Controls(float(given["gravity"]), densities, (), viscosities, tensions, body_densities)
        motion = [[float(x) for x in row] for row in about.get("motion", [])]
        instant = float(about["time"]), int(about["steps"]), int(about["seed"])
        ahead = float(about.get("ahead", 0.0))  # older states have none
        ledger, volumes = [float(x) for x in about["ledger"]], [float(x) for x in about["volumes_at_start"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"state lacks or garbles its settings ({error})") from None
    if not np.isfinite([*instant, ahead, *ledger, *volumes]).all() or min(instant) < 0:
        raise ValueError(f"state holds times or volumes that cannot be: {instant}, {ledger}, {volumes}")
    if len(motion) != bodies or len(body_densities) not in (0, bodies) or any(len(row) != 6 for row in motion):
        raise ValueError(f"state holds {len(motion)} bodies, the scene {bodies}")
    if not np.isfinite(motion).all():
        raise ValueError("state holds bodies whose motion is not finite")
    if {len(ledger), len(volumes), len(controls.densities)} != {phases}:
        raise ValueError(f"state holds {len(controls.densities)} phases, the scene {phases}")
    return fields, Numbers(*instant, ahead, ledger, volumes, controls, motion)


def checked_field(name: str, given: np.ndarray, shape: torch.Size) -> torch.Tensor:
    """A field of the right kind and shape without NaN."""
    given = np.asarray(given)
    if given.dtype.kind != ("b" if name == "solid" else "f") or tuple(given.shape) != tuple(shape):
        raise ValueError(f"state field {name!r} is {given.dtype} {given.shape}, this grid needs {tuple(shape)}")
    if not np.isfinite(given).all():
        raise ValueError(f"state field {name!r} holds NaN or infinity")
    return torch.from_numpy(np.ascontiguousarray(given))


def read_about(state: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The settings text of a state, once it is one of ours and of this version."""
    missing = [name for name in (*FIELDS, "about", "scene") if name not in state and name != BODIES_ONLY]
    if missing:
        raise ValueError(f"state lacks the field {missing[0]!r}: it was not written by this program")
    try:
        about = json.loads(str(state["about"]))
    except json.JSONDecodeError:
        raise ValueError("state field 'about' is not readable: the file was not written by this program") from None
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise ValueError(f"state has version {version}, this program reads version {VERSION}")
    return about
