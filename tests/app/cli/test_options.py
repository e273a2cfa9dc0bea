"""Every refusal is one line that holds the offending value, with an exit code, and touches no file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from app.cli.options import options
from precond.io import weights

ROOT = Path(__file__).resolve().parents[3]
SCENE = (ROOT / "assets" / "scenes" / "dam-break.toml").read_text()


@pytest.fixture
def refused(capsys):
    """Calls main and returns its one line on stderr."""

    def call(*argv: str, code: int = 2) -> str:
        assert main([*argv]) == code
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("estuary: ")
        assert "Traceback" not in captured.err
        assert captured.out == ""
        return captured.err

    return call


@pytest.mark.parametrize(
    ("argv", "offending"),
    [
        (["--scene", "atlantis"], "atlantis"),
        (["--scene", "/nowhere/scene.toml"], "/nowhere/scene.toml"),
        (["--precond", "magic"], "magic"),
        (["--precond", "jacobi,magic"], "magic"),
        (["--precond", ""], "''"),
        (["--device", "abacus"], "abacus"),
        (["--flux-capacitor"], "--flux-capacitor"),
        (["--head"], "--head"),
        (["--grid", "0x0"], "0x0"),
        (["--grid", "7x3"], "7x3"),
        (["--grid", "100000x100000"], "100000x100000"),
        (["--grid", "wide"], "wide"),
        (["--grid"], "--grid"),
        (["--tol", "0"], "0"),
        (["--tol", "-1e-6"], "-1e-6"),
        (["--tol", "nan"], "nan"),
        (["--tol", "1e-300"], "1e-300"),
        (["--tol", "2"], "2"),
        (["--scene", ""], "''"),
        (["--weights", "random:1", "--precond", "jacobi"], "random:1"),
        (["--threads", "1000000"], "1000000"),
        (["--record", "a" * 250 + ".mp4"], "too long"),
        (["--json", "a" * 250], "too long"),
        (["--tol", "tight"], "tight"),
        (["--frames", "0"], "0"),
        (["--frames", "-3"], "-3"),
        (["--frames", "1.5"], "1.5"),
        (["--frames", "1", "--precond", "jacobi,dilu"], "jacobi,dilu"),
        (["--threads", "0"], "0"),
        (["--seed", "-1"], "-1"),
        (["--weights", "/nowhere/weights.safetensors"], "/nowhere/weights.safetensors"),
        (["--state", "/nowhere/state.npz"], "/nowhere/state.npz"),
        (["--record", "/nowhere/film.mp4"], "/nowhere/film.mp4"),
        (["--record", "film.avi"], "film.avi"),
        (["--record", "/nowhere/film.webp"], "/nowhere/film.webp"),
        (["--record", "film.gif/"], "film.gif/"),
        (["--record", str(ROOT / "assets") + "/"], "not empty"),
        (["--record", str(ROOT / "README.md") + "/"], "not a folder"),
        (["--size", "640x480"], "--record"),
        (["--record", "film.mp4", "--size", "640"], "640"),
        (["--record", "film.mp4", "--size", "641x480"], "even"),
        (["--record", "film.mp4", "--size", "8x8"], "8x8"),
        (["--record", "film.mp4", "--size", "9000x9000"], "9000x9000"),
        (["--record", "film.mp4", "--size", "-640x480"], "-640x480"),
        (["--record", "film.mp4", "--supersample", "9"], "--supersample"),
        (["--record", "film.mp4", "--size", "8000x6000", "--supersample", "4"], "16384"),
        (["--record", "film.mp4", "--theme", "plaid"], "plaid"),
        (["--record", "film.mp4", "--transparent"], ".mp4"),
        (["--record", "film.gif", "--transparent"], ".gif"),
        (["--record", "film.webp", "--transparent", "--scene", "rayleigh-taylor"], "rayleigh-taylor"),
        (["--compare", "jacobi,dilu", "--record", "film.webp"], "film.webp"),
        (["--compare", "jacobi,dilu", "--record", "film.mp4", "--size", "640x480"], "--size"),
        (["--json", "/nowhere/numbers.json"], "/nowhere/numbers.json"),
        (["--json", "/"], "'/'"),
        (["--save-state", "state.zip"], "state.zip"),
        (["--dump-systems", ""], "''"),
        (["--dump-systems", "/nowhere/systems"], "/nowhere/systems"),
        (["--dump-systems", "a" * 250], "too long"),
        (["--dump-systems", str(ROOT / "README.md")], "README.md"),
        (["--dump-systems", str(ROOT / "assets")], "not empty"),
        (["--dump-systems", "new", "--json", "new"], "--json"),
        (["--dump-every", "3"], "--dump-systems"),
        (["--compare", "magic,jacobi"], "magic"),
        (["--compare", ""], "''"),
        (["--compare", "jacobi,dilu,jacobi"], "twice"),
        (["--compare", "none,jacobi,dilu,dct,multigrid"], "4 at most"),
        (["--race"], "--compare"),
        (["--compare", "jacobi,dilu", "--precond", "htp"], "--precond 'htp'"),
        (["--compare", "jacobi,dilu", "--log", "new.jsonl"], "new.jsonl"),
        (["--compare", "jacobi,dilu", "--save-state", "new.npz"], "new.npz"),
        (["--compare", "jacobi,dilu", "--dump-systems", "new"], "--dump-systems 'new'"),
        (["--compare", "jacobi,dilu", "--record", "film.mp4", "--json", "film.png"], "the picture beside --record"),
        (["--dump-systems", "new", "--dump-every", "0"], "--dump-every"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(refused, argv, offending):
    assert offending in refused("--headless", *argv)


@pytest.mark.parametrize(
    ("old", "new", "offending"),
    [
        ('title = "Dam break"\n', "", "title"),
        ("sentence", "sentense", "sentense"),
        ("density = 1000.0", "density = -5.0", "-5.0"),
        ("density = 10.0", "density = inf", "density"),
        ("[[shapes]]", "[[shapes", "scene.toml"),
        ('kind = "box"', 'kind = "torus"', "torus"),
    ],
)
def test_bad_scene_files_are_refused_in_one_line(refused, tmp_path, old, new, offending):
    assert old in SCENE
    file = tmp_path / "scene.toml"
    file.write_text(SCENE.replace(old, new, 1))
    assert offending in refused("--headless", "--scene", str(file))


def test_damaged_and_foreign_states_are_refused_in_one_line(refused, tmp_path):
    foreign, empty, truncated, text = (tmp_path / f"{name}.npz" for name in ("foreign", "empty", "truncated", "text"))
    np.savez(foreign, velocity=np.zeros(3))
    empty.touch()
    whole = foreign.read_bytes()
    truncated.write_bytes(whole[: len(whole) // 2])
    text.write_text("not a state")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, about=np.array([{"evil": 1}], dtype=object))
    for file in (foreign, empty, truncated, text, pickled, tmp_path):
        assert str(file) in refused("--headless", "--state", str(file))


def test_a_race_in_the_window_takes_no_replay(refused):
    assert "'run.jsonl'" in refused("--compare", "jacobi,dilu", "--race", "--replay", "run.jsonl")


def test_no_display_names_the_flag_that_helps(refused, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform.startswith("linux"):
        assert "--headless" in refused()


def test_cuda_without_cuda_is_one_sentence(refused):
    import torch

    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    assert "cuda" in refused("--headless", "--device", "cuda")


def test_a_list_of_preconditioners_needs_headless(refused, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":99")
    assert "--headless" in refused("--precond", "jacobi,dilu")


def test_recording_systems_needs_headless(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("DISPLAY", ":99")
    assert "--headless" in refused("--dump-systems", str(tmp_path / "systems"))
    assert not list(tmp_path.iterdir())


def test_no_other_output_goes_among_the_recorded_systems(refused, tmp_path):
    file = str(tmp_path / "sequence.json")
    assert "--json" in refused("--headless", "--dump-systems", str(tmp_path), "--json", file)


def test_one_file_cannot_be_two_outputs(refused, tmp_path):
    file = str(tmp_path / "a.npz")
    assert "a.npz" in refused("--headless", "--json", file, "--save-state", file)


def test_refusals_leave_existing_files_alone(refused, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    refused("--headless", "--record", str(film), "--precond", "magic")
    assert film.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [film]


def test_defaults_are_those_of_the_documentation():
    given = options(["--headless"])
    assert (given.scene.name, given.preconds, given.tol, given.device, given.frames) == (
        "dam-break",
        ("htp",),
        1e-6,
        "auto",
        240,
    )


def test_a_method_without_weights_is_refused_unless_another_stands_in_or_weights_are_given(
    refused, monkeypatch, tmp_path
):
    monkeypatch.setattr(weights, "models_dir", lambda: tmp_path)
    assert "htp-paper" in refused("--headless", "--precond", "htp-paper")
    for argv in (["--precond", "htp"], ["--precond", "htp-paper", "--weights", "random:1"]):
        assert options(["--headless", *argv]).preconds == (argv[1],)


def test_version_and_scenes_are_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("estuary ")
    assert main(["--list-scenes"]) == 0
    assert "rising-bubble" in capsys.readouterr().out


def test_the_module_runs_and_imports_neither_window_nor_taichi():
    code = (
        "import sys, app.__main__, app.cli.headless, app.cli.interactive\n"
        "import app.worker.worker, app.record.video, app.session.state_file\n"
        "bad = {'taichi', 'imgui_bundle', 'glfw', 'OpenGL'} & set(sys.modules)\n"
        "print(bad); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "app", "--scene", "atlantis"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "atlantis" in done.stderr


PROGRAMS = [
    ["app", "--list-scenes"],
    ["app", "--help"],
    ["app", "--headless", "--grid", "16x16", "--frames", "1"],
    ["precond.bench", "--help"],
    ["precond.bench", "--sizes", "256", "--frames", "1", "--methods", "jacobi"],
    ["sim.validate", "--help"],
    ["sim.timing", "--help"],
    ["precond.train", "--help"],
]


@pytest.mark.parametrize("program", PROGRAMS, ids=" ".join)
def test_a_pipe_that_closes_ends_a_program_without_a_traceback(program):
    """As `head -1` closes it; whatever had been written by then, and whatever was still to come."""
    process = subprocess.Popen(
        [sys.executable, "-m", *program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(100) in (0, 1)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["--record", "film.mp4"], None),
        (["--record", "film.mp4", "--size", "640x480"], ((640, 480), 1, False, "clean")),
        (["--record", "film.mp4", "--supersample"], ((1280, 720), 2, False, "clean")),
        (["--record", "film.webp", "--transparent", "--theme", "dark"], ((1280, 720), 1, True, "dark")),
        (["--record", "frames/", "--size", "641x333", "--supersample", "4"], ((641, 333), 4, False, "clean")),
        ([], None),
    ],
)
def test_how_the_fluid_alone_is_recorded(tmp_path, monkeypatch, argv, wanted):
    monkeypatch.chdir(tmp_path)
    found = options(["--headless", *argv]).pictures
    if wanted is None:
        assert found is None
    else:
        assert (found.size, found.supersample, found.transparent, found.look.theme.name) == wanted


@pytest.mark.parametrize(
    ("argv", "offending"),
    [
        (["--record", "film.webp"], "--headless"),
        (["--record", "film.mp4", "--supersample"], "--headless"),
        (["--record", "frames/", "--transparent"], "--headless"),
    ],
)
def test_only_videos_are_recorded_in_a_window(refused, monkeypatch, argv, offending):
    monkeypatch.setenv("DISPLAY", ":none")
    assert offending in refused(*argv)
