"""Laws of the whole fluid: rest, free fall, incompressibility, volume, repeatability, brush and state."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import sim
from sim import Controls, Simulation, Stroke
from sim.scenes import reader
from sim.simulation import COURANT, MAX_SUBSTEPS, NotFiniteError
from tests.scenes import pool, pressure_solver

DT = 1 / 60
STEPPED = """[[solids]]
kind = "box"
start = [0.0, 0.0]
end = [0.21, 0.52]
[[solids]]
kind = "box"
start = [0.5, 0.2]
end = [0.71, 0.31]
"""


@pytest.mark.parametrize("density", [1.0, 100.0, 1000.0])
@pytest.mark.parametrize("more", ["", "open_top = true\n", STEPPED], ids=["closed", "open", "solids"])
def test_still_water_stays_still(density: float, more: str) -> None:
    simulation = Simulation(pool(density, more=more), solve=pressure_solver(rtol=1e-10), device="cpu")
    for _ in range(120):
        frame = simulation.step(DT)
        assert frame.stats.speed_max <= 1e-6
    assert frame.time == pytest.approx(2.0)
    assert frame.stats.volume_drift <= 1e-12


def test_still_water_comes_to_rest_from_a_wrong_pressure() -> None:
    """The same with p = 0 at the start: now the solver has to find the hydrostatic pressure by itself."""
    simulation = Simulation(pool(1000.0), solve=pressure_solver(rtol=1e-10), device="cpu")
    simulation.p.zero_()
    frames = [simulation.step(DT) for _ in range(30)]
    assert frames[0].stats.solutions[0].iterations > 0
    assert max(frame.stats.speed_max for frame in frames) <= 1e-6


def test_a_heavy_drop_falls_at_g_until_it_touches() -> None:
    shape = 'kind = "disc"\ncenter = [0.5, 0.7]\nradius = 0.1'
    scene = pool(10000.0, shape, more="gravity = 2.0\nopen_top = true\n")
    simulation = Simulation(scene, (64, 96), solve=pressure_solver(), device="cpu")

    def height(frame: sim.Frame) -> float:
        f = frame.fractions[0]
        return float((f.sum(axis=1) * (np.arange(64) + 0.5) / 64).sum() / f.sum())

    start = height(simulation.frame())
    for _ in range(24):
        frame = simulation.step(DT)
    fallen = start - height(frame)
    assert fallen == pytest.approx(
        0.5 * 2.0 * frame.time**2, rel=0.05
    )  # a step size of g dt^2 / 2 and added mass are left


@pytest.mark.parametrize("name", reader.names())
def test_every_scene_keeps_volume_fractions_and_incompressibility(name: str) -> None:
    scene = reader.load(name)
    rows, columns = scene.grid
    simulation = Simulation(scene, (rows // 2, columns // 2), solve=pressure_solver(rtol=1e-8), device="cpu")
    top_energy = simulation.frame().stats.energy
    at_rest = top_energy
    for _ in range(30):
        frame = simulation.step(DT)
        stats = frame.stats
        assert all(s.status.name == "CONVERGED" and s.residual <= 1e-8 for s in stats.solutions)
        assert frame.fractions.min() >= -1e-9
        assert frame.fractions.max() <= 1 + 1e-9
        assert np.abs(frame.fractions.sum(axis=0) - 1).max() <= 1e-9
        assert stats.courant <= COURANT * (1 + 1e-9)
        top_energy = max(top_energy, stats.energy)
    assert stats.volume_drift <= 1e-6
    assert stats.divergence_max * DT < 1e-3
    if not simulation.scene.openings and simulation.scene.shaking is None:  # inlets bring energy, as shaking does
        assert top_energy <= at_rest * 1.005


def test_divergence_is_as_small_as_the_tolerance() -> None:
    largest = []
    for rtol in (1e-4, 1e-8):
        simulation = Simulation("dam-break", (48, 64), solve=pressure_solver(rtol=rtol), device="cpu")
        largest.append(max(simulation.step(DT).stats.divergence_max for _ in range(10)))
    assert largest[1] < 1e-3 * largest[0]


def test_two_runs_agree_bit_for_bit() -> None:
    frames = []
    for _ in range(2):
        simulation = Simulation("dam-break", (48, 64), solve=pressure_solver(), device="cpu", seed=3)
        frames.append([simulation.step(DT) for _ in range(25)][-1])
    for field in ("fractions", "u", "v", "pressure"):
        assert np.array_equal(getattr(frames[0], field), getattr(frames[1], field))


def test_preconditioners_give_the_same_fluid() -> None:
    tol, ends = 1e-6, {}
    for method in ("jacobi", "dilu", "multigrid"):
        simulation = Simulation("rising-bubble", (64, 48), solve=pressure_solver(method, tol), device="cpu")
        frames = [simulation.step(DT) for _ in range(20)]
        ends[method] = frames[-1].fractions, np.mean([s.iterations for f in frames for s in f.stats.solutions])
    for method in ("jacobi", "dilu"):
        assert np.abs(ends[method][0] - ends["multigrid"][0]).max() <= 1e3 * tol
    assert ends["jacobi"][1] > 1.5 * ends["dilu"][1] > 3 * ends["multigrid"][1]


def test_clock_slows_instead_of_losing_stability() -> None:
    simulation = Simulation("dam-break", (48, 64), solve=pressure_solver(), device="cpu")
    push = Stroke("push", 0.2, 0.2, 400.0, 0.2, 0.3)  # 24 km/s
    frame = simulation.step(DT, dataclasses.replace(simulation.controls, strokes=(push,)))
    frame = simulation.step(DT)
    assert frame.substeps == MAX_SUBSTEPS
    assert frame.stats.slowed > 0
    assert frame.dt + frame.stats.slowed == pytest.approx(DT)
    assert frame.stats.notices
    assert np.isfinite(frame.u).all()


def test_brush_pours_builds_and_erases_with_an_exact_ledger() -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    volume = simulation.frame().stats.volumes
    for tool, phase in (("pour", 0), ("solid", 0), ("pour", 1), ("erase", 0), ("push", 0)):
        stroke = Stroke(tool, 0.5, 0.6, 0.8, 0.7, 0.08, phase)
        simulation.step(DT, dataclasses.replace(simulation.controls, strokes=(stroke,)))
        frame = simulation.step(DT)
        assert frame.stats.volume_drift < 1e-6
        assert frame.solid.any() == (tool == "solid" or (tool, phase) == ("pour", 1))
        if (tool, phase) == ("pour", 0):
            assert frame.stats.volumes[0] > volume[0] + 0.01
    assert not frame.solid.any()
    assert frame.u.max() > 0.1


def test_density_ratio_may_change_between_steps() -> None:
    simulation = Simulation("rising-bubble", (48, 32), solve=pressure_solver(), device="cpu")
    for ratio in (1.0, 10.0, 1000.0, 2.0, 300.0):
        for _ in range(5):
            frame = simulation.step(DT, Controls(0.98, (10.0 * ratio, 10.0)))
        assert frame.stats.volume_drift < 1e-6
        assert frame.stats.speed_max < 20


def test_a_restored_run_continues_bit_for_bit() -> None:
    def fresh() -> Simulation:
        return Simulation("drop-splash", (48, 64), solve=pressure_solver(), device="cpu")

    straight = fresh()
    for k in range(24):
        if k == 11:
            kept = straight.state()
        last = straight.step(DT)
    other = Simulation.from_state(kept, solve=pressure_solver(), device="cpu")
    for _ in range(13):
        again = other.step(DT)
    assert again.time == last.time
    for field in ("fractions", "u", "v", "pressure"):
        assert np.array_equal(getattr(again, field), getattr(last, field))
    assert again.stats.volume_drift == last.stats.volume_drift


def test_foreign_or_damaged_states_are_refused_and_change_nothing() -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    simulation.step(DT)
    good = simulation.state()
    before = simulation.frame()
    damaged = {
        "'about'": {k: a for k, a in good.items() if k != "about"},
        "version": {**good, "about": np.array('{"version": 99}')},
        "'u'": {**good, "u": good["u"][:, :-1]},
        "'v' holds NaN": {**good, "v": np.where(good["v"] == good["v"].max(), np.nan, good["v"])},
        "not nested": {**good, "F": good["F"] + 1.0},
        "not readable": {**good, "about": np.array("not json")},
    }
    for needle, state in damaged.items():
        with pytest.raises(ValueError, match=needle):
            simulation.restore(state)
    assert np.array_equal(simulation.frame().fractions, before.fractions)


def test_nan_in_the_velocity_is_one_clear_error() -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    simulation.u[5, 5] = float("nan")
    with pytest.raises(NotFiniteError, match="not finite"):
        simulation.step(DT)


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_a_step_refuses_a_dt_that_is_not_positive(dt: float) -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    with pytest.raises(ValueError, match=str(dt)):
        simulation.step(dt)


def test_frames_are_immutable() -> None:
    frame = Simulation(pool(), solve=pressure_solver(), device="cpu").step(DT)
    with pytest.raises(ValueError, match="read-only"):
        frame.u[0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.time = 1.0  # type: ignore[misc]


def test_a_simulation_is_stepped_on_its_own_thread_only() -> None:
    import threading

    simulation, caught = Simulation(pool(), solve=pressure_solver(), device="cpu"), []

    def elsewhere() -> None:
        try:
            simulation.step(DT)
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "another thread" in caught[0]


def test_a_domain_filled_with_solid_does_not_fail() -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    everything = Stroke("solid", 0.0, 0.5, 1.5, 0.5, 2.0)
    frame = simulation.step(DT, dataclasses.replace(simulation.controls, strokes=(everything,)))
    assert frame.solid.all()
    frame = simulation.step(DT)
    assert torch.count_nonzero(simulation.u) == 0
    assert frame.stats.volume_drift < 1e-9


def test_what_cannot_be_is_refused_before_anything_moves() -> None:
    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    before = simulation.frame()
    with pytest.raises(ValueError, match="phase 7"):
        simulation.step(DT, Controls(9.81, (100.0, 1.0), (Stroke("pour", 0.5, 0.5, 0.6, 0.6, 0.1, 7),)))
    with pytest.raises(TypeError, match="'x'"):
        simulation.step(DT, Controls(9.81, (100.0, 1.0), ("x",)))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="3"):
        simulation.step(DT, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"1e\+308"):
        Controls(gravity=1e308)
    with pytest.raises(ValueError, match=r"1e-300"):
        Controls(densities=(1e-300, 1.0))
    with pytest.raises(ValueError, match="3 densities"):
        simulation.step(DT, Controls(9.81, (1.0, 2.0, 3.0)))
    assert np.array_equal(simulation.frame().fractions, before.fractions)
    assert simulation.step(DT).time == pytest.approx(DT)


def test_a_step_that_is_broken_off_leaves_the_fluid_as_it_was() -> None:
    simulation, twin = (Simulation("drop-splash", (32, 48), solve=pressure_solver(), device="cpu") for _ in range(2))
    solve, wall = simulation.solve, Stroke("solid", 0.2, 5.0, 9.0, 5.0, 0.4)
    for _ in range(30):
        twin.step(DT)
        before = simulation.step(DT)
    calls = iter(range(9))

    def broken(system, b, x0):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return solve(system, b, x0)

    simulation.solve = broken
    with pytest.raises(KeyboardInterrupt):  # in the second sub-step of several
        simulation.step(8 * DT, dataclasses.replace(simulation.controls, gravity=30.0, strokes=(wall,)))
    after = simulation.frame()
    for field in ("time", "fractions", "u", "v", "pressure", "solid"):
        assert np.array_equal(getattr(after, field), getattr(before, field)), field
    simulation.solve = solve
    assert np.array_equal(simulation.step(DT).u, twin.step(DT).u)


def test_a_pressure_solve_that_fails_is_reported() -> None:
    solver = pressure_solver("none", 1e-12)

    def impatient(system, b, x0):
        import precond

        return precond.Solver("none", system).solve(system, b, rtol=1e-12, max_iterations=3)

    simulation = Simulation("dam-break", (32, 48), solve=impatient, device="cpu")
    frame = simulation.step(DT)
    assert "ITERATION_LIMIT" in frame.stats.notices[0]
    simulation.solve = solver
    simulation.step(DT)


@pytest.mark.parametrize(
    ("key", "value"),
    [("time", "NaN"), ("ahead", "NaN"), ("steps", "-4"), ("ledger", "[NaN, 0]"), ("grid", "[1]")],
)
def test_a_state_with_impossible_numbers_is_refused(key: str, value: str) -> None:
    import re

    simulation = Simulation(pool(), solve=pressure_solver(), device="cpu")
    good = simulation.state()
    about = re.sub(rf'"{key}": (\[[^]]*\]|[^,}}]+)', f'"{key}": {value}', str(good["about"]))
    assert about != str(good["about"])
    with pytest.raises(ValueError):
        Simulation.from_state({**good, "about": np.array(about)}, solve=pressure_solver(), device="cpu")
