"""Comparisons: shadows, races, split-screen videos. What they show is what was measured."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import precond
from app.cli.compare import open_pane
from app.cli.options import options
from app.compare.comparison import Comparison, rounded_up
from app.compare.pane import Pane, advance_to
from app.compare.race import Race
from app.session.session import FRAME_DT, Session
from app.solving import method_stats
from app.solving.choice import Choice
from app.solving.run_stats import RunStats
from app.solving.switchable_solver import SwitchableSolver
from app.ui.rect import Rect
from app.viewport.comparison_layout import arrange
from precond import registry
from precond.classical.jacobi import Jacobi
from precond.figures import method_style
from sim.frame import Stroke
from sim.scenes.reader import load

ROOT = Path(__file__).resolve().parents[3]
FRAMES = 8

# A process of its own, as in render/test_renderer.py. It keeps what is written into each picture.
FILM = """
import json, sys
from app.ui import draw_list
from app.viewport import comparison_view
texts, snapshots = [], []
draw, text = comparison_view.ComparisonView.draw, draw_list.DrawList.text
def keep_board(self, comparison, *arguments, **keywords):
    texts.append([]); snapshots.append(comparison.numbers())
    return draw(self, comparison, *arguments, **keywords)
def keep_text(self, x, y, words, *arguments, **keywords):
    texts[-1].append(words)
    return text(self, x, y, words, *arguments, **keywords)
