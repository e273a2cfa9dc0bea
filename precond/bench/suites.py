"""Named sets of measurements that belong together: `python -m precond.bench --suite NAME`."""

from __future__ import annotations

from collections.abc import Sequence

from .. import registry
from ..htp import ablations
from .external_solvers import OUTSIDE

# Each entry is one run of the benchmark; what the user gives besides, such as --device or --frames, comes after it.
SUITES: dict[str, tuple[tuple[str, ...], ...]] = {
    # rivals against the same methods of libraries that users have already
    "outside": (
        ("--sizes", "4096,16384", "--kind", "blobs", "--contrast", "100", "--rtol", "1e-6", "--methods",
         "jacobi,multigrid,amg-rs,scipy-jacobi,scipy-amg-rs"),
    ),
    # all kinds of frames, easy and hard, at one size
    "kinds": (
        ("--sizes", "16384", "--kind", "all", "--contrast", "100", "--frames", "3"),
        ("--sizes", "16384", "--kind", "blobs", "--contrast", "100", "--frames", "3", "--solids"),
        ("--sizes", "16384", "--kind", "blobs", "--contrast", "100", "--frames", "3", "--open-top"),
    ),
    # growth with the grid, 32x32 to 512x512
    "sizes": (
        ("--sizes", "1024,4096,16384,65536,262144", "--kind", "blobs", "--contrast", "100", "--rtol", "1e-6",
         "--frames", "3", "--methods", "jacobi,dilu,multigrid,hierarchy,htp,dct,amg-rs,amg-sa"),
    ),
    # the learned method with one thing changed at a time; see precond.htp.ablations
    "ablations": (
        ("--sizes", "4096,16384", "--kind", "barrier,blobs,spray,checker,filament", "--contrast", "100",
         "--frames", "5", "--methods", "polynomials,hierarchy,htp"),
    ),
    # a learned nonlinear operator's own test problem, beside what its authors report; see precond.bench.canonical
    "canonical": (
        ("--rtol", "1e-10", "--max-iterations", "2000", "--frames", "5", "--methods",
         "none,jacobi,nystrom-16,nystrom,nystrom-256,ic0,spai-static,spai,npo,multigrid,htp"),
    ),
    # which method to pick, by kind, contrast, size and walls; see precond.bench.generalisation
    "generalisation": (
        ("--rtol", "1e-6", "--frames", "1", "--methods",
         "jacobi,dilu,spai-static,multigrid,amg-rs,hierarchy,htp,htp-paper,spai,npo"),
    ),
    # 2,000 random systems, every outcome checked by independent means; see precond.trust
    "trust": (),
    # all that is to be known of a machine, above all of one with CUDA; see precond.bench.acceptance
    "acceptance": (),
}  # fmt: skip


def parts(name: str, besides: Sequence[str]) -> list[list[str]]:
    """The command lines of a suite, each with the user's arguments after its own; methods that are missing left out."""
    found = []
    extra: list[str] = []
    if name == "ablations":
        for variant, factory in ablations.variants().items():
            registry.register(variant, factory)
            extra.append(variant)
    for part in SUITES[name]:
        line = list(part)
        if "--methods" in line:
            k = line.index("--methods") + 1
            there = [m for m in line[k].split(",") if m in OUTSIDE or registry.why_unavailable(m) is None]
            line[k] = ",".join(there + extra)
        found.append([*line, *besides])
    return found
