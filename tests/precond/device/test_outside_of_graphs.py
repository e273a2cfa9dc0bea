"""What a solve does on CUDA outside of its graphs: each operation costs a launch and each wait the way to the host."""

import pytest
import torch

from precond import PoissonSystem, Solver, Status, problems

MOST_OPERATIONS, MOST_WAITS = 8, 2


@pytest.mark.parametrize("guess", [False, True])
@pytest.mark.parametrize("name", ["none", "jacobi", "dilu", "multigrid", "spai-static", "hierarchy", "htp"])
def test_operations_and_waits_of_a_solve_that_is_recorded(name, guess, there):
    system, b = problems.frame("blobs", 400, 0, contrast=10, solids=True)
    copied = PoissonSystem.empty(*system.shape, device="cuda")
    copied.copy_from(system)
    b = b.to("cuda")
    solver = Solver(name, copied, device="cuda", fallback=(), engine="torch")
    x0 = torch.zeros_like(b)
    for _ in range(4):
        copied.beta_x.mul_(1.01)
        there.work.clear()
        there.waits.clear()
        solution = solver.solve(copied, b, x0=x0 if guess else None)
        assert solution.status is Status.CONVERGED
        x0 = 0.9 * solution.x
    there.work.clear()
    there.waits.clear()
    solver.solve(copied, b, x0=x0 if guess else None)
    assert sum(there.work.values()) <= MOST_OPERATIONS, there.work
    assert sum(there.waits.values()) <= MOST_WAITS, there.waits
