"""Claims and locks, which are leases, as operations: taken, renewed, ended.

A lock is a key that exists, created with a lifetime on the condition that it is absent, and renewed on the condition
that its value is still the holder's. A claim is the server's; every request of it names the revision that the last
one answered.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
from dataclasses import replace
from typing import Any, Optional

from .._settings.durations import shown
from ..errors import Conflict, LostHold, NoSuchKey, NothingToClaim, StoreError, TimedOut
from . import names, persist, reads, writes
from .clock import now
from .names import Key
from .persist import Core, Turn
from .value import Info, Value, value_of
from .wire import MAX_VALUE, Answer, Operation, Pause, Repeat, Request

_LONGEST_SILENCE = 10.0
"""The longest time-out of a renewal: one that hangs must leave time for another."""

_PAUSE = 0.2
"""The pause before a change whose answer was lost is looked into again."""


class Lease:
    """A claim or a lock that this process has."""

    def __init__(self, core: Core, key: Key, length: float, since: float) -> None:
        self.core = core
        self.key = key
        self.length = length
        self.until = since + length
        """Until then no other can have it, by this machine's clock."""
        timeout = max(min(length / 3, _LONGEST_SILENCE), 0.1)
        settings = replace(core.settings, connect=timeout, silence=timeout)
        self.renewing = Core(settings)

    def renew(self) -> Operation[Optional[str]]:
        """Makes it last for its whole length from now on. Answers why it is lost, or `None`; throws what leaves that
        open."""
        raise NotImplementedError

    def finish(self) -> Operation[None]:
        """Ends it after its work is done."""
        raise NotImplementedError

    def release(self) -> Operation[None]:
        """Ends it so that another can have it."""
        raise NotImplementedError

    def _left(self) -> float:
        return max(self.until - now(), 0.0)


class ClaimLease(Lease):
    """A claimed key."""

    def __init__(self, core: Core, value: Value, length: float, since: float) -> None:
        super().__init__(core, value.key, length, since)
        self.value = value
        self.revision = value.revision
        self._answers_lost = False

    def renew(self) -> Operation[Optional[str]]:
        asked = now()
        target = f"{names.path_of(self.key)}?renew={shown(self.length)}"
        try:
            answer = yield from persist.send(self.renewing, self._change("POST", target), 0.0)
        except StoreError as error:
            ours = yield from self._is_ours(error, self.renewing, 0.0)
            if ours is True:
                raise
            return "it had run out, or the key was set or deleted"
        self.revision = reads.parsed(self.core, answer)["revision"]
        self.until = asked + self.length
        self._answers_lost = False
        return None

    def finish(self) -> Operation[None]:
        yield from self._conclude(self._delete)

    def move(self, to: Key) -> Operation[None]:
        """Sets the value at another key and deletes this one, in one commit."""

        def change() -> Operation[Any]:
            condition = writes.condition(self.key, revision=self.revision)
            operations = [writes.set_operation(to, bytes(self.value)), {"delete": str(self.key)}]
            done = yield from writes.batch(self.core, [condition], operations, self._left())
            return done

        yield from self._conclude(change)

    def release(self) -> Operation[None]:
        target = f"{names.path_of(self.key)}?release"
        within = min(self.core.settings.retry_for, self._left())
        try:
            yield from persist.send(self.core, self._change("POST", target), within)
        except (Conflict, NoSuchKey):
            # The claim ran out, and another worker may have the key.
            pass

    def _delete(self) -> Operation[Any]:
        done = yield from writes.delete(self.core, self.key, self.revision, self._left())
        return done

    def _conclude(self, change: Any) -> Operation[None]:
        """Makes a change after which the key is gone. Repeats it for as long as the claim lasts."""
        while True:
            try:
                yield from change()
                return
            except StoreError as error:
                ours = yield from self._is_ours(error, self.core, self._left())
                if ours is None:
                    # An earlier try, whose answer was lost, did it.
                    return
                if not ours:
                    raise LostHold(
                        f"the claim on {self.key} was lost before its end: it ran out, or the key was set or deleted",
                        key=self.key,
                    ) from None
            yield Pause(_PAUSE)

    def _is_ours(self, error: StoreError, core: Core, within: float) -> Operation[Optional[bool]]:
        """Whether the claim is still ours after a request that failed, `None` where the key is gone after a lost
        answer. Reads the revision again; throws the error where nothing was done."""
        refused = isinstance(error, (Conflict, NoSuchKey))
        if refused and not self._answers_lost:
            return False
        if not refused and not error.may_have_happened:
            raise error
        self._answers_lost = True
        about: Optional[Info] = yield from reads.info(core, self.key, within)
        if about is None:
            return None
        # A claim changes neither the creation of the key nor the time of its value, and no other worker can have
        # claimed it before the end of our claim. So the revision is that of our own last request.
        first = self.value.info
        untouched = (about.created, about.modified) == (first.created, first.modified)
        if not untouched or about.claimed_until is None or self._left() <= 0:
            return False
        self.revision = about.revision
        self._answers_lost = False
        return True

    def _change(self, method: str, target: str) -> Request:
        tag = (("If-Match", f'"{self.revision}"'),)
        return Request(method, target, tag, b"", repeat=Repeat.IF_NOT_APPLIED)


