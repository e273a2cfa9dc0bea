"""`python -m app`: reads the command line, then opens the window or runs without one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

# Read by OpenMP when torch loads it. Threads that spin at a barrier while the window, the encoder or another program
# wants their core made a pressure solve thirty times slower on a busy two-core machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from app import arguments
from precond.commandline import Refusal


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)  # a recording is finished as after Ctrl-C
    try:
        options = arguments.options(sys.argv[1:] if argv is None else argv)
        if options is None:
            return 0
        if options.headless:
            from app import headless

            return headless.run(options)
        from app import launch, settings
        from app.memory import Memory

        return launch.run(options, Memory(settings.place(os.environ) if options.remembers else None))
    except Refusal as refusal:
        print(f"estuary: {refusal}", file=sys.stderr)
        return refusal.code
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except KeyboardInterrupt:
        print("estuary: interrupted", file=sys.stderr)
        return 130


def interrupt(*_: object) -> None:
    """What a signal to end does: the same as Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
