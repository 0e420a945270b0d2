"""Asking again until it is done or the time is over; docs/retries.md is the whole list of what is repeated."""

from __future__ import annotations

import logging
import math
import random
from dataclasses import dataclass
from typing import Callable, Generic, NoReturn, Optional

from .._settings.durations import shown
from .._settings.resolve import Settings
from ..errors import Conflict, ForeignAnswer, RateLimited, ServerError, StoreError, Unavailable
from . import answers
from .clock import now
from .wire import Answer, Failure, Open, Operation, Pause, Repeat, Request, Send, T

log = logging.getLogger("prominence_kv")

FIRST_PAUSE = 0.2
"""The first pause; each further one is twice as long."""

LONGEST_PAUSE = 5.0
"""The longest pause: after an outage nobody waits longer than this for the next try."""

LONGEST_TURN = 25
"""The longest that one request asks to be held. Proxies end a request without an answer after 30 s or later."""

_CUT_FOR_IDLENESS = 1.0
"""A connection that breaks off after a request was held for this long was cut for being idle, and the server is
there: the next request is sent at once."""

_HELD = 0.5
"""An answer that leaves a wait unfinished came too early if it took less than this: the next one waits."""

_BETWEEN_NOTICES = 30.0
"""The shortest time between two notices: two lines a minute in a log."""

_LIMITED = 5.0
"""How long requests are refused for being too many before that is told: some servers do so in normal operation."""


class Core:
    """The settings of a store, and what its requests share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.noticed: Optional[float] = None
        """When the last notice was given."""

    @property
    def url(self) -> str:
        """The address of the service, for messages."""
        return self.settings.url.text


class Backoff:
    """The pauses of one request."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def pause(self, left: float, asked: Optional[float]) -> Optional[float]:
        """How long to wait before the next try, or `None` where it is time to give up. The last try is made at the
        end of the time, and the server's `Retry-After` is never undercut."""
        if left <= 0 or (asked is not None and asked > left):
            return None
        # A random part, so that many jobs that failed together do not come back together.
        pause = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._next * 2, LONGEST_PAUSE)
        return min(max(pause, asked or 0.0), left)


@dataclass
class Turn(Generic[T]):
    """What one request found: what was asked for, or how it was when the request's time was over."""

    found: T
    done: bool


class Failed(Exception):
    """A request that failed once."""

    def __init__(self, error: StoreError, repeat: Repeat, retry_after: Optional[float] = None) -> None:
        super().__init__(error)
        self.error = error
        self.repeat = repeat
        self.retry_after = retry_after


def attempt(core: Core, request: Request, *, stream: bool = False) -> Operation[Answer]:
    """Sends a request once, and answers whatever comes. Where the token is refused and its file has another by now,
    that one is sent."""
    settings, credentials = core.settings, core.settings.credentials
    token = credentials.current()
    while True:
        step = (Open if stream else Send)(request, token, settings.connect, settings.silence)
        try:
            answer: Answer = yield step
        except Failure as failure:
            raise Failed(_unreachable(core, request, failure), request.repeat) from None
        other = credentials.instead_of(token) if answer.status == 401 else None
        if other is None:
            return answer
        token = other


def once(core: Core, request: Request) -> Operation[Answer]:
    """Sends a request once, and answers its success."""
    answer = yield from attempt(core, request)
    return judge(core, request, answer)


def judge(core: Core, request: Request, answer: Answer) -> Answer:
    """An answer where it is a success, and otherwise the failure that it tells of."""
    if answers.is_success(answer) and answers.is_ours(answer, request):
        has_body = request.method != "HEAD" and answer.status != 204
        if answer.delimited or not has_body:
            return answer
        # Half a value would look like a whole one.
        error: StoreError = answers.bad_answer(
            "it does not say where it ends", core.url, may_have_happened=not request.reads
        )
        raise Failed(error, Repeat.IF_NOT_APPLIED)
    error = answers.refusal(answer, request, core.url)
    _add_remarks(core, error)
    raise Failed(error, request.repeat, answers.retry_after(answer))


def send(core: Core, request: Request, within: Optional[float] = None) -> Operation[Answer]:
    """Sends a request, and again where that is safe and may help, and answers its success."""
    answer, _ = yield from send_noting(core, request, within)
    return answer


def send_noting(core: Core, request: Request, within: Optional[float] = None) -> Operation[tuple[Answer, bool]]:
    """The same, and says whether the answer of an earlier try may have been lost."""
    lost = False

    def ask(_: float) -> Operation[Turn[Answer]]:
        nonlocal lost
        try:
            answer = yield from once(core, request)
        except Failed as failed:
            lost = lost or failed.error.may_have_happened
            raise
        return Turn(answer, done=True)

    retry_for = core.settings.retry_for if within is None else within
    try:
        answer = yield from persist(core, retry_for, ask)
    except StoreError as error:
        _after_lost_answer(error, lost)
        raise
    return answer, lost


