"""How solves end: every outcome named truly, failures replaced and recorded, misuse refused."""

import numpy as np
import pytest
import torch

import precond
from precond import PoissonSystem, Solver, Status, problems, registry
from tests.precond import reference

# with laws of their own: htp-paper, which nothing keeps positive definite, and npo, which is not linear
OTHERS = ("htp-paper", "npo")
BUILT_IN = [name for name in precond.names() if precond.why_unavailable(name) is None and name not in OTHERS]


def blobs(cells=256, seed=0, **options):
    return problems.frame("blobs", cells, seed, contrast=100, **options)


class Scaled:
    """Jacobi times a number that the test chooses: -1, 0 or NaN make it defective."""

    factor = 1.0

    def setup(self, system):
        self.diagonal = system.diagonal()

    def apply(self, r, out):
        torch.div(self.factor * r, self.diagonal, out=out)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_entries", dict(registry.BUILT_IN))


def register_scaled(name, factor):
    precond.register(name, type("Scaled", (Scaled,), {"factor": factor}))


def test_status_values_are_advice():
    assert [status.name for status in Status] == [
        "CONVERGED",
        "ITERATION_LIMIT",
        "INDEFINITE",
        "NOT_FINITE",
        "STAGNATED",
    ]
    assert all(status.value.endswith(".") and " " in status.value for status in Status)


def test_zero_right_hand_side_needs_no_iteration():
    system, _ = blobs()
    for b in (torch.zeros(16, 16), 5 * torch.ones(16, 16), 1e-300 * torch.ones(16, 16)):
        solution = Solver("jacobi", system, device="cpu").solve(system, b)
        assert (solution.status, solution.iterations, solution.residual) == (Status.CONVERGED, 0, 0.0)
        assert solution.history.shape == (0,)
        assert not solution.x.any()
        assert solution.incompatibility == pytest.approx(1.0 if b.any() else 0.0)


def test_one_closed_cell_and_isolated_cells_are_solved_by_zero():
    single = PoissonSystem.from_density(np.ones((1, 1)))
    solution = Solver("multigrid", single, device="cpu").solve(single, np.full((1, 1), 3.0))
    assert (solution.status, solution.x.item(), solution.incompatibility) == (Status.CONVERGED, 0.0, 1.0)
    solid = np.indices((9, 9)).sum(0) % 2 == 1
    for name in BUILT_IN:
        system = PoissonSystem.from_density(np.ones((9, 9)), solid=solid)
        assert not Solver(name, system, device="cpu").solve(system, np.ones((9, 9))).x.any()
        solid_but_two = solid.copy()
        solid_but_two[0, 1] = False
        system = PoissonSystem.from_density(np.ones((9, 9)), solid=solid_but_two)
        b = np.random.default_rng(0).standard_normal((9, 9))
        solution = Solver(name, system, device="cpu", fallback=()).solve(system, b)
        assert solution.status is Status.CONVERGED
        assert reference.residual(system, b, solution.x.numpy()) <= 1e-8


def test_everything_solid():
    system = PoissonSystem.from_density(np.ones((3, 3)), solid=np.ones((3, 3), dtype=bool))
    solution = Solver("multigrid", system, device="cpu").solve(system, np.full((3, 3), np.nan))
    assert (solution.status, solution.iterations) == (Status.CONVERGED, 0)
    assert system.to_scipy().shape == (0, 0)


def test_an_exact_guess_is_returned_untouched():
    system, b = blobs()
    solver = Solver("multigrid", system, device="cpu")
    x = solver.solve(system, b, rtol=1e-10).x
    solution = solver.solve(system, b, rtol=1e-9, x0=x)
    assert (solution.status, solution.iterations) == (Status.CONVERGED, 0)
    torch.testing.assert_close(solution.x, x, rtol=1e-14, atol=1e-14)


def test_a_good_guess_saves_iterations_and_a_bad_one_costs_none():
    system, b = blobs()
    solver = Solver("jacobi", system, device="cpu")
    cold = solver.solve(system, b)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(b.shape))
    assert solver.solve(system, b, x0=cold.x * (1 + 1e-6 * noise)).iterations < cold.iterations
    for bad in (noise * 1e30, noise * float("nan"), noise / 0.0):
        assert solver.solve(system, b, x0=bad).iterations == cold.iterations


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_right_hand_side_that_is_not_finite_is_reported_without_fallback(bad):
    system, b = blobs()
    b[3, 4] = bad
    solution = Solver("jacobi", system, device="cpu").solve(system, b)
    assert solution.attempts == (("jacobi", Status.NOT_FINITE, 0),)
    assert solution.status is Status.NOT_FINITE
    assert not solution.x.any()


