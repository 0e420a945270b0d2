"""What is held for a time, whichever store holds it: a claim or a lock, when it is renewed, and whether it was lost."""

from __future__ import annotations

import os
from typing import Any, Generic, Optional, TypeVar

from ..errors import LostHold
from .clock import now
from .leases import ClaimLease, Lease, LockLease
from .names import Key, key_of
from .persist import log
from .value import Value

L = TypeVar("L", bound=Lease)

_FIRST_PAUSE = 0.1
"""The first pause after a renewal that failed; each further one is twice as long."""

_LONGEST_PAUSE = 2.0
"""The longest pause: after a restart of the server the renewal succeeds soon."""


class Schedule:
    """When a lease is renewed: when a third of its length is over, so that two renewals may fail."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._after_failure = _FIRST_PAUSE
        self._failed = False

    def pause(self) -> float:
        """How long to wait until the next renewal."""
        if self._failed:
            pause, self._after_failure = self._after_failure, min(self._after_failure * 2, _LONGEST_PAUSE)
            return pause
        return max(self._lease.until - self._lease.length * 2 / 3 - now(), 0.0)

    def note(self, *, failed: bool) -> None:
        """Notes whether a renewal failed."""
        self._failed = failed
        if not failed:
            self._after_failure = _FIRST_PAUSE


class BaseHold(Generic[L]):
    """Something that is held for a time: who has it, and whether it was lost."""

    _what = "hold"
    _lease: Optional[L] = None
    _last: Optional[L] = None
    _lost: Optional[str] = None
    _owner = 0

    def _begin(self, lease: L) -> None:
        self._lease, self._last, self._lost, self._owner = lease, lease, None, os.getpid()

    def _held(self) -> L:
        """What is held, or was held last."""
        if self._last is None:
            raise RuntimeError(f"the {self._what} is not acquired; use it in a with statement, or call acquire()")
        return self._last

    @property
    def owned(self) -> bool:
        """Whether this process holds it, and not the one that it was forked from."""
        return self._owner == os.getpid()

    def _take(self) -> Optional[L]:
        """The lease, which is no longer held. A child process has no part in what its parent holds."""
        lease, self._lease = self._lease, None
        return lease if self.owned else None

    @property
    def key(self) -> Key:
        """The key."""
        return self._held().key

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.name

    @property
    def lost(self) -> bool:
        """Whether it was lost before its end: it ran out, or the key was set or deleted."""
        lease = self._lease
        is_over = lease is not None and (now() >= lease.until or not self.owned)
        return self._lost is not None or is_over

    def check(self) -> None:
        """Throws `LostHold` where it was lost."""
        if self.lost:
            raise self._error()

    def _error(self) -> LostHold:
        key = self._held().key
        return LostHold(f"the {self._what} on {key} was lost: {self._lost or 'it ran out'}", key=key)

    def _note_lost(self, reason: str) -> None:
        self._lost = reason
        log.warning("the %s on %s was lost: %s", self._what, self.key, reason)

    def __repr__(self) -> str:
        if self._last is None:
            return f"<{type(self).__name__} not acquired>"
        state = "lost" if self.lost else "ended" if self._lease is None else "held"
        return f"<{type(self).__name__} {self._last.key} {state}>"


class BaseClaim(BaseHold[ClaimLease]):
    """A piece of work that is claimed: its key and value."""

    _what = "claim"

    @property
    def value(self) -> Value:
        """The value."""
        return self._held().value

    @property
    def text(self) -> str:
        """The value as text."""
        return self.value.text

    def json(self) -> Any:
        """The value as JSON."""
        return self.value.json()

    @property
    def attempt(self) -> int:
        """How many times the key was claimed since its value was set, this time included."""
        return max(self.value.info.claims, 1)

    @property
    def revision(self) -> int:
        """The key's revision, which each renewal changes."""
        return self._held().revision

    def _destination(self, folder: str) -> Key:
        return key_of(folder if folder.endswith("/") else folder + "/", self.name)


class BaseLock(BaseHold[LockLease]):
    """A lock that is held."""

    _what = "lock"

    @property
    def holder(self) -> str:
        """The value of the key as long as the lock is held, which no other holder writes."""
        return self._held().holder

    @property
    def revision(self) -> int:
        """The fencing token: the revision of the commit that took the lock, greater for every later holder."""
        return self._held().revision

    def condition(self) -> dict[str, Any]:
        """The condition that the lock is held, as a batch has it."""
        return {"key": str(self.key), "value": self.holder}
