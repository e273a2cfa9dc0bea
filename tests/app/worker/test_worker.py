"""The simulation's thread. Taichi lives on one thread per process, so these run in a process of their own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import time
from pathlib import Path
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from app.worker.view_model import ViewModel
from app.worker.worker import Worker
from sim.scenes.reader import load

solve = SwitchableSolver(Choice("jacobi", 1e-6))
view = ViewModel(solve, paused=True)
worker = Worker(lambda: Session(load("dam-break"), (32, 32), solve, device="cpu"), solve, view)

def until(condition):
    end = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < end and worker.is_alive(), (view.fatal_error, view.notice)
        time.sleep(0.005)

worker.start()
until(lambda: view.snapshot is not None)
assert view.snapshot.frames == 0
view.step_once()
until(lambda: view.snapshot.frames == 1)
time.sleep(0.1)
assert view.snapshot.frames == 1 and view.paused

then = view.snapshot.frame.time
view.choose(Choice("multigrid", 1e-5))
until(lambda: view.snapshot.choice == Choice("multigrid", 1e-5))
view.step_once()
until(lambda: view.snapshot.frames == 2)
assert view.snapshot.frame.time > then
assert view.snapshot.frame.stats.solutions[-1].preconditioner_used == "multigrid"

view.submit(Session.pick_tile, 0.1, 0.1)
until(lambda: view.snapshot.tile is not None)
assert view.snapshot.tile.functions is None, "multigrid has no tiles"
view.choose(Choice("hierarchy", 1e-5))
view.step_once()
until(lambda: view.snapshot.tile.functions is not None)
assert view.snapshot.tile.functions.shape == (8, 8, 8)

start, frames = time.monotonic(), view.snapshot.frames
view.set_paused(False)
time.sleep(0.5)
view.set_paused(True)
assert view.snapshot.frames - frames <= 60 * (time.monotonic() - start) + 2, "faster than real time"

def frames_in(seconds, speed):
    view.set_speed(speed)
    view.set_paused(False)
    until(lambda: view.snapshot.frames > first + 1)
    start, frames = time.monotonic(), view.snapshot.frames
    time.sleep(seconds)
    made, passed = view.snapshot.frames - frames, time.monotonic() - start
    view.set_paused(True)
    return made, passed

first = view.snapshot.frames
made, passed = frames_in(0.5, 0.25)
assert made <= 15 * passed + 2, "slow motion"
first = view.snapshot.frames
view.choose(Choice("jacobi", 1e-1))
made, passed = frames_in(1.0, float("inf"))
assert made > 0
view.set_speed(1.0)
view.choose(Choice("hierarchy", 1e-5))

view.submit(Session.load, Path("/nowhere/state.npz"))
until(lambda: view.notice is not None)
assert "/nowhere/state.npz" in view.notice.text
view.submit(Session.set_scene, load("rising-bubble"), (32, 32))
until(lambda: view.snapshot.scene.name == "rising-bubble")
view.submit(Session.reset)

def poison(session):
    session.simulation.u[3, 3] = float("nan")

view.set_paused(False)
until(lambda: view.snapshot.frame.time > 0)
view.submit(poison)
until(lambda: view.paused)
until(lambda: "not finite" in view.notice.text)
view.submit(Session.reset)
view.set_paused(False)
until(lambda: 0 < view.snapshot.frame.time < 1)
worker.close()
assert not worker.is_alive()
print("done")
"""


def test_commands_are_obeyed_and_trouble_becomes_a_notice():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("done")
    assert "Traceback" not in done.stderr
