"""The panel's plots as files: numbers as csv, a picture as png."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from app.session.snapshot import Snapshot
from app.solving.probes import PROBED
from app.solving.residual_curve import curve_points
from precond.figures import method_style
from precond.support.files import replacing
from sim.frame import STAGES


def write(stem: Path, snapshot: Snapshot) -> tuple[Path, ...]:
    """STEM-frames.csv, STEM-residual.csv and STEM.png, each whole or not at all. Raises OSError."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    frames, residual = (stem.with_name(f"{stem.name}-{what}.csv") for what in ("frames", "residual"))
    picture = stem.with_name(f"{stem.name}.png")
    for path, text in ((frames, frames_csv(snapshot)), (residual, residual_csv(snapshot))):
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    with replacing(picture) as part:
        draw(part, snapshot)
    return frames, residual, picture


def frames_csv(snapshot: Snapshot) -> str:
    """One line for each frame that the plots show, the oldest first."""
    count = max((len(sample.probes) for sample in snapshot.samples), default=0)
    head = ["frame", "preconditioner", "iterations", "volume_drift", *(f"{stage}_ms" for stage in STAGES)]
    head += ["time", "dt", "energy", "divergence_max", "speed_max"]
    head += [f"volume_{phase.name}" for phase in snapshot.scene.phases]
    head += [f"probe{k + 1}_{name}" for k in range(count) for name in PROBED]
    loaded = list(dict.fromkeys(load.name for sample in snapshot.samples for load in sample.loads))
    head += [f"{name.replace(' ', '_')}_{what}" for name in loaded for what in ("force_x", "force_y", "moment")]
    rows = [head]
    first = snapshot.frames - len(snapshot.samples) + 1
    for k, sample in enumerate(snapshot.samples):
        values = [sample.iterations, sample.drift, *sample.ms]
        values += [sample.time, sample.dt, sample.energy, sample.divergence, sample.speed, *sample.volumes]
        probed = [value for probe in sample.probes for value in probe]
        blank = [""] * (len(PROBED) * (count - len(sample.probes)))  # of probes that were placed later
        loads = {load.name: (load.x, load.y, load.moment) for load in sample.loads}
        forces = [text for name in loaded for text in (map(repr, loads[name]) if name in loads else ("", "", ""))]
        rows.append([str(first + k), sample.precond, *map(repr, values), *map(repr, probed), *blank, *forces])
    return lines(rows)


def residual_csv(snapshot: Snapshot) -> str:
    """Relative residual of the last solve by iteration; with a comparison a column for each method."""
    columns = {snapshot.method: snapshot.residuals}
    if snapshot.comparison is not None:
        columns = {}
        for k, result in enumerate(snapshot.comparison.results):
            name = result.label or result.precond
            columns[f"{name} ({k + 1})" if name in columns else name] = result.history
    rows = [["iteration", *columns]]
    for k in range(max((len(values) for values in columns.values()), default=0)):
        rows.append([str(k + 1), *(repr(float(v[k])) if k < len(v) else "" for v in columns.values())])
    return lines(rows)


def lines(rows: list[list[str]]) -> str:
    """The rows as csv."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def draw(path: Path, snapshot: Snapshot) -> None:
    """The three plots in one picture, black on white for a page."""
    from matplotlib.figure import Figure  # it takes a second to load, and few ask for it

    figure = Figure(figsize=(9, 6.5), layout="constrained")
    axes = figure.subplot_mosaic([["ms", "ms"], ["residual", "iterations"]])
    rows, columns = snapshot.grid.shape
    figure.suptitle(f"{snapshot.scene.title}, {rows} x {columns} cells, {method_style.title(snapshot.method)}")
    ms = np.array([sample.ms for sample in snapshot.samples], dtype=float).reshape(-1, len(STAGES))
    x = np.arange(len(ms)) + snapshot.frames - len(ms) + 1
    axes["ms"].stackplot(x, ms.T, labels=STAGES)
    axes["ms"].legend(loc="upper left", ncols=3, fontsize=8)
    axes["ms"].set(xlabel="frame", ylabel="ms per frame")
    axes["residual"].semilogy(*curve_points(snapshot.residuals), marker=".", color=method_style.color(snapshot.method))
    axes["residual"].axhline(snapshot.choice.tol, color="0.5", linewidth=0.8)
    axes["residual"].set(xlabel="iteration", ylabel="residual of the last solve")
    axes["iterations"].plot(x, [sample.iterations for sample in snapshot.samples])
    axes["iterations"].set(xlabel="frame", ylabel="iterations per solve", ylim=(0, None))
    figure.savefig(path, dpi=144)