class LockLease(Lease):
    """A lock."""

    def __init__(self, core: Core, key: Key, length: float, holder: str, revision: int, since: float):
        super().__init__(core, key, length, since)
        self.holder = holder
        self.revision = revision
        """That of the commit that took it, greater for every later holder."""

    def renew(self) -> Operation[Optional[str]]:
        asked = now()
        try:
            # The condition is the value, which stays the same over renewals, and not the revision: so a renewal whose
            # answer was lost does not make the next one fail.
            yield from writes.put(
                self.renewing, self.key, self.holder, ttl=self.length, if_value=self.holder, within=0.0
            )
        except Conflict:
            return "it expired, was deleted, or is held by another"
        self.until = asked + self.length
        return None

    def finish(self) -> Operation[None]:
        """Deletes the key if it is still ours."""
        # A renewal whose answer was lost changes the revision once more.
        for _ in range(3):
            revision = yield from self._revision()
            if revision is None:
                break
            try:
                yield from writes.delete(self.core, self.key, revision)
                return
            except Conflict:
                continue
            except StoreError as error:
                # If the answer of a deletion was lost, the key is gone.
                if not error.may_have_happened or (yield from self._revision()) is not None:
                    raise
                return
        raise LostHold(
            f"the lock {self.key} was lost before its end; another holder may have been at work at the same time",
            key=self.key,
        )

    def release(self) -> Operation[None]:
        yield from self.finish()

    def _revision(self) -> Operation[Optional[int]]:
        """The key's revision, if it is ours."""
        try:
            value: Value = yield from reads.get(self.core, self.key)
        except NoSuchKey:
            return None
        return value.revision if value == self.holder.encode() else None


def claim(core: Core, prefix: str, length: float, wait: Optional[float]) -> Operation[ClaimLease]:
    """Takes the first key under a prefix that nobody holds. It is repeated even where an answer was lost: what that
    one had taken is free again when its claim runs out."""
    target = f"{names.path_of(prefix)}?claim={shown(length)}"
    since = now()

    # The claim began while the request was held, and counts from the beginning of that: short claims are not waited
    # for in long turns.
    longest = max(int(length // 3), 1)

    def request(held: Optional[int]) -> Request:
        held = None if held is None else min(held, longest)
        waiting = "" if held is None else f"&wait={held}"
        return Request("POST", target + waiting, (), b"", limit=MAX_VALUE, held=float(held or 0))

    def ask(held: Optional[int]) -> Operation[Turn[Answer]]:
        nonlocal since
        since = now()
        answer = yield from persist.once(core, request(held))
        return Turn(answer, done=answer.status != 204)

    if wait is None:
        answer = yield from persist.send(core, request(None))
    else:
        answer = yield from persist.take_turns(core, wait, ask)
    if answer.status != 204:
        key = Key(names.decoded(answer.header("prominence-key") or ""))
        # With a wait, the claim began at the earliest when the last request was sent.
        return ClaimLease(core, value_of(answer, key), length, since)
    if wait is None:
        raise NothingToClaim(f"no key under {prefix or '/'} is free to be claimed")
    raise TimedOut(f"no key under {prefix or '/'} was free to be claimed within {shown(wait)}")


def lock(core: Core, key: Key, length: float, wait: float) -> Operation[LockLease]:
    """Takes a lock as soon as it is free."""
    holder, ends = new_holder(), now() + wait
    while True:
        since, left = now(), max(ends - now(), 0.0)
        retry_for = max(left, core.settings.retry_for) if wait <= 0 else left
        try:
            done = yield from writes.put(core, key, holder, ttl=length, if_absent=True, within=retry_for)
            return LockLease(core, key, length, holder, done.revision, since)
        except Conflict:
            pass
        try:
            other: Optional[Value] = yield from reads.get(core, key)
        except NoSuchKey:
            other = None
        if other is not None and other == holder.encode():
            # An earlier try, whose answer was lost, has acquired it: renewing it tells until when.
            lease = LockLease(core, key, length, holder, other.revision, since)
            if (yield from lease.renew()) is None:
                return lease
            continue
        left = max(ends - now(), 0.0)
        if left <= 0:
            by = "others in turn" if other is None else _shown_holder(other)
            raise TimedOut(f"the lock {key} is still held by {by} after {shown(wait)}", key=key)
        if other is not None:
            try:
                # Every renewal ends the wait.
                yield from reads.wait_change(core, key, other.revision, left)
            except TimedOut:
                pass


def new_holder() -> str:
    """A text that no other holder writes, as the command line's locks have it."""
    host = re.sub(r"[^A-Za-z0-9._-]", "_", platform.node())
    return f"host={host},pid={os.getpid()},id={secrets.token_hex(8)}"


def _shown_holder(value: Value) -> str:
    text = value.decode("utf-8", "replace")
    return text if value.job is None else f"{text} (job {value.job})"