def take_turns(core: Core, within: float, ask: Callable[[Optional[int]], Operation[Turn[T]]]) -> Operation[T]:
    """Asks in turns, each of which the server holds for as long as it is given, until it is done or the time is over.
    A turn of `None` is to be answered at once."""
    crowded = False

    def turn(left: float) -> Operation[Turn[T]]:
        nonlocal crowded
        # A server that holds no more requests can still be asked how things are.
        held = None if crowded or within <= 0 else min(max(math.ceil(left), 1), LONGEST_TURN)
        was_crowded, crowded = crowded, False
        try:
            found = yield from ask(held)
        except Failed as failed:
            crowded = not was_crowded and _is_refusal(failed.error)
            raise
        return found

    found = yield from persist(core, within, turn)
    return found


def persist(core: Core, within: float, ask: Callable[[float], Operation[Turn[T]]]) -> Operation[T]:
    """Asks again and again until it is done or the time is over. `ask` is told how much is left."""
    began = now()
    backoff = Backoff()
    failing_since: Optional[float] = None
    while True:
        asked = now()
        try:
            turn = yield from ask(max(within - (asked - began), 0.0))
        except Failed as failed:
            left = max(within - (now() - began), 0.0)
            error = failed.error
            safe = failed.repeat is Repeat.SAFE or not error.may_have_happened
            if not (safe and answers.is_transient(error)):
                _raise(error)
            if now() - asked >= _CUT_FOR_IDLENESS and answers.is_lost_connection(error) and left > 0:
                backoff, failing_since = Backoff(), None
                continue
            pause = backoff.pause(left, failed.retry_after)
            if pause is None:
                _raise(_after_giving_up(error, failed.retry_after, left))
            failing_since = asked if failing_since is None else failing_since
            notify(core, error, left, pause, failing_since)
            yield Pause(pause)
            continue
        left = max(within - (now() - began), 0.0)
        if turn.done or left <= 0:
            return turn.found
        if now() - asked >= _HELD:
            backoff, failing_since = Backoff(), None
            continue
        pause = backoff.pause(left, None)
        if pause is None:
            return turn.found
        yield Pause(pause)


def notify(core: Core, error: StoreError, left: float, pause: float, since: float) -> None:
    """Logs a failure that is got over, unless another was logged lately."""
    is_usual = pause <= 1.0 and now() - since < _LIMITED
    if is_usual and isinstance(error, RateLimited):
        return
    if core.noticed is not None and now() - core.noticed < _BETWEEN_NOTICES:
        return
    core.noticed = now()
    log.warning("%s; trying again for up to %s", error, shown(left + 1))


def _is_refusal(error: StoreError) -> bool:
    """Whether the server is there and refuses for now."""
    is_server = isinstance(error, Unavailable) and not isinstance(error, ForeignAnswer)
    return is_server and error.status is not None


def _raise(error: StoreError) -> NoReturn:
    # Without the failure of the transport, whose context has the request in it.
    raise error from None


def _unreachable(core: Core, request: Request, failure: Failure) -> StoreError:
    proxy = core.settings.proxy
    through = "" if proxy is None else f" through {proxy}"
    if failure.lasting:
        step = ""
    elif proxy is not None:
        step = "; check the proxy, or name the server in no_proxy to reach it directly"
    else:
        step = "; check PROMINENCE_URL, and that the server is running"
    error = Unavailable(
        f"cannot reach {core.url}{through}: {failure.reason}{step}",
        may_have_happened=failure.sent and not request.reads,
    )
    error._lasting = failure.lasting
    error._cut = failure.sent and not failure.lasting
    return error


def _add_remarks(core: Core, error: StoreError) -> None:
    """Where the token was refused, its file and end; where nothing is at the address, the one that was meant."""
    if error.code == "unauthenticated":
        remark = core.settings.credentials.remark()
        if remark is not None:
            error.message += f"; {remark}"
    if isinstance(error, ServerError) and error.code == "not_found":
        meant = core.settings.url.meant()
        if meant is not None:
            error.message += f"; the URL {core.url} comes from {core.settings.url.place}; write {meant} there"


def _after_giving_up(error: StoreError, asked: Optional[float], left: float) -> StoreError:
    if asked is not None and asked > left > 0:
        error.message += (
            f"; the next try has to wait {asked:.0f} s (Retry-After), which is longer than the {left:.0f} s that are "
            "left"
        )
    return error


def _after_lost_answer(error: StoreError, lost: bool) -> None:
    if not lost:
        return
    if isinstance(error, (Unavailable, ServerError)):
        error.may_have_happened = True
    elif isinstance(error, Conflict):
        error.message += "; an earlier try, whose answer was lost, may or may not have happened before that"
