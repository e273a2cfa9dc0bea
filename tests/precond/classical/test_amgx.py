"""The adapter to AMGX without AMGX: a stand-in for pyamgx that records the calls and solves by SciPy."""

import sys
import types

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from precond.classical import amgx

pytest.importorskip("scipy")


class Handle:
    """Anything that AMGX creates and wants destroyed once."""

    alive = 0

    def create(self, *resources):
        Handle.alive += 1
        return self

    create_simple = create

    def destroy(self):
        assert self.__dict__.setdefault("destroyed", False) is False
        self.destroyed = True
        Handle.alive -= 1


class Config(Handle):
    def create_from_dict(self, options):
        self.options = options
        return self.create()


class Matrix(Handle):
    def upload_CSR(self, A):
        assert A.indptr.dtype == A.indices.dtype == np.int32
        assert A.data.dtype == np.float64
        self.A = A.copy()


class Vector(Handle):
    def upload(self, data):
        assert data.dtype == np.float64
        assert data.flags.c_contiguous
        self.data = data.copy()

    def download(self, out):
        out[:] = self.data


class FakeSolver(Handle):
    """One sweep of Jacobi per iteration from zero, as many as the configuration says, else AMGX's default of 100."""

    def create(self, resources, config):
        self.options = config.options["solver"]
        return super().create()

    def setup(self, A):
        self.A = A.A

    def solve(self, b, x, zero_initial_guess=False):
        assert zero_initial_guess
        assert b.data.shape == x.data.shape == (self.A.shape[0],)
        x.data = np.zeros_like(b.data)
        for _ in range(self.options.get("max_iters", 100)):
            x.data += 0.7 * (b.data - self.A @ x.data) / self.A.diagonal()


@pytest.fixture
def fake(monkeypatch):
    """pyamgx is importable, CUDA is taken to be there, and nothing of it stays."""
    module = types.ModuleType("pyamgx")
    module.initialized = 0

    def initialize():
        module.initialized += 1

    module.initialize = initialize
    module.Config, module.Resources, module.Matrix, module.Vector, module.Solver = (
        Config,
        Handle,
        Matrix,
        Vector,
        FakeSolver,
    )
    module.__spec__ = types.SimpleNamespace(name="pyamgx")
    monkeypatch.setitem(sys.modules, "pyamgx", module)
    monkeypatch.setattr(amgx, "_resources", {})
    entries = {
        name: registry.Entry(entry.factory) if name.startswith("amgx") else entry
        for name, entry in registry.BUILT_IN.items()
    }
    monkeypatch.setattr(registry, "_entries", entries)
    monkeypatch.setattr(Handle, "alive", 0)
    return module


@pytest.mark.skipif("pyamgx" in sys.modules or precond.why_unavailable("amgx-dilu") is None, reason="AMGX is here")
@pytest.mark.parametrize("name", ["amgx-dilu", "amgx-dilu-stock", "amgx-amg"])
def test_without_pyamgx_the_sentence_says_how_to_get_it(name):
    assert name in precond.names()
    sentence = precond.why_unavailable(name)
    assert "pyamgx" in sentence
    assert "CUDA" in sentence
    assert "pip install" in sentence
    system, _ = problems.frame("blobs", 64, 0)
    with pytest.raises(ValueError, match="pyamgx is not installed"):
        Solver(name, system, device="cpu")


def test_with_pyamgx_but_no_cuda_that_is_what_is_said(fake, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "CUDA" in amgx.why_unavailable()
    assert "not installed" not in amgx.why_unavailable()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert amgx.why_unavailable() is None


def test_configurations_are_amgx_version_2_and_apply_a_fixed_number_of_iterations():
    tuned, stock, amg = (kind().configuration() for kind in (amgx.Dilu, amgx.DiluStock, amgx.ClassicalAmg))
    for options in (tuned, stock, amg):
        assert options["config_version"] == 2
        assert options["solver"]["monitor_residual"] == 0  # no stopping test of its own: M must be linear
    assert tuned["solver"]["solver"] == stock["solver"]["solver"] == "MULTICOLOR_DILU"
    assert tuned["solver"]["max_iters"] == amg["solver"]["max_iters"] == 1
    assert "max_iters" not in stock["solver"]
    assert (amg["solver"]["solver"], amg["solver"]["cycle"]) == ("AMG", "V")
    assert amg["solver"]["presweeps"] == amg["solver"]["postsweeps"]  # else M is not symmetric


def test_a_solve_passes_through_amgx_and_arrives(fake):
    system, b = problems.frame("blobs", 400, 0, contrast=100, solids=True)
    found = {name: Solver(name, system, device="cpu", fallback=()) for name in ("amgx-dilu", "amgx-dilu-stock")}
    once, hundred = (solver.solve(system, b) for solver in found.values())
    jacobi = Solver("jacobi", system, device="cpu").solve(system, b)
    assert once.status is hundred.status is Status.CONVERGED
    assert once.preconditioner_used == "amgx-dilu"
    assert abs(once.iterations - jacobi.iterations) <= 2  # the stand-in does Jacobi, once or a hundred times
    assert hundred.iterations < jacobi.iterations / 4
    torch.testing.assert_close(hundred.x, jacobi.x, rtol=0, atol=1e-6 * float(jacobi.x.abs().max()))
    system.beta_x *= 3.0  # the next setup uploads the new coefficients
    found["amgx-dilu"].solve(system, b)
    matrix = next(iter(found["amgx-dilu"]._methods.values())).A.A
    assert abs(matrix.diagonal() / system.to_scipy().diagonal() - 1).max() < 1e-8
    assert fake.initialized == 1


def test_what_amgx_made_is_destroyed_with_its_solver(fake):
    system, b = problems.frame("blobs", 100, 0)
    solver = Solver("amgx-amg", system, device="cpu", fallback=())
    for _ in range(3):
        solver.solve(system, b)
    assert Handle.alive == 5 + 2  # configuration, matrix, two vectors, solver; and what the process keeps
    del solver
    assert Handle.alive == 2


def test_a_system_without_any_equation_is_left_alone(fake):
    system = PoissonSystem.from_density(np.ones((3, 3)), solid=np.ones((3, 3), dtype=bool))
    assert not Solver("amgx-dilu", system, device="cpu").apply(np.ones((3, 3))).any()
    assert fake.initialized == 0
