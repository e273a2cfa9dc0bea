"""`python -m app.animate IN.mp4 OUT.webp`: a small moving picture of a recording, for pages that play no videos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from precond.commandline import RUN_TIME, Parser, Refusal, check_outputs, exit_code, joined, path_of, whole

QUALITY = 60  # of WebP, 0 to 100


def main(argv: Sequence[str] | None = None) -> int:
    """Converts and returns the exit code: 0, 1 (the recording cannot be read) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("app.animate", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """`main` without its errors."""
    p = Parser(prog="python -m app.animate", description="A moving picture of a recording.", allow_abbrev=False)
    p.add_argument("source", metavar="IN.mp4")
    p.add_argument("target", metavar="OUT.webp")
    p.add_argument("--width", metavar="N", default="960", help="pixels across (default %(default)s)")
    p.add_argument("--fps", metavar="N", default="15", help="pictures a second (default %(default)s)")
    options = p.parse_args(joined(given))
    target = path_of(options.target, "OUT", ".webp")
    assert target is not None
    check_outputs({"OUT": target})
    animate(Path(options.source), target, whole(options.width, "--width", 16, 4096), whole(options.fps, "--fps", 1, 60))
    print(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


def animate(source: Path, target: Path, width: int, fps: int) -> None:
    """Every so many pictures of the recording at that width, over and over. Raises Refusal."""
    import av
    from PIL import Image

    try:
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            step = max(1, round((stream.average_rate or Fraction(60)) / fps))
            height = round(width * stream.height / stream.width)
            pictures = [
                frame.to_image().resize((width, height), Image.Resampling.LANCZOS)
                for k, frame in enumerate(container.decode(stream))
                if k % step == 0
            ]
            duration = round(1000 * step / (stream.average_rate or Fraction(60)))
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise Refusal(f"{str(source)!r} cannot be played: {error}", RUN_TIME) from None
    if not pictures:
        raise Refusal(f"{str(source)!r} holds no pictures", RUN_TIME)
    first, *others = pictures
    first.save(target, save_all=True, append_images=others, duration=duration, loop=0, quality=QUALITY, method=4)


if __name__ == "__main__":
    sys.exit(main())
