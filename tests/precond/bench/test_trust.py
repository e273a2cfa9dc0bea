"""The campaign of random systems: it finds nothing on honest solvers, and it finds whoever lies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from precond import PoissonSystem, Status, problems
from precond.bench import trust, trust_systems
from precond.pcg import PCG
from tests.precond import reference

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def report():
    return trust.campaign(60, seed=0)


def test_sixty_random_systems_break_no_promise(report):
    assert report.violations == ()
    assert report.passed
    assert report.converged("multigrid", within_float64=True) >= 0.99  # measured 1.0; plain 0.983
    assert report.worst <= 1.05
    assert report.solves == sum(sum(counts.values()) for counts in report.statuses.values()) == 240


def test_the_systems_are_as_varied_as_promised():
    cases = [trust_systems.random_case(seed) for seed in range(300)]
    shapes = [case.system.shape for case in cases]
    assert sum(1 in shape for shape in shapes) > 30
    assert max(ny * nx for ny, nx in shapes) > 7000
    assert all(ny * nx <= trust_systems.LARGEST for ny, nx in shapes)
    assert {kind for kind in problems.KINDS for case in cases if f" {kind} " in case.description} == set(problems.KINDS)
    assert sum(case.system.open_top for case in cases) > 100
    assert sum(case.system.topology.count > 1 for case in cases) > 60
    assert 1 <= sum(case.cut_short for case in cases) < 20
    assert min(case.rtol for case in cases) < 3e-8
    assert max(case.rtol for case in cases) > 3e-5
    again = trust_systems.random_case(7)
    assert torch.equal(again.system.beta_x, cases[7].system.beta_x)
    np.testing.assert_array_equal(again.b, cases[7].b)


@pytest.mark.parametrize("seed", range(40))
def test_the_two_independent_views_agree(seed):
    """Faces assembled by difference matrices here, by plain loops there."""
    case = trust_systems.random_case(seed)
    system = case.system
    if system.solid.numel() > 600:
        pytest.skip("loops would take long")
    truth = trust_systems.assemble(case)
    rng = np.random.default_rng(seed)
    x = np.where(system.solid.numpy(), 0.0, rng.standard_normal(system.shape))
    beta = case.faces[1], case.faces[0]  # to cells of air as well, where x = 0
    Ax = case.reaction * x
    for j, i in np.ndindex(*system.shape):
        for face, (jj, ii) in (
            (beta[1][j, i], (j, i - 1)),
            (beta[1][j, i + 1], (j, i + 1)),
            (beta[0][j, i], (j - 1, i)),
            (beta[0][j + 1, i], (j + 1, i)),
        ):
            inside = 0 <= jj < system.shape[0] and 0 <= ii < system.shape[1]
            Ax[j, i] += face * (x[j, i] - (x[jj, ii] if inside else 0.0))
    np.testing.assert_allclose(truth.A @ x[truth.fluid], Ax[truth.fluid], atol=1e-12 * max(1.0, np.abs(Ax).max()))
    np.testing.assert_allclose(truth.Pb, reference.project(system, case.b)[truth.fluid], atol=1e-10)


def lies(solution):
    """One lie of every sort about an honest solution that converged in several iterations."""
    yield "CONVERGED at a true residual", replace(solution, x=solution.x * (1 + 1e-3))
    yield "residual", replace(solution, residual=solution.residual / 10)
    yield "history", replace(solution, history=solution.history[:-1])
    yield "history", replace(solution, history=solution.history * np.nan)
    yield "incompatibility", replace(solution, incompatibility=solution.incompatibility + 1e-6)
    yield "not finite", replace(solution, x=solution.x / 0.0)
    yield "NOT_FINITE", replace(solution, status=Status.NOT_FINITE)
    yield "INDEFINITE", replace(solution, status=Status.INDEFINITE)
    yield "ITERATION_LIMIT", replace(solution, status=Status.ITERATION_LIMIT)
    yield "STAGNATED", replace(solution, status=Status.STAGNATED)
    yield "tried", replace(solution, preconditioner_used="jacobi")
    yield "solids", replace(solution, x=solution.x + 1e-9)


def test_every_lie_is_found():
    rng = np.random.default_rng(0)
    solid = np.zeros((20, 30), dtype=bool)
    solid[8:12, 10:14] = True
    system = PoissonSystem.from_density(problems.density("blobs", solid.shape, 0, 100), solid=solid)
    faces = system.beta_x.numpy(), system.beta_y.numpy()
    b, nowhere = rng.standard_normal(solid.shape), np.zeros_like(solid)
    case = trust_systems.Case(system, faces, 0.0 * b, nowhere, b, 1e-6, 1000, False, "a box with a pillar")
    truth, honest = trust_systems.assemble(case), trust.solve(case, "multigrid")
    assert honest.iterations > 3
    assert trust.false_claims(case, truth, "multigrid", honest) == []
    for word, lie in lies(honest):
        claims = trust.false_claims(case, truth, "multigrid", lie)
        assert any(word in claim for claim in claims), (word, claims)


def spoil(monkeypatch, change):
    """Lets change(loop) plant a fault in every loop of conjugate gradients, whatever engine it is of."""
    build = PCG.__init__

    def __init__(self, loop, *rest, **named):
        change(loop)
        build(self, loop, *rest, **named)

    monkeypatch.setattr(PCG, "__init__", __init__)


def test_a_solver_that_trusts_its_recursive_residual_is_found(monkeypatch):
    """The mistake of many solvers, planted: whatever the loop believes is taken for the truth."""

    def change(loop):
        true_residual = loop.true_residual

        def believe():
            residual, rounding = true_residual()
            return (1e-3 * residual if residual < 0.999 else residual), rounding  # but not before the first iteration

        loop.true_residual = believe

    spoil(monkeypatch, change)
    report = trust.campaign(10, seed=0, methods=("jacobi",))
    assert len(report.violations) >= 5
    assert not report.passed
    found = report.violations[0]
    assert found.claim
    assert f"seed {found.seed}, jacobi" in str(report)


def test_an_operator_that_is_assembled_wrongly_is_found(monkeypatch):
    """Stopping rule and recomputed residual share the loop's operator; only another assembly can tell."""

    def change(loop):
        load = loop.load
        loop.load = lambda s: load(PoissonSystem(1.0001 * s.beta_x, s.beta_y, s.solid, s.open_top))

    spoil(monkeypatch, change)
    assert trust.campaign(10, seed=0, methods=("multigrid",)).violations


def test_a_projection_that_forgets_a_region_is_found(monkeypatch):
    from precond.topology import Topology

    build = Topology.__init__

    def forget(self, link_x, link_y, solid, outlet):
        build(self, link_x, link_y, solid, outlet)
        idle = {"__call__": lambda _, v: v, "by_region": lambda _: (np.full(solid.numel(), -1, np.int32), np.zeros(0))}
        self.projector.__class__ = type("Idle", (type(self.projector),), idle)

    monkeypatch.setattr(Topology, "__init__", forget)
    assert trust.campaign(20, seed=0, methods=("jacobi",)).violations


def test_progress_is_told_and_misuse_refused():
    told = []
    trust.campaign(3, seed=5, methods=("jacobi",), progress=told.append)
    assert told == [1, 2, 3]
    with pytest.raises(ValueError, match="count is 0"):
        trust.campaign(0)
    with pytest.raises(ValueError, match="'gauss'"):
        trust.campaign(1, methods=("gauss",))
