"""Laws of the benchmark's pictures: every method named, failures marked, colours fixed, files that repeat."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from precond.bench.__main__ import main
from precond.bench.plots import draw
from precond.figures.method_style import METHODS

PICTURES = ("convergence", "time-against-size", "stages", "iterations-against-size")


def results(methods=("jacobi", "multigrid"), kinds=("barrier",), sizes=(1024, 4096), **row):
    """Made-up results in the benchmark's own shape."""
    rows, curves = [], []
    for kind in kinds:
        for cells in sizes:
            for k, method in enumerate(methods, start=1):
                iterations = 10 * k + cells // 1024
                rows.append(
                    {
                        "method": method, "kind": kind, "cells": cells, "frames": 20, "failures": 0,
                        "iterations_mean": iterations, "iterations_std": 2.0, "setup_ms": 1.0 * k, "inference_ms": 0.5,
                        "solve_ms": 2.0 * k, "total_ms": 3.0 * k + 0.6, "total_ms_low": 3.0 * k,
                        "total_ms_high": 4.0 * k, "residual_max": 9e-9, **row,
                    }
                )  # fmt: skip
                residuals = [10 ** (-8 * i / iterations) for i in range(iterations + 1)]
                curves.append({"method": method, "kind": kind, "cells": cells, "residuals": residuals})
    return {
        "machine": {"device_name": "Abacus 3000", "device": "cpu", "torch": "2.13.0"},
        "commit": "0123456789ab",
        "command": "python -m precond.bench --plot out",
        "protocol": "single-shot",
        "rtol": 1e-8,
        "rows": rows,
        "curves": curves,
    }


def texts(path):
    """Every text of an SVG, which must be well-formed."""
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_picture_is_a_png_and_an_svg(tmp_path):
    paths = draw(results(), tmp_path / "new" / "folder")
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")}
    for path in paths:
        assert path.parent == tmp_path / "new" / "folder"
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert picture.width == 1800
                assert picture.getpixel((2, 2))[:3] == (255, 255, 255)


@pytest.mark.parametrize("kinds", [("barrier",), ("barrier", "closed")])
def test_every_svg_names_every_method_the_machine_the_commit_and_the_command(tmp_path, kinds):
    methods = ("none", "multigrid", "scipy-amg-rs", "mine")
    for path in draw(results(methods, kinds), tmp_path):
        if path.suffix == ".svg":
            found = texts(path)
            for method in methods:
                assert any(text.split()[:1] == [method] for text in found), (path.name, method)
            caption = " ".join(found)
            for said in ("Abacus 3000", "0123456789ab", "python -m precond.bench --plot out", "1e-8"):
                assert said in caption, (path.name, said)


def test_failures_are_marked_and_only_they(tmp_path):
    draw(results(), tmp_path)
    assert "failed" not in "".join((tmp_path / f"{name}.svg").read_text() for name in PICTURES)
    failing = results()
    failing["rows"][-1]["failures"] = 7
    draw(failing, tmp_path)
    found = texts(tmp_path / "stages.svg")
    assert [text for text in found if text.endswith("× 7 of 20 failed")], found
    assert sum("failed" in text for text in found) == 1
    assert any("×" in text for text in texts(tmp_path / "time-against-size.svg"))


def test_a_curve_that_does_not_arrive_is_not_said_to_have(tmp_path):
    stuck = results()
    stuck["curves"][-1]["residuals"] = [1.0] + [1e-3] * 50
    draw(stuck, tmp_path)
    found = texts(tmp_path / "convergence.svg")
    assert "multigrid > 50" in found
    assert "jacobi 14" in found


def test_bars_far_longer_than_the_others_are_cut_and_say_so(tmp_path):
    slow = results(("jacobi", "dilu", "multigrid"))
    draw(slow, tmp_path)
    assert "//" not in texts(tmp_path / "stages.svg")
    slow["rows"][-1] |= {"solve_ms": 1000.0, "total_ms": 1234.0}
    draw(slow, tmp_path)
    found = texts(tmp_path / "stages.svg")
    assert {"//", "1,234 ms"} <= set(found)
    assert any("longer than drawn" in text for text in found)


def test_published_values_are_said_to_be_published(tmp_path):
    draw(results(), tmp_path)
    assert "published" not in (tmp_path / "time-against-size.svg").read_text()
    draw(results(published_ms=5.0, published_iterations=12), tmp_path)
    for name in ("time-against-size", "iterations-against-size"):
        assert any("published" in text for text in texts(tmp_path / f"{name}.svg")), name


@pytest.mark.parametrize(
    "unusual",
    [
        results(("jacobi",), sizes=(1024,)),
        results(("direct",), sizes=(1,), setup_ms=0.0, inference_ms=0.0, solve_ms=0.0, total_ms=0.0, iterations_mean=0),
        results(kinds=("a", "b", "c", "d", "e", "f", "g")),
        results(kinds=("a", "b"), sizes=(1024, 4096, 16384, 65536, 262144, 1048576)),
        results(tuple(METHODS), frames=1, failures=1, residual_max=None),
        {**results(), "machine": {}, "command": "python " + "word " * 300},
    ],
    ids=["one row", "all zero", "many kinds", "many sizes", "every method failed", "long command"],
)
def test_unusual_results_are_drawn(tmp_path, unusual):
    paths = draw(unusual, tmp_path)
    assert len(paths) == 8
    for path in paths:
        assert path.suffix == ".png" or texts(path)


def test_panels_are_one_for_each_kind(tmp_path):
    draw(results(kinds=("barrier", "closed", "spray", "blobs")), tmp_path)
    for name in PICTURES:
        found = texts(tmp_path / f"{name}.svg")
        for kind in ("barrier", "closed", "spray", "blobs"):
            assert sum(text.split(",")[0] == kind for text in found) == 1, (name, kind)


def test_a_picture_without_data_is_left_out(tmp_path):
    paths = draw({**results(), "curves": []}, tmp_path)
    assert [path.stem for path in paths if path.suffix == ".svg"] == list(PICTURES[1:])


def test_no_rows_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="no rows to draw; run the benchmark"):
        draw({**results(), "rows": []}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_pictures_repeat_byte_for_byte(tmp_path):
    for one, two in zip(draw(results(), tmp_path / "a"), draw(results(), tmp_path / "b")):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_results_are_drawn_again_without_measuring(tmp_path, capsys):
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results()))
    assert main(["--from", str(file), "--plot", str(tmp_path / "again")]) == 0
    for path in draw(results(), tmp_path / "once"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    for text, sentence in (
        ("[]", "holds no results"),
        ("{", "cannot be read"),
        ('{"rows": [{}], "rtol": 1}', "holds no"),
    ):
        file.write_text(text)
        assert main(["--from", str(file), "--plot", str(tmp_path)]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["--from", str(file)]) == 2
    assert "give --plot DIR" in capsys.readouterr().err
