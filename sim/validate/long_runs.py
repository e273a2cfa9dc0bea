"""Long runs: what every scene keeps over thousands of steps, left alone and under random input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from sim.frame import Controls, Frame, Stroke
from sim.grid import with_rows
from sim.scenes.reader import load, names
from sim.simulation import Simulation, Solve
from sim.validate.results import Check, Result

FRAME = 1 / 60  # [s]
STEPS, ABUSED_STEPS = 2000, 3000  # pressure solves in each scene
FASTEST = 5.0  # times sqrt(g H + push^2) of the strongest gravity and push so far: no flow that these drive is faster


def endurance(rows: int, solve: Solve) -> Result:
    """Every scene for STEPS steps: volume of every phase, sum of the fractions, and energy where nothing drives it."""
    checks = []
    for name in names():
        scene = load(name)
        simulation = Simulation(scene, with_rows(scene.grid, rows), solve=solve)
        frame = simulation.frame()
        first, above_rest = frame.stats.energy, potential_above_rest(frame, simulation)
        drift, excess, most = 0.0, 0.0, first
        while simulation.steps < STEPS:
            frame = simulation.step(FRAME)
            drift = max(drift, frame.stats.volume_drift)
            excess = max(excess, float(np.abs(frame.fractions.sum(0) - 1).max()), -float(frame.fractions.min()))
            most = max(most, frame.stats.energy)
        checks.append(Check(f"{name}: relative drift of volumes", drift, None, 1e-6))
        checks.append(Check(f"{name}: error of the sum of fractions", excess, None, 1e-9))
        if not (scene.open_top or scene.openings):
            checks.append(Check(f"{name}: growth of energy", (most - first) / above_rest, None, 0.005))
    return Result("endurance", rows, checks)


def potential_above_rest(frame: Frame, simulation: Simulation) -> float:
    """Potential energy [J/m] of a frame above that of the same fluids in layers, the heaviest below."""
    fluid, dx = ~frame.solid, simulation.grid.dx
    height = np.broadcast_to((np.arange(fluid.shape[0]) + 0.5)[:, None] * dx, fluid.shape)
    now = float((frame.density * height)[fluid].sum())
    cells = fluid.sum(1).astype(float)  # of every row, filled from below
    heights, at_rest = (np.arange(cells.size) + 0.5) * dx, 0.0
    filled = np.concatenate(([0.0], cells.cumsum()))
    weights = np.concatenate(([0.0], (cells * heights).cumsum()))
    before = 0.0
    order = np.argsort(simulation.controls.densities)[::-1]
    for phase in order:
        upto = before + float(frame.fractions[phase][fluid].sum())
        lower, upper = np.interp([before, upto], filled, weights)
        at_rest += simulation.controls.densities[phase] * (upper - lower)
        before = upto
    return (now - at_rest) * dx**2 * abs(simulation.controls.gravity)


def abuse(rows: int, solve: Solve) -> Result:
    """Every scene for ABUSED_STEPS steps of random pushes, pours, walls, drags and densities from 1:1 to 1000:1."""
    checks = []
    for k, name in enumerate(names()):
        scene = load(name)
        simulation = Simulation(scene, with_rows(scene.grid, rows), solve=solve)
        random = np.random.default_rng(k)
        worst, bound = {"speed": 0.0, "least": 1.0, "silent": 0, "drift": 0.0}, 0.0
        while simulation.steps < ABUSED_STEPS:
            controls, push = restless(random, simulation)
            frame = simulation.step(FRAME, controls)
            bound = max(bound, math.sqrt(abs(controls.gravity) * scene.height + push**2))
            worst["speed"] = max(worst["speed"], frame.stats.speed_max / bound)
            worst["least"] = min(worst["least"], float(frame.density.min()) / min(controls.densities))
            worst["drift"] = max(worst["drift"], frame.stats.volume_drift)
            failed = any(s.status.name != "CONVERGED" for s in frame.stats.solutions)
            worst["silent"] += failed and not frame.stats.notices
        checks += [
            Check(f"{name}: speed / sqrt(g H + push^2)", worst["speed"], None, FASTEST),
            Check(f"{name}: least density / lightest phase", worst["least"], 1.0, 1e-9),
            Check(f"{name}: failures that nothing tells of", float(worst["silent"]), None, 0.0),
            Check(f"{name}: relative drift of volumes", worst["drift"], None, 1e-4),
        ]
    return Result("abuse", rows, checks)


def restless(random: np.random.Generator, simulation: Simulation) -> tuple[Controls, float]:
    """Controls of one frame as a user at play might give them, and the speed of the fastest push [m/s]."""
    scene, width, height = simulation.scene, simulation.grid.width, simulation.grid.height
    controls = replace(simulation.controls, strokes=())
    if random.uniform() < 0.05:
        ratio, heaviest = 1000 ** random.uniform(), max(phase.density for phase in scene.phases)
        lightness = np.linspace(0, 1, len(scene.phases))
        random.shuffle(lightness)
        controls = replace(controls, densities=tuple(float(heaviest / ratio**x) for x in lightness))
    if random.uniform() < 0.02:
        controls = replace(controls, gravity=float(random.uniform(-10, 20)))
    strokes, push = [], 0.0
    if random.uniform() < 0.4:
        tool = str(random.choice(["push", "push", "push", "pour", "solid", "erase", "erase", "drag"]))
        x, y = random.uniform(0, width), random.uniform(0, height)
        along = random.normal(size=2) * 0.05 * height
        if tool == "drag" and bool(simulation.solid.any()):
            j, i = random.choice(np.argwhere(simulation.solid.cpu().numpy()))
            x, y = (i + 0.5) * simulation.grid.dx, (j + 0.5) * simulation.grid.dx
            along *= 0.2
        radius = random.uniform(0.01, 0.08) * height
        phase = int(random.integers(len(scene.phases)))
        strokes.append(Stroke(tool, x, y, x + along[0], y + along[1], radius, phase))
        push = float(np.hypot(*along)) / FRAME
    return replace(controls, strokes=tuple(strokes)), push
