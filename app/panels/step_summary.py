"""Sentences about a frame's time step."""

from __future__ import annotations

from sim.frame import Frame

LIMITS = {
    "frame": "the whole frame",
    "courant": "limited by the flow (CFL)",
    "gravity": "limited by gravity",
    "capillary": "limited by capillary waves",
}


def time_step(frame: Frame) -> str:
    """The number of sub-steps of the frame, their length, and what limits it."""
    if frame.substeps == 0:
        return "no step yet"
    plural = "s" if frame.substeps > 1 else ""
    words = LIMITS.get(frame.stats.limit, frame.stats.limit)
    return f"{frame.substeps} sub-step{plural} of {milliseconds(frame.dt / frame.substeps)}, {words}"


def slow_clock(frame: Frame) -> str:
    """A sentence where the frame simulated less time than it should have, else an empty text."""
    if frame.stats.slowed <= 0:
        return ""
    percent = 100 * frame.dt / (frame.dt + frame.stats.slowed)
    return f"Slow motion: {percent:.2g} % of full speed, at the limit of {frame.substeps} sub-steps per frame."


def milliseconds(seconds: float) -> str:
    """Two digits, three above 10 ms."""
    return f"{1000 * seconds:.{3 if seconds >= 0.01 else 2}g} ms"
