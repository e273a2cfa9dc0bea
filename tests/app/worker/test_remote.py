"""The simulation in a process of its own: it follows the window's commands, and its death is not the window's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

START = """
import os, signal, sys, time
from pathlib import Path
from app.cli.interactive import WindowJob
from app.cli.options import options
from app.session.session import Session
from app.session.scene_commands import change_scene
from app.solving.choice import Choice
from app.worker.remote import RemoteViewModel, Selection, SimulationProcess

class Job(WindowJob):
    def solver(self):
        from app.worker import worker
        worker.NICENESS = 0
        return super().solver()

def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (view.fatal_error, [n.text for n in view.notices.newest_first()])
        time.sleep(0.005)

def said(text):
    return any(text in notice.text for notice in view.notices.newest_first())

def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True

if __name__ == "__main__":
    given = options(["--headless", "--grid", "32x32", "--precond", "jacobi", *sys.argv[1:]])
    view = RemoteViewModel(Selection(Choice("jacobi", 1e-6), None), paused=True)
    process = SimulationProcess(Job(given, False), view)
    process.start()
    until(lambda: view.snapshot is not None)
"""

OBEDIENT = """
    assert view.snapshot.frames == 0 and view.paused
    assert not view.snapshot.frame.u.flags.writeable
    view.step_once()
    until(lambda: view.snapshot.frames == 1)
    view.choose(Choice("multigrid", 1e-5))
    assert view.choice == Choice("multigrid", 1e-5), "shown at once"
    view.step_once()
    until(lambda: view.snapshot.frames == 2)
    assert view.snapshot.frame.stats.solutions[-1].preconditioner_used == "multigrid"
    view.submit(Session.load, Path("/nowhere/state.npz"))
    until(lambda: said("/nowhere/state.npz"))
    view.submit(change_scene, "rising-bubble", 32)
    until(lambda: view.snapshot.scene.name == "rising-bubble")
    view.set_grid((48, 32))
    until(lambda: said("Restarted on 48 x 32") and view.snapshot.grid.shape == (48, 32))
    view.compare("race", ("jacobi", "multigrid"))
    until(lambda: view.snapshot.comparison is not None)
    view.set_paused(False)
    until(lambda: view.snapshot.frame.time > 0)
    view.compare("off")
    until(lambda: view.snapshot.comparison is None)
    for name in ("dilu", "none", "jacobi") * 20:  # the newest choice counts, however fast it came
        view.choose(Choice(name, 1e-4))
        assert view.choice.precond == name
    until(lambda: view.snapshot.choice == Choice("jacobi", 1e-4))
    process.close()
    assert not process.failure and gone(process.pid)
    print("done")
"""

KILLED = """
    view.set_paused(False)
    view.submit(Session.set_gravity, 3.25)
    until(lambda: view.snapshot.frames > 20)
    before, pid = view.snapshot, process.pid
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: said("SIGKILL"))
    assert view.snapshot.frame.time >= before.frame.time, "the window still has its picture"
    until(lambda: process.pid != pid and view.snapshot.frame.time > before.frame.time + 0.5)
    assert view.snapshot.settings.gravity == 3.25 and view.snapshot.frame.stats.volume_drift < 1e-4
    assert view.snapshot.frames < before.frames + 60
    print("back after", time.monotonic() - killed)
    for _ in range(3):  # a process that keeps dying is left alone
        pid = process.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: process.pid != pid or view.fatal_error)
        if view.fatal_error:
            break
    assert "3 times" in view.fatal_error
    process.close()
    print("done")
"""

LEFT_ALONE = """
    view.set_paused(False)
    print(process.pid, flush=True)
    time.sleep(100)
"""


IN_A_SOLVE = """
    view.choose(Choice("none", 1e-14))
    view.set_grid((512, 512))
    until(lambda: said("Restarted"))
    view.set_paused(False)
    time.sleep(1.0)  # it is solving for the next half minute
    start = time.monotonic()
    process.close()
    assert time.monotonic() - start < 10 and gone(process.pid)
    print("done")
"""


def run(tmp_path, body, *options, **keywords):
    script = tmp_path / "script.py"
    script.write_text(START + body)
    command = [sys.executable, str(script), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords
    )


@pytest.mark.parametrize("body", [OBEDIENT, KILLED, IN_A_SOLVE], ids=["commands", "killed", "closed in a solve"])
def test_a_simulation_in_another_process(tmp_path, body):
    out, errors = run(tmp_path, body).communicate(timeout=240)
    assert out.endswith("done\n"), errors
    assert "Traceback" not in errors


def test_results_are_written_by_the_process_at_its_end(tmp_path):
    body = (
        "    view.step_once()\n    until(lambda: view.snapshot.frames == 1)\n    process.close()\n    print('done')\n"
    )
    options = ("--json", "out.json", "--save-state", "state.npz", "--log", "log.jsonl")
    out, errors = run(tmp_path, body, *options).communicate(timeout=240)
    assert out.endswith("done\n"), errors
    assert (tmp_path / "out.json").exists()
    assert (tmp_path / "state.npz").exists()
    assert '"do": "end"' in (tmp_path / "log.jsonl").read_text()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_is_left_when_the_window_is_killed(tmp_path, how):
    window = run(tmp_path, LEFT_ALONE, start_new_session=True)
    assert window.stdout is not None
    pid = int(window.stdout.readline())
    if how is signal.SIGINT:
        os.killpg(window.pid, how)  # as Ctrl-C in a terminal: every process hears it
    else:
        window.send_signal(how)
    window.wait(60)
    end = time.monotonic() + 60
    while group_members(window.pid):
        assert time.monotonic() < end, f"{pid} goes on"
        time.sleep(0.05)


def group_members(group):
    """Living processes of a process group."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(place)
    return found
