"""Shadow and race mode as the window starts them, on the simulation's thread: in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import time
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from sim.frame import Stroke
from sim.scenes.reader import load

solve = SwitchableSolver(Choice("multigrid", 1e-6))
view = ViewModel(solve, paused=True)
worker = Worker(lambda: Session(load("dam-break"), (32, 32), solve, device="cpu"), solve, view)

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end and worker.is_alive(), (view.fatal_error, view.notice)
        time.sleep(0.005)

def comparison():
    return view.snapshot.comparison

worker.start()
until(lambda: view.snapshot is not None)
assert comparison() is None
view.compare("shadow", ("jacobi", "multigrid", "no-such-method"))
view.step_once()
until(lambda: view.snapshot.frames == 1)
assert comparison().mode == "shadow"
jacobi, multigrid, missing = comparison().results
assert jacobi.iterations > multigrid.iterations > 0
assert "no-such-method" in missing.error
before = view.snapshot.frame

view.compare("race", ("jacobi", "multigrid"))
until(lambda: comparison() is not None and comparison().mode == "race")
view.set_paused(False)
until(lambda: view.snapshot.frames > 2)
view.submit(Session.stroke, Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, 0))
view.choose(Choice("multigrid", 1e-4))
until(lambda: comparison().tol == 1e-4)
then = [s.frames for s in comparison().results]
until(lambda: all(s.frames > n + 2 for s, n in zip(comparison().results, then)))
assert all(s.time - before.time <= s.clock + 1e-9 for s in comparison().results), "ahead of its clock"
assert all(f.stats.volumes[0] > before.stats.volumes[0] for f in comparison().frames), "a pane got no stroke"

view.set_paused(True)
view.compare("race", ("jacobi", "no-such-method"))
until(lambda: view.comparing.mode == "off")
assert "no-such-method" in view.notice.text
until(lambda: comparison() is None)
assert view.snapshot.frame is before, "a race moves the fluid that it began with"

view.compare("race", ("dilu", "multigrid"))
until(lambda: comparison() is not None)
view.submit(Session.reset)  # the race begins again, from the start of the scene
until(lambda: comparison().frames[0].time == 0)
view.submit(Session.set_scene, load("rising-bubble"), (32, 32))
until(lambda: comparison().scene.name == "rising-bubble")
view.set_paused(False)
until(lambda: all(s.frames > 1 for s in comparison().results))
start = time.monotonic()
worker.close()
assert not worker.is_alive() and time.monotonic() - start < 10
print("done")
"""


@pytest.mark.slow
def test_shadow_and_race_come_and_go_without_moving_the_fluid():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
    assert "Traceback" not in done.stderr
