"""Sparse approximate inverses: positive definite whatever the network says, blind to scale, and worth their weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import precond
from precond import PoissonSystem, Solver, Status, problems
from precond.io import network_file, weights
from precond.message_passing.coefficient_planes import planes
from precond.pcg import PCG
from precond.spai import method
from precond.spai.method import NAME, Spai
from precond.spai.network import Config, Network
from precond.torch_loop import TorchLoop
from precond.train.__main__ import main
from precond.train.spai import RECIPE, edge_noise

CPU = torch.device("cpu")
SHIPPED = method.default_weights()
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
needs_weights = pytest.mark.skipif(not SHIPPED.is_file(), reason="no weights of spai here")


@pytest.fixture(autouse=True)
def one_thread():
    """A second thread gains nothing on planes this small, and waits where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def dense(M, system: PoissonSystem) -> np.ndarray:
    """M as a matrix over the cells that have an equation, set up for the system."""
    M.setup(system)
    alive = torch.nonzero((system.diagonal() > 0).view(-1) & ~system.solid.view(-1)).view(-1)
    rows = []
    for k in alive:
        r, z = torch.zeros(system.shape, dtype=torch.float64), torch.empty(system.shape, dtype=torch.float64)
        r.view(-1)[k] = 1.0
        M.apply(r, z)
        rows.append(z.view(-1)[alive].numpy())
    return np.array(rows)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    weights_seed=st.integers(0, 10**6),
    kind=st.sampled_from(problems.KINDS),
    cells=st.integers(1, 70),
    exponent=st.floats(0, 6, allow_subnormal=False),
    solids=st.booleans(),
    open_top=st.booleans(),
)
def test_M_is_symmetric_positive_definite_for_any_weights(seed, weights_seed, kind, cells, exponent, solids, open_top):
    system, _ = problems.frame(kind, cells, seed, 10**exponent, solids, open_top)
    M = dense(Spai(f"random:{weights_seed}"), system)
    if not M.size:  # every cell solid or shut in
        return
    np.testing.assert_allclose(M, M.T, rtol=0, atol=1e-12 * abs(M).max())
    root = np.sqrt(M.diagonal())
    assert (root > 0).all()
    assert np.linalg.eigvalsh(M / np.outer(root, root))[0] > 0


@pytest.mark.parametrize("method_name", ["spai-static", "spai"])
@pytest.mark.parametrize("open_top", [False, True])
def test_every_system_is_solved_also_by_weights_that_learned_nothing(method_name, open_top):
    for seed, solids in enumerate((False, True)):
        system, b = problems.frame("blobs", 900, seed, 100, solids, open_top)
        given = {"weights": "random:3"} if method_name == "spai" else {}
        solution = Solver(method_name, system, device="cpu", fallback=(), **given).solve(system, b)
        assert solution.status is Status.CONVERGED


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_a_scaling_of_A_scales_M_back_and_changes_nothing_else(scale):
    system, b = problems.frame("barrier", 400, 0, 100, solids=True, open_top=True)
    scaled = PoissonSystem.from_faces(scale * system.beta_x, scale * system.beta_y, True, system.solid)
    first, second = (Solver(NAME, s, device="cpu", fallback=(), weights="random:1") for s in (system, scaled))
    torch.testing.assert_close(scale * second.apply(b), first.apply(b), rtol=1e-5, atol=1e-9 * float(b.norm()))
    assert first.solve(system, b).iterations == pytest.approx(second.solve(scaled, b).iterations, abs=2)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_CUDA)])
def test_chunks_and_graphs_agree_with_single_iterations(device):
    system, b = problems.frame("blobs", 900, 0, 100, solids=True, open_top=True)
    one, many = (Solver(NAME, system, device=d, fallback=(), weights="random:1") for d in ("cpu", device))
    if device == "cpu":
        many._pcg = PCG(TorchLoop(*system.shape, many.device, chunk=8))
    for _ in range(3):  # the later solves replay the first one's graph with new coefficients
        found, expected = (solver.solve(system, b, rtol=1e-8) for solver in (many, one))
        assert found.status is expected.status is Status.CONVERGED
        assert abs(found.iterations - expected.iterations) <= 1 + 0.03 * expected.iterations
        assert (many._pcg.loop.graph is not None) == (device == "cuda")
        system.beta_x *= 1.1


