"""What the documentation shows is true: its commands are understood, its links lead somewhere, its snippets work."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sim import Simulation
from sim.scenes.reader import parse
from tests.scenes import pressure_solver

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for folder in ("", "precond", "models", "assets", "sim", "app")
    for path in ((ROOT / folder).rglob("*.md") if folder else (ROOT / "README.md", ROOT / "CONTRIBUTING.md"))
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every `python -m ...` in the documentation, in blocks of code and within lines."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^(?:torchrun \S+ \S+ -m|python -m) [^\n]*|`(python -m [^`]*)`", text, re.M):
            command = (match.group(1) or match.group(0)).split("  #")[0].strip()
            yield name_of(page), " ".join(command.split())


ALL = sorted(set(commands()))


def test_there_are_commands_to_test() -> None:
    assert len(ALL) > 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the ending of its name: a file of every kind that commands read."""
    folder = tmp_path_factory.mktemp("made")
    arguments = "--headless --scene pour --grid 16x16 --frames 1 --log run.jsonl --save-state later.npz"
    subprocess.run(
        [sys.executable, "-m", "app", *arguments.split()], cwd=folder, check=True, env=os.environ | {"PYTHONPATH": ROOT}
    )
    scene = ROOT / "assets" / "scenes" / "pour.toml"
    return {".jsonl": folder / "run.jsonl", ".npz": folder / "later.npz", ".toml": scene}


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{p}: {c[:60]}" for p, c in ALL])
def test_every_printed_command_is_understood(page: str, command: str, made, tmp_path: Path, monkeypatch) -> None:
    """Parsed by the program it calls, with everything but its work: unknown options, methods and scenes fail."""
    program, arguments = parts(command)
    prepare(arguments, made, tmp_path, monkeypatch)
    with pytest.raises(SystemExit) if "--help" in arguments else nullcontext():
        understood(program, arguments)


HEADLESS = [entry for entry in ALL if "-m app " in entry[1] and "--headless" in entry[1]]


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.parametrize("command", sorted({command for _, command in HEADLESS}), ids=lambda c: c[14:70])
def test_every_headless_command_runs(command: str, made, tmp_path: Path, monkeypatch) -> None:
    """To its end, but with few cells and frames, and writes every file that it names."""
    _, arguments = parts(command)
    prepare(arguments, made, tmp_path, monkeypatch)
    given = dict(pairwise(arguments))
    short = {"--frames": str(given.get("--precond", "").count(",") + 1)}
    if "--state" not in given and "--replay" not in given:
        short["--grid"] = "16x24"
    for option, value in short.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value]
    from app.__main__ import main

    assert main(arguments) == 0
    for option in ("--record", "--json", "--save-state", "--export", "--log", "--dump-systems"):
        assert option not in given or Path(given[option]).exists(), option


def parts(command: str) -> tuple[str, list[str]]:
    """The program that a command calls, and its arguments. Skips what is no command."""
    words = shlex.split(command, comments=True)
    if words[0] == "torchrun":
        words = ["python", *words[words.index("-m") :]]
    if any(re.search(r"\b[A-Z]{4,}\b", word) for word in words[3:]) or words[2] in ("pip", "venv"):
        pytest.skip("a pattern, not a command")
    return words[2], words[3:]


def prepare(arguments: list[str], made: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes to a folder that holds every file and folder that the arguments name."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DISPLAY", ":0")  # which is not opened
    for word, value in pairwise(arguments):
        if word in ("--scene", "--state", "--replay") and Path(value).suffix in made:
            (folder / value).parent.mkdir(parents=True, exist_ok=True)
            (folder / value).write_bytes(made[Path(value).suffix].read_bytes())
        elif word in ("--systems", "--in-loop") and "/" in value:
            (folder / value).mkdir(parents=True, exist_ok=True)
        elif word.startswith("--") and "/" in value:
            (folder / value).parent.mkdir(parents=True, exist_ok=True)


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = {t for page in PAGES for t in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)}
    assert {"run", "test", "bench"} <= used
    assert used <= targets


