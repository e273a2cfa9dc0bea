"""`python -m app`: reads the command line, then opens the window or runs without one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

try:  # it takes seconds on a machine that was just started
    from app.cli import interruption
    from app.cli import options as arguments
    from precond.support.command_line import exit_code
except KeyboardInterrupt:
    print("estuary: interrupted", file=sys.stderr)
    raise SystemExit(130) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code: 0, 1 (something failed while running) or 2 (bad usage)."""
    if threading.current_thread() is threading.main_thread():
        interruption.listen()  # a recording is finished after SIGTERM as after Ctrl-C
    given = sys.argv[1:] if argv is None else argv
    return exit_code("estuary", lambda: work(given))


def work(given: Sequence[str]) -> int:
    """What `main` does; errors are raised as Refusal."""
    options = arguments.options(given)
    if options is None:
        return 0
    if options.headless:
        from app.cli import headless

        return headless.run(options)
    from app.cli import interactive
    from app.ui import settings
    from app.window.settings_sync import SettingsSync

    return interactive.run(options, SettingsSync(settings.place(os.environ) if options.remembers else None))


if __name__ == "__main__":
    sys.exit(main())