def test_nan_in_a_solid_does_not_matter():
    system, b = problems.frame("blobs", 300, 0, solids=True)
    solver = Solver("multigrid", system, device="cpu")
    clean = solver.solve(system, b)
    b[system.solid] = float("nan")
    solution = solver.solve(system, b)
    assert torch.equal(solution.x, clean.x)
    assert not solution.x[system.solid].any()


def test_coefficients_that_are_not_finite_are_reported():
    system, b = blobs()
    system.beta_x[3, 4] = float("nan")
    assert Solver("multigrid", system, device="cpu").solve(system, b).status is Status.NOT_FINITE


@pytest.mark.parametrize(
    ("factor", "status"),
    [(-1.0, Status.INDEFINITE), (0.0, Status.INDEFINITE), (np.nan, Status.NOT_FINITE), (np.inf, Status.NOT_FINITE)],
)
def test_a_defective_preconditioner_is_named_and_replaced(factor, status):
    register_scaled("defective", factor)
    system, b = blobs()
    alone = Solver("defective", system, device="cpu", fallback=()).solve(system, b)
    assert (alone.status, alone.preconditioner_used, alone.iterations) == (status, "defective", 0)
    assert torch.isfinite(alone.x).all()
    assert alone.residual == pytest.approx(1.0)
    solver = Solver("defective", system, device="cpu")
    for _ in range(2):  # the named one is tried again every time
        solution = solver.solve(system, b)
        assert (solution.status, solution.preconditioner_used) == (Status.CONVERGED, "multigrid")
        assert solution.attempts == (("defective", status, 0), ("multigrid", Status.CONVERGED, solution.iterations))
        assert reference.residual(system, b.numpy(), solution.x.numpy()) <= 1.05e-8


def test_a_preconditioner_of_ones_own_is_used():
    register_scaled("own", 3.0)
    system, b = blobs()
    assert "own" in precond.names()
    own, jacobi = (Solver(name, system, device="cpu").solve(system, b) for name in ("own", "jacobi"))
    assert own.preconditioner_used == "own"
    assert abs(own.iterations - jacobi.iterations) <= 1  # the scale of M does not matter


def test_the_iteration_limit_is_kept_and_not_replaced():
    system, b = blobs()
    solution = Solver("jacobi", system, device="cpu").solve(system, b, max_iterations=5)
    assert (solution.status, solution.iterations) == (Status.ITERATION_LIMIT, 5)
    assert solution.attempts == (("jacobi", Status.ITERATION_LIMIT, 5),)
    assert solution.residual == pytest.approx(reference.residual(system, b.numpy(), solution.x.numpy()))
    assert solution.history[-1] == solution.residual


def test_a_solve_can_be_given_up_while_it_runs():
    system, b = blobs()
    answers = iter([False] * 7 + [True])
    solver = Solver("jacobi", system, device="cpu", engine="torch")
    solution = solver.solve(system, b, should_stop=lambda: next(answers))
    assert (solution.status, solution.iterations) == (Status.ITERATION_LIMIT, 8)
    assert solution.residual == pytest.approx(reference.residual(system, b.numpy(), solution.x.numpy()))


def test_a_compiled_solve_can_be_given_up_between_two_calls():
    system, b = problems.frame("blobs", 65_536, 0, contrast=100)
    answers = iter([False, True])
    solution = Solver("none", system, device="cpu", engine="compiled").solve(
        system, b, rtol=1e-12, should_stop=lambda: next(answers)
    )
    assert solution.status is Status.ITERATION_LIMIT
    assert 2 <= solution.iterations < 500
    assert solution.residual == pytest.approx(reference.residual(system, b.numpy(), solution.x.numpy()))


@pytest.mark.parametrize("rtol", [1e-18, 0.0])
def test_a_tolerance_below_rounding_stagnates(rtol):
    system, b = blobs()
    for name in BUILT_IN:
        solution = Solver(name, system, device="cpu", fallback=()).solve(system, b, rtol=rtol)
        assert solution.status is Status.STAGNATED
        assert solution.residual <= 1e-12
        assert torch.isfinite(solution.x).all()


