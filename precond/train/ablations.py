"""`python -m precond.train.ablations DIR`: htp's choices of training, each over several seeds, as a table.

Trains what is not there yet, so that an interrupted run goes on, and prints mean and deviation of the iterations on the
test frames.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..support.command_line import RUN_TIME, Parser, Refusal, aligned, exit_code, joined, path_of, positive, whole
from ..support.files import write_json
from ..support.provenance import commit, machine
from .__main__ import main as train

PRESETS = ("short", "no-highways", "cosine", "sai", "four-functions")
SHOWN = ("barrier 16384", "blobs 16384", "spray 16384", "filament 16384", "checker 16384", "filament 65536")


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, prints the table and returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code(
        "precond.train.ablations", lambda: work(given), "interrupted; the same command goes on from what is done"
    )


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    p = Parser(prog="python -m precond.train.ablations", description=__doc__, allow_abbrev=False)
    p.add_argument("folder", metavar="DIR", help="where weights and cards go; those that are there are not made again")
    p.add_argument("--seeds", metavar="K", default="5", help="trainings of each (default 5)")
    p.add_argument("--minutes", metavar="M", default="8", help="of each training (default 8)")
    p.add_argument("--json", metavar="FILE", help="write the table for programs")
    options = p.parse_args(joined(given))
    seeds, minutes = whole(options.seeds, "--seeds", 1, 100), positive(options.minutes, "--minutes")
    json_path, folder = path_of(options.json, "--json", ""), Path(options.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"DIR {options.folder!r} cannot be made: {error.strerror}") from None
    rows = []
    for seed in range(seeds):  # seed by seed, so that the table is balanced wherever it ends
        for preset in PRESETS:
            out = folder / f"{preset}-{seed}.safetensors"
            if not out.with_suffix(".json").exists():
                arguments = ["htp", "--preset", preset, "--seed", str(seed), "--minutes", str(minutes)]
                if train([*arguments, "--threads", "1", "--out", str(out)]):
                    raise Refusal(f"training {preset!r} with seed {seed} failed", RUN_TIME)
            card = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
            rows.append({"preset": preset, "seed": seed, "steps": card["steps"], **card["scores"]})
    print(table(rows))
    if json_path is not None:
        about = {"machine": machine("cpu"), "commit": commit(), "minutes": minutes}
        write_json(
            json_path, {**about, "command": f"python -m precond.train.ablations {' '.join(given)}", "rows": rows}
        )
    return 0


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each preset: mean ± deviation over its seeds, with 1e-8 as tolerance."""
    lines: list[Sequence[str]] = [("preset", "seeds", *SHOWN)]
    for preset in PRESETS:
        own = [row for row in rows if row["preset"] == preset]
        cells = []
        for name in SHOWN:
            values = [row[name] for row in own]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):.1f} ± {spread:.1f}" if values else "-")
        lines.append((preset, str(len(own)), *cells))
    return aligned(lines)


if __name__ == "__main__":
    sys.exit(main())
