"""The methods of the store for event loops for listings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from .._core import reads, shared
from .._core.listing import Pages, Query
from .._core.names import Key
from .._core.shared import FolderPages, Newest
from .._core.value import Info, Value
from .driver import Driver
from .keys import LoopStore

I = TypeVar("I")  # noqa: E741

Pager = Callable[[], Union[Pages, Newest, FolderPages]]
"""Begins a listing."""


class Listing(Generic[I]):
    """What a listing shows, fetched page by page as it is wanted. Each `async for` loop over it lists anew."""

    def __init__(self, driver: Driver, pager: Pager, made: Callable[[Any], I]) -> None:
        self._driver = driver
        self._pager = pager
        self._made = made

    async def __aiter__(self) -> AsyncIterator[I]:
        pages = self._pager()
        while pages.more:
            for item in await self._driver.run(pages.next_page()):
                yield self._made(item)


class ListMethods(LoopStore):
    """Listings of keys, values and folders."""

    def __aiter__(self) -> AsyncIterator[Key]:
        """The keys below this store."""
        return self.keys().__aiter__()

    def _listing(
        self,
        prefix: str,
        made: Callable[[Any], I],
        limit: Optional[int] = None,
        after: Optional[str] = None,
        **shown: bool,
    ) -> Listing[I]:
        start = None if after is None else self._prefix(after)
        query = Query(self._prefix(prefix), limit=limit, after=start, **shown)
        return Listing(self._driver, lambda: Pages(self._core, query), made)

    def keys(self, prefix: str = "", *, limit: Optional[int] = None, after: Optional[str] = None) -> Listing[Key]:
        return self._listing(prefix, shared.key_of_item, limit, after)

    def values(
        self,
        prefix: str = "",
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        newest: Optional[int] = None,
    ) -> Listing[Value]:
        return self._entries(prefix, shared.value_of_item, limit, after, newest)

    def items(
        self,
        prefix: str = "",
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        newest: Optional[int] = None,
    ) -> Listing[tuple[Key, Value]]:
        return self._entries(prefix, shared.pair_of_item, limit, after, newest)

    def _entries(
        self,
        prefix: str,
        made: Callable[[Any], I],
        limit: Optional[int],
        after: Optional[str],
        newest: Optional[int],
    ) -> Listing[I]:
        if newest is None:
            return self._listing(prefix, made, limit, after, detail=True, values=True)
        if limit is not None or after is not None:
            raise ValueError("newest goes without limit and after")
        whole, number = self._prefix(prefix), newest
        return Listing(self._driver, lambda: Newest(self._core, whole, number), made)

    def infos(self, prefix: str = "", *, limit: Optional[int] = None, after: Optional[str] = None) -> Listing[Info]:
        return self._listing(prefix, shared.info_of_item, limit, after, detail=True)

    def level(self, prefix: str = "") -> Listing[Key]:
        return self._listing(prefix, shared.key_of_item, one_level=True)

    def folders(self, prefix: str = "") -> Listing[Key]:
        whole = self._prefix(prefix)
        return Listing(self._driver, lambda: FolderPages(self._core, whole), shared.key_of_item)

    async def count(self, prefix: str = "") -> int:
        return await self._driver.run(reads.count(self._core, self._prefix(prefix)))