class Stalling:
    """Symmetric, but blind to all of the grid except one corner."""

    def setup(self, system):
        self.weight = torch.zeros(system.shape, dtype=torch.float64)
        self.weight[:20, :20] = 1.0

    def apply(self, r, out):
        torch.mul(self.weight, r, out=out)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_stalled_preconditioner_is_replaced_early(engine):
    precond.register("stalling", Stalling)
    system, b = problems.frame("checker", 4096, 0, contrast=1e4)
    solution = Solver("stalling", system, device="cpu", engine=engine).solve(system, b)
    assert solution.attempts[0][1] is Status.STAGNATED
    assert solution.attempts[0][2] <= 520  # as soon as hundreds of iterations have won less than one without M would
    assert solution.status is Status.CONVERGED


def test_atol_is_in_the_units_of_b():
    system, b = blobs()
    solution = Solver("jacobi", system, device="cpu").solve(system, 1e3 * b, rtol=0.0, atol=1e-2)
    assert solution.status is Status.CONVERGED
    assert 1e-3 < solution.residual * float(1e3 * b.norm()) / 1e-2 <= 1.0
    assert Solver("jacobi", system, device="cpu").solve(system, b, atol=1e3).iterations == 0


@pytest.mark.parametrize("scale", [1e-250, 1e-30, 1e30, 1e250])
def test_the_scale_of_b_does_not_matter(scale):
    system, b = blobs()
    solver = Solver("jacobi", system, device="cpu")
    assert solver.solve(system, scale * b).iterations == solver.solve(system, b).iterations


def test_a_chunk_of_masked_iterations_ends_where_single_ones_do():
    """The form that a GPU runs: several iterations between two looks, no-ops once the stop test has fired."""
    from precond.pcg import PCG
    from precond.torch_loop import TorchLoop

    system, b = blobs()
    for name, factor in (("single", 1.0), ("defective", -1.0), ("poisoned", np.nan)):
        register_scaled(name, factor)
        outcomes = []
        for chunk in (1, 7):
            solver = Solver(name, system, device="cpu", fallback=())
            solver._pcg = PCG(TorchLoop(*system.shape, solver.device, chunk=chunk))
            outcomes.append([solver.solve(system, b), solver.solve(system, b, max_iterations=16)])
        for one, many in zip(*outcomes, strict=True):
            assert (one.status, one.iterations) == (many.status, many.iterations)
            assert torch.equal(one.x, many.x)
            np.testing.assert_array_equal(one.history, many.history)


def test_solves_repeat_bit_for_bit_and_keep_nothing_from_earlier_ones():
    system, b = blobs()
    other, c = problems.frame("checker", 2048, 1)
    for name in BUILT_IN:
        solver = Solver(name, system, device="cpu")
        first = solver.solve(system, b)
        assert solver.solve(other, c).status is Status.CONVERGED  # another shape
        again = solver.solve(system, b)
        assert torch.equal(first.x, again.x)
        np.testing.assert_array_equal(first.history, again.history)


@pytest.mark.parametrize("name", ["jacobi", "dilu", "multigrid"])
def test_a_loop_of_solves_keeps_its_buffers(name):
    system, b = blobs()
    solver = Solver(name, system, device="cpu", engine="torch")
    solver.solve(system, b)

    def buffers():
        M = solver._methods[name]
        tensors = [*vars(solver._pcg.loop).values(), *vars(M).values()]
        for level in getattr(M, "levels", ()):
            tensors += [*vars(level).values(), *vars(level.A).values(), level.x.centre]
        return [t.data_ptr() for t in tensors if isinstance(t, torch.Tensor)]

    first = buffers()
    for _ in range(3):
        system.beta_x *= 1.1
        solver.solve(system, b)
    assert buffers() == first
    assert len(first) > 10


def test_M_follows_coefficients_rewritten_in_place():
    system, b = blobs()
    solver = Solver("multigrid", system, device="cpu")
    solver.solve(system, b)
    fresh, _ = problems.frame("barrier", 256, 5)
    system.copy_from(fresh)
    solution = solver.solve(system, b)
    assert solution.iterations == Solver("multigrid", fresh, device="cpu").solve(fresh, b).iterations
    assert reference.residual(fresh, b.numpy(), solution.x.numpy()) <= 1.05e-8


