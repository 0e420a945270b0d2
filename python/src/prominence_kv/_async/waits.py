"""The methods of the store for event loops that wait: for a key, for many, for changes, for work and for locks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Optional

from .._core import leases, reads, shared
from .._core.value import Value
from .._core.watching import Change, WatchCore
from .._settings.durations import Duration, seconds, whole_seconds
from ..errors import NothingToClaim, TimedOut
from .driver import Driver
from .holds import Claim, Lock
from .keys import LoopStore


class Watch(AsyncIterator[Change]):
    """Changes as they happen. Goes on by itself when a connection is lost, and misses none."""

    def __init__(self, driver: Driver, core: WatchCore) -> None:
        self._driver = driver
        self._core = core

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Change:
        change = await self._driver.run(self._core.next_change())
        if change is None:
            raise StopAsyncIteration
        return change

    async def close(self) -> None:
        """Ends the watch and its connection."""
        await self._driver.run(self._core.close())

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()


class WaitMethods(LoopStore):
    """Waiting, watching, claiming and locking."""

    async def wait(self, key: str, timeout: Duration = "10m") -> Value:
        return await self._driver.run(reads.wait(self._core, self.key(key), seconds(timeout)))

    async def wait_change(self, key: str, revision: int, timeout: Duration = "10m") -> Optional[Value]:
        return await self._driver.run(reads.wait_change(self._core, self.key(key), revision, seconds(timeout)))

    async def wait_count(self, prefix: str, number: int, timeout: Duration = "10m") -> int:
        return await self._driver.run(reads.wait_count(self._core, self._prefix(prefix), number, seconds(timeout)))

    def watch(
        self,
        prefix: str = "",
        *,
        values: bool = False,
        since: Optional[int] = None,
        existing: bool = False,
        timeout: Optional[Duration] = None,
        reconnect_for: Duration = "5m",
    ) -> Watch:
        core = WatchCore(
            self._core,
            self._prefix(prefix),
            since=since,
            values=values,
            existing=existing,
            timeout=shared.optional_seconds(timeout),
            reconnect_for=seconds(reconnect_for),
        )
        return Watch(self._driver, core)

    def claim(self, prefix: str, for_: Duration = "10m", wait: Optional[Duration] = None) -> Claim:
        whole, length = self._prefix(prefix), float(whole_seconds(for_))
        waiting = shared.optional_seconds(wait)
        return Claim(self._driver, lambda: leases.claim(self._core, whole, length, waiting))

    async def claims(
        self, prefix: str, for_: Duration = "10m", wait: Optional[Duration] = None
    ) -> AsyncIterator[Claim]:
        while True:
            claim = self.claim(prefix, for_, wait)
            try:
                await claim.acquire()
            except (NothingToClaim, TimedOut):
                return
            yield claim

    def lock(self, key: str, ttl: Duration = "30s", wait: Duration = "10m") -> Lock:
        whole, length = self.key(key), float(whole_seconds(ttl))
        return Lock(self._driver, lambda: leases.lock(self._core, whole, length, seconds(wait)))
