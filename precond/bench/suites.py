"""Named sets of measurements that belong together: `python -m precond.bench --suite NAME`."""

from __future__ import annotations

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
         "--frames", "3", "--methods", "jacobi,dilu,multigrid,dct,amg-rs,amg-sa"),
    ),
    # 2,000 random systems, every outcome checked by independent means; see precond.trust
    "trust": (),
}  # fmt: skip
