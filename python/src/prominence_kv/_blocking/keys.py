"""The methods of the blocking store for single keys, and batches of changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, TypeVar, Union, overload

from .._core import reads, writes
from .._core.batches import BaseBatch
from .._core.holding import BaseLock
from .._core.shared import StoreBase
from .._core.value import Info, Storable, Value
from .._core.writes import Done, Ttl, Written
from ..errors import NoSuchKey
from .driver import Driver

D = TypeVar("D")


class BlockingStore(StoreBase):
    """What the parts of the blocking store have in common."""

    _driver: Driver


class Batch(BaseBatch):
    """Changes that happen all together in one commit, or not at all."""

    def __init__(self, store: BlockingStore, require: Iterable[BaseLock]) -> None:
        super().__init__(store, require)
        self._driver = store._driver

    def commit(self) -> Done:
        """Does all of it, or throws `Conflict` and does nothing."""
        return self._driver.run(self._operation())


class KeyMethods(BlockingStore):
    """Reading, setting, adding to and deleting single keys."""

    def __getitem__(self, key: str) -> Value:
        """The value of a key; `NoSuchKey`, a `KeyError`, where there is none."""
        return self._driver.run(reads.get(self._core, self.key(key)))

    def __setitem__(self, key: str, value: Storable) -> None:
        """Stores a value; when this returns, it is on disk."""
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        """Deletes a key; `NoSuchKey` where there is none."""
        deleted, lost = self._driver.run(writes.delete(self._core, self.key(key)))
        # After a lost answer the first try may have deleted it.
        if not deleted and not lost:
            raise NoSuchKey(f"there is no key {self.key(key)}", code="no_such_key")

    def __contains__(self, key: str) -> bool:
        """Whether there is such a key."""
        return self.info(key) is not None

    @overload
    def get(self, key: str) -> Optional[Value]: ...

    @overload
    def get(self, key: str, default: D) -> Union[Value, D]: ...

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or something else where there is none.

        >>> kv.get("/absent") is None
        True
        """
        try:
            return self[key]
        except NoSuchKey:
            return default

    def info(self, key: str) -> Optional[Info]:
        """What is known about a key, without its value; `None` where there is none."""
        return self._driver.run(reads.info(self._core, self.key(key)))

    def set(
        self,
        key: str,
        value: Storable,
        *,
        ttl: Ttl = None,
        if_revision: Optional[int] = None,
        if_absent: bool = False,
        if_value: Optional[Storable] = None,
    ) -> Written:
        """Stores a value: bytes as they are, text as UTF-8, everything else as JSON. When this returns, it is on disk.

        `ttl` is a lifetime, such as `"7d"`, or `"job"` for that of the token. With `if_revision`, `if_absent` or
        `if_value` it is stored only where that holds, and `Conflict` says which revision there is.

        >>> kv.set("/result", 1, if_absent=True).created
        True
        >>> kv.set("/result", 2, if_absent=True)
        Traceback (most recent call last):
            ...
        prominence_kv.errors.Conflict: ...
        """
        operation = writes.put(
            self._core,
            self.key(key),
            value,
            ttl=ttl,
            if_revision=if_revision,
            if_absent=if_absent,
            if_value=if_value,
        )
        return self._driver.run(operation)

    def add(self, key: str, by: int = 1) -> int:
        """Adds to an integer in one atomic step, and answers the sum; an absent key counts as 0.

        It is never sent again where it may have happened; `Unavailable` says so in `may_have_happened`.

        >>> kv.add("/done"), kv.add("/done", 2)
        (1, 3)
        """
        return self._driver.run(writes.add(self._core, self.key(key), by))

    def delete(self, key: str, *, if_revision: Optional[int] = None) -> bool:
        """Deletes a key, and says whether it was there."""
        deleted, _ = self._driver.run(writes.delete(self._core, self.key(key), if_revision))
        return deleted

    def delete_prefix(self, prefix: str, *, dry_run: bool = False) -> int:
        """Deletes every key that begins with a prefix, all at once, and says how many there were. With `dry_run` it
        only counts. An empty prefix stands for all keys below this store."""
        return self._driver.run(writes.delete_prefix(self._core, self._prefix(prefix), dry_run=dry_run))

    def batch(self, require: Iterable[BaseLock] = ()) -> Batch:
        """Changes that happen all together in one commit, or not at all; `require` are locks that must be held.

        >>> done = kv.batch().set("/a", 1).add("/n").delete("/b").commit()
        >>> done.results
        [{'key': '/a', 'created': True}, {'key': '/n', 'value': 1}, {'key': '/b', 'deleted': 0}]
        """
        return Batch(self, require)