comparison_view.ComparisonView.draw, draw_list.DrawList.text = keep_board, keep_text
from app.__main__ import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps({"texts": texts, "snapshots": snapshots}))
sys.exit(code)
"""


def session(precond="multigrid", grid=(32, 32), tol=1e-6, **more):
    return Session(load("dam-break"), grid, SwitchableSolver(Choice(precond, tol)), device="cpu", **more)


@pytest.fixture(scope="module", params=["together", "race"])
def film(request, tmp_path_factory):
    """(mode, folder, json, what was drawn) of a short video."""
    if find_spec("imgui_bundle") is None:
        pytest.skip("no window toolkit here")
    folder = tmp_path_factory.mktemp(request.param)
    more = ["--race"] if request.param == "race" else []
    return request.param, folder, *filmed(folder, "htp,jacobi,multigrid", *more)


def filmed(folder: Path, methods: str, *more: str) -> tuple[dict, dict]:
    """(json, what was drawn) of a short video."""
    argv = ["--headless", "--grid", "32x48", "--compare", methods, "--frames", str(FRAMES), *more]
    argv += ["--record", str(folder / "film.mp4"), "--json", str(folder / "film.json")]
    # PyOpenGL chooses its platform at its first import
    script = "import os; os.environ['PYOPENGL_PLATFORM'] = 'egl'\n" + FILM
    command = [sys.executable, "-c", script, str(folder / "drawn"), *argv]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    if done.returncode != 0 and "cannot be opened" in done.stderr:
        pytest.skip("no EGL here")
    assert done.returncode == 0, done.stderr
    drawn = json.loads((folder / "drawn").read_text())
    (folder / "drawn").unlink()
    return json.loads((folder / "film.json").read_text()), drawn


@pytest.mark.egl
@pytest.mark.slow
def test_a_video_has_every_frame_and_a_poster(film):
    from PIL import Image

    _, folder, numbers, _ = film
    pictures = decode(folder / "film.mp4")
    assert pictures.shape == (FRAMES, 1080, 1920, 3)
    assert len(numbers["pictures"]) == FRAMES
    assert (numbers["frames"], numbers["failures"]) == (FRAMES, 0)
    assert [pane["precond"] for pane in numbers["panes"]] == ["htp", "jacobi", "multigrid"]
    with Image.open(folder / "film.png") as poster:
        assert poster.size == (1920, 1080)
    assert sorted(path.name for path in folder.iterdir()) == ["film.json", "film.mp4", "film.png"]


@pytest.mark.egl
@pytest.mark.slow
def test_a_video_of_branches_shows_the_numbers_of_the_json(tmp_path):
    found, drawn = filmed(tmp_path, "multigrid,sweeps:5,multigrid@1e-2")
    assert len(found["pictures"]) == len(drawn["texts"]) == FRAMES
    for picture, texts in zip(found["pictures"], drawn["texts"]):
        assert {"Multigrid", "Plain Jacobi sweeps, 5", "Multigrid, 1e-2"} <= set(texts)
        for pane in picture["panes"]:
            assert f"{pane['drift']:.1e}" in texts
            assert f"{pane['divergence']:.1e} /s" in texts
    worst = max(picture["panes"][1]["drift"] for picture in found["pictures"])
    assert found["panes"][1]["phase_volume_drift"] == worst


@pytest.mark.egl
@pytest.mark.slow
def test_panes_start_from_the_same_picture(film):
    _, folder, _, _ = film
    first = decode(folder / "film.mp4")[0].astype(int)
    places = arrange(Rect(0, 0, 1920, 1080), 3, 48 / 32, 1.0).pictures
    one, *others = [
        first[int(p.y) + 4 : int(p.bottom) - 4, int(p.x) + 4 : int(p.right) - 4]  # without the blur of the codec
        for p in places
    ]
    assert one.std() > 20
    for other in others:
        assert np.abs(other - one).mean() < 1


@pytest.mark.egl
@pytest.mark.slow
def test_the_json_holds_every_number_that_is_drawn(film):
    mode, _, numbers, drawn = film
    assert drawn["snapshots"] == numbers["pictures"]
    for texts, picture in zip(drawn["texts"], numbers["pictures"]):
        for pane in picture["panes"]:
            if pane["frames"]:
                shown = pane["shown"]
                assert shown["fps"] > 0
                assert method_stats.digits(shown["iterations"]) in texts
                assert f"{method_stats.digits(shown['solver_ms'])} ms" in texts
                assert f"{method_stats.digits(shown['fps'])} fps" in texts
            assert f"{pane['time' if mode == 'race' else 'computing']:.2f} s" in texts
            assert method_style.title(pane["precond"]) in texts
        if mode == "race":
            assert f"1 s of video = {numbers['scale']:g} s of computing" in texts
            assert f"Every solver has had {picture['computing']:.2f} s" in texts
    assert {pane["frames"] for pane in numbers["pictures"][0]["panes"]} <= ({1} if mode == "together" else {0, 1})


@pytest.mark.egl
@pytest.mark.slow
def test_a_race_lags_truthfully(film):
    mode, _, numbers, _ = film
    for k, picture in enumerate(numbers["pictures"], 1):
        if mode == "together":
            assert {pane["frames"] for pane in picture["panes"]} == {k}
            continue
        assert picture["computing"] == pytest.approx(k * numbers["scale"] / 60)
        for pane in picture["panes"]:
            assert pane["time"] <= pane["clock"] + 1e-9
            assert pane["computing"] <= pane["clock"] + 1e-9 <= picture["computing"] + 2e-9


# Races -------------------------------------------------------------------------------------------------------------


class Sleepy(Jacobi):
    """A slow method whose slowness is known."""

    def setup(self, system):
        time.sleep(0.06)
        super().setup(system)


def test_a_slow_solver_falls_behind_by_what_it_takes():
    panes = [Pane(session(name, grid=(16, 16))) for name in ("multigrid", "test-sleepy")]
    for pane in panes:
        pane.rehearse(1)
    for clock in np.linspace(0, 1.2, 13):
        advance_to(panes, clock)
        for pane in panes:
            assert pane.elapsed <= pane.method_stats.clock + 1e-9
            assert pane.method_stats.clock <= clock < pane.due
    fast, slow = panes
    assert slow.method_stats.frames <= 1.2 / 0.06
    assert fast.method_stats.frames > 1.5 * slow.method_stats.frames
    assert fast.elapsed <= 1.2, "faster than real time"


def test_a_rehearsal_leaves_no_trace():
    plain, rehearsed = session("htp"), Pane(session("htp"))
    rehearsed.rehearse(2)
    rehearsed.step()
    rehearsed.publish()
    expected = plain.step()
    for name in ("fractions", "u", "v", "pressure"):
        assert np.array_equal(getattr(rehearsed.frame, name), getattr(expected, name)), name


def test_the_clock_furthest_behind_steps_next_and_inputs_come_at_the_same_simulated_time():
    start = session()
    start.step()
    race = Race(start, ("multigrid", "multigrid"))  # the same method: equal frames must be equal bit for bit
    seen: list[dict[int, np.ndarray]] = [{}, {}]
    for turn in range(14):
        if turn == 5:
            race.submit(Session.stroke, (Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, 0),))
        clocks = [pane.due for pane in race.panes]
        race.turn()
        moved = [k for k in (0, 1) if race.panes[k].due != clocks[k]]
        assert moved == [int(np.argmin(clocks))]
        for k, pane in enumerate(race.panes):
            seen[k][pane.method_stats.frames] = pane.frame.fractions
    common = sorted(set(seen[0]) & set(seen[1]))
    assert len(common) > 4
    assert all(np.array_equal(seen[0][frame], seen[1][frame]) for frame in common)
    assert seen[0][common[-1]][0].sum() > seen[0][common[0]][0].sum() + 2, "nothing was poured"
    assert start.frames == 1, "a race leaves the session where it was"
    assert start.last.time == pytest.approx(FRAME_DT)
    shown = race.snapshot(-1).comparison
    assert shown.mode == "race"
    assert [s.precond for s in shown.results] == ["multigrid", "multigrid"]
    assert len(shown.frames) == 2


def test_a_fluid_that_breaks_off_leaves_the_race_and_the_others_go_on():
    race = Race(session(), ("multigrid", "dilu"))
    race.panes[1].session.simulation.u[3, 3] = math.nan
    for _ in range(4):
        race.turn()
    assert "not finite" in race.snapshot(-1).comparison.results[1].error
    assert race.panes[0].method_stats.frames >= 3


def test_the_scale_is_a_plain_number_and_never_below_one():
    assert [rounded_up(value) for value in (0.02, 1, 1.01, 2.4, 8.5, 61, 130)] == [
        1, 1, 1.5, 2.5, 10, 80, 150,
    ]  # fmt: skip


# Shadows -----------------------------------------------------------------------------------------------------------


def test_all_methods_solve_the_same_system_to_the_tolerance():
    tol, names = 1e-9, ("htp", "jacobi", "dilu", "multigrid")
    running = session("multigrid", tol=tol)
    running.set_shadows(names)
    for _ in range(3):
        running.step()
    system, b = running.simulation.system, running.simulation.b
    size = float(system.project(b).norm())
    shadows = running.solve.shadows._shadows
    images = [
        system.apply(running.simulation.p if shadows[name].x is None else shadows[name].x) / size for name in names
    ]
    for image in images:
        assert float((image - system.project(b) / size).norm()) <= 1.01 * tol
    for one, other in itertools.combinations(images, 2):
        assert float((one - other).norm()) <= 2.02 * tol
    comparison = running.snapshot().comparison
    assert [s.precond for s in comparison.results] == list(names)
    assert all(s.frames == 3 and s.residual <= tol and len(s.history) for s in comparison.results)


def test_jacobi_takes_more_than_five_times_the_iterations_of_htp():
    running = session("multigrid", grid=(64, 64))
    running.set_shadows(("htp", "jacobi"))
    for _ in range(3):
        running.step()
    htp, jacobi = running.snapshot().comparison.results
    assert jacobi.shown.iterations > 5 * htp.shown.iterations


def test_shadows_change_nothing_in_the_fluid():
    plain, shadowed = session("htp"), session("htp")
    shadowed.set_shadows(("jacobi", "htp", "nystrom", "multigrid"))
    for _ in range(3):
        one, two = plain.step(), shadowed.step()
    for name in ("fractions", "u", "v", "pressure"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_the_time_of_shadows_is_not_the_fluids():
    total = RunStats("multigrid")
    running = session(grid=(16, 16), total=total)
    running.step()
    running.set_shadows(("test-sleepy",))
    running.step()
    assert total.timed_frames == 1
    assert total.seconds < 0.05
    assert running.snapshot().comparison.results[0].shown.solver_ms > 50


class Broken:
    """Raises in its second system."""

    def __init__(self):
        self.systems = 0

    def setup(self, system):
        self.systems += 1
        if self.systems > 1:
            raise RuntimeError("this method is broken")

    def apply(self, r, out):
        out.copy_(r)


class Sinister:
    """No preconditioner at all: M is negative."""

    def setup(self, system):
        pass

    def apply(self, r, out):
        torch.neg(r, out=out)


@pytest.fixture(autouse=True, scope="module")
def _methods_of_these_tests() -> Iterator[None]:
    """Registered while these tests run: others go through all names that there are."""
    own = {"test-sleepy": Sleepy, "test-broken": Broken, "test-sinister": Sinister}
    for name, factory in own.items():
        precond.register(name, factory)
    yield
    for name in own:
        del registry._entries[name]


def test_a_shadow_that_fails_is_counted_and_shown_and_the_fluid_goes_on():
    running = session()
    running.set_shadows(("test-broken", "test-sinister", "magic", "multigrid"))
    solves = 0
    for _ in range(3):
        frame = running.step()
        solves += frame.substeps
    broken, sinister, magic, multigrid = running.snapshot().comparison.results
    assert frame.time == pytest.approx(3 * FRAME_DT)
    assert "this method is broken" in broken.error
    assert broken.failures == 1
    assert broken.frames == 1, "the frame before it broke still counts"
    assert (sinister.failures, sinister.frames) == (solves, 3)
    assert "magic" in magic.error
    assert (multigrid.failures, multigrid.error) == (0, "")


# Names and places ---------------------------------------------------------------------------------------------------


def test_methods_are_told_apart_by_colour_and_marker_also_without_red_or_green():
    looks = [(method_style.color(name), method_style.marker(name)) for name in method_style.TITLES]
    assert len(set(looks)) == len(looks)
    colors = [method_style.color(name) for name in ("htp", "jacobi", "dilu", "multigrid")]
    rgb = np.array([[int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)] for color in colors]) ** 2.2
    # deuteranopia, protanopia: Viénot, Brettel and Mollon (1999), in linear RGB
    for yellow, blue in (
        ((0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
        ((0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    ):
        seen = (rgb @ np.array([yellow, yellow, blue]).T).clip(0, 1) ** (1 / 2.2)
        for one, other in itertools.combinations(seen, 2):
            assert np.abs(one - other).max() > 0.15


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("aspect", [0.4, 0.75, 1.0, 4 / 3, 2.5])
@pytest.mark.parametrize("area", [(0, 0, 1920, 1080), (10, 20, 905, 680)], ids=["video", "window"])
def test_panes_keep_their_shape_and_nothing_overlaps(count, aspect, area):
    outer = Rect(*area)
    places = arrange(outer, count, aspect, min(outer.height / 1080, outer.width / 1440), header=area[0] == 0)
    rects = [*places.captions, *places.pictures, places.curves, places.bars, places.header]
    for rect in rects:
        assert outer.x <= rect.x
        assert rect.right <= outer.right + 1
        assert outer.y <= rect.y
        assert rect.bottom <= outer.bottom + 1
    for one, other in itertools.combinations(rects, 2):
        wide = min(one.right, other.right) - max(one.x, other.x)
        high = min(one.bottom, other.bottom) - max(one.y, other.y)
        assert wide <= 1 or high <= 1
    for picture in places.pictures:
        assert abs(picture.width / aspect - picture.height) <= 1
    assert places.curves.height > 60
    assert sum(p.width * p.height for p in places.pictures) > 0.12 * outer.width * outer.height


def test_a_replayed_log_gives_every_pane_the_same_inputs(tmp_path, capsys):
    from app.__main__ import main

    log = tmp_path / "run.jsonl"
    assert main(["--headless", "--grid", "32x32", "--frames", "4", "--precond", "dilu", "--log", str(log)]) == 0
    lines = log.read_text().splitlines()
    stroke = {"tool": "pour", "x0": 8.0, "y0": 8.0, "x1": 8.0, "y1": 8.0, "radius": 1.0, "phase": 0}
    lines.insert(1, json.dumps({"frame": 0, "do": "stroke", **stroke}))
    log.write_text("\n".join(lines) + "\n")
    given = options(["--headless", "--replay", str(log), "--compare", "multigrid,dilu"])
    panes = [open_pane(name, given) for name in given.compare]
    comparison = Comparison(panes, given.race, given.frames)
    before = panes[0].frame.stats.volumes[0]
    snapshots = list(comparison.snapshots())
    assert len(snapshots) == 4
    assert all(pane.frame.stats.volumes[0] > 1.01 * before for pane in panes)
    assert {s.frames for s in snapshots[-1].results} == {4}
    capsys.readouterr()


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])
