"""The store for event loops, made of its parts; and its methods for tables and the account.

Its methods are those of the blocking store, and have their descriptions from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Optional

from .._blocking.store import Store as Blocking
from .._core import reads, shared, tables
from .._core.names import folder_of
from .._core.persist import Core
from .._core.tables import Loaded
from .._core.writes import Ttl
from .._settings.durations import Duration
from .._settings.resolve import resolve
from .driver import Driver
from .keys import KeyMethods
from .lists import ListMethods
from .waits import WaitMethods


class Store(KeyMethods, ListMethods, WaitMethods):
    """The keys of a user, for event loops of asyncio: the methods of `prominence_kv.Store`, awaited.

    `await kv.get(key)` and `await kv.set(key, value)` instead of brackets; listings and watches with `async for`,
    claims and locks with `async with`. One store may be used by several loops and processes; each has connections
    of its own.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        token_file: Optional[str] = None,
        profile: Optional[str] = None,
        ca_file: Optional[str] = None,
        verify: Optional[bool] = None,
        retry_for: Optional[Duration] = None,
        timeout: Optional[Duration] = None,
    ) -> None:
        settings = resolve(
            url,
            token,
            token_file=token_file,
            profile=profile,
            ca_file=ca_file,
            verify=verify,
            retry_for=retry_for,
            timeout=timeout,
        )
        self._begin(Driver(settings), Core(settings), "/")

    def _begin(self, driver: Driver, core: Core, folder: str) -> None:
        self._driver = driver
        self._core = core
        self._folder = folder

    def __truediv__(self, folder: str) -> Store:
        below = Store.__new__(Store)
        below._begin(self._driver, self._core, folder_of(self.key(folder)))
        return below

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, shared.pickled(self)

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def load(
        self,
        folder: str,
        rows: Any,
        *,
        key: Optional[str] = None,
        start: int = 1,
        pad: bool = False,
        ttl: Ttl = None,
        if_absent: bool = False,
        replace: bool = False,
    ) -> Loaded:
        naming, below = tables.Naming(key, start, pad), folder_of(self.key(folder))
        loading = tables.load(self._core, below, rows, naming=naming, ttl=ttl, if_absent=if_absent, replace=replace)
        return await self._driver.run(loading)

    async def table(self, prefix: str, *, join: Optional[str] = None, bare: bool = False) -> list[dict[str, Any]]:
        results, inputs = self._prefix(prefix), None
        if join is not None:
            results, inputs = folder_of(results), folder_of(self._prefix(join))
        return await self._driver.run(shared.table(self._core, results, inputs, bare=bare))

    async def missing(self, inputs: str, results: str) -> list[str]:
        folders = folder_of(self._prefix(inputs)), folder_of(self._prefix(results))
        return await self._driver.run(shared.missing(self._core, *folders))

    async def usage(self) -> Mapping[str, Any]:
        return await self._driver.run(reads.ask_object(self._core, "/kv?usage"))

    async def whoami(self) -> Mapping[str, Any]:
        return await self._driver.run(reads.ask_object(self._core, "/whoami"))


def _unpickled(url: str, place: str, credentials: Any, certificates: Any, times: Any, folder: str) -> Store:
    settings = shared.unpickled(url, place, credentials, certificates, times)
    store = Store.__new__(Store)
    store._begin(Driver(settings), Core(settings), folder)
    return store


def _describe() -> None:
    """Gives each method the description of the blocking store's."""
    for part in Store.__mro__:
        for name, method in vars(part).items():
            described = getattr(Blocking, name, None)
            if callable(method) and method.__doc__ is None and described is not None:
                method.__doc__ = described.__doc__


_describe()
