"""Probes: values of the right cell, at the right time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.render.views import VIEWS
from app.session.session import Session
from app.solving import probes
from app.solving.choice import Choice
from app.solving.probes import PROBED
from app.solving.switchable_solver import SwitchableSolver
from sim.frame import Stroke
from sim.grid import Grid
from sim.scenes.reader import load


def session():
    return Session(load("dam-break"), (32, 48), SwitchableSolver(Choice("multigrid", 1e-6)), device="cpu")


def test_a_probe_notes_every_field_of_its_cell():
    run = session()
    dx = run.simulation.grid.dx
    places = ((5.5 * dx, 3.2 * dx), (40.1 * dx, 30.9 * dx))
    run.set_probes(places)
    run.step()
    fields = [view for view in VIEWS if view.field is not None and not view.of_solve]
    assert [(view.name, view.unit) for view in fields] == [(name, unit) for name, (unit, _) in PROBED.items()]
    for k, (row, column) in enumerate(((3, 5), (30, 40))):
        for view, value in zip(fields, run.samples[-1].probes[k]):
            assert value == view.field(run.last, run.simulation.grid)[row, column]
    assert run.samples[-1].probes[0][0] == 1000.0
    assert run.snapshot().probes == places
    assert run.samples[-1].time == run.last.time
    assert run.samples[-1].energy == run.last.stats.energy
    assert run.samples[-1].dt * run.last.substeps == pytest.approx(run.last.dt)


def test_in_a_wall_there_is_nothing_to_measure():
    run = session()
    run.step()
    run.stroke(Stroke("solid", 9.0, 5.0, 9.0, 5.0, 0.8))
    run.set_probes(((9.0, 5.0), (99.0, 5.0)))
    run.step()
    assert all(math.isnan(value) for probe in run.samples[-1].probes for value in probe)


def test_the_phase_of_a_cell():
    run = session()
    assert probes.phase_at(run.last, (0, 0)) == (0, 1.0)
    assert probes.phase_at(run.last, (31, 47)) == (1, 1.0)
    mixed = np.argwhere((run.last.fractions[0] > 0.51) & (run.last.fractions[0] < 0.99))
    which, share = probes.phase_at(run.last, tuple(mixed[0]))
    assert (which, share) == (0, run.last.fractions[0][tuple(mixed[0])])


def test_probes_are_placed_and_removed():
    places = ()
    for k in range(4):
        places = probes.toggled(places, (k, 1.0), 0.1)
    with pytest.raises(ValueError, match="At most 4 probes"):
        probes.toggled(places, (9.0, 9.0), 0.1)
    assert probes.toggled(places, (2.05, 1.0), 0.1) == ((0, 1.0), (1, 1.0), (3, 1.0))


def test_cells_begin_at_the_lower_left():
    grid = Grid(32, 48, height=10.0)
    assert probes.cell_at(grid, (0.0, 0.0)) == (0, 0)
    assert probes.cell_at(grid, (14.999, 9.999)) == (31, 47)
    assert probes.cell_at(grid, (15.0, 5.0)) is None
    assert probes.cell_at(grid, (-0.001, 5.0)) is None
