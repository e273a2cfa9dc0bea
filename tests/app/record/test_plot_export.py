"""Plots as files."""

import csv

from app.record import plot_export
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import STAGES
from tests.scenes import pool


def shown(frames=3):
    live = Session(pool(), None, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")
    for _ in range(frames):
        live.step()
    return live.snapshot()


def test_plots_are_written_with_the_numbers_shown(tmp_path):
    snapshot = shown()
    frames, residual, picture = plot_export.write(tmp_path / "new" / "plots-1", snapshot)
    rows = list(csv.DictReader(frames.open()))
    assert [int(row["frame"]) for row in rows] == [1, 2, 3]
    for row, sample in zip(rows, snapshot.samples):
        assert tuple(float(row[f"{stage}_ms"]) for stage in STAGES) == sample.ms
        assert float(row["iterations"]) == sample.iterations
    curve = [float(row["multigrid"]) for row in csv.DictReader(residual.open())]
    assert curve == [float(value) for value in snapshot.residuals]
    from PIL import Image

    with Image.open(picture) as image:
        assert image.width > 1000
        assert len(set(image.resize((64, 48)).convert("L").tobytes())) > 10
    plot_export.write(tmp_path / "empty", shown(0))
