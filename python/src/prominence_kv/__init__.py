"""A client of the PROMINENCE key-value store: a small shared memory for jobs on batch systems.

    from prominence_kv import Store

    kv = Store()                      # $PROMINENCE_URL and $PROMINENCE_TOKEN
    kv["/input/param1"] = 42
    int(kv["/input/param1"])

`prominence_kv.aio.Store` is the same for event loops; `prominence_kv.optuna.storage` keeps a study of Optuna.
"""

from __future__ import annotations

from typing import Any

from ._blocking.holds import Claim, Lock
from ._blocking.keys import Batch
from ._blocking.lists import Listing
from ._blocking.store import Store
from ._blocking.waits import Watch
from ._core.names import Key
from ._core.tables import Loaded
from ._core.value import Info, Storable, Value
from ._core.watching import Change
from ._core.writes import Done, Written
from ._settings.durations import Duration
from ._version import __version__
from .errors import (
    BadRequest,
    Conflict,
    Forbidden,
    ForeignAnswer,
    Gone,
    LostHold,
    NoSuchKey,
    NotANumber,
    NothingToClaim,
    QuotaExceeded,
    RateLimited,
    ServerError,
    SettingsError,
    SignedOut,
    StoreError,
    TimedOut,
    TooLarge,
    Unavailable,
)

__all__ = [
    "BadRequest",
    "Batch",
    "Change",
    "Claim",
    "Conflict",
    "Done",
    "Duration",
    "Forbidden",
    "ForeignAnswer",
    "Gone",
    "Info",
    "Key",
    "Listing",
    "Loaded",
    "Lock",
    "LostHold",
    "NoSuchKey",
    "NotANumber",
    "NothingToClaim",
    "QuotaExceeded",
    "RateLimited",
    "ServerError",
    "SettingsError",
    "SignedOut",
    "Storable",
    "Store",
    "StoreError",
    "TimedOut",
    "TooLarge",
    "Unavailable",
    "Value",
    "Watch",
    "Written",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # What needs a package that not everybody has is imported where it is first used.
    if name in ("aio", "optuna"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
