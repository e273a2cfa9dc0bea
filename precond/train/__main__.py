"""`python -m precond.train METHOD`: reads the command line, trains, writes weights and their card."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..io import weights
from ..support import argument_checks
from ..support.command_line import (
    RUN_TIME,
    Parser,
    Refusal,
    check_device,
    check_outputs,
    exit_code,
    joined,
    path_of,
    positive,
    whole,
)
from . import card, checkpoint
from .checkpoint import Progress
from .loop import Run, train
from .ranks import Ranks
from .recipe import METHODS, Recipe, load_recipe


@dataclass(frozen=True)
class Options:
    """Checked command line: what is trained, where its files go, whether a run is resumed."""

    run: Run
    preset: str
    seed: int
    out: Path
    resume: bool
    threads: int | None


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and returns an exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    ranks = Ranks()
    return exit_code(
        "precond.train",
        lambda: work(options(given, ranks), ranks, given),
        interrupted="interrupted; go on with --resume",
    )


def work(chosen: Options, ranks: Ranks, given: Sequence[str]) -> int:
    """Trains, then evaluates the best weights on the test frames and writes them with their card."""
    run = chosen.run
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    model = run.recipe.make(run.config, chosen.seed, run.device)
    progress = Progress(chosen.seed, chosen.preset, asdict(run.config))
    if ranks.first:
        size = sum(parameter.numel() for parameter in model.parameters())
        print(f"{run.method}, preset {chosen.preset}: {size:,} parameters on {run.device}", file=sys.stderr)
    try:
        with ranks.together(run.device):
            best = train(run, model, progress, ranks, chosen.resume)
    except (ValueError, OSError) as error:
        raise Refusal(error, RUN_TIME) from None
    if not ranks.first:
        return 0
    model.load_state_dict(best)
    scores = run.recipe.evaluate(run.config, model, final=True)
    try:
        weights.save(chosen.out, run.method, asdict(run.config.model), best)
        card.write(chosen.out.with_suffix(".json"), run, progress, model, scores, given)
    except OSError as error:
        raise Refusal(f"the weights could not be written: {error}", RUN_TIME) from None
    print(f"wrote {chosen.out} (step {progress.best_step}) and {chosen.out.with_suffix('.json').name}")
    for label, iterations in scores.items():
        print(f"{label}: {iterations:.1f} iterations")
    return 0


def parser() -> Parser:
    """Values stay texts here and are checked in `options`, where the message can name the fix."""
    p = Parser(
        prog="python -m precond.train",
        description="Trains a preconditioner's network; under torchrun, with one process per device.",
        allow_abbrev=False,
    )
    p.add_argument("method", metavar="METHOD", help=f"one of: {', '.join(METHODS)}")
    p.add_argument("--preset", metavar="NAME", help="size and duration; a wrong name lists them (default: the first)")
    p.add_argument("--minutes", metavar="M", help="of training, earlier sittings included (default: the preset's)")
    p.add_argument("--steps", metavar="K", help="end after that many steps instead")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint beside the weights")
    p.add_argument("--device", metavar="auto|cpu|cuda", default="auto", help="where to compute (default auto)")
    p.add_argument("--seed", metavar="K", default="0", help="of the initial weights and the data (default 0)")
    p.add_argument("--out", metavar="FILE", help="weights, ending in .safetensors (default: in models/)")
    p.add_argument("--threads", metavar="K", help="of the CPU (default: torch's choice)")
    return p


def options(argv: Sequence[str], ranks: Ranks) -> Options:
    """Checked options. Raises Refusal."""
    given = parser().parse_args(joined(argv))
    recipe = recipe_of(given.method)
    preset = given.preset if given.preset is not None else next(iter(recipe.presets))
    if preset not in recipe.presets:
        raise Refusal(f"--preset {preset!r} is unknown: choose from {', '.join(recipe.presets)}")
    config = recipe.presets[preset]
    check_device(given.device)
    device = ranks.place(argument_checks.device(given.device))
    out = path_of(given.out, "--out", ".safetensors")
    if out is None:
        out = weights.models_dir() / f"{recipe.stem(config)}.safetensors"
    elif out.name.endswith(".train.safetensors"):
        raise Refusal(f"--out {str(out)!r} is the name of a checkpoint: leave out .train")
    beside = checkpoint.path_beside(out)
    if ranks.first:  # the others may come later, when the first one has written already
        check_outputs({"--out": out, "the checkpoint": beside, "the card": out.with_suffix(".json")})
        if given.resume and not beside.is_file():
            raise Refusal(f"--resume finds no checkpoint {str(beside)!r}: leave it out to begin")
        for path in (out, beside):
            if path.exists() and not given.resume:
                raise Refusal(f"{str(path)!r} is there already: give --resume to train on, or another --out")
    seed = whole(given.seed, "--seed", 0)
    if given.resume:
        check_same(beside, given.method, preset, asdict(config), seed)
    minutes = positive(given.minutes, "--minutes") if given.minutes is not None else config.training.minutes
    steps = whole(given.steps, "--steps", 1) if given.steps is not None else None
    threads = whole(given.threads, "--threads", 1, 1024) if given.threads is not None else None
    run = Run(given.method, recipe, config, device, beside, minutes, steps)
    return Options(run, preset, seed, out, given.resume, threads)


def recipe_of(method: str) -> Recipe:
    """The recipe of a method. Raises Refusal."""
    if method not in METHODS:
        raise Refusal(f"METHOD {method!r} is unknown: choose from {', '.join(METHODS)}")
    try:
        return load_recipe(method)
    except ImportError as error:
        raise Refusal(f"METHOD {method!r} cannot be trained here: {error}") from None


def check_same(path: Path, method: str, preset: str, config: dict, seed: int) -> None:
    """Refuses to go on with another preset or seed than the checkpoint's."""
    try:
        numbers, _ = weights.load(path, f"{method} training")
    except ValueError as error:
        raise Refusal(error) from None
    if (numbers.get("preset"), numbers.get("seed")) != (preset, seed):
        was = f"--preset {numbers.get('preset')} --seed {numbers.get('seed')}"
        raise Refusal(f"--resume goes on with what the checkpoint {str(path)!r} was made with: give {was}")
    if numbers.get("config") != config:
        raise Refusal(f"--resume cannot go on with {str(path)!r}: the preset {preset!r} has changed, begin anew")


if __name__ == "__main__":
    sys.exit(main())
