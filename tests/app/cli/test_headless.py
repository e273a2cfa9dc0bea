"""Runs without a window: the numbers, the state, the switching of preconditioners, the video."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from app.__main__ import main
from app.cli import headless, outputs
from app.cli.options import DEFAULT_PRECOND, options
from app.session import state_file
from app.session.session import FRAME_DT, Session
from app.solving.choice import Choice
from app.solving.switchable_solver import Cancelled, SwitchableSolver
from precond.io import recorded_systems, weights
from sim.frame import Stroke
from sim.scenes.reader import load

ROOT = Path(__file__).resolve().parents[3]
GRID = (32, 32)
KEYS = {
    "frames", "fps_mean", "precond", "iterations_mean", "failures", "fallbacks", "solve_ms_mean", "step_ms_mean",
    "divergence_max", "phase_volume_drift", "residual_max", "panes",
}  # fmt: skip


def session(scene="dam-break", precond="multigrid", tol=1e-6, **more):
    return Session(load(scene), GRID, SwitchableSolver(Choice(precond, tol)), device="cpu", **more)


def test_json_has_the_documented_keys_and_sane_numbers(tmp_path, capsys):
    out = tmp_path / "run.json"
    assert (
        main(
            ["--headless", "--grid", "32x32", "--frames", "7", "--precond", "jacobi,multigrid,dilu", "--json", str(out)]
        )
        == 0
    )
    numbers = json.loads(out.read_text())
    assert set(numbers) >= KEYS
    assert numbers["frames"] == 7
    assert numbers["precond"] == "jacobi,multigrid,dilu"
    assert [(pane["precond"], pane["frames"]) for pane in numbers["panes"]] == [
        ("jacobi", 3),
        ("multigrid", 2),
        ("dilu", 2),
    ]
    assert numbers["failures"] == numbers["fallbacks"] == 0
    assert 0 < numbers["residual_max"] <= 1e-6
    assert numbers["phase_volume_drift"] <= 1e-4
    assert numbers["fractions_min"] >= -1e-9
    assert numbers["fractions_max"] <= 1 + 1e-9
    assert abs(numbers["time"] - 7 / 60) < 1e-9
    assert all(
        math.isfinite(numbers[key]) and numbers[key] > 0
        for key in ("fps_mean", "solve_ms_mean", "step_ms_mean", "speed_max")
    )
    solves = sum(pane["solves"] for pane in numbers["panes"])
    assert solves == numbers["solves"] >= 7
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("jacobi", "multigrid", "dilu", "iterations"))
    assert sorted(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("method", ["multigrid", "htp", "hierarchy", "spai"])
def test_a_saved_state_continues_bit_for_bit(method, tmp_path):
    file = tmp_path / "state.npz"
    first = session(precond=method)
    for _ in range(4):
        first.step()
    first.save(file)
    expected = first.step()
    if method in ("htp", "spai"):
        ages = [int(array) for name, array in state_file.load(file).arrays.items() if name == f"solver/{method}/age"]
        assert len(ages) == 1, "what the network said is not in the file"
        assert ages[0] > 0
    saved = state_file.load(file)
    assert saved.scene == load("dam-break")
    assert saved.grid.shape == GRID
    again = Session(saved.scene, saved.grid.shape, SwitchableSolver(Choice(method, 1e-6)), device="cpu", saved=saved)
    continued = again.step()
    assert continued.time == expected.time
    for name in ("fractions", "u", "v", "pressure"):
        assert np.array_equal(getattr(continued, name), getattr(expected, name)), name


def test_the_state_options_round_trip(tmp_path, capsys):
    file, out = tmp_path / "state.npz", tmp_path / "run.json"
    assert (
        main(["--headless", "--grid", "32x32", "--scene", "rising-bubble", "--frames", "2", "--save-state", str(file)])
        == 0
    )
    assert main(["--headless", "--state", str(file), "--frames", "3", "--json", str(out)]) == 0
    numbers = json.loads(out.read_text())
    assert (numbers["scene"], numbers["grid"]) == ("rising-bubble", [32, 32])
    assert abs(numbers["time"] - 5 / 60) < 1e-9
    capsys.readouterr()
    assert main(["--headless", "--state", str(file), "--scene", "dam-break"]) == 2
    assert "rising-bubble" in capsys.readouterr().err


def test_a_state_goes_on_with_what_it_was_solved_with_unless_told_otherwise(tmp_path):
    half, whole, parts, other = (tmp_path / f"{name}.npz" for name in ("half", "whole", "parts", "other"))
    run = ["--headless", "--grid", "32x32", "--precond", "multigrid", "--tol", "1e-9", "--save-state"]
    assert main([*run, str(half), "--frames", "2"]) == 0
    assert main([*run, str(whole), "--frames", "4"]) == 0
    assert main(["--headless", "--state", str(half), "--frames", "2", "--save-state", str(parts)]) == 0
    expected, found = state_file.load(whole), state_file.load(parts)
    assert found.choice == expected.choice == Choice("multigrid", 1e-9)
    for name in ("F", "u", "v", "p"):
        np.testing.assert_array_equal(found.arrays[name], expected.arrays[name], name)
    more = ["--precond", "jacobi", "--frames", "1", "--save-state", str(other)]
    assert main(["--headless", "--state", str(half), *more]) == 0
    assert state_file.load(other).choice == Choice("jacobi", 1e-9)


@pytest.mark.parametrize(
    "said",
    ["", "7", "[]", '{"precond": "jacobi"}', '{"precond": "jacobi", "tol": -1}'],
)
def test_a_state_that_does_not_say_what_it_was_solved_with_takes_the_defaults(tmp_path, said):
    file = tmp_path / "state.npz"
    session().save(file)
    arrays = {**state_file.load(file).arrays, "choice": np.array(said)}
    np.savez(file, **({key: value for key, value in arrays.items() if key != "choice"} if not said else arrays))
    assert state_file.load(file).choice is None
    assert options(["--headless", "--state", str(file)]).preconds == (DEFAULT_PRECOND,)


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("no-such", [], "not known"),
        ("amgx-amg", [], "cannot be used here"),
        ("dilu", ["--weights", "random:1"], "--weights"),
    ],
)
def test_a_state_of_a_method_that_cannot_go_on_keeps_its_tolerance_and_says_so(tmp_path, capsys, name, more, why):
    file = tmp_path / "state.npz"
    state_file.save(file, session().simulation.state(), Choice(name, 1e-9))
    found = options(["--headless", "--state", str(file), *more])
    assert (found.preconds, found.tol) == ((DEFAULT_PRECOND,), 1e-9)
    said = capsys.readouterr().out
    assert said.startswith(f"note: {file} was saved with {name!r}")
    assert why in said
    assert options(["--headless", "--state", str(file), "--precond", "jacobi"]).preconds == ("jacobi",)
    assert not capsys.readouterr().out


SAVES = """
import sys
from pathlib import Path
import numpy as np
from app.session import state_file
from app.solving.choice import Choice
state_file.save(Path(sys.argv[1]), {"field": np.random.default_rng(0).random(20_000_000)}, Choice("jacobi", 1e-6))
"""


def test_a_process_killed_while_it_saves_leaves_the_older_state(tmp_path):
    file = tmp_path / "state-1.npz"
    file.write_bytes(b"older state")
    process = subprocess.Popen([sys.executable, "-c", SAVES, str(file)], cwd=ROOT)
    end = time.monotonic() + 120
    while not any(path.stat().st_size for path in tmp_path.iterdir() if path != file):
        assert process.poll() is None, "it was saved before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert len(list(tmp_path.iterdir())) == 2, "it was killed after it had saved"
    assert file.read_bytes() == b"older state"
    assert list(tmp_path.glob("state-*.npz")) == [file], "half a state can be taken for a whole one"


def test_a_state_with_nan_is_one_sentence(tmp_path, capsys):
    file = tmp_path / "state.npz"
    running = session()
    arrays = running.simulation.state()
    arrays["u"][5, 5] = np.nan
    state_file.save(file, arrays, running.solve.choice)
    assert main(["--headless", "--state", str(file), "--frames", "2"]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "NaN" in error
    assert "Traceback" not in error


def test_a_velocity_gone_nan_ends_the_run_with_one_sentence(tmp_path, monkeypatch, capsys):
    opened = headless.open_session

    def broken(options):
        made = opened(options)
        made.simulation.u[3, 3] = float("nan")
        return made

    monkeypatch.setattr(headless, "open_session", broken)
    out = tmp_path / "run.json"
    out.write_text("precious")
    assert main(["--headless", "--grid", "32x32", "--frames", "2", "--json", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "not finite" in error
    assert out.read_text() == "precious"


def test_switching_keeps_the_fluid_and_takes_effect_at_the_next_solve():
    running = session(precond="jacobi")
    first = running.step()
    assert {s.preconditioner_used for s in first.stats.solutions} == {"jacobi"}
    running.solve.choice = Choice("multigrid", 1e-6)
    second = running.step()
    assert {s.preconditioner_used for s in second.stats.solutions} == {"multigrid"}
    assert abs(second.time - first.time - FRAME_DT) < 1e-12
    assert sum(s.iterations for s in second.stats.solutions) < sum(s.iterations for s in first.stats.solutions)


def test_a_preconditioner_that_cannot_be_built_gives_way_to_the_last_one():
    running = session(precond="jacobi")
    running.step()
    running.solve.choice = Choice("magic", 1e-6)
    frame = running.step()
    assert {s.preconditioner_used for s in frame.stats.solutions} == {"jacobi"}
    assert "magic" in running.solve.failure
    assert running.solve.choice.precond == "jacobi"


def test_settings_and_strokes_reach_the_fluid_and_reset_keeps_settings():
    running = session()
    before = running.step().stats.volumes[0]
    running.set_gravity(0.5)
    running.set_densities((1000.0, 2.0))
    running.stroke(Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, 0))
    frame = running.step()
    assert frame.stats.volumes[0] > before
    assert frame.density.min() < 3
    shown = running.snapshot()
    assert (shown.settings.gravity, shown.settings.densities) == (0.5, (1000.0, 2.0))
    running.reset()
    assert running.last.time == 0
    assert (running.settings.gravity, running.settings.densities) == (0.5, (1000.0, 2.0))


@pytest.fixture
def without_weights(monkeypatch, tmp_path):
    """As if no weights had come with the program."""
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(weights, "models_dir", lambda: tmp_path / "models")


def test_without_weights_another_method_stands_in_and_says_so(without_weights, tmp_path, capsys):
    out = tmp_path / "run.json"
    argv = ["--headless", "--grid", "32x32", "--frames", "2", "--precond", "htp,jacobi", "--json", str(out)]
    assert main(argv) == 0
    numbers = json.loads(out.read_text())
    htp, jacobi = numbers["panes"]
    assert (htp["precond"], jacobi["precond"]) == ("htp", "jacobi")
    assert "'hierarchy' stands in for 'htp'" in htp["notice"]
    assert "notice" not in jacobi
    assert numbers["notice"] == htp["notice"]
    assert htp["fallbacks"] == htp["failures"] == 0
    assert capsys.readouterr().out.count("note: 'hierarchy' stands in for 'htp'") == 1


def test_given_weights_need_no_stand_in(without_weights, tmp_path, capsys):
    out = tmp_path / "run.json"
    argv = ["--headless", "--grid", "32x32", "--frames", "1", "--weights", "random:1", "--json", str(out)]
    assert main(argv) == 0
    numbers = json.loads(out.read_text())
    assert numbers["precond"] == "htp"
    assert "notice" not in numbers
    assert numbers["inference_ms_mean"] >= 0
    assert "note:" not in capsys.readouterr().out


def test_a_snapshot_tells_who_acts(without_weights):
    running = session(precond="htp")
    running.step()
    assert running.solve.notice
    assert (running.snapshot().choice.precond, running.snapshot().effective_method) == ("htp", "hierarchy")
    assert running.solve.why_unavailable("htp")
    assert running.solve.why_unavailable("hierarchy") is None
    assert SwitchableSolver(Choice("htp", 1e-6), weights="random:1").why_unavailable("htp") is None


def test_a_picked_tile_shows_the_functions_of_the_last_solve():
    running = session(precond="hierarchy")
    dx = running.simulation.grid.dx
    running.pick_tile(9.5 * dx, 30.5 * dx)
    before = running.snapshot().tile
    assert (before.row, before.column, before.functions) == (24, 8, None)
    running.step()
    functions = running.snapshot().tile.functions
    assert functions.shape == (8, 8, 8)
    assert np.ptp(functions[0]) < 1e-4
    running.solve.choice = Choice("jacobi", 1e-6)
    running.step()
    assert running.snapshot().tile.functions is None
    running.pick_tile(1e9, -1.0)  # outside: the nearest
    assert (running.snapshot().tile.row, running.snapshot().tile.column) == (0, 24)
    running.reset()
    assert running.snapshot().tile is None


def test_a_cancelled_solve_stops_within_the_frame():
    running = session()
    running.solve.cancelled.set()
    with pytest.raises(Cancelled):
        running.step()


@pytest.fixture
def dumped(tmp_path):
    """Runs two frames of a small dam break with --dump-systems and returns (exit code, folder)."""

    def call(*more: str) -> tuple[int, Path]:
        folder = tmp_path / "systems"
        return main(["--headless", "--grid", "32x32", "--frames", "2", "--dump-systems", str(folder), *more]), folder

    return call


def test_dumped_systems_are_those_that_were_solved(dumped, monkeypatch, capsys):
    seen = []
    solve = SwitchableSolver.__call__

    def spy(self, system, b, x0):
        seen.append((system.beta_x.clone(), system.beta_y.clone(), b.clone()))
        return solve(self, system, b, x0)

    monkeypatch.setattr(SwitchableSolver, "__call__", spy)
    code, folder = dumped("--tol", "1e-7")
    files = recorded_systems.sequence(folder)
    assert (code, len(files)) == (0, len(seen))
    assert f"wrote {len(files)} systems to {folder}" in capsys.readouterr().out
    for file, expected in zip(files, seen):
        system, b = recorded_systems.read(file)
        assert all(map(torch.equal, (system.beta_x, system.beta_y, b), expected))
    about = recorded_systems.about(folder)
    assert (about["scene"], about["grid"], about["tol"]) == ("dam-break", [32, 32], 1e-7)
    assert (about["solves"], about["precond"]) == (len(files), "htp")
    assert "--dump-systems" in about["command"]
    assert sum(about["dt"]) == pytest.approx(2 / 60, rel=1e-12)
    assert sorted(set(about["frame"])) == [0, 1]


def test_every_third_system_is_dumped(dumped, tmp_path):
    code, thinned = dumped("--frames", "7", "--dump-every", "3")
    folder = tmp_path / "whole"
    assert code == main(["--headless", "--grid", "32x32", "--frames", "7", "--dump-systems", str(folder)]) == 0
    expected = [recorded_systems.read(file)[1] for file in recorded_systems.sequence(folder)[::3]]
    got = [recorded_systems.read(file)[1] for file in recorded_systems.sequence(thinned)]
    assert len(got) == len(expected) > 1
    assert all(map(torch.equal, got, expected))


def test_dumping_changes_nothing_in_the_run(dumped, tmp_path):
    plain, with_dump = tmp_path / "plain.npz", tmp_path / "with-dump.npz"
    assert main(["--headless", "--grid", "32x32", "--frames", "2", "--save-state", str(plain)]) == 0
    assert dumped("--save-state", str(with_dump))[0] == 0
    one, two = state_file.load(plain), state_file.load(with_dump)
    for name in "Fuvp":
        assert np.array_equal(one.arrays[name], two.arrays[name]), name


def test_a_full_disk_ends_the_dump_with_one_sentence_and_a_whole_sequence(dumped, monkeypatch, capsys):
    write = np.savez_compressed

    def full(file, **arrays):
        if len(list(Path(file.name).parent.glob("*.npz"))) > 1:  # the temporary file is one of them
            file.write(b"half")
            raise OSError(28, "No space left on device")
        write(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", full)
    code, folder = dumped()
    error = capsys.readouterr().err
    assert code == 1
    assert error.count("\n") == 1
    assert "No space left" in error
    assert str(folder) in error
    assert [path.name for path in sorted(folder.iterdir())] == ["000000.npz", "sequence.json"]
    assert recorded_systems.read(*recorded_systems.sequence(folder))[0].shape == (32, 32)
    assert recorded_systems.about(folder)["solves"] == 1


def test_shares_are_equal_and_complete():
    assert outputs.shares(["a", "b", "c"], 8) == [("a", 3), ("b", 3), ("c", 2)]


def test_what_was_done_before_ctrl_c_is_written(tmp_path, capsys, monkeypatch):
    """Half a run is said to be one: by its exit code and by its number of frames."""
    numbers, state = tmp_path / "numbers.json", tmp_path / "state.npz"
    step, made = Session.step, []

    def interrupted(self):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(step(self))
        return made[-1]

    monkeypatch.setattr(Session, "step", interrupted)
    command = ["--headless", "--grid", "24x32", "--precond", "jacobi", "--frames", "1000"]
    assert main([*command, "--json", str(numbers), "--save-state", str(state)]) == 130
    assert "interrupted after 3 frames" in capsys.readouterr().err
    assert json.loads(numbers.read_text())["frames"] == 3
    assert state_file.load(state).grid.shape == (24, 32)


@pytest.mark.parametrize("signals", ["SIGINT", "SIGTERM"])
def test_ctrl_c_while_modules_are_imported_is_a_sentence(signals):
    program = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "app", "--headless", "--frames", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stderr is not None
    for line in program.stderr:
        if line.rstrip().endswith(("app.cli", "precond.system", "sim.scenes.scene", "torch")):
            break
    program.send_signal(getattr(signal, signals))
    _, errors = program.communicate(timeout=120)
    assert program.returncode in (130, -signal.SIGTERM)
    assert "Traceback" not in errors
