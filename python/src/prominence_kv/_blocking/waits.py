"""The methods of the blocking store that wait: for a key, for many, for changes, for work and for locks."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Optional

from .._core import leases, reads, shared
from .._core.value import Value
from .._core.watching import Change, WatchCore
from .._settings.durations import Duration, seconds, whole_seconds
from ..errors import NothingToClaim, TimedOut
from .driver import Driver
from .holds import Claim, Lock
from .keys import BlockingStore


class Watch(Iterator[Change]):
    """Changes as they happen. Goes on by itself when a connection is lost, and misses none."""

    def __init__(self, driver: Driver, core: WatchCore) -> None:
        self._driver = driver
        self._core = core

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Change:
        change = self._driver.run(self._core.next_change())
        if change is None:
            raise StopIteration
        return change

    def close(self) -> None:
        """Ends the watch and its connection."""
        self._driver.run(self._core.close())

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class WaitMethods(BlockingStore):
    """Waiting, watching, claiming and locking."""

    def wait(self, key: str, timeout: Duration = "10m") -> Value:
        """The value of a key as soon as it exists; `TimedOut`, a `TimeoutError`, at the end of the time."""
        return self._driver.run(reads.wait(self._core, self.key(key), seconds(timeout)))

    def wait_change(self, key: str, revision: int, timeout: Duration = "10m") -> Optional[Value]:
        """The value of a key as soon as it has another revision; `None` once it is gone."""
        return self._driver.run(reads.wait_change(self._core, self.key(key), revision, seconds(timeout)))

    def wait_count(self, prefix: str, number: int, timeout: Duration = "10m") -> int:
        """Waits until so many keys begin with a prefix: a barrier. Answers how many there are."""
        return self._driver.run(reads.wait_count(self._core, self._prefix(prefix), number, seconds(timeout)))

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
        """Changes under a prefix as they happen: in order, none twice, none missing.

        It begins with the next change, behind the revision `since`, or with `existing` with the keys that are there.
        It goes on by itself where a connection is lost, unless the server is away for longer than `reconnect_for`,
        and throws `Gone` only where the server no longer keeps the changes. The loop ends after `timeout`.
        """
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
        """The next piece of work: the first key under a prefix that nobody holds.

        `with kv.claim("/todo/") as work:` renews the claim on a thread, deletes the key at the end, and releases it
        where the block throws. `for_` is how long the claim outlasts this process; `wait` how long to wait for work.
        Throws `NothingToClaim`, or with `wait` `TimedOut`, where there is none.

        >>> kv["/todo/a"] = {"n": 3}
        >>> with kv.claim("/todo/", for_="30s") as work:
        ...     kv["/out/" + work.name] = work.json()["n"] ** 2
        >>> int(kv["/out/a"]), kv.count("/todo/")
        (9, 0)
        """
        whole, length = self._prefix(prefix), float(whole_seconds(for_))
        waiting = shared.optional_seconds(wait)
        return Claim(self._driver.run, lambda: leases.claim(self._core, whole, length, waiting))

    def claims(self, prefix: str, for_: Duration = "10m", wait: Optional[Duration] = None) -> Iterator[Claim]:
        """Pieces of work, until none is free, or none came within `wait`. Each is used in a `with` statement.

        >>> kv["/todo/a"] = kv["/todo/b"] = ""
        >>> for work in kv.claims("/todo/", for_="30s"):
        ...     with work:
        ...         print(work.key)
        /todo/a
        /todo/b
        """
        while True:
            claim = self.claim(prefix, for_, wait)
            try:
                claim.acquire()
            except (NothingToClaim, TimedOut):
                return
            yield claim

    def lock(self, key: str, ttl: Duration = "30s", wait: Duration = "10m") -> Lock:
        """A lock: `with kv.lock("/licence") as lock:` takes it, renews it on a thread, and releases it at the end.

        `ttl` is how long it outlasts this process; `wait` how long to wait for it (`0` is not at all), and `TimedOut`
        says who holds it. `kv.batch(require=[lock])` does nothing once the lock is lost. The command line's
        `prominence kv lock` takes the same locks.

        >>> with kv.lock("/licence", ttl="30s") as lock:
        ...     done = kv.batch(require=[lock]).set("/result", 42).commit()
        """
        whole, length = self.key(key), float(whole_seconds(ttl))
        return Lock(self._driver.run, lambda: leases.lock(self._core, whole, length, seconds(wait)))
