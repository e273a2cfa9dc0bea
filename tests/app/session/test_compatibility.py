"""Files that the program wrote at commit 559d087, before its files were moved, are read as they were meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from app.session import input_log_reader, state_file
from app.session.input_log_reader import COMMANDS
from app.session.replay import Replay
from app.session.session import FRAME_DT, Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.ui import settings
from app.ui.settings import Settings
from sim.scenes.reader import load

FOLDER = Path(__file__).resolve().parents[2] / "data" / "559d087"


@pytest.mark.parametrize("method", ["multigrid", "htp"])
def test_a_state_loads_and_continues(method: str) -> None:
    saved = state_file.load(FOLDER / "state.npz")
    assert (saved.scene.name, saved.grid.shape, saved.choice) == ("three-liquids", (24, 32), Choice("multigrid", 1e-5))
    assert "solver/htp/network" in saved.arrays
    solve = SwitchableSolver(Choice(method, 1e-5), "cpu")
    running = Session(saved.scene, None, solve, device="cpu", saved=saved)
    assert running.last.time == pytest.approx(5 * FRAME_DT)
    for name in ("F", "u", "v", "p", "solid"):
        assert np.array_equal(getattr(running.simulation, name).numpy(), saved.arrays[name]), name
    assert running.settings.viscosities == (200.0, 0.1, 10.0, 0.0)
    assert running.settings.tensions == (0.0, 30.0, 0.0, 30.0, 0.0, 0.0)
    frame = running.step()
    assert frame.time == pytest.approx(6 * FRAME_DT)
    assert {solution.preconditioner_used for solution in frame.stats.solutions} == {method}
    assert all(solution.residual <= 1e-5 for solution in frame.stats.solutions)
    assert frame.stats.volume_drift < 1e-6


def replayed(found: Replay) -> Session:
    """The run that a log describes, made again."""
    start = found.start
    solve = SwitchableSolver(start.choice, start.device, start.weights)
    running = Session(start.scene, start.grid.shape, solve, device=start.device, seed=start.seed, replay=found)
    while running.replaying:
        running.step()
    return running


@pytest.mark.parametrize(("name", "frames"), [("run", 5), ("inputs", 6)])
def test_logs_replay_to_their_end(name: str, frames: int) -> None:
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    found = input_log_reader.load(FOLDER / f"{name}.jsonl")
    running = replayed(found)
    assert running.frames == found.frames == frames == lines[-1]["frame"]
    assert running.last.time == pytest.approx(lines[-1]["time"])
    assert running.solve.choice.precond == "multigrid", "a choice in the log was not made"
    assert found.compared == 1, "the check sum at the end was not looked at"


def test_the_log_of_inputs_holds_what_users_do_and_all_of_it_counts() -> None:
    lines = [json.loads(line) for line in (FOLDER / "inputs.jsonl").read_text().splitlines()]
    said = {line["do"] for line in lines[1:-1]}
    assert said <= set(COMMANDS)
    assert len(said) >= 9
    running = replayed(input_log_reader.load(FOLDER / "inputs.jsonl"))
    assert running.simulation.grid.shape == (24, 40)
    assert (running.settings.gravity, running.settings.viscosities) == (-5.0, (0.1, 0.0))
    assert running.settings.tensions == (0.5,)
    assert running.last.solid.any(), "the wall that was drawn at time zero is not there"
    assert running.snapshot().gestures == (2, 0)


def test_a_log_replays_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--headless", "--replay", str(FOLDER / "run.jsonl")]) == 0
    assert "three-liquids, 24x32 cells" in capsys.readouterr().out


def test_a_scene_reads_as_it_was_drawn() -> None:
    scene = load(FOLDER / "scene.toml")
    assert (scene.grid, scene.height, scene.gravity, scene.open_top) == ((24, 32), 10.0, 9.81, False)
    assert [(phase.name, phase.density, phase.viscosity) for phase in scene.phases] == [
        ("water", 1000.0, 0.0),
        ("gas", 10.0, 0.0),
    ]
    assert [(shape.kind, shape.phase) for shape in scene.shapes] == [("box", "water"), ("stroke", "water")]
    assert scene.shapes[1].radius == 0.06
    assert [(shape.kind, shape.radius, shape.erase) for shape in scene.solids] == [("stroke", 0.04, False)]
    running = Session(scene, None, SwitchableSolver(Choice("multigrid", 1e-6), "cpu"), device="cpu")
    assert running.step().stats.volume_drift < 1e-6
    assert running.last.solid.any()


def test_settings_read_as_they_were_written() -> None:
    found = settings.load(FOLDER / "settings.json")
    assert found == (
        Settings(closed=("Files", "Notices"), rows=48, tol=1e-4, view="speed", tool="pour", radius=0.1),
        "",
    )
