"""Runs the parts one after another, whatever happens in any of them, and writes what they found."""

from __future__ import annotations

import shlex
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ...support.command_line import RUN_TIME, Refusal
from ...support.files import replacing, write_json
from . import apart, checks, times
from .extent import Extent, Report, of

Part = Callable[[Extent], Report]

PARTS: dict[str, Part] = {
    "what is here": checks.here,
    "every method, recorded": checks.methods,
    "many recordings": checks.recordings,
    "kernels in Triton": checks.kernels,
    "the published protocol": times.published,
    "the published sizes": times.sizes,
    "fused or plain": times.fused_or_plain,
    "in the loop": times.in_loop,
    "network on and off": times.network,
    "iterations between two looks": times.chunks,
    "a denser top": times.tops,
    "time by kernel": times.by_kernel,
    "kernels counted": times.counted,
    "fluid": apart.fluid,
    "tests": apart.tests,
}


def main(device: torch.device, given: Sequence[str], json: Path | None, each: Callable[[str], None]) -> int:
    """Runs everything; 0, or 1 if anything failed."""
    results = run(PARTS, of(device), each)
    results["command"] = shlex.join(["python", "-m", "precond.bench", *given])
    text = page(results)
    each("")
    print(text)
    try:
        if json is not None:
            write_json(json, results)
            with replacing(json.with_suffix(".txt")) as part:
                part.write_text(text + "\n", encoding="utf-8")
            print(f"wrote {json} and {json.with_suffix('.txt')}")
    except OSError as error:
        raise Refusal(f"the results could not be written: {error}", RUN_TIME) from None
    return RUN_TIME if results["failed"] else 0


def run(parts: Mapping[str, Part], extent: Extent, each: Callable[[str], None] = lambda name: None) -> dict[str, Any]:
    """What every part found, in order. One that raises has failed, and so has one that no time is left for."""
    found, failed, begin = [], [], time.monotonic()
    for name, part in parts.items():
        each(name)
        start = time.monotonic()
        if start - begin > extent.limit_s:
            report = Report(failures=[f"not begun: {extent.limit_s:.0f} s were over"])
        else:
            report = _guarded(part, extent)
        seconds = time.monotonic() - start
        found.append(
            {"part": name, "seconds": seconds, "lines": report.lines, "failures": report.failures, "data": report.data}
        )
        failed += [f"{name}: {sentence}" for sentence in report.failures]
    return {"device": str(extent.device), "seconds": time.monotonic() - begin, "parts": found, "failed": failed}


def _guarded(part: Part, extent: Extent) -> Report:
    try:
        return part(extent)
    except Exception as error:  # an error of CUDA or of a driver too: the rest may still be worth knowing
        trace = traceback.format_exc()
        sentence = f"{type(error).__name__}: {error}".splitlines()[0]
        return Report(trace.splitlines()[-8:], [sentence], {"traceback": trace})


def page(results: Mapping[str, Any]) -> str:
    """One page for people, which ends by saying what failed."""
    lines = [f"Acceptance on {results['device']}, {results['seconds']:.0f} s"]
    for part in results["parts"]:
        lines += ["", f"{part['part']} ({part['seconds']:.1f} s){': FAILED' if part['failures'] else ''}"]
        lines += [f"    {line}".rstrip() for line in part["lines"]]
    failed = results["failed"]
    lines += ["", f"{len(failed)} failures:" if failed else "Nothing failed."]
    return "\n".join([*lines, *(f"    {sentence}" for sentence in failed)])
