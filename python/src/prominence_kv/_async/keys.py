"""The methods of the store for event loops for single keys, and batches of changes."""

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


class LoopStore(StoreBase):
    """What the parts of the store for event loops have in common."""

    _driver: Driver


class Batch(BaseBatch):
    """Changes that happen all together in one commit, or not at all."""

    def __init__(self, store: LoopStore, require: Iterable[BaseLock]) -> None:
        super().__init__(store, require)
        self._driver = store._driver

    async def commit(self) -> Done:
        """Does all of it, or throws `Conflict` and does nothing."""
        return await self._driver.run(self._operation())


class KeyMethods(LoopStore):
    """Reading, setting, adding to and deleting single keys."""

    async def _value(self, key: str) -> Value:
        return await self._driver.run(reads.get(self._core, self.key(key)))

    @overload
    async def get(self, key: str) -> Optional[Value]: ...

    @overload
    async def get(self, key: str, default: D) -> Union[Value, D]: ...

    async def get(self, key: str, default: Any = None) -> Any:
        try:
            return await self._value(key)
        except NoSuchKey:
            return default

    async def info(self, key: str) -> Optional[Info]:
        return await self._driver.run(reads.info(self._core, self.key(key)))

    async def set(
        self,
        key: str,
        value: Storable,
        *,
        ttl: Ttl = None,
        if_revision: Optional[int] = None,
        if_absent: bool = False,
        if_value: Optional[Storable] = None,
    ) -> Written:
        operation = writes.put(
            self._core,
            self.key(key),
            value,
            ttl=ttl,
            if_revision=if_revision,
            if_absent=if_absent,
            if_value=if_value,
        )
        return await self._driver.run(operation)

    async def add(self, key: str, by: int = 1) -> int:
        return await self._driver.run(writes.add(self._core, self.key(key), by))

    async def delete(self, key: str, *, if_revision: Optional[int] = None) -> bool:
        deleted, _ = await self._driver.run(writes.delete(self._core, self.key(key), if_revision))
        return deleted

    async def delete_prefix(self, prefix: str, *, dry_run: bool = False) -> int:
        return await self._driver.run(writes.delete_prefix(self._core, self._prefix(prefix), dry_run=dry_run))

    def batch(self, require: Iterable[BaseLock] = ()) -> Batch:
        return Batch(self, require)
