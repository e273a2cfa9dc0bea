"""What `pip wheel` builds: scenes and weights come along, and it runs from any folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this tree was installed, without what it depends on."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    copy = place / "source"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in files:
        if name.startswith(("app/", "sim/", "precond/", "assets/scenes", "models/", "pyproject", "README", "LICENSE")):
            source = ROOT / name
            if source.is_file():  # a file removed but not yet committed
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).write_bytes(source.read_bytes())
    build = [*pip, "wheel", str(copy), "--no-deps", "--no-build-isolation", "-w", str(place)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    target = place / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """The output of a command in another folder, where only the installed copy can be meant."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_says_that_precond_is_typed(installed: Path) -> None:
    assert (installed / "precond" / "py.typed").is_file()


def test_the_wheel_holds_scenes_and_weights_and_runs_anywhere(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import app; print(app.__file__)")
    assert Path(where.strip()).is_relative_to(installed)
    arguments = ["--scene", "pour", "--grid", "32x32", "--precond", "htp", "--frames", "2", "--json", "run.json"]
    run(installed, tmp_path, "-m", "app", "--headless", *arguments)
    result = json.loads((tmp_path / "run.json").read_text())
    assert result["frames"] == 2
    assert result["fallbacks"] == 0
