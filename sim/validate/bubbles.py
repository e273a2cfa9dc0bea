"""Rising bubbles: viscosity, surface tension and gravity together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from sim.frame import Frame
from sim.kernels import curvature, plic, tension
from sim.simulation import Solve
from sim.validate.flow import at, fluid, run
from sim.validate.results import Check, Curve, Result


@dataclass(frozen=True)
class Bubble:
    """A rising bubble of Hysing et al. 2009: its parameters, bubble first."""

    rho: tuple[float, float]  # bubble, liquid
    mu: tuple[float, float]
    sigma: float
    end: float


TC1 = Bubble((100.0, 1000.0), (1.0, 10.0), 24.5, 3.0)
TC2 = Bubble((1.0, 1000.0), (0.1, 10.0), 1.96, 2.0)


def rise(bubble: Bubble, name: str, n: int, solve: Solve) -> tuple[Result, dict[str, list[float]]]:
    """The bubble's centre [m], rise velocity [m/s] and circularity against time; n cells across the box."""
    centre, radius = (0.5, 0.5), 0.25

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2

    simulation = fluid(
        name, (2 * n, n), solve, disc, rho=bubble.rho, mu=bubble.mu, sigma=bubble.sigma, height=2.0, gravity=0.98,
        walls='bottom = "no-slip"\ntop = "no-slip"',
    )  # fmt: skip
    y = (np.arange(2 * n) + 0.5)[:, None] / n
    rows, plan = torch.zeros(2 * n, 2, dtype=torch.float64), plic.plan_for(simulation.F)
    normals = torch.zeros(1, 5, 2 * n, n, dtype=torch.float64)
    series: dict[str, list[float]] = {"time": [], "centre": [], "velocity": [], "circularity": []}

    def watch(frame: Frame) -> None:
        f = frame.fractions[0]
        volume = f.sum()
        fields = simulation.F, simulation.solid.view(torch.uint8), normals
        curvature.normals_of(plan.serial, *fields)
        tension.survey(plan.serial, *fields, simulation._sigma, rows, simulation.grid.dx)
        perimeter = float(rows[:, 1].sum())
        series["time"].append(frame.time)
        series["centre"].append(float((f * y).sum() / volume))
        series["velocity"].append(float((f * 0.5 * (frame.v[1:] + frame.v[:-1])).sum() / volume))
        series["circularity"].append(2 * math.sqrt(math.pi * volume) / n / perimeter)

    frame = run(simulation, bubble.end, 0.02, watch)
    labels = (
        ("centre", "height of the centre [m]"),
        ("velocity", "rise velocity [m/s]"),
        ("circularity", "circularity"),
    )
    curves = [Curve(label, "time [s]", label, series["time"], series[key]) for key, label in labels]
    return Result(name, n, [], curves, frame.fractions[0]), series


def bubble_1(n: int, solve: Solve) -> Result:
    """An ellipsoidal bubble, density ratio 10."""
    result, s = rise(TC1, "bubble-1", n, solve)
    checks = [
        Check("centre at 3 s [m]", at(s["time"], s["centre"], 3.0), 1.0817, 0.01 * 1.0817),
        Check("centre at 2 s [m]", at(s["time"], s["centre"], 2.0), 0.8887, 0.01 * 0.8887),
        Check("centre at 1 s [m]", at(s["time"], s["centre"], 1.0), 0.6696, 0.01 * 0.6696),
        Check("largest rise velocity [m/s]", max(s["velocity"]), 0.24166, 0.02 * 0.24166),
        Check("smallest circularity", min(s["circularity"]), 0.90125, 0.02 * 0.90125),
    ]
    points = {
        "centre": ([1.0, 2.0, 3.0], [0.6696, 0.8887, 1.0817]),
        "velocity": ([0.924], [0.24166]),
        "circularity": ([1.900], [0.90125]),
    }
    return with_points(result, checks, **points)


def bubble_2(n: int, solve: Solve) -> Result:
    """A skirted bubble, density ratio 1000, to the time at which the published codes begin to disagree."""
    result, s = rise(TC2, "bubble-2", n, solve)
    checks = [
        Check("rise velocity at 0.732 s [m/s]", at(s["time"], s["velocity"], 0.732), 0.25022, 0.04 * 0.25022),
        Check("rise velocity at 2 s [m/s]", at(s["time"], s["velocity"], 2.0), 0.23933, 0.04 * 0.23933),
    ]
    return with_points(result, checks, velocity=([0.732, 2.060], [0.25022, 0.23933]))


def with_points(result: Result, checks: list[Check], **points: tuple[list[float], list[float]]) -> Result:
    """The result with its checks, and with published points on its curves of centre, velocity and circularity."""
    curves = []
    for key, curve in zip(("centre", "velocity", "circularity"), result.curves):
        x, y = points.get(key, ([], []))
        curves.append(Curve(curve.title, curve.x_label, curve.y_label, curve.x, curve.y, x, y))
    return Result(result.case, result.n, checks, curves, result.picture)
