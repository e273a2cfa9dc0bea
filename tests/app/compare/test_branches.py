"""Branches: fluids from one moment that differ in what was changed, and in nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import precond
from app.__main__ import main
from app.cli.options import options
from app.cli.validation import compared
from app.compare.branches import Branches
from app.session.input_log import InputLog, check_sum
from app.session.session import Session
from app.solving import sweeps
from app.solving.choice import SWEEPS, Choice, Variant
from app.solving.pane_trace import LONGEST, TraceRecorder, difference_of
from app.solving.switchable_solver import SwitchableSolver
from precond.support.command_line import Refusal
from sim.frame import Stroke
from sim.scenes.reader import load


def session(method="multigrid", grid=(32, 48), **more):
    return Session(load("dam-break"), grid, SwitchableSolver(Choice(method, 1e-6)), device="cpu", **more)


def frames(branches, count):
    """Makes so many frames of every pane."""
    for _ in range(count):
        while not branches.turn():
            pass
    return [pane.result() for pane in branches.panes]


@pytest.mark.parametrize("method", ["multigrid", "htp"])
def test_a_branch_with_nothing_changed_stays_identical(method):
    run = session(method, timeline=1 << 28)
    for _ in range(30):
        run.step()
    run.rewind(10)
    branches = Branches(run, (Variant(), Variant(), Variant(method, tol=run.solve.choice.tol)))
    for result in frames(branches, 20):
        assert result.parted is None
        assert result.difference == 0
    while run.frames < 50:  # and so does the fluid that they began from
        run.step()
    assert all(check_sum(pane.frame) == check_sum(run.last) for pane in branches.panes)


def test_branches_begin_alike_and_part_by_what_was_changed():
    run = session()
    for _ in range(5):
        run.step()
    variants = (Variant(), Variant("jacobi"), Variant(tol=1e-2), Variant(ratio=1000.0))
    branches = Branches(run, variants)
    assert len({check_sum(pane.frame) for pane in branches.panes}) == 1
    first, method, tolerance, ratio = (pane.session for pane in branches.panes)
    assert [pane.solve.choice for pane in (first, method, tolerance, ratio)] == [
        Choice("multigrid", 1e-6), Choice("jacobi", 1e-6), Choice("multigrid", 1e-2), Choice("multigrid", 1e-6)
    ]  # fmt: skip
    assert first.settings == method.settings == tolerance.settings == run.settings
    assert ratio.settings == replace(run.settings, densities=ratio.settings.densities)
    assert ratio.settings.densities == pytest.approx((1000.0, 1.0))
    run.set_densities((500.0, 20.0))
    assert run.fork(Variant(ratio=10.0)).settings.densities == pytest.approx((500.0, 50.0))
    run.set_densities(first.settings.densities)
    results = frames(branches, 10)
    assert [result.parted for result in results[1:]] == [pytest.approx(1 / 60)] * 3
    same, other, loose, heavy = (result.difference for result in results)
    assert same == 0
    assert 0 < other < 1e-6  # within the tolerance
    assert other < loose < 1e-3
    assert heavy > 1e-4
    assert run.last.time == pytest.approx(5 / 60)  # it stays where it is


def test_what_solving_too_little_does():
    """Bar: ten times the converged volume drift and divergence; measured 10^5 and more."""
    variants = (Variant("multigrid"), Variant(SWEEPS, iterations=5), Variant(SWEEPS, iterations=50), Variant(tol=1e-2))
    results = frames(Branches(session(grid=(48, 64)), variants), 60)
    converged, five, fifty, loose = results
    for little in (five, fifty):
        assert little.drift > 1e4 * converged.drift
        assert little.divergence > 1e3 * converged.divergence
        assert little.warning == ""  # they are told to stop there
    assert five.drift > 2 * fifty.drift
    assert five.drift > 0.02
    assert loose.divergence > 1e2 * converged.divergence
    assert [result.label for result in results] == [
        "", "Plain Jacobi sweeps, 5", "Plain Jacobi sweeps, 50", "Multigrid, 1e-2"
    ]  # fmt: skip
    assert [result.iterations for result in (five, fifty)] == [5, 50]
    for result in results:
        assert len(result.trace.times) == 60
        assert result.trace.drift[-1] == result.drift
        assert result.trace.divergence[-1] == result.divergence


def test_sweeps_are_damped_jacobi():
    system, b = precond.problems.frame("filament", 1024, 3, contrast=(50, 50), solids=True)
    x0 = torch.rand(b.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = sweeps.solve(system, b, x0, 7)
    A, fluid = system.to_scipy(), ~system.solid.numpy()
    x, right = x0.numpy()[fluid], system.project(b).numpy()[fluid]
    for _ in range(7):
        x = x + 0.8 * (right - A @ x) / A.diagonal()
    residual = np.linalg.norm(right - A @ x) / np.linalg.norm(right)
    assert found.residual == pytest.approx(residual, rel=1e-10)
    assert found.status is precond.Status.ITERATION_LIMIT
    difference = found.x.numpy()[fluid] - x
    for region in np.unique(system.regions.numpy()[fluid]):
        part = difference[system.regions.numpy()[fluid] == region]
        assert np.ptp(part) < 1e-10 * np.abs(x).max()
    assert len(found.history) == found.iterations == 7


def test_a_branch_that_breaks_off_stays_where_it_is(monkeypatch):
    branches = Branches(session(), (Variant(), Variant("jacobi")))
    frames(branches, 2)
    stopped = branches.panes[1].frame
    monkeypatch.setattr(branches.panes[1].session, "step", lambda: (_ for _ in ()).throw(ValueError("it burst")))
    alive, burst = frames(branches, 3)
    assert burst.error == burst.warning == "it burst"
    assert branches.panes[1].frame is stopped
    assert alive.frames == 5
    monkeypatch.setattr(branches.panes[0].session, "step", lambda: (_ for _ in ()).throw(ValueError("and so did it")))
    with pytest.raises(ValueError, match="and so did it"):
        frames(branches, 1)


def test_inputs_reach_every_branch_at_the_same_frame():
    branches = Branches(session(), (Variant(), Variant()))
    branches.turn()  # in the middle of a frame
    branches.submit(Session.stroke, (Stroke("pour", 8.0, 8.0, 8.0, 8.0, 1.0, 0),))
    results = frames(branches, 3)
    assert branches.panes[0].frame.stats.volumes[0] > 20
    assert results[1].parted is None


def test_a_branch_can_be_kept(tmp_path):
    run = session(timeline=1 << 28)
    for _ in range(4):
        run.step()
    branches = Branches(run, (Variant(), Variant("jacobi", ratio=10.0)))
    frames(branches, 5)
    kept = branches.panes[1]
    run.adopt(kept.session)
    run.solve.choice = kept.session.solve.choice
    assert check_sum(run.last) == check_sum(kept.frame)
    assert run.settings == kept.session.settings
    assert check_sum(run.step()) == check_sum(kept.session.step())
    assert run.timeline.numbers == (0, 1, 2, 3, 4, 9, 10)
    run.rewind(4)
    assert run.last.time == pytest.approx(4 / 60)

    logged = session(log=InputLog(tmp_path / "run.jsonl"))
    with pytest.raises(ValueError, match="A pane cannot be kept while this run writes a log"):
        logged.adopt(kept.session)


def test_long_curves_are_thinned_out():
    recorder, frame = TraceRecorder(), session().last
    for k in range(5 * LONGEST):
        recorder.add(k / 60, frame, frame)
    times = recorder.trace.times
    assert LONGEST / 2 <= len(times) <= LONGEST
    assert times[0] == 0
    assert np.ptp(np.diff(times)) < 1e-9
    assert recorder.parted is None


def test_the_difference_is_a_share_of_the_area():
    frame = session().last
    moved = frame.fractions.copy()
    moved[:, :, :12] = moved[::-1, :, :12]  # a quarter of the columns holds the other phase
    assert difference_of(frame, replace(frame, fractions=moved)) == pytest.approx(0.25 * abs(
        np.diff(frame.fractions[:, :, :12], axis=0)).mean())  # fmt: skip


def test_json_says_of_each_branch_what_the_panes_show(tmp_path, capsys):
    path = tmp_path / "run.json"
    argv = ["--headless", "--grid", "32x48", "--compare", "multigrid,sweeps:5,jacobi@1e-2:3", "--frames", "6"]
    assert main([*argv, "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert [pane["precond"] for pane in found["panes"]] == ["multigrid", "sweeps:5", "jacobi@0.01:3"]
    assert [pane["iterations_limit"] for pane in found["panes"]] == [None, 5, 3]
    assert [pane["tol"] for pane in found["panes"]] == [1e-6, 1e-6, 1e-2]
    last = found["pictures"][-1]["panes"]
    for pane, shown in zip(found["panes"], last):
        assert pane["difference"] == shown["difference"]
        assert pane["parted"] == shown["parted"]
        assert pane["phase_volume_drift"] >= shown["drift"]
        assert pane["divergence_max"] >= shown["divergence"]
    assert found["panes"][0]["parted"] is None
    assert "sweeps:5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("multigrid,sweeps", "'sweeps' needs a number of sweeps: give one, e.g. sweeps:20"),
        ("multigrid,jacobi:0", "is not of the form NAME[@TOLERANCE][:ITERATIONS]"),
        ("multigrid,jacobi:-3", "-3 iterations are out of range: give 1 to 5000"),
        ("multigrid,jacobi:many", "--compare 'jacobi:many' is not of the form"),
        ("multigrid,jacobi@2", "tolerance 2 is out of range"),
        ("multigrid,jacobi@", "is not of the form"),
        ("multigrid,jacoby:5", "preconditioner 'jacoby' is unknown"),
        ("jacobi:5,jacobi:5", "names 'jacobi:5' twice"),
    ],
)
def test_wrong_variants_are_refused(text, words):
    with pytest.raises(Refusal) as refusal:
        compared(text, None)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_variants_read_as_they_are_written():
    given = options(["--headless", "--compare", "htp, jacobi:50,multigrid@1e-2 ,sweeps:20"])
    assert given is not None
    assert given.compare == (
        Variant("htp"), Variant("jacobi", iterations=50), Variant("multigrid", tol=1e-2), Variant(SWEEPS, iterations=20)
    )  # fmt: skip
    assert compared(",".join(map(str, given.compare)), None) == given.compare
