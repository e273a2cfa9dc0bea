"""`python -m precond.htp.explain`: the pictures of htp's page. The work is in precond/bench/htp_figures.py."""

from __future__ import annotations

import sys

from ..bench.htp_figures import main

if __name__ == "__main__":
    sys.exit(main())
