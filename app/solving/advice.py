"""Which method solves the present systems fastest on this machine: a few solves beside the run say it."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch

import precond
from app.solving.choice import Choice
from precond.registry import entry

FIRST = "multigrid"  # for "auto", until measurements speak
CANDIDATES = (FIRST, "htp", "hierarchy", "jacobi", "dilu")
SHARE = 0.02  # of the time may go into measuring, once every method has its buffers
EVERY = 0.25  # [s] between two measurements, at least
KEPT = 7  # measurements of a method that count
ENOUGH = 3  # ... of them make a median
PATIENCE = 4.0  # a candidate is given up after so many times what the method in use takes
BETTER = 0.9  # of the time in use, that a change has to promise
MOST_CELLS = 300_000  # beyond it candidates would cost too much memory and time


@dataclass(frozen=True)
class Advice:
    """Median milliseconds of a solve by method, everything included; at the present grid, tolerance and flow."""

    used: str
    ms: tuple[tuple[str, float], ...]  # the fastest first
    too_slow: tuple[str, ...] = ()  # given up after PATIENCE times what the method in use takes

    @property
    def fastest(self) -> str:
        """The method that takes least."""
        return self.ms[0][0]

    @property
    def ratio(self) -> float:
        """Time of the fastest over that of the method in use."""
        return self.ms[0][1] / dict(self.ms)[self.used]


class Advisor:
    """Measures candidates on systems that the fluid has just solved, each from the same start. Nothing follows from it
    but advice, and the choice of "auto"."""

    def __init__(self, device: str, weights: str | None) -> None:
        self.seconds = 0.0  # that measuring took in the present output frame
        self.best = FIRST  # for "auto"
        self._device, self._weights = device, weights
        self._solvers: dict[str, precond.Solver] = {}
        self._system: precond.PoissonSystem | None = None
        self._turn, self._due = 0, 0.0
        self._measure_anew(0.0)

    def _measure_anew(self, tol: float) -> None:
        self._seconds: dict[str, deque[float]] = {}
        self._slow: dict[str, bool] = {}
        self._tol, self._used = tol, ""

    def take(
        self,
        system: precond.PoissonSystem,
        b: torch.Tensor,
        x0: torch.Tensor,
        used: Choice,
        seconds: float,
        should_stop: Callable[[], bool],
    ) -> None:
        """Notes how long the method in use took; now and then lets another one solve the same system."""
        if system is not self._system:
            self._solvers, self._system = {}, system
            self._measure_anew(used.tol)
        elif used.tol != self._tol:
            self._measure_anew(used.tol)
        self._note(used.precond, seconds)
        if time.perf_counter() < self._due or system.solid.numel() > MOST_CELLS or should_stop():
            return
        others = [name for name in CANDIDATES if name != used.precond and precond.why_unavailable(name) is None]
        name = others[self._turn % len(others)]
        self._turn += 1
        start = time.perf_counter()
        spent = self._measure(name, system, b, x0, used, should_stop)
        self.seconds += time.perf_counter() - start
        self._due = time.perf_counter() + max(EVERY, spent / SHARE)
        self._choose(used.precond)

    def advice(self) -> Advice | None:
        """The medians, once the method in use and another one have been measured often enough."""
        known = {name: 1e3 * value for name in self._seconds if (value := self._median(name)) is not None}
        if self._used not in known or len(known) < 2:
            return None
        slow = tuple(name for name, given_up in self._slow.items() if given_up and name not in known)
        return Advice(self._used, tuple(sorted(known.items(), key=lambda pair: pair[1])), slow)

    def _note(self, name: str, seconds: float) -> None:
        self._used = name
        self._seconds.setdefault(name, deque(maxlen=KEPT)).append(seconds)

    def _measure(
        self,
        name: str,
        system: precond.PoissonSystem,
        b: torch.Tensor,
        x0: torch.Tensor,
        used: Choice,
        should_stop: Callable[[], bool],
    ) -> float:
        """One solve, and the seconds it took; the first of a method makes its buffers and does not count: 0."""
        first = name not in self._solvers
        limit = time.perf_counter() + PATIENCE * max(self._seconds[used.precond])
        try:
            if first:
                weights = self._weights if entry(name).takes_weights else None
                self._solvers[name] = precond.Solver(name, system, device=self._device, fallback=(), weights=weights)
            start = time.perf_counter()
            solution = self._solvers[name].solve(
                system, b, rtol=used.tol, x0=x0, should_stop=lambda: should_stop() or time.perf_counter() > limit
            )
            end = time.perf_counter()
        except (ValueError, RuntimeError, OSError, MemoryError):
            self._slow[name] = True
            return 0.0
        self._slow[name] = solution.status is not precond.Status.CONVERGED or (end > limit and not first)
        if self._slow[name]:
            self._seconds.pop(name, None)
        elif not first:
            self._seconds.setdefault(name, deque(maxlen=KEPT)).append(end - start)
        return 0.0 if first else end - start

    def _median(self, name: str) -> float | None:
        values = self._seconds.get(name, ())
        return statistics.median(values) if len(values) >= ENOUGH else None

    def _choose(self, used: str) -> None:
        """The method for "auto": another one has to be better by a margin."""
        advice = self.advice()
        if advice is not None and advice.ratio < BETTER:
            self.best = advice.fastest
        elif advice is not None:
            self.best = used
