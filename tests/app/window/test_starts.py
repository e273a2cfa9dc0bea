"""The window is started and ended over and over, every scene in turn: whatever its threads and processes do.

`python -m tests.app.window.test_starts --count 200` is the long form, on a virtual display of its own; it prints what
did not end cleanly. Starts end by themselves after some frames, or are told to at a random moment: by Escape, by
SIGTERM, by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.ui.settings import Settings, save
from sim.scenes.reader import names
from tests.app.window.unseen import ROOT

SOLVERS = ("htp", "multigrid", "jacobi", "hierarchy")
ENDS = {"frames": (0,), "Escape": (0,), "SIGTERM": (0, 130, 143, -15, -2), "SIGINT": (0, 130, -2)}
LONGEST = 180.0  # [s] of one start, on a busy machine
CRASHES = re.compile(r"Fatal Python error|Segmentation fault|Traceback|core dumped|terminate called")


def start_and_end(number: int, display: str) -> str:
    """What was wrong with one start, or ""."""
    chance = random.Random(number)
    scene, solver = names()[number % len(names())], chance.choice(SOLVERS)
    end, delay = list(ENDS)[number // len(names()) % len(ENDS)], chance.uniform(0.0, 8.0)
    command = [sys.executable, "-X", "faulthandler", "-m", "app", "--scene", scene, "--precond", solver]
    command += ["--grid", "24x32", *(["--frames", "3"] if end == "frames" else [])]
    with tempfile.TemporaryDirectory() as home:
        save(Path(home) / "estuary" / "settings.json", Settings(toured=True, width=800, height=560))
        environment = {**os.environ, "DISPLAY": display, "XDG_CONFIG_HOME": home, "PYTHONPATH": str(ROOT)}
        environment.pop("ESTUARY_SETTINGS", None)
        with open(os.path.join(home, "said"), "w+") as said:
            program = subprocess.Popen(command, cwd=home, env=environment, stdout=said, stderr=subprocess.STDOUT)
            if end != "frames":
                time.sleep(delay)
                tell(program, end, environment)
            try:
                program.wait(LONGEST)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGABRT)  # faulthandler then says where every thread is
                program.wait()
            said.seek(0)
            text = said.read()
    if program.returncode in ENDS[end] and not CRASHES.search(text):
        return ""
    return f"start {number} ({scene}, {solver}, {end} after {delay:.1f} s): exit {program.returncode}\n{text[-4000:]}"


def tell(program: subprocess.Popen, end: str, environment: dict[str, str]) -> None:
    """Tell the program to end, again and again where there is no window yet that could hear it."""
    if end in ("SIGTERM", "SIGINT"):
        program.send_signal(getattr(signal, end))
        return
    begin = time.monotonic()
    while program.poll() is None and time.monotonic() < begin + LONGEST:
        words = ["xdotool", "search", "--onlyvisible", "--name", "Estuary"]
        found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout.split()
        for window in found:
            deed = ["xdotool", "windowfocus", window, "key", "Escape", "Escape"]
            subprocess.run(deed, env=environment, capture_output=True, check=False)
        time.sleep(0.5)


@contextmanager
def own_display() -> Iterator[str]:
    """A virtual display."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            yield f":{answer.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.window
@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 17, 22, 31])  # each of the ends once
def test_a_start_ends_cleanly(number: int, display: str) -> None:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    pytest.importorskip("imgui_bundle")
    assert start_and_end(number, display) == ""


def main() -> int:
    """The long form; exit code 1 where a start was not clean."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=200, help="starts (default 200)")
    p.add_argument("--first", type=int, default=0, help="number of the first one, to repeat it")
    chosen = p.parse_args()
    wrong = 0
    with own_display() as display:
        for number in range(chosen.first, chosen.first + chosen.count):
            found = start_and_end(number, display)
            wrong += bool(found)
            print(found or f"start {number} is clean", flush=True)
    print(f"{chosen.count - wrong} of {chosen.count} starts and ends were clean")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
