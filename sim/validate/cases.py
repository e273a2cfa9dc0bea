"""The validation cases by name: flows with a known answer, each on a coarse grid in the test suite.

`python -m sim.validate` is the command that runs them.
"""

from __future__ import annotations

from sim.validate.bubbles import bubble_1, bubble_2
from sim.validate.gravity import dam_break, rayleigh_taylor, rayleigh_taylor_3000, rest
from sim.validate.long_runs import abuse, endurance
from sim.validate.results import Case
from sim.validate.surface_tension import drop, oscillation
from sim.validate.transport import vortex

CASES = {
    "vortex": Case(vortex, (32, 64), (32, 64, 128), "Basilisk, test reversed.c", "transport of an interface"),
    "rest": Case(rest, (48,), (48, 96), "exact", "hydrostatic balance"),
    "drop": Case(drop, (32,), (32, 64), "Laplace", "balance of surface tension and pressure"),
    "oscillation": Case(oscillation, (48,), (32, 64, 128), "Lamb 1932", "dynamics of surface tension"),
    "bubble-1": Case(bubble_1, (32,), (32, 64, 128), "Hysing et al. 2009, test case 1", "all forces together"),
    "bubble-2": Case(bubble_2, (32,), (32, 64), "Hysing et al. 2009, test case 2", "density ratio 1000"),
    "rayleigh-taylor": Case(rayleigh_taylor, (32,), (32, 64, 128), "He et al. 1999", "growth of an instability"),
    "rayleigh-taylor-3000": Case(rayleigh_taylor_3000, (64,), (64, 128), "Fakhari et al. 2017", "the same, thin"),
    "dam-break": Case(dam_break, (16,), (16, 32), "Martin & Moyce 1952", "violent flow of water in air"),
    "endurance": Case(endurance, (32,), (96,), "conservation", "2,000 steps of every scene"),
    "abuse": Case(abuse, (32,), (96,), "no surprise", "3,000 steps of random input in every scene"),
}
