"""Advice on the fastest method: from medians of measurements, never from a guess; the choice of "auto"."""

import pytest
import torch

import precond
from app.solving import advice as module
from app.solving.advice import CANDIDATES, ENOUGH, FIRST, Advice, Advisor
from app.solving.choice import AUTO, Choice
from app.solving.switchable_solver import SwitchableSolver
from precond import problems


class Clock:
    """Every method takes as long as it is said to."""

    def __init__(self):
        self.now, self.takes = 100.0, dict.fromkeys(CANDIDATES, 1.0)

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made, solve = Clock(), precond.Solver.solve
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr("app.solving.switchable_solver.time", made)

    def timed(self, *arguments, should_stop=None, **keywords):
        made.now += made.takes[self.name]
        return solve(self, *arguments, should_stop=should_stop, **keywords)

    monkeypatch.setattr(precond.Solver, "solve", timed)
    return made


@pytest.fixture(scope="module")
def problem():
    return problems.frame("blobs", 1024, 0, contrast=100)


def follow(solver, problem, clock, solves):
    """A run of the switchable solver, as the simulation's."""
    system, b = problem
    for _ in range(solves):
        solver(system, b, torch.zeros_like(b))
        clock.now += 1e4  # whatever else a frame needs: the next measurement is always due


def test_nothing_is_measured_unless_somebody_asks(problem, clock):
    solver = SwitchableSolver(Choice("jacobi", 1e-6))
    follow(solver, problem, clock, 10)
    assert solver.advisor.advice() is None
    assert not solver.advisor._solvers


def test_the_fastest_is_named_with_its_share(problem, clock):
    clock.takes.update(jacobi=4.0, multigrid=1.0, hierarchy=2.0, htp=3.0, dilu=9.0)
    solver = SwitchableSolver(Choice("jacobi", 1e-6))
    solver.advising = True
    follow(solver, problem, clock, 4)
    assert solver.advisor.advice() is None, "a first solve makes buffers, and one or two are no median"
    follow(solver, problem, clock, 40)
    found = solver.advisor.advice()
    assert (found.used, found.fastest) == ("jacobi", "multigrid")
    assert found.ratio == pytest.approx(0.25)
    assert [name for name, _ in found.ms] == ["multigrid", "hierarchy", "htp", "jacobi", "dilu"]
    assert dict(found.ms)["dilu"] == pytest.approx(9000)


def test_a_candidate_that_takes_far_too_long_is_given_up(problem, clock):
    clock.takes.update(multigrid=1.0, jacobi=50.0)
    solver = SwitchableSolver(Choice("multigrid", 1e-6))
    solver.advising = True
    follow(solver, problem, clock, 60)
    found = solver.advisor.advice()
    assert found.too_slow == ("jacobi",)
    assert "jacobi" not in dict(found.ms)


def test_auto_takes_the_fastest_and_changes_only_for_a_margin(problem, clock):
    solver = SwitchableSolver(Choice(AUTO, 1e-6))
    clock.takes.update(multigrid=1.0, htp=0.95, hierarchy=2.0, jacobi=2.0, dilu=2.0)
    follow(solver, problem, clock, 60)
    assert solver.method == FIRST == "multigrid"
    assert solver.choice.precond == AUTO
    clock.takes["htp"] = 0.4
    follow(solver, problem, clock, 100)
    assert solver.method == solver.effective_method == "htp"
    assert solver.used[-1] == Choice("htp", 1e-6), "a log holds what was taken"
    clock.takes["htp"] = 3.0
    follow(solver, problem, clock, 100)
    assert solver.method == "multigrid"


def test_another_system_or_tolerance_is_measured_anew(problem, clock):
    solver = SwitchableSolver(Choice("jacobi", 1e-6))
    solver.advising = True
    follow(solver, problem, clock, 60)
    assert solver.advisor.advice() is not None
    solver.choice = Choice("jacobi", 1e-4)
    follow(solver, problem, clock, 1)
    assert solver.advisor.advice() is None


def test_advice_does_not_change_what_the_fluid_follows(problem):
    system, b = problem
    plain, advised = (SwitchableSolver(Choice("htp", 1e-6)) for _ in range(2))
    advised.advising = True
    x = {solver: torch.zeros_like(b) for solver in (plain, advised)}
    for _ in range(12):
        advised.advisor._due = 0.0
        for solver, start in x.items():
            x[solver] = solver(system, b, start).x
    assert len(advised.advisor._solvers) > 1
    assert torch.equal(x[plain], x[advised])


def test_the_candidates_are_methods_that_are_there():
    assert all(precond.why_unavailable(name) is None for name in CANDIDATES)
    assert ENOUGH >= 3
    assert Advice("a", (("b", 1.0), ("a", 2.0))).ratio == 0.5
    assert Advisor("cpu", None).advice() is None
