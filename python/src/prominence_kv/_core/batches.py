"""A batch in the making, whichever store commits it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, TypeVar

from . import writes
from .holding import BaseLock
from .shared import StoreBase
from .value import Storable
from .wire import Operation
from .writes import Done, Ttl

B = TypeVar("B", bound="BaseBatch")


class BaseBatch:
    """Conditions and operations of one commit."""

    def __init__(self, store: StoreBase, require: Iterable[BaseLock]) -> None:
        self._store = store
        self._conditions: list[dict[str, Any]] = [lock.condition() for lock in require]
        self._operations: list[dict[str, Any]] = []

    def require(
        self: B,
        key: str,
        *,
        revision: Optional[int] = None,
        absent: Optional[bool] = None,
        value: Optional[Storable] = None,
    ) -> B:
        """Adds a condition: the key has this revision or value, or is absent."""
        condition = writes.condition(self._store.key(key), revision=revision, absent=absent, value=value)
        self._conditions.append(condition)
        return self

    def set(self: B, key: str, value: Storable, *, ttl: Ttl = None) -> B:
        """Adds a set."""
        self._operations.append(writes.set_operation(self._store.key(key), value, ttl))
        return self

    def add(self: B, key: str, by: int = 1) -> B:
        """Adds an addition."""
        self._operations.append({"add": str(self._store.key(key)), "by": by})
        return self

    def delete(self: B, key: str) -> B:
        """Adds a deletion."""
        self._operations.append({"delete": str(self._store.key(key))})
        return self

    def _operation(self) -> Operation[Done]:
        return writes.batch(self._store._core, self._conditions, self._operations)
