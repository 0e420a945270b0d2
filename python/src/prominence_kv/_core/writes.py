"""Setting, adding, deleting, and batches of these, as operations."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Any, Optional, Union

from .._settings.durations import Duration, shown, whole_seconds
from . import names, persist
from .names import Key
from .persist import Core
from .reads import parsed
from .value import encode
from .wire import Operation, Repeat, Request

Ttl = Union[Duration, None]
"""How long a value stays: a duration, `"job"` for the lifetime of the token, `None` for ever."""

MAX_OPERATIONS = 100
"""Operations, and also conditions, in one batch."""

MAX_BATCH = 1 << 20
"""Bytes of a batch."""


@dataclass(frozen=True)
class Written:
    """What a set did."""

    key: Key
    revision: int
    """The commit; what `if_revision` takes."""
    created: bool
    """Whether the key is new. A set that had to be repeated may find its own first try."""


@dataclass(frozen=True)
class Done:
    """What a batch did."""

    revision: int
    """The commit."""
    results: list[dict[str, Any]]
    """One object for each operation: `key` with `created`, `deleted` or `value`."""


def put(
    core: Core,
    key: Key,
    value: Any,
    *,
    ttl: Ttl = None,
    if_revision: Optional[int] = None,
    if_absent: bool = False,
    if_value: Any = None,
    within: Optional[float] = None,
) -> Operation[Written]:
    """Stores a value. It is repeated after errors that may pass, although its first try may have happened: a set
    without a condition leaves the same value, and one with a condition carries an id by which the server recognizes
    the repetition."""
    conditions = (if_revision is not None) + bool(if_absent) + (if_value is not None)
    if conditions > 1:
        raise ValueError("a set has one condition: if_revision, if_absent or if_value")
    parameters = []
    if ttl is not None:
        parameters.append(f"ttl={ttl_text(ttl)}")
    headers: list[tuple[str, str]] = []
    if if_absent:
        headers.append(("If-None-Match", "*"))
    if if_revision is not None:
        headers.append(("If-Match", f'"{if_revision}"'))
    if if_value is not None:
        parameters.append(f"prev={names.query_bytes(encode(if_value))}")
    if conditions:
        headers.append(("Prominence-Write-Id", secrets.token_hex(16)))
    query = "?" + "&".join(parameters) if parameters else ""
    request = Request("PUT", names.path_of(key) + query, tuple(headers), encode(value))
    answer = yield from persist.send(core, request, within)
    body = parsed(core, answer, may_have_happened=True)
    return Written(key, body["revision"], answer.status == 201)


def add(core: Core, key: Key, by: int) -> Operation[int]:
    """Adds to a decimal integer in one atomic step. Never repeated where it may have happened."""
    request = Request("POST", f"{names.path_of(key)}?add={by}", (), b"", repeat=Repeat.IF_NOT_APPLIED)
    answer = yield from persist.send(core, request)
    return int(parsed(core, answer, may_have_happened=True)["value"])


def delete(
    core: Core, key: Key, if_revision: Optional[int] = None, within: Optional[float] = None
) -> Operation[tuple[bool, bool]]:
    """Deletes a key; says whether it was there, and whether an earlier try, whose answer was lost, may have deleted
    it."""
    if if_revision is None:
        request = Request("DELETE", names.path_of(key))
    else:
        # Its own first try could make the second one fail.
        tag = (("If-Match", f'"{if_revision}"'),)
        request = Request("DELETE", names.path_of(key), tag, repeat=Repeat.IF_NOT_APPLIED)
    answer, lost = yield from persist.send_noting(core, request, within)
    return parsed(core, answer, may_have_happened=True)["deleted"] > 0, lost


def delete_prefix(core: Core, prefix: str, *, dry_run: bool) -> Operation[int]:
    """Deletes every key that begins with a prefix, all at once, or only counts them."""
    target = f"{names.path_of(prefix)}?prefix" + ("&dry_run" if dry_run else "")
    answer = yield from persist.send(core, Request("DELETE", target))
    return int(parsed(core, answer, may_have_happened=True)["deleted"])


def batch(
    core: Core,
    conditions: list[dict[str, Any]],
    operations: list[dict[str, Any]],
    within: Optional[float] = None,
) -> Operation[Done]:
    """Does all operations where all conditions hold, and nothing otherwise."""
    content = {"if": conditions, "do": operations} if conditions else {"do": operations}
    # A batch that adds would add twice, and conditions could fail by its own first try.
    adds = any("add" in operation for operation in operations)
    repeat = Repeat.IF_NOT_APPLIED if adds or conditions else Repeat.SAFE
    request = Request(
        "POST",
        "/kv",
        (("Content-Type", "application/json"),),
        json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8"),
        repeat,
    )
    answer = yield from persist.send(core, request, within)
    body = parsed(core, answer, may_have_happened=True)
    return Done(body["revision"], body["results"])


def set_operation(key: Key, value: Any, ttl: Ttl = None) -> dict[str, Any]:
    """A set, as a batch has it."""
    operation: dict[str, Any] = {"set": str(key), **_written(encode(value))}
    if ttl is not None:
        operation["ttl"] = ttl_text(ttl)
    return operation


def condition(
    key: Key, *, revision: Optional[int] = None, absent: Optional[bool] = None, value: Any = None
) -> dict[str, Any]:
    """A condition, as a batch has it."""
    given = (revision is not None) + (absent is not None) + (value is not None)
    if given != 1:
        raise ValueError("a condition has one of revision, absent and value")
    if revision is not None:
        return {"key": str(key), "revision": revision}
    if absent is not None:
        return {"key": str(key), "absent": absent}
    return {"key": str(key), **_written(encode(value))}


def ttl_text(ttl: Duration) -> str:
    """A lifetime, as the interface takes it."""
    return "job" if ttl == "job" else shown(whole_seconds(ttl))


def _written(content: bytes) -> dict[str, str]:
    try:
        return {"value": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(content).decode("ascii")}
