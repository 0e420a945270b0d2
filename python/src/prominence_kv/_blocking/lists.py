"""The methods of the blocking store for listings."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from .._core import reads, shared
from .._core.listing import Pages, Query
from .._core.names import Key
from .._core.shared import FolderPages, Newest
from .._core.value import Info, Value
from .driver import Driver
from .keys import BlockingStore

I = TypeVar("I")  # noqa: E741

Pager = Callable[[Optional[int]], Union[Pages, Newest, FolderPages]]
"""Begins a listing of all items, or of so many."""

_SHOWN = 20
"""Lines of a listing that a notebook shows."""


class Listing(Generic[I]):
    """What a listing shows, fetched page by page as it is wanted. Each `for` loop over it lists anew."""

    def __init__(self, driver: Driver, pager: Pager, made: Callable[[Any], I]) -> None:
        self._driver = driver
        self._pager = pager
        self._made = made

    def __iter__(self) -> Iterator[I]:
        pages = self._pager(None)
        while pages.more:
            for item in self._driver.run(pages.next_page()):
                yield self._made(item)

    def _repr_html_(self) -> str:
        pages = self._pager(_SHOWN + 1)
        items = [self._made(item) for item in self._driver.run(pages.next_page())]
        rows = "".join(f"<tr><td><code>{html.escape(str(item))}</code></td></tr>" for item in items[:_SHOWN])
        more = f"<p>… and more than these {_SHOWN}</p>" if len(items) > _SHOWN else ""
        return f"<table>{rows}</table>{more}"


class ListMethods(BlockingStore):
    """Listings of keys, values and folders."""

    def __iter__(self) -> Iterator[Key]:
        """The keys below this store."""
        return iter(self.keys())

    def _listing(
        self,
        prefix: str,
        made: Callable[[Any], I],
        limit: Optional[int] = None,
        after: Optional[str] = None,
        **shown: bool,
    ) -> Listing[I]:
        whole = self._prefix(prefix)
        start = None if after is None else self._prefix(after)

        def pager(most: Optional[int]) -> Pages:
            fewer = limit if most is None else most if limit is None else min(limit, most)
            return Pages(self._core, Query(whole, limit=fewer, after=start, **shown))

        return Listing(self._driver, pager, made)

    def keys(self, prefix: str = "", *, limit: Optional[int] = None, after: Optional[str] = None) -> Listing[Key]:
        """The keys that begin with a prefix, in byte order; at most `limit`, and only those behind `after`.

        >>> kv["/sweep/out/1"] = kv["/sweep/out/2"] = 0.5
        >>> list((kv / "sweep").keys("out/"))
        ['/sweep/out/1', '/sweep/out/2']
        """
        return self._listing(prefix, shared.key_of_item, limit, after)

    def values(
        self,
        prefix: str = "",
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        newest: Optional[int] = None,
    ) -> Listing[Value]:
        """The values of these keys. With `newest`, the so many that were set last, the newest first."""
        return self._entries(prefix, shared.value_of_item, limit, after, newest)

    def items(
        self,
        prefix: str = "",
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        newest: Optional[int] = None,
    ) -> Listing[tuple[Key, Value]]:
        """Keys and values. With `newest`, the so many that were set last, the newest first."""
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
        whole = self._prefix(prefix)
        return Listing(self._driver, lambda _: Newest(self._core, whole, newest), made)

    def infos(self, prefix: str = "", *, limit: Optional[int] = None, after: Optional[str] = None) -> Listing[Info]:
        """What is known about these keys, without their values."""
        return self._listing(prefix, shared.info_of_item, limit, after, detail=True)

    def level(self, prefix: str = "") -> Listing[Key]:
        """One level: keys, and folders, which end in `/`, as `pathlib.Path.iterdir` has them."""
        return self._listing(prefix, shared.key_of_item, one_level=True)

    def folders(self, prefix: str = "") -> Listing[Key]:
        """The folders of one level.

        >>> kv["/a/b/c"] = kv["/a/d"] = ""
        >>> list(kv.folders("/a/")), list(kv.level("/a/"))
        (['/a/b/'], ['/a/b/', '/a/d'])
        """
        whole = self._prefix(prefix)
        return Listing(self._driver, lambda _: FolderPages(self._core, whole), shared.key_of_item)

    def count(self, prefix: str = "") -> int:
        """How many keys begin with a prefix."""
        return self._driver.run(reads.count(self._core, self._prefix(prefix)))