def test_a_solution_describes_itself():
    system, b = blobs()
    solution = Solver("jacobi", system, device="cpu").solve(system, b.to(torch.float32))
    assert (solution.x.shape, solution.x.dtype, solution.x.device) == (b.shape, torch.float64, b.device)
    assert solution.history.shape == (solution.iterations,)
    assert solution.history[-1] == solution.residual <= 1e-8
    assert min(solution.setup_ms, solution.solve_ms) > 0
    assert solution.inference_ms == 0
    assert solution.x.mean().abs() <= 1e-12 * solution.x.abs().max()


system, b = blobs()
rectangle = np.ones((16, 17))


class OneVerb:
    def apply(self, r, out):
        out.copy_(r)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: Solver("gauss", system), ValueError, "'gauss'.*none, jacobi"),
        (lambda: Solver(3, system), TypeError, "3"),
        (lambda: Solver("jacobi", "system"), TypeError, "str"),
        (lambda: Solver("jacobi", system, fallback=("amg", "jacobi")), ValueError, "'amg'"),
        (lambda: Solver("jacobi", system, fallback="jacobi"), TypeError, "'jacobi'"),
        (lambda: Solver("jacobi", system, device="tpu"), ValueError, "'tpu'"),
        (lambda: Solver("jacobi", system, device="meta"), ValueError, "'meta'"),
        (lambda: Solver("jacobi", system, device=7), TypeError, "7"),
        (lambda: Solver("jacobi", system, device="cpu:1"), ValueError, "'cpu:1'.*pass 'cpu'"),
        (lambda: Solver("jacobi", system, weights="w.safetensors"), ValueError, "w.safetensors"),
        (lambda: precond.why_unavailable("gauss"), ValueError, "'gauss'"),
        (lambda: precond.register("jacobi", Scaled), ValueError, "'jacobi'"),
        (lambda: precond.register("", Scaled), ValueError, "''"),
        (lambda: precond.register(5, Scaled), TypeError, "5"),
        (lambda: precond.register("mine", 5), TypeError, "5"),
        (lambda: precond.register("mine", dict), TypeError, "'mine' is the class dict, which lacks setup"),
        (lambda: precond.register("mine", OneVerb), TypeError, "OneVerb, which lacks setup"),
        (lambda: (precond.register("mine", lambda: 5), Solver("mine", system).solve(system, b)), TypeError, "made 5"),
        (lambda: Solver("jacobi", system).solve(None, b), TypeError, "NoneType"),
        (lambda: Solver("jacobi", system).solve(system, rectangle), ValueError, r"\(16, 17\)"),
        (lambda: Solver("jacobi", system).solve(system, [1.0]), TypeError, "list"),
        (lambda: Solver("jacobi", system).solve(system, b, rtol=-1e-8), ValueError, "-1e-08"),
        (lambda: Solver("jacobi", system).solve(system, b, rtol=float("nan")), ValueError, "nan"),
        (lambda: Solver("jacobi", system).solve(system, b, rtol=1), ValueError, "rtol is 1.0.*below 1"),
        (lambda: Solver("jacobi", system).solve(system, b, rtol=50.0), ValueError, "rtol is 50.0"),
        (lambda: Solver("jacobi", system).solve(system, np.ma.array(b.numpy())), TypeError, r"masked.*b\.filled"),
        (lambda: Solver("jacobi", system).solve(system, b, x0=np.ma.array(b.numpy())), TypeError, r"x0\.filled"),
        (lambda: Solver("jacobi", system).solve(system, b, rtol="tight"), TypeError, "'tight'"),
        (lambda: Solver("jacobi", system).solve(system, b, atol=-2.0), ValueError, "-2.0"),
        (lambda: Solver("jacobi", system).solve(system, b, max_iterations=0), ValueError, "max_iterations is 0"),
        (lambda: Solver("jacobi", system).solve(system, b, max_iterations=2.5), TypeError, "2.5"),
        (lambda: Solver("jacobi", system).solve(system, b, x0=rectangle), ValueError, r"\(16, 17\)"),
        (lambda: Solver("jacobi", system).apply(rectangle), ValueError, r"\(16, 17\)"),
    ],
)
def test_misuse_is_refused_with_the_offending_value(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="'cuda'"):
        Solver("jacobi", system, device="cuda")