def test_the_static_one_is_fsai_by_its_definition():
    """Each row of G is A_SS^-1 e on the cell and its lower neighbours, scaled to unit diagonal of G A G^T."""
    system, _ = problems.frame("checker", 42, 1, 100, open_top=True)
    A = system.to_scipy().toarray()
    G = np.zeros_like(A)
    for i in range(len(A)):
        S = [j for j in range(i + 1) if A[i, j]]
        y = np.linalg.solve(A[np.ix_(S, S)], np.eye(len(S))[-1])
        G[i, S] = y / np.sqrt(y[-1])
    found = dense(precond.registry.entry("spai-static").factory(), system)
    np.testing.assert_allclose(found, G.T @ G, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose((G @ A @ G.T).diagonal(), 1.0)


def test_a_network_that_says_nothing_leaves_chebyshevs_polynomial():
    """A^ M^ = 1 - T_3(1 - A^) + eps A^ in scaled variables."""
    system, _ = problems.frame("blobs", 48, 2, 100, open_top=True)
    M = dense(Spai(RECIPE.make(RECIPE.presets["default"], 0, CPU)), system)
    root = np.sqrt(system.diagonal().numpy().ravel())[~system.solid.numpy().ravel()]
    A = system.to_scipy().toarray() / np.outer(root, root)
    one = np.eye(len(A))
    T3 = 4 * np.linalg.matrix_power(one - A, 3) - 3 * (one - A)
    eps = 0.08
    np.testing.assert_allclose(A @ (M * np.outer(root, root)), one - T3 + eps * A, atol=1e-6)


def test_noise_over_faces_has_A_as_covariance():
    system = PoissonSystem.from_density(problems.density("checker", (3, 4), 0, 10), open_top=True)
    rng = np.random.default_rng(0)
    b = np.array([edge_noise(system, rng).numpy().ravel() for _ in range(20000)])
    A = system.to_scipy().toarray()
    np.testing.assert_allclose(b.T @ b / len(b), A, atol=0.05 * abs(A).max())


def test_the_scaled_operator_is_A_between_roots():
    system, b = problems.frame("spray", 300, 0, 100, solids=True, open_top=True)
    made = planes([system], torch.float64)
    root = made.root[0, 0]
    torch.testing.assert_close(made.apply((b * made.alive)[:, :])[0, 0], root * system.apply(root * b) * (root > 0))
    constant = made.constant()[0, 0] * root
    assert float(constant[root > 0].std() / constant.max()) < 1e-12


@pytest.mark.parametrize("loss", ["energy", "sai"])
def test_steps_lower_the_loss(loss):
    torch.manual_seed(0)
    config = RECIPE.presets["tiny" if loss == "energy" else "sai"]
    model = RECIPE.make(config, 0, CPU)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    data = RECIPE.batch(config, np.random.default_rng(5), 0, CPU)
    values = []
    for _ in range(15):
        value = RECIPE.loss(config, model, data)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert np.isfinite(values).all()
    assert min(values[-3:]) < values[0] - 0.01


def test_it_is_trained_by_its_command(tmp_path):
    out = tmp_path / "w.safetensors"
    arguments = ["spai", "--preset", "tiny", "--steps", "3", "--out", str(out), "--device", "cpu", "--threads", "1"]
    assert main(arguments) == 0
    card = json.loads(out.with_suffix(".json").read_text())
    assert {"commit", "command", "scores", "known_failures", "data"} <= card.keys()
    system, b = problems.frame("barrier", 256, 0)
    solution = Solver(NAME, system, device="cpu", fallback=(), weights=str(out)).solve(system, b)
    assert solution.status is Status.CONVERGED


def test_the_network_serves_some_solves_and_is_asked_again_when_told():
    system, b = problems.frame("barrier", 256, 0)
    solver = Solver(NAME, system, device="cpu", fallback=(), weights="random:0")
    times = [solver.solve(system, b).inference_ms for _ in range(method.EVERY + 1)]
    assert [k for k, ms in enumerate(times) if ms > 0] == [0, method.EVERY]
    solver.renew()
    assert solver.solve(system, b).inference_ms > 0
    other, _ = problems.frame("blobs", 256, 0)
    late = solver.solve(other, b)  # the network's word is of another frame: more iterations, the same pressure
    solver.forget()
    torch.testing.assert_close(late.x, solver.solve(other, b).x, rtol=0, atol=1e-5 * float(late.x.abs().max()))


def test_wrong_files_are_refused_in_a_sentence(tmp_path, monkeypatch):
    path, network = tmp_path / "w.safetensors", Network(Config())
    weights.save(path, NAME, {"width": 12, "layers": 2}, network.state_dict())
    assert isinstance(Spai(str(path)), Spai)
    for method_name, config, said in (
        ("htp", {"width": 12, "layers": 2}, "belongs to the method 'htp'"),
        (NAME, {"width": 12}, "no configuration"),
        (NAME, {"width": 12, "layers": -1}, "no configuration"),
        (NAME, {"width": 10**9, "layers": 2}, "no configuration"),
        (NAME, {"width": 8, "layers": 2}, "in the model of its configuration"),
    ):
        weights.save(path, method_name, config, network.state_dict())
        with pytest.raises(ValueError, match=said):
            Spai(str(path))
    monkeypatch.setattr(weights, "models_dir", lambda: tmp_path)
    assert "models/spai.safetensors is missing; train it" in str(network_file.why_unavailable(NAME))
    system, _ = problems.frame("barrier", 64, 0)
    with pytest.raises(ValueError, match=r"'spai' is not available: models/spai\.safetensors is missing"):
        Solver(NAME, system)


PUBLISHED = {1024: 118, 4096: 246, 16384: 496}  # arXiv 2510.27517, to 1e-6


@needs_weights
@pytest.mark.parametrize("cells", PUBLISHED)
def test_one_file_needs_no_more_iterations_than_was_published_for_each_size(cells):
    frames = [problems.frame("barrier", cells, 900 + k) for k in range(3)]
    found, static, jacobi = (
        [Solver(name, s, device="cpu", fallback=()).solve(s, b, rtol=1e-6).iterations for s, b in frames]
        for name in (NAME, "spai-static", "jacobi")
    )
    assert np.mean(found) <= PUBLISHED[cells]  # measured about half of it
    assert np.mean(found) < 0.45 * np.mean(jacobi)
    assert np.mean(static) < 0.6 * np.mean(jacobi)
    assert np.mean(found) < np.mean(static)
