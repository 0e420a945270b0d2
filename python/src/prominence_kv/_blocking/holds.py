"""Claims and locks of the blocking store: a thread renews each while its work is done."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Callable, Optional

from .._core.clock import now
from .._core.holding import BaseClaim, BaseHold, BaseLock, Schedule
from .._core.leases import ClaimLease, Lease, LockLease
from .._core.persist import log
from .._core.wire import Operation
from ..errors import StoreError

Run = Callable[[Operation[Any]], Any]


class _Renewer:
    """The thread that renews a lease."""

    def __init__(self, run: Run, hold: BaseHold[Any], lease: Lease) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._renew, args=(run, hold, lease), name=f"renews {lease.key}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends the renewals, after the one that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _renew(self, run: Run, hold: BaseHold[Any], lease: Lease) -> None:
        schedule = Schedule(lease)
        while not self._stop.wait(schedule.pause()):
            if now() >= lease.until:
                hold._note_lost("it could not be renewed in time")
                return
            try:
                reason = run(lease.renew())
            except StoreError as error:
                log.info("renewing %s failed: %s", lease.key, error)
                schedule.note(failed=True)
                continue
            if reason is not None:
                hold._note_lost(reason)
                return
            schedule.note(failed=False)


class Claim(BaseClaim):
    """A piece of work: `with kv.claim("/todo/") as work:` claims it, renews the claim on a thread beside the work,
    deletes the key when the block ends, and releases it for another worker where the block throws."""

    def __init__(self, run: Run, take: Callable[[], Operation[ClaimLease]]) -> None:
        self._run = run
        self._acquire = take
        self._renewer: Optional[_Renewer] = None

    def acquire(self) -> Claim:
        """Claims a key. A `with` statement does this by itself."""
        if self._lease is None:
            lease = self._run(self._acquire())
            self._begin(lease)
            self._renewer = _Renewer(self._run, self, lease)
        return self

    def done(self) -> None:
        """The work is done: deletes the key. Throws `LostHold` where the claim was lost."""
        self._end(lambda lease: lease.finish())

    def release(self) -> None:
        """Lets another worker take the key."""
        self._end(lambda lease: lease.release())

    def move(self, folder: str) -> None:
        """Moves the key below another folder, in one commit: work that has failed too often, for instance."""
        to = self._destination(folder)
        self._end(lambda lease: lease.move(to))

    def _end(self, end: Callable[[ClaimLease], Operation[None]]) -> None:
        if self._renewer is not None and self.owned:
            self._renewer.stop()
        error = None if self._lost is None else self._error()
        lease = self._take()
        if lease is None:
            return
        if error is not None:
            raise error
        self._run(end(lease))

    def __enter__(self) -> Claim:
        return self.acquire()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._lease is None:
            # It was ended within the block.
            return
        if kind is None:
            self.done()
            return
        try:
            self.release()
        except StoreError as failed:
            # The block's own exception is what its caller has to see.
            log.warning("%s", failed)


class Lock(BaseLock):
    """A lock: `with kv.lock("/licence") as lock:` takes it, renews it on a thread, and releases it at the end."""

    def __init__(self, run: Run, take: Callable[[], Operation[LockLease]]) -> None:
        self._run = run
        self._acquire = take
        self._renewer: Optional[_Renewer] = None

    def acquire(self) -> Lock:
        """Takes the lock. A `with` statement does this by itself."""
        if self._lease is None:
            lease = self._run(self._acquire())
            self._begin(lease)
            self._renewer = _Renewer(self._run, self, lease)
        return self

    def release(self) -> None:
        """Releases the lock. Throws `LostHold` where it was lost before."""
        if self._renewer is not None and self.owned:
            self._renewer.stop()
        lease = self._take()
        if lease is not None:
            self._run(lease.finish())

    def __enter__(self) -> Lock:
        return self.acquire()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._lease is None:
            return
        try:
            self.release()
        except StoreError as failed:
            if kind is None:
                raise
            log.warning("%s", failed)
