"""Claims and locks of the store for event loops: a task renews each while its work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar

from .._core.clock import now
from .._core.holding import BaseClaim, BaseHold, BaseLock, Schedule
from .._core.leases import ClaimLease, Lease, LockLease
from .._core.persist import log
from .._core.wire import Operation
from ..errors import StoreError
from .driver import Driver

L = TypeVar("L", bound=Lease)


class _Renewer:
    """The task that renews a lease."""

    def __init__(self, driver: Driver, hold: BaseHold[Any], lease: Lease) -> None:
        self._stop = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._renew(driver, hold, lease))

    async def stop(self) -> None:
        """Ends the renewals, after the one that is under way: if it were cut off, its result would not be known."""
        self._stop.set()
        await self._task

    async def _renew(self, driver: Driver, hold: BaseHold[Any], lease: Lease) -> None:
        schedule = Schedule(lease)
        while not await self._stopped_within(schedule.pause()):
            if now() >= lease.until:
                hold._note_lost("it could not be renewed in time")
                return
            try:
                reason = await driver.run(lease.renew())
            except StoreError as error:
                log.info("renewing %s failed: %s", lease.key, error)
                schedule.note(failed=True)
                continue
            if reason is not None:
                hold._note_lost(reason)
                return
            schedule.note(failed=False)

    async def _stopped_within(self, pause: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), pause)
        except asyncio.TimeoutError:
            return False
        return True


class Claim(BaseClaim):
    """A piece of work: `async with kv.claim("/todo/") as work:` claims it, renews the claim on a task beside the
    work, deletes the key when the block ends, and releases it for another worker where the block throws."""

    def __init__(self, driver: Driver, take: Callable[[], Operation[ClaimLease]]) -> None:
        self._driver = driver
        self._acquire = take
        self._renewer: Optional[_Renewer] = None

    async def acquire(self) -> Claim:
        """Claims a key. An `async with` statement does this by itself."""
        if self._lease is None:
            lease = await self._driver.run(self._acquire())
            self._begin(lease)
            self._renewer = _Renewer(self._driver, self, lease)
        return self

    def __await__(self) -> Generator[Any, None, Claim]:
        return self.acquire().__await__()

    async def done(self) -> None:
        """The work is done: deletes the key. Throws `LostHold` where the claim was lost."""
        await self._end(lambda lease: lease.finish())

    async def release(self) -> None:
        """Lets another worker take the key."""
        await self._end(lambda lease: lease.release())

    async def move(self, folder: str) -> None:
        """Moves the key below another folder, in one commit: work that has failed too often, for instance."""
        to = self._destination(folder)
        await self._end(lambda lease: lease.move(to))

    async def _end(self, end: Callable[[ClaimLease], Operation[None]]) -> None:
        if self._renewer is not None and self.owned:
            await self._renewer.stop()
        error = None if self._lost is None else self._error()
        lease = self._take()
        if lease is None:
            return
        if error is not None:
            raise error
        await self._driver.run(end(lease))

    async def __aenter__(self) -> Claim:
        return await self.acquire()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._lease is None:
            # It was ended within the block.
            return
        if kind is None:
            await self.done()
            return
        try:
            await self.release()
        except StoreError as failed:
            # The block's own exception is what its caller has to see.
            log.warning("%s", failed)


class Lock(BaseLock):
    """A lock: `async with kv.lock("/licence") as lock:` takes it, renews it on a task, and releases it at the end."""

    def __init__(self, driver: Driver, take: Callable[[], Operation[LockLease]]) -> None:
        self._driver = driver
        self._acquire = take
        self._renewer: Optional[_Renewer] = None

    async def acquire(self) -> Lock:
        """Takes the lock. An `async with` statement does this by itself."""
        if self._lease is None:
            lease = await self._driver.run(self._acquire())
            self._begin(lease)
            self._renewer = _Renewer(self._driver, self, lease)
        return self

    def __await__(self) -> Generator[Any, None, Lock]:
        return self.acquire().__await__()

    async def release(self) -> None:
        """Releases the lock. Throws `LostHold` where it was lost before."""
        if self._renewer is not None and self.owned:
            await self._renewer.stop()
        lease = self._take()
        if lease is not None:
            await self._driver.run(lease.finish())

    async def __aenter__(self) -> Lock:
        return await self.acquire()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._lease is None:
            return
        try:
            await self.release()
        except StoreError as failed:
            if kind is None:
                raise
            log.warning("%s", failed)
