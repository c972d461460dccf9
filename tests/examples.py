"""How many examples a property is tried with: all of them in `make check`, fewer in `make quick`."""

from __future__ import annotations

import os

QUICK = 25


def examples(count: int) -> int:
    """So many, or QUICK where that is less and little time is to be taken."""
    return min(count, QUICK) if os.environ.get("HYPOTHESIS_PROFILE") == "quick" else count
