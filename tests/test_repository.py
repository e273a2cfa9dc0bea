"""Laws of the repository: direction of imports, cheap imports, safe loading, clean style, commands that exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app", "sim", "precond")

# Rooms are the folders one below a part, and the files directly in it. A room may import what stands on a lower floor
# of its part or beside it on its own, as long as no circle comes of it. `__init__` is the part's public face.
FLOORS = {
    "app": """
        __main__  animate
        cli
        window
        panels  viewport
        worker
        compare
        session  record
        solving
        ui
        render
        __init__
    """,
    "sim": """
        validate  timing
        __init__
        simulation
        bodies  checkpoint  export  fields
        kernels
        scenes
        frame  grid
    """,
    "precond": """
        bench  train  compile_kernels
        __init__
        solver
        engine
        pcg  registry
        compiled  fused  classical  htp  htp_paper  spai  npo
        torch_loop  message_passing  device  io  figures
        problems  preconditioner  stopping  right_hand_side
        system  status
        stencil  topology
        support
    """,
}
PARTS_BELOW = {
    "app": ("sim", "precond"),
    "sim": ("precond.system", "precond.support", "precond.compiled.jit", "precond.device.cuda_graph"),
    "precond": (),
}
DRAW_NOTHING = ("worker", "compare", "session", "record", "solving")  # in app: they know neither ui nor render
SOLVER_PASSED_IN = {"sim/validate/__main__.py", "sim/validate/solver.py", "sim/timing.py"}  # these wire a Solver in
SHIMS = {"precond/htp/explain.py"}  # keeps the command of before alive, and is imported by nothing
BETWEEN_PROCESSES = {"app/worker/messages.py"}  # pickles what the program's own two processes tell each other
WINDOWS_AND_KERNELS = {"taichi", "glfw", "OpenGL", "imgui_bundle"}

Graph = Mapping[str, set[str]]


def modules(part: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / part).rglob("*.py"))


def imported(path: Path, root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """(module, name in it or "") of every import of a file, also inside functions and for type checkers."""
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def import_graph(root: Path) -> dict[str, set[str]]:
    """By file, the files of the project that it imports. `from . import x` means the file x where there is one.

    That a package's __init__ runs when something inside is imported is left out: it would tie every file to it.
    """
    names = {}
    for part in PARTS:
        for path in modules(part, root):
            place = path.relative_to(root)
            dotted = place.parent if place.name == "__init__.py" else place.with_suffix("")
            names[".".join(dotted.parts)] = place.as_posix()
    graph: dict[str, set[str]] = {}
    for place in names.values():
        wanted = (names.get(f"{module}.{name}") or names.get(module) for module, name in imported(root / place, root))
        graph[place] = {found for found in wanted if found not in (None, place)}
    return graph


def room(place: str) -> str:
    """app/cli/options.py -> app/cli;  sim/grid.py -> sim/grid;  precond/__init__.py -> precond/__init__."""
    part, name = place.split("/")[:2]
    return f"{part}/{name.removesuffix('.py')}"


def between_rooms(graph: Graph) -> dict[str, set[str]]:
    rooms: dict[str, set[str]] = {room(place): set() for place in graph}
    for place, wanted in graph.items():
        rooms[room(place)] |= {room(other) for other in wanted} - {room(place)}
    return rooms


def circles(graph: Graph) -> list[str]:
    """Every strongly connected component of more than one node (Tarjan 1972), as a sentence."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[str] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append(f"circle: {', '.join(sorted(members))}")

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def against_the_floors(graph: Graph) -> list[str]:
    """Every import that runs up, or out of a part to where it may not go, as a sentence."""
    floor = {
        f"{part}/{name}": height
        for part, table in FLOORS.items()
        for height, line in enumerate(reversed(table.split("\n")))
        for name in line.split()
    }
    found = [f"{name} stands on no floor" for name in sorted({room(place) for place in graph} - floor.keys())]
    for place, wanted in sorted(graph.items()):
        part, here = place.split("/")[0], room(place)
        for other in sorted(wanted):
            there = room(other)
            if there.split("/")[0] == part:
                up = here in floor and there in floor and floor[there] > floor[here]
                blind = part == "app" and here[4:] in DRAW_NOTHING and there in ("app/ui", "app/render")
                bad = up or blind
            else:
                free = PARTS_BELOW[part] if place not in SOLVER_PASSED_IN else ("precond",)
                dotted = other.removesuffix(".py").replace("/", ".")
                bad = not any(f"{dotted}.".startswith(f"{below}.") for below in free)
            if bad:
                found.append(f"{place} imports {other}")
    return found


