"""What learned methods keep from one solve to the next can be taken along, and harms nobody where it does not fit."""

import numpy as np
import pytest
import torch

from precond import PoissonSystem, Solver, Status, problems

LEARNED = ["htp", "spai"]


def frames(count, cells=1024):
    """A flow in a few steps: one system, written anew for each of them, and a right-hand side."""
    system, b = problems.frame("blobs", cells, 0, contrast=100)
    density = problems.density("blobs", system.shape, 0, 100)
    for k in range(count):
        system.copy_from(PoissonSystem.from_density(np.roll(density, k, axis=1)))
        yield system, b


@pytest.mark.parametrize("name", LEARNED)
def test_a_solver_goes_on_where_another_stopped(name):
    first, second, solutions, memory = None, None, [], {}
    for k, (system, b) in enumerate(frames(8)):
        first = first or Solver(name, system)
        if k == 5:
            memory = first.memory()
        solutions.append(first.solve(system, b))
    assert int(memory["age"]) == 5
    for k, (system, b) in enumerate(frames(8)):
        if k < 5:
            continue
        if second is None:
            second = Solver(name, system)
            second.recall(memory)
        found = second.solve(system, b)
        assert found.inference_ms == 0, "the network ran although its last words were given"
        assert torch.equal(found.x, solutions[k].x)
        assert found.iterations == solutions[k].iterations


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize(
    "how", ["nothing", "another grid", "another network", "NaN", "another kind", "negative age", "endless age"]
)
def test_what_does_not_fit_is_ignored(name, how):
    (system, b), (wide, c) = next(frames(1)), next(frames(1, 2048))
    seen = (wide, c) if how == "another grid" else (system, b)
    donor = Solver(name, seen[0])
    donor.solve(*seen)
    memory = donor.memory()
    tensor = next(key for key, array in memory.items() if array.ndim > 2)
    if how == "nothing":
        memory = {}
    elif how == "another network":
        memory["network"] = memory["network"] + 1
    elif how == "NaN":
        memory[tensor].flat[3] = np.nan
    elif how == "another kind":
        memory[tensor] = memory[tensor].astype(str)
    elif how == "endless age":
        memory["age"] = np.array(np.inf)
    elif how == "negative age":
        memory["age"] = np.array(-1)
    solver = Solver(name, system)
    solver.recall(memory)
    found = solver.solve(system, b)
    assert found.inference_ms > 0, "it was taken"
    assert found.status is Status.CONVERGED
    assert torch.equal(found.x, Solver(name, system).solve(system, b).x)


@pytest.mark.parametrize("counts", [np.array(3), np.array(["a"]), np.zeros((2, 2))])
def test_damaged_counts_are_left_out(counts):
    system, b = next(frames(1))
    donor = Solver("htp", system)
    donor.solve(system, b)
    solver = Solver("htp", system)
    solver.recall({**donor.memory(), "counts": counts})
    assert solver.solve(system, b).status is Status.CONVERGED


def test_a_method_without_memory_says_so():
    system, b = next(frames(1))
    solver = Solver("multigrid", system)
    solver.recall({"age": np.array(3)})
    solver.solve(system, b)
    assert solver.memory() == {}
    assert Solver("htp", system).memory() == {}, "nothing has been solved yet"
