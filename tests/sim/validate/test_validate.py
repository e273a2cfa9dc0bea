"""The fluid against published numbers on coarse grids, and the command that does it on fine ones."""

import json
import math

import numpy as np
import pytest

from sim.grid import Grid
from sim.scenes.reader import load
from sim.simulation import Simulation
from sim.validate import __main__ as validate
from sim.validate.cases import CASES
from sim.validate.flow import sampled
from sim.validate.long_runs import potential_above_rest
from sim.validate.results import Case, Check, Result
from tests.scenes import pressure_solver

# Grid, and the largest error of every number: on the grids of the command they are much smaller.
COARSE = {
    "rest": (24, {"largest speed in 1 s [m/s]": 1e-6}),
    "drop": (24, {"pressure jump / (sigma / R)": 0.03, "capillary number after 1 s": 1e-6}),
    "oscillation": (32, {"frequency / Lamb's": 0.03}),
    "bubble-1": (
        24,
        {
            "centre at 3 s [m]": 0.011,
            "centre at 2 s [m]": 0.009,
            "centre at 1 s [m]": 0.007,
            "largest rise velocity [m/s]": 0.005,
            "smallest circularity": 0.05,
        },
    ),
    "rayleigh-taylor-3000": (
        64,
        {f"spike at t* = {t}": 0.002 if t < 3 else 0.006 for t in (1.414, 2.121, 2.828, 3.536, 4.08, 4.384)},
    ),
    "rayleigh-taylor": (
        16,
        {
            f"{tip} at t* = {t}": 0.008 if tip == "bubble" else 0.03
            for tip in ("bubble", "spike")
            for t in (0.93, 2.06, 3.02, 4.08)
        },
    ),
}


@pytest.mark.parametrize("name", COARSE)
def test_flows_agree_with_their_references(name: str) -> None:
    n, allowed = COARSE[name]
    result = CASES[name].run(n, pressure_solver(rtol=1e-7))
    assert {check.quantity for check in result.checks} == set(allowed)
    for check in result.checks:
        assert check.error <= allowed[check.quantity], f"{check.quantity}: {check.measured} for {check.reference}"


def test_a_reversed_vortex_returns_as_in_the_reference_and_keeps_the_volume() -> None:
    errors = []
    for n in (32, 64):
        error, volume = CASES["vortex"].run(n, pressure_solver()).checks
        assert error.holds, error
        assert volume.measured < 1e-12
        errors.append(error.measured)
    assert math.log2(errors[0] / errors[1]) > 1.9


def test_sampled_fractions_are_areas() -> None:
    def half(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x + 0 * y < 0.503

    fraction = sampled(half, Grid(16, 24))
    assert fraction.shape == (16, 24)
    assert fraction.sum(1) / 16 == pytest.approx(np.full(16, 0.503), abs=1 / 16 / 32)


def test_potential_above_rest_is_that_of_the_lifted_column() -> None:
    """A column of water a wide and h high in gas sinks to a layer: g (rho_w - rho_g) (a h^2 / 2 - (a h)^2 / (2 W))."""
    simulation = Simulation(load("dam-break"), (32, 40), solve=pressure_solver())
    width, a, h = 12.5, 0.30 * 12.5, 0.55 * 10
    lifted = 9.81 * 990 * (a * h**2 / 2 - (a * h) ** 2 / (2 * width))
    assert potential_above_rest(simulation.frame(), simulation) == pytest.approx(lifted, rel=0.01)


def test_a_check_holds_only_within_its_tolerance_and_never_for_nan() -> None:
    assert Check("x", 1.05, 1.0, 0.06).holds
    assert not Check("x", 1.05, 1.0, 0.04).holds
    assert not Check("x", math.nan, 1.0, 1.0).holds
    assert Check("x", 0.5, None, 0.6).holds
    assert not Check("x", -0.7, None, 0.6).holds


def test_the_command_prints_draws_and_writes(tmp_path, capsys) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "numbers.json"
    code = validate.main(
        ["drop", "--sizes", "16", "--tol", "1e-6", "--json", str(file), "--plot", str(tmp_path / "plots")]
    )
    table = json.loads(file.read_text())
    out = capsys.readouterr().out
    assert code == (0 if all(row["holds"] for row in table["rows"]) else 1)
    assert {row["case"] for row in table["rows"]} == {"drop"}
    assert "capillary number" in out
    assert "Laplace" in out
    assert (tmp_path / "plots" / "drop.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("argv", "needle"),
    [
        (["typhoon"], "typhoon"),
        (["drop", "--sizes", "7"], "7"),
        (["drop", "--precond", "magic"], "magic"),
        (["drop", "--tol", "-1"], "-1"),
        (["drop", "--json", "/nowhere/x.json"], "/nowhere"),
        (["drop", "--plot", __file__], "not a folder"),
    ],
)
def test_bad_usage_is_refused_in_one_line(argv: list[str], needle: str, capsys) -> None:
    assert validate.main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert needle in error


def test_a_missed_number_makes_the_command_fail(monkeypatch, capsys) -> None:
    bad = Result("drop", 16, [Check("jump", 2.0, 1.0, 0.1)])
    monkeypatch.setitem(validate.CASES, "drop", Case(lambda n, solve: bad, (16,), (16,), "nobody", "nothing"))
    assert validate.main(["drop"]) == 1
    assert "MISSED" in capsys.readouterr().out
