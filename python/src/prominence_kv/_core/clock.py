"""The clock that deadlines are counted with: it goes on while the machine is suspended, as the server's does."""

from __future__ import annotations

import time

# `time.monotonic` stands still on Linux while the machine is suspended. Elsewhere it goes on.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """Seconds since an arbitrary start; never less than before."""
    if _BOOTTIME is None:
        return time.monotonic()
    return time.clock_gettime(_BOOTTIME)
