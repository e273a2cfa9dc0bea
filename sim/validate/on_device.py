"""`python -m sim.validate.on_device`: whether Taichi and torch work on one device together; prints one line of JSON."""

import json
import sys
import time
from collections.abc import Sequence

import taichi as ti
import torch

from precond.support.command_line import Parser, check_device, exit_code, whole
from sim.simulation import Simulation

from .solver import pressure_solver

SCENE, GRID, TOL = "dam-break", (48, 64), 1e-8
MODULUS = 1009  # a prime: numbers stay whole and every write is seen in all that follow


@ti.kernel
def add_one(x: ti.types.ndarray(dtype=ti.f64, ndim=1)):  # type: ignore[no-untyped-def, valid-type]
    for i in range(x.shape[0]):
        x[i] += 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs and prints; 0, or 2 for bad usage."""
    return exit_code("sim.validate.on_device", lambda: work(list(sys.argv[1:] if argv is None else argv)))


def options(argv: Sequence[str]) -> tuple[str, int, int]:
    """(device, frames, writes). Raises Refusal."""
    p = Parser(prog="python -m sim.validate.on_device", description=__doc__, allow_abbrev=False)
    p.add_argument("--device", metavar="cpu|cuda", default="cpu")
    p.add_argument("--frames", metavar="K", default="60", help="frames of 1/60 s (default 60)")
    p.add_argument("--writes", metavar="K", default="1000", help="by Taichi and torch in turns (default 1000)")
    given = p.parse_args(argv)
    check_device(given.device)
    return given.device, whole(given.frames, "--frames", 1), whole(given.writes, "--writes", 1)


def work(argv: Sequence[str]) -> int:
    """Writes in turns, then the flow."""
    device, frames, writes = options(argv)
    simulation = Simulation(SCENE, GRID, solve=pressure_solver("multigrid", TOL), device=device)
    wrong, energies = alternate(writes, simulation.device), []
    start = time.perf_counter()
    for _ in range(frames):
        energies.append(float(simulation.step(1 / 60).stats.energy))
    seconds = time.perf_counter() - start
    print(json.dumps({"arch": str(ti.cfg.arch), "wrong": wrong, "energies": energies, "seconds": seconds}))
    return 0


def alternate(writes: int, device: torch.device) -> int:
    """How many of the writes of Taichi and torch to one tensor do not show what the other has written before."""
    x, expected, wrong = torch.zeros(4096, dtype=torch.float64, device=device), 0, 0
    for k in range(writes):
        add_one(x)
        x.mul_(3).remainder_(MODULUS)
        expected = 3 * (expected + 1) % MODULUS
        if k % 50 == 49 or k == writes - 1:  # a look waits for both, so most writes go without one
            wrong += not bool((x == expected).all())
    return wrong


if __name__ == "__main__":
    sys.exit(main())
