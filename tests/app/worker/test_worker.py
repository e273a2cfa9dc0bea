"""The simulation's thread. Taichi lives on one thread per process, so these run in a process of their own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import time
from pathlib import Path
from app.session.session import Session
from app.solving.switchable_solver import Choice, PressureSolve
from app.worker.worker import Worker
from sim.scenes.reader import load

solve = PressureSolve(Choice("jacobi", 1e-6))
worker = Worker(lambda: Session(load("dam-break"), (32, 32), solve, device="cpu"), solve, paused=True)

def until(condition):
    end = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < end and worker.is_alive(), (worker.broken, worker.notice)
        time.sleep(0.005)

worker.start()
until(lambda: worker.snapshot is not None)
assert worker.snapshot.frames == 0
worker.step_once()
until(lambda: worker.snapshot.frames == 1)
time.sleep(0.1)
assert worker.snapshot.frames == 1 and worker.paused

then = worker.snapshot.frame.time
worker.choose(Choice("multigrid", 1e-5))
until(lambda: worker.snapshot.choice == Choice("multigrid", 1e-5))
worker.step_once()
until(lambda: worker.snapshot.frames == 2)
assert worker.snapshot.frame.time > then
assert worker.snapshot.frame.stats.solutions[-1].preconditioner_used == "multigrid"

worker.submit(Session.pick_tile, 0.1, 0.1)
until(lambda: worker.snapshot.tile is not None)
assert worker.snapshot.tile.functions is None, "multigrid has no tiles"
worker.choose(Choice("hierarchy", 1e-5))
worker.step_once()
until(lambda: worker.snapshot.tile.functions is not None)
assert worker.snapshot.tile.functions.shape == (8, 8, 8)

start, frames = time.monotonic(), worker.snapshot.frames
worker.set_paused(False)
time.sleep(0.5)
worker.set_paused(True)
assert worker.snapshot.frames - frames <= 60 * (time.monotonic() - start) + 2, "faster than real time"

worker.submit(Session.load, Path("/nowhere/state.npz"))
until(lambda: worker.notice is not None)
assert "/nowhere/state.npz" in worker.notice.text
worker.submit(Session.set_scene, load("rising-bubble"), (32, 32))
until(lambda: worker.snapshot.scene.name == "rising-bubble")
worker.submit(Session.reset)

def poison(session):
    session.simulation.u[3, 3] = float("nan")

worker.set_paused(False)
until(lambda: worker.snapshot.frame.time > 0)
worker.submit(poison)
until(lambda: worker.paused)
until(lambda: "not finite" in worker.notice.text)
worker.submit(Session.reset)
worker.set_paused(False)
until(lambda: 0 < worker.snapshot.frame.time < 1)
worker.close()
assert not worker.is_alive()
print("done")
"""


def test_commands_are_obeyed_and_trouble_becomes_a_notice():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
    assert "Traceback" not in done.stderr
