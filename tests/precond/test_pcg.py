"""Flexible conjugate gradients: the same as plain ones for a fixed linear M, and better where M is not one."""

import numpy as np
import pytest
import torch

import precond
from precond import Solver, Status, problems, registry
from precond.classical.multigrid import Multigrid
from precond.pcg import PCG
from precond.torch_loop import TorchLoop
from tests.precond import reference


class Rounded(Multigrid):
    """A V-cycle on r scaled to unit size and rounded to eighths: what a network of low precision does to its input."""

    flexible = True

    def apply(self, r, out):
        size = r.abs().max().clamp(min=1e-300)
        super().apply(torch.round(8 * r / size) * (size / 8), out)


class Alternating(Multigrid):
    """A V-cycle and Jacobi in turns: each is symmetric positive definite, but they are not one M."""

    flexible = True
    calls = 0

    def apply(self, r, out):
        self.calls += 1
        if self.calls % 2:
            super().apply(r, out)
        else:
            inverse = self.levels[0].red_inverse + self.levels[0].black_inverse
            torch.mul(inverse.view(self.levels[0].shape), r, out=out)  # needs an even grid


class NotAsking(Rounded):
    """The same without asking for the flexible form."""

    flexible = False


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))


def solve(method, system, b, chunk=1, max_iterations=5000, **options):
    """chunk: iterations between two looks of torch's loop, or "compiled"."""
    engine = "compiled" if chunk == "compiled" else "torch"
    solver = Solver(method, system, device="cpu", fallback=(), engine=engine, **options)
    if engine == "torch":
        solver._pcg = PCG(TorchLoop(*system.shape, solver.device, chunk=chunk))
    return solver.solve(system, b, rtol=1e-8, max_iterations=max_iterations)


@pytest.mark.parametrize("chunk", [1, "compiled"])
@pytest.mark.parametrize("method", ["jacobi", "dilu", "multigrid"])
@pytest.mark.parametrize("kind", ["blobs", "barrier"])
def test_flexible_equals_plain_for_a_linear_M(method, kind, chunk):
    system, b = problems.frame(kind, 1024, 0, contrast=100, solids=True)
    plain, flexible = (solve(method, system, b, chunk, update=update) for update in ("plain", "flexible"))
    assert flexible.status is Status.CONVERGED
    assert abs(plain.iterations - flexible.iterations) <= 1
    torch.testing.assert_close(flexible.x, plain.x, rtol=0, atol=1e-6 * float(plain.x.abs().max()))


@pytest.mark.parametrize("chunk", [1, 8, "compiled"])
@pytest.mark.parametrize(("M", "budget"), [(Rounded, 24), (Alternating, 30)])  # measured 17, 22 and 25, 26
@pytest.mark.parametrize("cells", [1024, 4096])
def test_an_M_that_varies_needs_the_flexible_form(M, budget, cells, chunk):
    precond.register("varying", M)
    system, b = problems.frame("blobs", cells, 0, contrast=100)
    flexible, plain = (
        solve("varying", system, b, chunk=chunk, update=update, max_iterations=1000) for update in ("auto", "plain")
    )
    assert flexible.status is Status.CONVERGED
    assert flexible.iterations <= budget
    assert reference.residual(system, b.numpy(), flexible.x.numpy()) <= 1.05e-8
    assert plain.iterations >= 2 * flexible.iterations  # Rounded never arrives: STAGNATED at 2e-8 and 3e-4


def test_the_preconditioner_or_the_caller_chooses_the_form():
    precond.register("asking", Rounded)
    precond.register("not asking", NotAsking)
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    asking, other = solve("asking", system, b), solve("not asking", system, b)
    assert asking.iterations < other.iterations
    np.testing.assert_array_equal(asking.history, solve("not asking", system, b, update="flexible").history)
    np.testing.assert_array_equal(other.history, solve("asking", system, b, update="plain").history)


def test_the_plain_form_keeps_its_vectors_and_one_solver_may_use_both():
    system, b = problems.frame("blobs", 400, 0, contrast=100)
    solver = Solver("jacobi", system, device="cpu", fallback=(), engine="torch")
    first = solver.solve(system, b)
    assert solver._pcg.loop.q_kept.numel() == 0  # the extra vector is made when somebody needs it
    solver.update = "flexible"
    solver.solve(system, b)
    solver.update = "auto"
    again = solver.solve(system, b)
    assert torch.equal(first.x, again.x)
    np.testing.assert_array_equal(first.history, again.history)


def test_an_unknown_form_is_refused():
    system, _ = problems.frame("blobs", 64, 0)
    with pytest.raises(ValueError, match="update is 'fletcher'; pass one of auto, plain, flexible"):
        Solver("jacobi", system, update="fletcher")