def understood(program: str, arguments: list[str]) -> None:
    """Raises Refusal where the program would refuse its arguments."""
    if program == "app":
        from app.cli.options import options
    elif program == "precond.bench":
        from precond.bench.options import options
    elif program == "precond.train":
        from precond.train.__main__ import parser, recipe_of

        given = parser().parse_args(arguments)
        recipe = recipe_of(given.method)
        assert given.preset is None or given.preset in recipe.presets
        return
    elif program == "app.animate":
        assert [Path(name).suffix for name in arguments[:2]] in ([".mp4", ".webp"], [".mp4", ".png"])
        return
    elif program == "precond.htp.explain":
        from precond.bench.htp_figures import options
    elif program == "sim.validate":
        from sim.validate.__main__ import options
    elif program == "sim.timing":
        from sim.timing import options
    elif program in ("precond.compile_kernels", "precond.train.ablations"):
        assert find_spec(program)
        return
    else:
        pytest.fail(f"{program} is not a program of this project")
    options(arguments)


def links() -> Iterator[tuple[str, str]]:
    """(page, target) of every link and picture that stays within the project."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                yield name_of(page), target


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_every_link_leads_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


def source_files() -> list[str]:
    """Every .py and .toml of the project, from its root."""
    folders = ("app", "sim", "precond", "tests", "assets")
    found = (path for folder in folders for ending in ("py", "toml") for path in (ROOT / folder).rglob(f"*.{ending}"))
    return [path.relative_to(ROOT).as_posix() for path in found] + ["pyproject.toml"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_named_in_prose_exists(page: Path) -> None:
    """`precond/registry.py` from the root, `cycle.py` from somewhere: no page speaks of a file that has moved."""
    files = source_files()
    for name in re.findall(r"`((?:[\w.-]+/)*\w+\.py)`", page.read_text(encoding="utf-8")):
        plain = name.removeprefix("../")
        assert any(file == plain or file.endswith(f"/{plain}") for file in files), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_map_names_every_folder(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for part in ("app", "sim", "precond"):
        for folder in (ROOT / part).iterdir():
            if (folder / "__init__.py").is_file():
                assert folder.name in text, f"{page} does not name {part}/{folder.name}"


def test_every_file_is_linked_by_its_own_name() -> None:
    """[solver.py](precond/solver.py): what a link to a file shows is the end of where it leads."""
    for page in PAGES:
        for shown, target in re.findall(r"\[([\w/]+\.py)\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.endswith(shown), f"{name_of(page)}: {shown} leads to {target}"


def test_the_version_is_one_and_the_citation_has_what_its_format_asks_for() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    keys = dict(re.findall(r"^([a-z-]+): ?(.*)$", citation, re.M))
    assert {"cff-version", "message", "title", "authors"} <= keys.keys()
    assert (keys["cff-version"], keys["title"], keys["license"]) == ("1.2.0", "Estuary", "MIT")
    assert "arXiv:2605.13343" in citation
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{keys["version"]}"' in project
    from app import __version__

    assert __version__ == keys["version"]
    assert f"## {keys['version']} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def snippet(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found.group(1)


def test_the_scene_shown_flows() -> None:
    scene = parse("honey", snippet("assets/docs/extending.md", "toml"))
    simulation = Simulation(scene, (24, 32), solve=pressure_solver())
    frame = simulation.step(1 / 60)
    assert frame.stats.volume_drift < 1e-4
    assert frame.solid.any()


def test_the_view_shown_makes_a_field() -> None:
    names: dict = {}
    exec(snippet("assets/docs/extending.md", "python"), names)
    simulation = Simulation("dam-break", (16, 24), solve=pressure_solver())
    field = names["momentum"](simulation.step(1 / 60), simulation.grid)
    assert field.shape == (16, 24)
    assert np.isfinite(field).all()
    assert field.max() > 0


def test_the_recorded_systems_shown_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict = {}
    exec(snippet("assets/frames/README.md", "python"), names)
    assert names["b"].shape == names["system"].shape == (96, 128)


def test_the_solver_and_the_preconditioner_shown_work(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    import precond
    from precond import registry

    monkeypatch.setattr(registry, "_entries", dict(registry._entries))  # what is registered here stays here
    names: dict = {}
    page = ROOT / "precond" / "README.md"
    for text in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        exec(text, names)
    assert "CONVERGED" in capsys.readouterr().out
    assert "polynomial" in precond.names()


def test_readme_lists_every_key_of_the_help_page() -> None:
    pytest.importorskip("imgui_bundle")
    from app.ui.ui_state import KEYS, MOUSE

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for key, meaning in (*KEYS, *MOUSE):
        assert f"| {key} | {meaning} |" in text, key
