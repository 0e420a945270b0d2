"""What an answer refuses, and whether the server itself has made it.

An answer is taken for the server's own where it has the marks that the server puts on every one. All others are
those of proxies and portals, whatever their status.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import responses
from typing import Any, Optional

from .. import errors
from ..errors import ForeignAnswer, ServerError, StoreError
from .page import headline
from .wire import Answer, Request

_SMALLEST_LIMIT = 1 << 10
"""Bytes below which no proxy sets its limit on bodies. Whatever refuses a shorter one has another reason."""

_TRANSIENT = (408, 429, 502, 503, 504)
"""Statuses of proxies after which the same request may succeed in a moment."""

_KINDS: dict[str, type[StoreError]] = {
    "no_such_key": errors.NoSuchKey,
    "precondition_failed": errors.Conflict,
    "not_a_number": errors.NotANumber,
    "value_too_large": errors.TooLarge,
    "quota_exceeded": errors.QuotaExceeded,
    "bad_key": errors.BadRequest,
    "bad_request": errors.BadRequest,
    "unauthenticated": errors.SignedOut,
    "forbidden": errors.Forbidden,
    "rate_limited": errors.RateLimited,
    "unavailable": errors.Unavailable,
    "compacted": errors.Gone,
}

_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "no_such_key",
    409: "not_a_number",
    410: "compacted",
    412: "precondition_failed",
    413: "value_too_large",
    429: "rate_limited",
    503: "unavailable",
    507: "quota_exceeded",
}
"""What a status stands for where the answer has no body, as that to HEAD has none."""


def is_marked(answer: Answer) -> bool:
    """Whether an answer names the request and is no web page."""
    kind = answer.header("content-type") or ""
    return answer.header("x-request-id") is not None and not kind.startswith("text/html")


def is_ours(answer: Answer, request: Request) -> bool:
    """Whether the server has made this answer."""
    if not is_marked(answer) or (300 <= answer.status < 400 and answer.status != 304):
        return False
    has_error = request.method != "HEAD" and answer.status >= 400
    return not has_error or _error_body(answer) is not None


def is_success(answer: Answer) -> bool:
    """Whether the status says that it was done."""
    return 200 <= answer.status < 300


def is_transient(error: StoreError) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, ForeignAnswer):
        return error.status in _TRANSIENT
    if isinstance(error, errors.Unavailable):
        return not error._lasting
    # A server that found a connection idle for too long says so before it closes it.
    return error.status == 408


def is_lost_connection(error: StoreError) -> bool:
    """Whether a connection that stood was lost before the answer."""
    if isinstance(error, ForeignAnswer):
        return error.status in (502, 504)
    return isinstance(error, errors.Unavailable) and error._cut


def refusal(answer: Answer, request: Request, url: str) -> StoreError:
    """The error that an answer stands for, which is no success or not the server's."""
    if not is_ours(answer, request):
        return foreign(answer, request, url)
    body = _error_body(answer)
    if body is None:
        reason = responses.get(answer.status, "no reason")
        text = f"the server answered {answer.status} ({reason})"
        body = {"error": text, "code": _CODES.get(answer.status, "")}
    code = str(body["code"])
    kind = _KINDS.get(code, ServerError)
    # A server that does not say leaves it open with its own failures.
    may_have = bool(body.get("may_have_happened", answer.status >= 500)) and not request.reads
    open_kinds = (errors.Unavailable, ServerError)
    revision: Any = body.get("revision")
    if kind is errors.Gone:
        oldest = answer.header("prominence-oldest-revision")
        revision = int(oldest) if oldest is not None and oldest.isdigit() else None
    return kind(
        str(body["error"]),
        code=code or None,
        status=answer.status,
        request_id=body.get("request_id") or answer.header("x-request-id"),
        may_have_happened=may_have and issubclass(kind, open_kinds),
        key=body.get("key"),
        revision=revision,
    )


def retry_after(answer: Answer) -> Optional[float]:
    """The server's `Retry-After`: a number of seconds, or a date (RFC 9110, section 10.2.3)."""
    text = (answer.header("retry-after") or "").strip()
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max((date - datetime.now(timezone.utc)).total_seconds(), 0.0)


def bad_answer(what: str, url: str, *, may_have_happened: bool = False) -> ForeignAnswer:
    """The error for an answer that does not make sense."""
    return ForeignAnswer(
        f"{url} gave an answer that makes no sense: {what}; check PROMINENCE_URL, or ask who runs the proxy, where "
        "there is one",
        may_have_happened=may_have_happened,
    )


def foreign(answer: Answer, request: Request, url: str) -> ForeignAnswer:
    """The error for an answer that the server has not made, with its page in short."""
    short = f"{answer.status} {responses.get(answer.status, 'no known status')}"
    for name, words in (("server", " from "), ("location", ", pointing to ")):
        shown = headline((answer.header(name) or "").encode("utf-8", "replace"))
        short += words + shown if shown else ""
    title = headline(answer.body)
    short += f', "{title}"' if title else ", without text"
    return ForeignAnswer(
        f"the answer from {url} is not from a Prominence server: {short}; {_advice(answer, request, url)}",
        status=answer.status,
        # Neither a proxy nor the server does what it refuses.
        may_have_happened=not request.reads and not 400 <= answer.status < 500,
    )


def _advice(answer: Answer, request: Request, url: str) -> str:
    """The next step. Some statuses tell more than others."""
    sent = len(request.body or b"")
    if answer.status == 400 and url.startswith("http:") and b"https" in answer.body.lower():
        return "the server at this port speaks https; write https:// instead of http://"
    if answer.status == 407:
        return "the proxy wants a user name and a password; put them into its URL, as in http://USER:PASSWORD@HOST:PORT"
    if answer.status == 413 and sent >= _SMALLEST_LIMIT:
        return (
            f"the proxy's limit on bodies is smaller than the {sent} bytes that were sent; ask its operator to raise "
            "it (client_max_body_size in nginx)"
        )
    if answer.status == 429:
        return "the proxy limits requests; try again later, or ask who runs the proxy"
    if answer.status in (502, 503):
        return "the proxy can't reach the server; check that the server is running, or ask who runs the proxy"
    if answer.status == 504:
        return "the server did not answer the proxy in time; try again later, or ask who runs the proxy"
    return "check PROMINENCE_URL, or ask who runs the proxy, where there is one"


def _error_body(answer: Answer) -> Optional[dict[str, Any]]:
    """The server's JSON of an error, read leniently: a later server may have more in it."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    has = isinstance(body.get("error"), str) and isinstance(body.get("code"), str)
    return body if has else None
