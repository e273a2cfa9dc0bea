"""Drops without gravity: at rest, and oscillating."""

from __future__ import annotations

import math

import numpy as np

from sim.frame import Frame
from sim.simulation import Solve
from sim.validate.flow import fluid, run
from sim.validate.results import Check, Curve, Result


def drop(n: int, solve: Solve) -> Result:
    """A drop at rest without gravity: what moves it is the error of the surface tension alone."""
    radius, sigma, rho = 0.2, 25.0, (100.0, 1.0)  # a capillary wave takes half a second around it
    mu = math.sqrt(rho[0] * sigma * 2 * radius / 120)  # Laplace number 120, the first of Popinet 2009

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x - 0.5) ** 2 + (y - 0.5) ** 2 < radius**2

    simulation = fluid("drop", (n, n), solve, disc, rho=rho, mu=(mu, mu / 10), sigma=sigma)
    times: list[float] = []
    capillary: list[float] = []

    def watch(frame: Frame) -> None:
        times.append(frame.time)
        capillary.append(frame.stats.speed_max * mu / sigma)

    frame = run(simulation, 1.0, 0.02, watch)
    inner, outer = frame.fractions[0] > 1 - 1e-6, frame.fractions[0] < 1e-6
    jump = float(frame.pressure[inner].mean() - frame.pressure[outer].mean())
    checks = [
        Check("pressure jump / (sigma / R)", jump * radius / sigma, 1.0, 0.01),
        Check("capillary number after 1 s", capillary[-1], None, 1e-5),
    ]
    curve = Curve("Spurious currents", "time [s]", "max |u| mu / sigma", times[1:], capillary[1:])
    return Result("drop", n, checks, [curve], frame.fractions[0])


def oscillation(n: int, solve: Solve) -> Result:
    """A drop that is drawn out by 5% and let go: frequency of its second mode (Lamb 1932, art. 273, in the plane)."""
    radius, sigma, rho, amplitude = 0.2, 1.0, (100.0, 1.0), 0.05

    def ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - 0.5, y - 0.5
        return np.hypot(x, y) < radius * (1 + amplitude * np.cos(2 * np.arctan2(y, x)))

    # A little viscosity, which shifts the frequency by 3e-4, keeps modes down that the grid excites.
    mu = 0.01 * math.sqrt(rho[0] * sigma * 2 * radius)
    simulation = fluid("oscillation", (n, n), solve, ellipse, rho=rho, mu=(mu, mu / 100), sigma=sigma)
    omega = math.sqrt((2**3 - 2) * sigma / ((rho[0] + rho[1]) * radius**3))
    centre = (np.arange(n) + 0.5) / n - 0.5
    weight = centre[None, :] ** 2 - centre[:, None] ** 2
    times: list[float] = []
    stretch: list[float] = []

    def watch(frame: Frame) -> None:
        times.append(frame.time)
        stretch.append(float((frame.fractions[0] * weight).sum()))

    period = 2 * math.pi / omega
    frame = run(simulation, 2 * period, period / 100, watch)
    sign = np.sign(stretch)
    zeros = [
        times[k] + (times[k + 1] - times[k]) * stretch[k] / (stretch[k] - stretch[k + 1])
        for k in np.nonzero(sign[1:] != sign[:-1])[0]
    ]
    measured = math.pi * (len(zeros) - 1) / (zeros[-1] - zeros[0]) if len(zeros) > 1 else math.nan
    checks = [Check("frequency / Lamb's", measured / omega, 1.0, 0.03)]
    lamb = np.exp(-4 * mu / rho[0] / radius**2 * np.array(times)) * np.cos(omega * np.array(times))
    curve = Curve(
        "Second moment of the drop", "time [s]", "of the initial one", times, [s / stretch[0] for s in stretch],
        times[::5], lamb[::5].tolist(),
    )  # fmt: skip
    return Result("oscillation", n, checks, [curve], frame.fractions[0])
