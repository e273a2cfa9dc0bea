"""Laws of the repository: direction of imports, cheap imports, safe loading, clean style, commands that exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app", "sim", "precond")
MAY_IMPORT = {
    "app": {"app", "sim", "precond"},
    "sim": {"sim", "precond.system", "precond.support"},
    "precond": {"precond"},
}
ENTRY_POINTS = {"sim/validate/__main__.py", "sim/validate/solver.py", "sim/timing.py"}  # may wire a Solver in
WINDOWS_AND_KERNELS = {"taichi", "glfw", "OpenGL", "imgui_bundle"}


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of what a file imports anywhere, relative imports resolved."""
    package = path.relative_to(ROOT).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{name}.{alias.name}" if node.module is None else name for alias in node.names}
    return found


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_from_app_to_sim_to_precond_only(part: str) -> None:
    assert modules(part)
    for path in modules(part):
        if path.relative_to(ROOT).as_posix() in ENTRY_POINTS:
            continue
        for name in imported(path):
            if name.split(".")[0] in PARTS:
                allowed = any(name == free or name.startswith(f"{free}.") for free in MAY_IMPORT[part])
                assert allowed, f"{path.relative_to(ROOT)} imports {name}"
            assert not (part == "precond" and name.split(".")[0] in WINDOWS_AND_KERNELS), f"{path} imports {name}"


def test_importing_the_packages_starts_nothing() -> None:
    code = (
        "import sys, app, sim, precond; "
        "print(sorted({'taichi', 'glfw', 'OpenGL', 'imgui_bundle', 'scipy', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("part", PARTS)
def test_loading_a_file_never_runs_code(part: str) -> None:
    for path in modules(part):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"allow_pickle\s*=\s*True|import pickle|torch\.load\(|\beval\(|\bexec\(", text), path
        for call in re.finditer(r"np\.load\(([^)]*)\)", text):
            assert "allow_pickle=False" in call[1], path


def test_the_readme_names_commands_that_the_makefile_has() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    used = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, flags=re.MULTILINE))
    assert {"run", "test"} <= used <= targets
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme):
        assert (ROOT / picture).is_file(), picture


def test_torch_is_pinned_so_that_no_other_build_is_picked() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=str)
def test_style_and_types_are_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
