"""The benchmark's command line, checked before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import engine, problems, registry
from ..support import argument_checks
from ..support.command_line import Parser, Refusal, check_device, check_outputs, joined, path_of, positive, whole
from . import htp_paper_protocol
from .external_solvers import OUTSIDE
from .launches import METHODS as LAUNCHING
from .suites import SUITES

SIZES = (1024, 4096, 16384)
# "all" adds those that need a second or more and are not made for this: nystrom, dilu-natural, references.
DEFAULT_METHODS = (
    "none",
    "jacobi",
    "dilu",
    "multigrid",
    "hierarchy",
    "htp",
    "dct",
    "ic0",
    "amg-rs",
    "amg-sa",
    "direct",
)
LARGEST = 2048 * 2048  # cells
CAP = 5000


@dataclass(frozen=True)
class Options:
    """What is measured. One of: generated frames, the paper's protocol, a recorded sequence, a folder, a suite.

    measured: results of an earlier run, drawn again instead.
    """

    sizes: tuple[int, ...]
    methods: tuple[str, ...]
    kinds: tuple[str, ...]
    contrast: tuple[float, float]
    frames: int | None
    rtol: float
    seed: int
    device: torch.device
    engines: tuple[str, ...]
    in_loop: str | None
    systems: Path | None
    paper: bool
    suite: str | None
    plot: Path | None
    weights: str | None
    json: Path | None
    solids: bool
    open_top: bool
    cap: int
    measured: Path | None
    launches: bool = False

    @property
    def protocol(self) -> str:
        """The name that the results carry."""
        if self.paper:
            return "paper"
        return "in-loop" if self.in_loop else "systems" if self.systems else "single-shot"


def parser() -> Parser:
    """Values stay texts here and are checked in `options`, where the message can name the fix."""
    p = Parser(
        prog="python -m precond.bench",
        description="Every preconditioner on the same pressure systems: iterations, failures and time by stage.",
        allow_abbrev=False,
    )
    sizes, methods = ",".join(map(str, SIZES)), ",".join(DEFAULT_METHODS)
    p.add_argument("--sizes", metavar="N,...", help=f"cells of the generated frames (default {sizes})")
    p.add_argument("--methods", metavar="NAME,...|all", help=f"default: {methods}, those available")
    p.add_argument(
        "--kind", metavar="KIND,...|all", default="barrier", help="barrier, closed, blobs, ... (default barrier)"
    )
    p.add_argument("--contrast", metavar="LO,HI", default="5,100", help="range of the heavy density (default 5,100)")
    p.add_argument("--frames", metavar="K", help="frames per kind and size (default 20); the first K of a recording")
    p.add_argument("--rtol", metavar="R", default="1e-8", help="relative residual (default 1e-8)")
    p.add_argument(
        "--seed", metavar="K", default="0", help="of the first frame, the next one's is one more (default 0)"
    )
    p.add_argument("--solids", action="store_true", help="add a disc and two walls with gaps to every frame")
    p.add_argument("--open-top", action="store_true", help="frames with an open top instead of a closed box")
    p.add_argument("--max-iterations", metavar="K", default=str(CAP), help=f"cap of one solve (default {CAP})")
    p.add_argument("--device", metavar="auto|cpu|cuda", default="auto", help="where to compute (default auto)")
    p.add_argument(
        "--engine",
        metavar="auto|compiled|torch",
        default="auto",
        help="compiled kernels (CPU) or torch's operations; compiled,torch measures both in turns (default auto)",
    )
    p.add_argument("--weights", metavar="FILE", help="weights of a learned preconditioner, or random:SEED")
    p.add_argument(
        "--in-loop", metavar="SCENE|DIR", help="replay the systems of a running simulation, warm starts for all"
    )
    p.add_argument("--systems", metavar="DIR", help="solve the systems of a folder, recorded or *.mtx, each from zero")
    p.add_argument("--paper", action="store_true", help="the protocol of arXiv 2605.13343, beside what it published")
    p.add_argument("--suite", metavar="NAME", help=f"one of: {', '.join(SUITES)}")
    p.add_argument("--launches", action="store_true", help="count kernels by method and size, as CUDA would start them")
    p.add_argument(
        "--from", metavar="FILE", dest="measured", help="measure nothing: draw the results of an earlier --json again"
    )
    p.add_argument("--plot", metavar="DIR", help="draw convergence, time against size and stages, as PNG and SVG")
    p.add_argument("--json", metavar="FILE", help="write the results for programs")
    return p


def options(argv: Sequence[str]) -> Options:
    """Checked options. Raises Refusal."""
    given = parser().parse_args(joined(argv))
    sources = [flag for flag, value in (
        ("--in-loop", given.in_loop), ("--systems", given.systems), ("--paper", given.paper), ("--suite", given.suite),
        ("--from", given.measured), ("--launches", given.launches),
    ) if value]  # fmt: skip
    if len(sources) > 1:
        raise Refusal(f"{' and '.join(sources)} exclude each other: give one of them")
    check_device(given.device)
    default = ",".join(LAUNCHING) if given.launches else None
    methods = methods_of(given.methods or default, given.paper, bool(given.weights))
    if given.launches and any(method in OUTSIDE for method in methods):
        raise Refusal(f"--launches counts the kernels of our own methods: leave out {', '.join(OUTSIDE)}")
    if given.weights:
        check_weights(given.weights, methods)
    if given.suite is not None and given.suite not in SUITES:
        raise Refusal(f"--suite {given.suite!r} is unknown: choose one of {', '.join(SUITES)}")
    rtol = positive(given.rtol, "--rtol")
    if not 1e-14 <= rtol < 1:
        raise Refusal(f"--rtol {given.rtol} is out of reach: give 1e-14 to 1, e.g. 1e-8")
    if given.paper and rtol != htp_paper_protocol.RTOL:
        raise Refusal(
            f"--rtol {given.rtol} is not the tolerance of --paper: leave it out, it is {htp_paper_protocol.RTOL:g}"
        )
    json, plot = path_of(given.json, "--json", ""), path_of(given.plot, "--plot", "")
    check_outputs({"--json": json})
    if plot is not None and plot.exists() and not plot.is_dir():
        raise Refusal(f"--plot {given.plot!r} is not a folder: give a folder, it is made where missing")
    measured = path_of(given.measured, "--from", ".json")
    if measured is not None and (plot is None or json is not None):
        raise Refusal("--from draws what was measured before: give --plot DIR with it, and no --json")
    systems = path_of(given.systems, "--systems", "")
    if systems is not None and not systems.is_dir():
        raise Refusal(f"--systems {given.systems!r} is not a folder: give one with recorded systems")
    return Options(
        sizes=sizes_of(given.sizes, given.paper or given.launches),
        methods=methods,
        kinds=kinds_of(given.kind),
        contrast=contrast_of(given.contrast),
        frames=None if given.frames is None else whole(given.frames, "--frames", 1),
        rtol=rtol,
        seed=whole(given.seed, "--seed", 0),
        device=argument_checks.device(given.device),
        engines=engines_of(given.engine, given.device),
        in_loop=given.in_loop,
        systems=systems,
        paper=given.paper,
        suite=given.suite,
        plot=plot,
        weights=given.weights,
        json=json,
        solids=given.solids,
        open_top=given.open_top,
        cap=whole(given.max_iterations, "--max-iterations", 1),
        measured=measured,
        launches=given.launches,
    )


def engines_of(text: str, device: str) -> tuple[str, ...]:
    """One engine, or two to be compared."""
    found = tuple(dict.fromkeys(text.split(",")))
    for name in found:
        if name not in engine.ENGINES or (len(found) > 1 and name == "auto"):
            raise Refusal(f"--engine {text!r} is unknown: give auto, compiled, torch or compiled,torch")
        try:
            engine.chosen(name, argument_checks.device(device))
        except ValueError as error:
            raise Refusal(f"--engine {text!r} cannot be used: {error}") from None
    return found


def sizes_of(text: str | None, published: bool) -> tuple[int, ...]:
    """Cells of the frames."""
    if text is None:
        return htp_paper_protocol.SIZES if published else SIZES
    return tuple(whole(part, "--sizes", 1, LARGEST) for part in text.split(","))


def methods_of(text: str | None, published: bool, weights: bool) -> tuple[str, ...]:
    """Names of preconditioners and of outside solvers, each known and available. weights: whether some are given."""
    known = (*registry.names(), *OUTSIDE)
    if text is None or text == "all":
        pool = htp_paper_protocol.METHODS if published else known if text else DEFAULT_METHODS
        return tuple(name for name in pool if name in known and why_unavailable(name) is None)
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in chosen:
        if name not in known:
            raise Refusal(f"--methods {name!r} is unknown: choose from {', '.join(known)}")
        if published and name not in htp_paper_protocol.METHODS:
            raise Refusal(
                f"--methods {name!r} has no row under --paper: choose from {', '.join(htp_paper_protocol.METHODS)}"
            )
        reason = why_unavailable(name)
        if reason is not None and not (weights and takes_weights(name)):
            raise Refusal(f"--methods {name!r} is not available: {reason}")
    return chosen


def takes_weights(name: str) -> bool:
    """Whether the method is a learned one."""
    return name not in OUTSIDE and registry.entry(name).takes_weights


def check_weights(weights: str, methods: tuple[str, ...]) -> None:
    """Refuses weights that none of the methods, or not every learned one of them, can use."""
    learned = [name for name in methods if takes_weights(name)]
    if not learned:
        raise Refusal(f"--weights {weights!r} has no effect with --methods {','.join(methods)}: leave it out")
    if not weights.startswith("random:") and not Path(weights).is_file():
        raise Refusal(f"--weights {weights!r} is not a file: give a file of weights or random:SEED")
    for name in learned:
        try:
            registry.entry(name).factory(weights=weights)
        except ValueError as error:
            raise Refusal(f"--weights {weights!r} cannot be used by --methods {name}: {error}") from None


def why_unavailable(name: str) -> str | None:
    """None, or a sentence that says what is missing."""
    return OUTSIDE[name].why_unavailable() if name in OUTSIDE else registry.why_unavailable(name)


def kinds_of(text: str) -> tuple[str, ...]:
    """Kinds of generated frames."""
    if text == "all":
        return problems.KINDS
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for kind in chosen:
        if kind not in problems.KINDS:
            raise Refusal(f"--kind {kind!r} is unknown: choose from {', '.join(problems.KINDS)} or all")
    return chosen


def contrast_of(text: str) -> tuple[float, float]:
    """(low, high) of "LO,HI", or one number for both."""
    parts = [positive(part, "--contrast") for part in text.split(",")]
    if len(parts) not in (1, 2) or parts[0] > parts[-1]:
        raise Refusal(f"--contrast {text!r} is not a range: give LO,HI such as 5,100")
    return parts[0], parts[-1]
