"""`python -m precond.bench`: reads the command line, measures, prints the table, writes --json and --plot."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..support.command_line import RUN_TIME, Refusal, exit_code
from ..support.files import write_json
from ..support.provenance import commit, machine
from . import canonical, generalisation, htp_paper_protocol, launches, recorded_suites, report, runner, suites
from .options import Options, options

FRAMES = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and returns its exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("precond.bench", lambda: work(given))


WITHOUT_CURVES = ("generalisation",)  # a map of a thousand solves, nobody looks at their curves


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    chosen = options(given)
    if chosen.measured is not None:
        save(chosen, read(chosen.measured))
        return 0
    if chosen.launches:
        return count_launches(chosen, given)
    if chosen.suite == "trust":
        return trust(chosen)
    if chosen.suite == "acceptance":
        from .acceptance.run import main as accept

        return accept(chosen.device, given, chosen.json, progress)
    results = measure(chosen, given)
    show(results)
    save(chosen, results)
    return 0


def read(path: Path) -> dict[str, Any]:
    """The results that an earlier --json wrote. Raises Refusal."""
    try:
        results = json.loads(path.read_text(encoding="utf-8-sig"))
        drawable = {"kind", "method", "cells", "iterations_mean", "total_ms", "failures", "frames"}
        drawable |= {f"{stage}_ms" for stage in ("setup", "inference", "solve")}
        if not (results["rows"] and all(drawable <= row.keys() for row in results["rows"]) and results["rtol"] > 0):
            raise KeyError
    except (OSError, ValueError) as error:
        raise Refusal(f"--from {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (KeyError, TypeError, AttributeError):
        raise Refusal(
            f"--from {str(path)!r} holds no results of precond.bench: give a file that --json wrote"
        ) from None
    return results


def measure(chosen: Options, given: Sequence[str]) -> dict[str, Any]:
    """The results as --json writes them."""
    rows: list[report.Row] = []
    curves: list[dict[str, Any]] = []
    parts = [chosen]
    if chosen.suite:
        parts = [options(line) for line in suites.parts(chosen.suite, given_besides_suite(given))]
    for part in parts:
        for group, run in groups(part, chosen.suite):
            runs = run()
            for method, outcomes in runs.items():
                rows.append(report.row(method, group, outcomes, part.protocol))
                if chosen.suite not in WITHOUT_CURVES:
                    curves.append(report.curve(method, group, outcomes[0]))
    return {
        "machine": machine(chosen.device.type),
        "commit": commit(),
        "command": shlex.join(["python", "-m", "precond.bench", *given]),
        "protocol": chosen.suite or chosen.protocol,
        "rtol": parts[0].rtol,
        "seed": chosen.seed,
        "rows": rows,
        "curves": curves,
    }


def given_besides_suite(given: Sequence[str]) -> list[str]:
    """The arguments without --suite and its value."""
    rest = list(given)
    k = next(k for k, text in enumerate(rest) if text == "--suite" or text.startswith("--suite="))
    return rest[:k] + rest[k + (2 if rest[k] == "--suite" else 1) :]


Runs = dict[str, list[runner.Run]]


def groups(chosen: Options, suite: str | None = None) -> list[tuple[runner.Group, Callable[[], Runs]]]:
    """The blocks of the table, each with the function that measures it; frames are generated when it runs."""
    device, frames = chosen.device, chosen.frames

    def run(group: runner.Group) -> Runs:
        def each(method: str) -> None:
            progress(f"{group.kind}, {group.cells:,} cells: {method}")

        return runner.run_methods(
            chosen.methods, group, chosen.rtol, device, chosen.cap, chosen.weights, each, chosen.engines
        )

    if suite == "canonical":
        return canonical.groups(
            chosen.methods, frames or FRAMES, chosen.seed, chosen.rtol, device, chosen.cap, chosen.weights
        )
    if suite == "generalisation":
        made = generalisation.groups(chosen.sizes, frames or FRAMES, chosen.seed, device)
        return [(group, lambda g=group: run(g)) for group in made]  # type: ignore[misc]
    if chosen.paper:
        made = [htp_paper_protocol.group(cells, frames or FRAMES, chosen.seed, device) for cells in chosen.sizes]
        paper = htp_paper_protocol.run_methods
        given = device, chosen.weights
        return [(group, lambda g=group: paper(chosen.methods, g, *given)) for group in made]  # type: ignore[misc]
    if chosen.in_loop or chosen.systems:
        try:
            if chosen.systems:
                name, files = chosen.systems.resolve().name, recorded_suites.systems_in(chosen.systems)
            else:
                name, files = recorded_suites.files_of(chosen.in_loop or "")
            made = [runner.from_files(name, files[:frames], device, warm=bool(chosen.in_loop))]
        except ValueError as error:
            raise Refusal(error) from None
    else:
        made = [
            runner.generated(
                kind, cells, frames or FRAMES, chosen.seed, chosen.contrast, device, chosen.solids, chosen.open_top
            )
            for kind in chosen.kinds
            for cells in chosen.sizes
        ]
    return [(group, lambda g=group: run(g)) for group in made]  # type: ignore[misc]


def show(results: dict[str, Any]) -> None:
    """Prints the table and its notes."""
    progress("")
    about = results["machine"]
    print(f"{about['device_name']} ({about['device']}), torch {about['torch']}, commit {results['commit']}")
    print(f"tolerance {results['rtol']:g}; setup, network and solve in ms; iterations are mean ± standard deviation\n")
    print(report.table(results["rows"]))
    if results["protocol"] == "paper":
        print(f"\n{htp_paper_protocol.NOTE}")
    sentences = {"canonical": canonical.beside_the_reported, "generalisation": generalisation.recommendations}
    for sentence in sentences.get(results["protocol"], report.ratios)(results["rows"]):
        print(sentence)
    for row in results["rows"]:
        if "error" in row:
            print(f"{row['method']}, {row['kind']}, {row['cells']:,} cells: {row['error']}")


def save(chosen: Options, results: dict[str, Any]) -> None:
    """Writes --json and --plot."""
    try:
        if chosen.json is not None:
            write_json(chosen.json, results)
            print(f"wrote {chosen.json}")
        if chosen.plot is not None:
            from .plots import draw

            for path in draw(results, chosen.plot):
                print(f"wrote {path}")
    except OSError as error:
        raise Refusal(f"the results could not be written: {error}", RUN_TIME) from None


def count_launches(chosen: Options, given: Sequence[str]) -> int:
    """Prints how many kernels the methods start, and what that means."""
    made = launches.rows(chosen.methods, chosen.sizes, chosen.device, chosen.seed, progress)
    progress("")
    print(launches.table(made))
    command = shlex.join(["python", "-m", "precond.bench", *given])
    save(chosen, {"commit": commit(), "command": command, "launches": launches.as_json(made)})
    return 0


def trust(chosen: Options) -> int:
    """Runs the suite of random systems; the exit code is 1 if a solve claimed something false."""
    from .trust import campaign

    outcome = campaign(chosen.frames or 2000, chosen.seed, progress=lambda k: progress(f"system {k}"))
    progress("")
    print(outcome)
    return RUN_TIME if outcome.violations else 0


def progress(text: str) -> None:
    """One line on stderr that replaces the last, while somebody is watching."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
