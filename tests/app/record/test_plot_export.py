"""Plots as files."""

import csv

from app.record import plot_export
from app.session.session import Session
from app.solving.choice import Choice
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import STAGES, Stroke
from sim.scenes.reader import load
from tests.scenes import pool


def shown(frames=3):
    live = Session(pool(), None, SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")
    for _ in range(frames):
        live.step()
    return live.snapshot()


def test_forces_and_probes_are_written(tmp_path):
    live = Session(load("floating-box"), (32, 48), SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")
    live.step()
    live.set_probes(((1.0, 1.0),))
    live.stroke(Stroke("solid", 5.0, 5.0, 5.5, 5.0, 0.6))
    live.step()
    frames, _, _ = plot_export.write(tmp_path / "plots", live.snapshot())
    first, second = csv.DictReader(frames.open())
    body, stone = live.last.stats.bodies[0], live.last.stats.solids[0]
    name = body.name.replace(" ", "_")
    assert float(second[f"{name}_force_y"]) == body.pressure_force[1] + body.viscous_force[1]
    assert float(second["solid_1_force_x"]) == stone.pressure_force[0] + stone.viscous_force[0]
    assert first["solid_1_force_x"] == first["probe1_density"] == ""
    assert float(second["probe1_density"]) == live.samples[-1].probes[0][0]


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
