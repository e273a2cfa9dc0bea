"""`python -m app.animate IN.mp4 OUT.webp`: a small moving picture of a recording, for pages that play no videos.

`OUT.png` instead: its last picture.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from precond.support.command_line import RUN_TIME, Parser, Refusal, check_outputs, exit_code, joined, path_of, whole

QUALITY = 60  # of WebP, 0 to 100


@dataclass(frozen=True)
class Recording:
    """The pictures of a video and their rate."""

    rate: Fraction
    frames: Iterator[Any]  # av.VideoFrame


def main(argv: Sequence[str] | None = None) -> int:
    """Converts and returns the exit code: 0, 1 (the recording cannot be read) or 2 (bad usage)."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code("app.animate", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """`main` without its errors."""
    p = Parser(
        prog="python -m app.animate",
        description="Make a moving picture, or a still, of a recording.",
        allow_abbrev=False,
    )
    p.add_argument("source", metavar="IN.mp4")
    p.add_argument("target", metavar="OUT.webp|OUT.png", help="a moving picture, or the last frame as a still")
    p.add_argument("--width", metavar="N", default="960", help="width in pixels (default %(default)s)")
    p.add_argument("--fps", metavar="N", default="15", help="frames per second (default %(default)s)")
    options = p.parse_args(joined(given))
    still = options.target.endswith(".png")
    target = path_of(options.target, "OUT", ".png" if still else ".webp")
    assert target is not None
    check_outputs({"OUT": target})
    width, fps = whole(options.width, "--width", 16, 4096), whole(options.fps, "--fps", 1, 60)
    with opened(Path(options.source)) as recording:
        step = max(1, round(recording.rate / fps))
        frames = deque(recording.frames, maxlen=1) if still else islice(recording.frames, 0, None, step)
        pictures = [picture(frame, width) for frame in frames]
    if not pictures:
        raise Refusal(f"{options.source!r} holds no pictures", RUN_TIME)
    if still:
        pictures[-1].save(target, optimize=True)
    else:
        each = round(1000 * step / recording.rate)  # [ms]
        how: dict[str, Any] = {"duration": each, "loop": 0, "quality": QUALITY, "method": 4}
        pictures[0].save(target, save_all=True, append_images=pictures[1:], **how)
    print(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


@contextmanager
def opened(source: Path) -> Iterator[Recording]:
    """Opens a recording. Raises Refusal where it cannot be read, also later."""
    import av

    try:
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            yield Recording(stream.average_rate or Fraction(60), container.decode(stream))
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise Refusal(f"{str(source)!r} cannot be played: {error}", RUN_TIME) from None


def picture(frame: Any, width: int) -> Image.Image:
    """The frame as a picture of that width."""
    size = (width, round(width * frame.height / frame.width))
    return frame.to_image().resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sys.exit(main())
