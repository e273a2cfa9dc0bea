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
from app.solving.switchable_solver import Choice, PressureSolve
from app.worker.worker import Comparing, Worker
from sim.frame import Stroke
from sim.scenes.reader import load

solve = PressureSolve(Choice("multigrid", 1e-6))
worker = Worker(lambda: Session(load("dam-break"), (32, 32), solve, device="cpu"), solve, paused=True)

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end and worker.is_alive(), (worker.broken, worker.notice)
        time.sleep(0.005)

def board():
    return worker.snapshot.board

worker.start()
until(lambda: worker.snapshot is not None)
assert board() is None
worker.compare(Comparing("shadow", ("jacobi", "multigrid", "no-such-method")))
worker.step_once()
until(lambda: worker.snapshot.frames == 1)
assert board().mode == "shadow"
jacobi, multigrid, missing = board().standings
assert jacobi.iterations > multigrid.iterations > 0
assert "no-such-method" in missing.trouble
before = worker.snapshot.frame

worker.compare(Comparing("race", ("jacobi", "multigrid")))
until(lambda: board() is not None and board().mode == "race")
worker.set_paused(False)
until(lambda: worker.snapshot.frames > 2)
worker.submit(Session.stroke, Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, 0))
worker.choose(Choice("multigrid", 1e-4))
until(lambda: board().tol == 1e-4)
then = [s.frames for s in board().standings]
until(lambda: all(s.frames > n + 2 for s, n in zip(board().standings, then)))
assert all(s.time - before.time <= s.clock + 1e-9 for s in board().standings), "ahead of its clock"
assert all(f.stats.volumes[0] > before.stats.volumes[0] for f in board().frames), "a stroke that a pane did not get"

worker.set_paused(True)
worker.compare(Comparing("race", ("jacobi", "no-such-method")))
until(lambda: worker.comparing.mode == "off")
assert "no-such-method" in worker.notice.text
until(lambda: board() is None)
assert worker.snapshot.frame is before, "a race moves the fluid that it began with"

worker.compare(Comparing("race", ("dilu", "multigrid")))
until(lambda: board() is not None)
worker.submit(Session.reset)  # the race begins again, from the start of the scene
until(lambda: board().frames[0].time == 0)
worker.submit(Session.set_scene, load("rising-bubble"), (32, 32))
until(lambda: board().scene.name == "rising-bubble")
worker.set_paused(False)
until(lambda: all(s.frames > 1 for s in board().standings))
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
