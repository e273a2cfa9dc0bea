"""The two suites about learned methods: what they measure, what they advise, and how failures are told and drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import torch

from precond import problems
from precond.bench import canonical, generalisation
from precond.bench.__main__ import main
from precond.bench.plots import draw

CPU = torch.device("cpu")


def row(method: str, kind: str, ms: float, failures: int = 0, cells: int = 1024) -> dict:
    return {
        "method": method, "kind": kind, "cells": cells, "frames": 2, "failures": failures, "iterations_mean": 9.0,
        "iterations_std": 1.0, "setup_ms": 0.1, "inference_ms": 0.0, "solve_ms": ms, "total_ms": ms,
        "statuses": {"INDEFINITE": failures} if failures else {"CONVERGED": 2},
    }  # fmt: skip


def test_the_map_holds_every_kind_contrast_and_wall_and_the_recorded_scenes():
    made = generalisation.groups((64, 256), 1, 0, CPU)
    generated = [group for group in made if not group.kind.startswith("recorded")]
    assert len(generated) == 2 * len(problems.KINDS) * 3 * 2
    assert len({(group.kind, group.cells) for group in made}) == len(made)
    names = {group.kind for group in made}
    assert {"blobs 25:1", "checker 1000:1 + solids", "recorded dam-break", "recorded rising-bubble"} <= names
    solid = next(group for group in made if group.kind == "barrier 100:1 + solids").cases[0].assemble()
    assert bool(solid.solid.any())


def test_recorded_frames_are_spread_over_their_sequence():
    assert generalisation.spaced(list(range(30)), 3) == [0, 10, 20]
    assert generalisation.spaced([1, 2], 5) == [1, 2]


def test_the_advice_is_the_least_total_without_a_failure_also_when_it_is_not_ours():
    rows = [
        row(method, f"{kind} {contrast}:1", ms, failures)
        for kind in ("blobs", "spray")
        for contrast in (25, 100)
        for method, ms, failures in (
            ("amg-rs", 2.0, 0),
            ("htp", 5.0, 0),
            ("jacobi", 3.0, 0),
            ("npo", 1.0, int(kind == "spray" and contrast == 100)),
        )
    ]
    said = generalisation.recommendations(rows)
    assert "blobs, 1,024 cells: pick npo; 2.00x less time than amg-rs; htp takes 5.00x" in said
    assert "spray, 1,024 cells: pick amg-rs; 1.50x less time than jacobi; htp takes 2.50x; failed: npo" in said
    assert "npo failed in 1 of 4 entries (INDEFINITE): spray 100:1 (1,024)" in said
    assert not any(line.startswith("htp failed") for line in said)


def test_a_tie_is_called_one_and_total_failure_too():
    assert generalisation.advice({"a": 1.0, "htp": 1.05}) == "pick a; htp is as good"
    assert generalisation.advice({"a": None}) == "every method failed somewhere"


def test_the_heat_map_names_rows_and_methods_and_marks_failures(tmp_path):
    kinds = ("blobs 25:1", "blobs 25:1 + solids", "recorded dam-break")
    rows = [row(m, kind, ms, int(m == "npo"), cells) for m, ms in (("jacobi", 3.0), ("npo", 90.0)) for kind in kinds
            for cells in (1024, 4096)]  # fmt: skip
    results = {"machine": {}, "rows": rows, "curves": [], "rtol": 1e-6, "protocol": "generalisation", "command": "x"}
    paths = draw(results, tmp_path)
    assert {path.name for path in paths} == {
        f"generalisation-{n}.{end}" for n in (1024, 4096) for end in ("png", "svg")
    }
    for path in paths:
        if path.suffix == ".svg":
            root = ElementTree.parse(path).getroot()
            found = ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]
            assert {*kinds, "jacobi", "npo", "× 1/2"} <= set(found)
            assert found.count("× 1/2") == 3


def test_the_suites_run_as_commands_and_write_json(tmp_path, capsys):
    out = tmp_path / "g.json"
    methods = ["--methods", "jacobi,spai-static", "--device", "cpu", "--frames", "1"]
    assert main(["--suite", "generalisation", "--sizes", "64", *methods, "--json", str(out)]) == 0
    results = json.loads(out.read_text())
    assert (results["protocol"], results["rtol"]) == ("generalisation", 1e-6)
    assert len(results["rows"]) == 2 * (len(problems.KINDS) * 6 + 2)
    printed = capsys.readouterr().out
    assert "blobs, 64 cells: pick" in printed
    assert "failed in" not in printed
    out = tmp_path / "c.json"
    assert (
        main(["--suite", "canonical", "--methods", "none,jacobi,ic0,nystrom-16", *methods[2:], "--json", str(out)]) == 0
    )
    results = json.loads(out.read_text())
    assert (results["protocol"], results["rtol"]) == ("canonical", canonical.RTOL)
    iterations = {r["method"]: r["iterations_mean"] for r in results["rows"] if r["kind"].endswith("all around")}
    assert abs(iterations["none"] - 116) <= 4  # reported 116, 116, 119 to 123, and 5 for ILU
    assert iterations["jacobi"] == iterations["none"]
    assert 110 <= iterations["nystrom-16"] <= 123
    assert iterations["scipy-ilu"] <= 8
    assert iterations["ic0"] < 50
    assert "none: 11" in capsys.readouterr().out
