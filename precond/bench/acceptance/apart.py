"""What runs in processes of its own: Taichi's fluid, where it is, and the tests."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ...support.provenance import ROOT
from .extent import Extent, Report, has

SAME_AT_FIRST, SAME_AT_LAST = 1e-6, 1e-2  # of the energy: rounding grows with every frame that a flow is turbulent


def fluid(extent: Extent) -> Report:
    """The arch that Taichi got, its writes and torch's to one tensor in turns, and frames of a dam break."""
    report = Report()
    if not has("taichi", "sim"):
        report.say("Taichi is not here.")
        return report
    found = {}
    for device in dict.fromkeys((extent.device.type, "cpu")):
        command = [sys.executable, "-m", "sim.validate.on_device", "--device", device]
        command += ["--frames", str(extent.fluid_frames), "--writes", str(extent.writes)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode:
            report.failures.append(f"{device}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
            continue
        found[device] = json.loads(done.stdout.splitlines()[-1])
        about = found[device]
        report.say(f"{device}: Taichi got {about['arch']}; {extent.writes} writes in turns: {about['wrong']} wrong")
        report.say(f"{device}: {extent.fluid_frames} frames in {about['seconds']:.1f} s")
        report.check(found[device]["wrong"] == 0, f"{device}: {found[device]['wrong']} writes in turns went wrong")
        report.check(device in found[device]["arch"] or device == "cpu", f"Taichi runs on {found[device]['arch']}")
    report.data = dict(found)
    if extent.on_cuda and len(found) == 2:
        _compare(report, found["cuda"]["energies"], found["cpu"]["energies"])
    return report


def _compare(report: Report, there: list[float], here: list[float]) -> None:
    apart = [abs(a - b) / abs(b) for a, b in zip(there, here)]
    report.say(f"energy differs from the CPU's by {apart[0]:.1e} in the first frame, {apart[-1]:.1e} in the last")
    report.check(apart[0] <= SAME_AT_FIRST, f"the first frame's energy differs by {apart[0]:.1e}")
    report.check(apart[-1] <= SAME_AT_LAST, f"the last frame's energy differs by {apart[-1]:.1e}")


def tests(extent: Extent) -> Report:
    """The project's own tests of what depends on the device, without those on a pretended one, which need none."""
    report = Report()
    if not has("pytest"):
        report.say("pytest is not here.")
        return report
    command = [sys.executable, "-m", "pytest", "-o", "addopts=-q", "-p", "no:cacheprovider", "-k", "not pretended"]
    try:
        done: Any = subprocess.run(
            [*command, *extent.tests], cwd=ROOT, capture_output=True, text=True, timeout=extent.tests_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        seen = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        report.say("\n".join(seen.splitlines()[-5:]))
        report.failures.append(f"not done in {extent.tests_s} s")
        return report
    said = done.stdout.strip().splitlines() or done.stderr.strip().splitlines()
    report.say("\n".join([*(line for line in said if line.startswith(("FAILED", "ERROR"))), *said[-1:]]))
    report.data = {"returncode": done.returncode, "tail": said[-40:]}
    report.check(done.returncode == 0, said[-1] if said else "no tests ran")
    return report
