"""The store for event loops of asyncio; needs the package httpx, as in `pip install 'prominence-kv[async]'`."""

from __future__ import annotations

try:
    import httpx as _httpx  # noqa: F401
except ImportError as _error:
    raise ImportError(
        "prominence_kv.aio needs the package httpx; install it with pip install 'prominence-kv[async]'"
    ) from _error

from ._async.holds import Claim, Lock
from ._async.keys import Batch
from ._async.lists import Listing
from ._async.store import Store
from ._async.waits import Watch

__all__ = ["Batch", "Claim", "Listing", "Lock", "Store", "Watch"]