def broken_laws(root: Path) -> list[str]:
    """What is wrong with the imports of the tree at root; nothing, if it is as CONTRIBUTING.md says."""
    graph = import_graph(root)
    assert all(any(place.startswith(f"{part}/") for place in graph) for part in PARTS)
    imported_shims = [f"{p} imports {s}" for p, wanted in graph.items() for s in sorted(SHIMS & wanted)]
    graph = {place: wanted for place, wanted in graph.items() if place not in SHIMS}
    return [*imported_shims, *circles(graph), *circles(between_rooms(graph)), *against_the_floors(graph)]


def test_imports_run_down_the_floors_and_in_no_circle() -> None:
    broken = broken_laws(ROOT)
    assert not broken, "\n".join(broken)


def test_contributing_shows_the_same_floors() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for part, table in FLOORS.items():
        (row,) = re.findall(rf"^\| `{part}` \| (.*) \|$", text, flags=re.MULTILINE)
        shown = [re.findall(r"`(\w+)`", floor) for floor in row.split(" / ")]
        floors = [[name for name in line.split() if not name.startswith("__")] for line in table.split("\n")]
        assert shown == [floor for floor in floors if floor]


SMALL_HOUSE = {
    "app/cli/options.py": "from app.session.session import Session",
    "app/session/session.py": "from sim.simulation import Simulation\nimport precond",
    "app/session/journal.py": "import json",
    "app/ui/theme.py": "",
    "sim/simulation.py": "def step():\n    from precond.system import PoissonSystem",
    "sim/scenes/reader.py": "from sim.scenes import scene",
    "sim/scenes/scene.py": "from sim.grid import Grid",
    "sim/grid.py": "import numpy",
    "precond/__init__.py": "from .solver import Solver",
    "precond/solver.py": "from . import registry",
    "precond/registry.py": "from .htp.method import Htp",
    "precond/htp/method.py": "from ..system import PoissonSystem\nfrom .cycle import Cycle",
    "precond/htp/cycle.py": "",
    "precond/htp/explain.py": "from ..bench.htp_figures import main",
    "precond/bench/htp_figures.py": "from .. import registry",
    "precond/system.py": "",
}


def build(folder: Path, changed: Mapping[str, str]) -> Path:
    for place, text in {**SMALL_HOUSE, **changed}.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    return folder


def test_a_house_in_order_breaks_no_law(tmp_path: Path) -> None:
    assert broken_laws(build(tmp_path, {})) == []


PLANTED = {
    "a circle of two files": ({"precond/htp/cycle.py": "from . import method"}, "circle: precond/htp/cycle.py"),
    "for type checkers only": (
        {"sim/grid.py": "import typing as t\nif t.TYPE_CHECKING:\n    from sim.scenes.scene import Scene"},
        "circle: sim/grid.py, sim/scenes/scene.py",
    ),
    "a circle of rooms on one floor": (
        {
            "app/record/video.py": "import app.session.session",
            "app/record/images.py": "",
            "app/session/journal.py": "def late():\n    from app.record import images",
        },
        "circle: app/record, app/session",
    ),
    "upwards within a part": (
        {"app/session/journal.py": "from ..cli import options"},
        "app/session/journal.py imports app/cli/options.py",
    ),
    "upwards inside a function": (
        {"precond/system.py": "def solve():\n    from .solver import Solver"},
        "precond/system.py imports precond/solver.py",
    ),
    "from below to a part above": (
        {"precond/system.py": "import sim.grid"},
        "precond/system.py imports sim/grid.py",
    ),
    "a solver inside the fluid": (
        {"sim/simulation.py": "import precond"},
        "sim/simulation.py imports precond/__init__.py",
    ),
    "pictures in a room that draws nothing": (
        {"app/session/journal.py": "from app.ui import theme"},
        "app/session/journal.py imports app/ui/theme.py",
    ),
    "the shim of an old command": (
        {"precond/registry.py": "from .htp import explain"},
        "precond/registry.py imports precond/htp/explain.py",
    ),
    "a room that no floor knows": ({"app/utils/things.py": ""}, "app/utils stands on no floor"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_circle_or_upward_import_is_found(planted: str, tmp_path: Path) -> None:
    changed, sentence = PLANTED[planted]
    assert any(said.startswith(sentence) for said in broken_laws(build(tmp_path, changed)))


def test_the_numerics_know_no_window_and_no_kernels() -> None:
    for path in modules("precond"):
        assert not WINDOWS_AND_KERNELS & {module.split(".")[0] for module, _ in imported(path)}, path


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
        if path.relative_to(ROOT).as_posix() in BETWEEN_PROCESSES:
            text = text.replace("import pickle", "")
            assert not re.search(r"\bopen\(|read_bytes|\.load\(\w+file", text), path
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
