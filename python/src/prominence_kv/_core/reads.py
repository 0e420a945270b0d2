"""Reading one key, and waiting for a key or for a number of keys, as operations."""

from __future__ import annotations

import json
from typing import Any, Optional

from .._settings.durations import shown
from ..errors import NoSuchKey, TimedOut
from . import names, persist
from .answers import bad_answer, is_ours
from .names import Key
from .persist import Core, Failed, Turn
from .value import Info, Value, info_of, value_of
from .wire import MAX_VALUE, Answer, Operation, Repeat, Request


def get(core: Core, key: Key) -> Operation[Value]:
    """The value of a key."""
    request = Request("GET", names.path_of(key), limit=MAX_VALUE)
    answer = yield from persist.send(core, request)
    return value_of(answer, key)


def info(core: Core, key: Key, within: Optional[float] = None) -> Operation[Optional[Info]]:
    """What is known about a key, or `None` where there is no such key."""
    request = Request("HEAD", names.path_of(key), limit=0)
    try:
        answer = yield from persist.send(core, request, within)
    except NoSuchKey:
        return None
    size = answer.header("content-length")
    if size is None or not size.isdigit():
        raise bad_answer("it does not say how long it is", core.url)
    return info_of(answer, key, int(size))


def wait(core: Core, key: Key, within: float) -> Operation[Value]:
    """The value of a key once it exists."""

    def ask(held: Optional[int]) -> Operation[Turn[Optional[Value]]]:
        request = _waiting(names.path_of(key), "?", held)
        try:
            answer = yield from persist.once(core, request)
        except Failed as failed:
            if isinstance(failed.error, NoSuchKey):
                return Turn(None, done=False)
            raise
        return Turn(value_of(answer, key), done=True)

    found: Optional[Value] = yield from persist.take_turns(core, within, ask)
    if found is None:
        raise TimedOut(f"there is no key {key} after {shown(within)}", key=key)
    return found


def wait_change(core: Core, key: Key, revision: int, within: float) -> Operation[Optional[Value]]:
    """The value of a key once it has another revision; `None` once it is gone."""
    tag = (("If-None-Match", f'"{revision}"'),)

    def ask(held: Optional[int]) -> Operation[Turn[tuple[bool, Optional[Value]]]]:
        request = _waiting(names.path_of(key), "?", held, tag)
        answer = yield from persist.attempt(core, request)
        if answer.status == 304 and is_ours(answer, request):
            return Turn((False, None), done=False)
        try:
            answer = persist.judge(core, request, answer)
        except Failed as failed:
            if isinstance(failed.error, NoSuchKey):
                return Turn((True, None), done=True)
            raise
        return Turn((True, value_of(answer, key)), done=True)

    changed, value = yield from persist.take_turns(core, within, ask)
    if not changed:
        raise TimedOut(f"{key} still has the revision {revision} after {shown(within)}", key=key, revision=revision)
    return value


def count(core: Core, prefix: str) -> Operation[int]:
    """How many keys a listing of the prefix shows."""
    answer = yield from persist.send(core, Request("GET", f"{names.path_of(prefix)}?count"))
    return int(_member(core, answer, "count"))


def wait_count(core: Core, prefix: str, at_least: int, within: float) -> Operation[int]:
    """The same once there are so many."""

    def ask(held: Optional[int]) -> Operation[Turn[int]]:
        target = f"{names.path_of(prefix)}?count"
        target += "" if held is None else f"&at_least={at_least}"
        answer = yield from persist.once(core, _waiting(target, "&", held))
        found = int(_member(core, answer, "count"))
        return Turn(found, done=found >= at_least)

    found: int = yield from persist.take_turns(core, within, ask)
    if found < at_least:
        raise TimedOut(f"{found} of {at_least} keys begin with {prefix or '/'} after {shown(within)}")
    return found


def ask_object(core: Core, target: str) -> Operation[dict[str, Any]]:
    """The JSON object that is at an address."""
    answer = yield from persist.send(core, Request("GET", target))
    return parsed(core, answer)


def parsed(core: Core, answer: Answer, *, may_have_happened: bool = False) -> dict[str, Any]:
    """The JSON object in an answer."""
    try:
        body = json.loads(answer.body)
    except ValueError as error:
        raise bad_answer(str(error), core.url, may_have_happened=may_have_happened) from None
    if not isinstance(body, dict):
        raise bad_answer("it is no JSON object", core.url, may_have_happened=may_have_happened)
    return body


def _member(core: Core, answer: Answer, name: str) -> Any:
    body = parsed(core, answer)
    if name not in body:
        raise bad_answer(f"it has no {name}", core.url)
    return body[name]


def _waiting(target: str, separator: str, held: Optional[int], headers: tuple[tuple[str, str], ...] = ()) -> Request:
    """A request that the server holds; without a turn it is answered at once."""
    wait_for = "" if held is None else f"{separator}wait={held}"
    return Request("GET", target + wait_for, headers, None, Repeat.SAFE, limit=MAX_VALUE, held=float(held or 0))
