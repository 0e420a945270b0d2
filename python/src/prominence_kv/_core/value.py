"""Values: Python objects as bytes, and bytes that know their key, revision and times."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional, Union

from ..errors import ForeignAnswer
from .names import Key
from .wire import Answer

Storable = Union[
    bytes, bytearray, memoryview, str, int, float, bool, None, Mapping[str, Any], list[Any], tuple[Any, ...]
]
"""What can be stored: bytes as they are, text as UTF-8, everything else as JSON."""

_SHOWN = 60
"""Bytes of a value that `repr` shows."""

_SHOWN_HTML = 2_000
"""Characters of a value that a notebook shows."""


def encode(value: Any) -> bytes:
    """The bytes of a value: bytes as they are, text as UTF-8, everything else as JSON.

    >>> encode("grün"), encode(b"\\xff"), encode({"lr": 1e-3}), encode(True), encode(None)
    (b'gr\\xc3\\xbcn', b'\\xff', b'{"lr":0.001}', b'true', b'null')
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8")
    return dumps(value).encode("utf-8")


def dumps(value: Any) -> str:
    """A value as JSON in one line. Numbers and arrays of numpy and pandas are taken as Python's."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    # numpy's and pandas' scalars and arrays.
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(
        f"a value of the type {type(value).__name__} can't be stored; turn it into bytes, text, or what JSON has"
    )


@dataclass(frozen=True)
class Info:
    """What is known about a value."""

    key: Key
    revision: int
    """The commit that last touched the entry."""
    size: int
    """Bytes of the value."""
    created: Optional[datetime] = None
    modified: Optional[datetime] = None
    """When the value was last set."""
    expires: Optional[datetime] = None
    job: Optional[str] = None
    """The job whose token wrote it."""
    claimed_until: Optional[datetime] = None
    claimed_by: Optional[str] = None
    """The job that holds a live claim."""
    claims: int = 0
    """How many times it was claimed since the value was set."""


class Value(bytes):
    """A value: its bytes, and what is known about it.

    `bytes(value)`, `int(value)` and `float(value)` do as with other bytes; `value.text` and `value.json()` decode it.
    """

    info: Info

    def __new__(cls, content: bytes, info: Optional[Info] = None) -> Value:
        made = super().__new__(cls, content)
        made.info = info if info is not None else Info(Key(""), 0, len(content))
        return made

    @property
    def key(self) -> Key:
        """The key."""
        return self.info.key

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.info.key.name

    @property
    def revision(self) -> int:
        """The commit that last touched the entry; what `if_revision` takes."""
        return self.info.revision

    @property
    def created(self) -> Optional[datetime]:
        """When the key came into being."""
        return self.info.created

    @property
    def modified(self) -> Optional[datetime]:
        """When the value was last set."""
        return self.info.modified

    @property
    def expires(self) -> Optional[datetime]:
        """From when on the entry is gone."""
        return self.info.expires

    @property
    def job(self) -> Optional[str]:
        """The job whose token wrote it."""
        return self.info.job

    @property
    def text(self) -> str:
        """The value as text: UTF-8, and UTF-16 where a byte-order mark says so, without that mark."""
        for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
            if self.startswith(mark):
                return self.decode(encoding)
        return self.decode("utf-8-sig")

    def json(self) -> Any:
        """The value as JSON. `NaN` and `Infinity`, as Python writes them, are understood."""
        return json.loads(self.text)

    def __repr__(self) -> str:
        more = "…" if len(self) > _SHOWN else ""
        return f"<Value {self[:_SHOWN]!r}{more} key={str(self.key)!r} revision={self.revision}>"

    def _repr_html_(self) -> str:
        try:
            shown = self.text
        except UnicodeDecodeError:
            shown = f"{len(self)} bytes: {bytes(self[:_SHOWN]).hex(' ')}"
        more = "…" if len(shown) > _SHOWN_HTML else ""
        when = "" if self.modified is None else f", set at {self.modified:%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"<div><code>{html.escape(self.key)}</code> <small>revision {self.revision}{html.escape(when)}</small>"
            f"<pre>{html.escape(shown[:_SHOWN_HTML])}{more}</pre></div>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Value, (bytes(self), self.info)


def instant(text: Optional[str]) -> Optional[datetime]:
    """An instant as RFC 3339 writes it."""
    if text is None:
        return None
    try:
        # Python 3.9 and 3.10 don't read "Z".
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    except ValueError:
        return None


def value_of(answer: Answer, key: Key) -> Value:
    """The value in an answer."""
    return Value(answer.body, info_of(answer, key, len(answer.body)))


def info_of(answer: Answer, key: Key, size: int) -> Info:
    """What the headers of an answer with a value say."""
    tag = (answer.header("etag") or "").strip()
    tag = tag[2:] if tag.startswith("W/") else tag
    # Proxies that compress append to the tag.
    digits = tag.strip('"').split("-", 1)[0]
    if not digits.isdigit():
        raise ForeignAnswer("the answer has no revision; ask who runs the proxy in front of the server")
    modified = instant(answer.header("prominence-modified"))
    return Info(
        key=key,
        revision=int(digits),
        size=size,
        created=instant(answer.header("prominence-created")),
        modified=modified if modified is not None else _http_date(answer.header("last-modified")),
        expires=instant(answer.header("prominence-expires")),
        job=answer.header("prominence-job"),
        claimed_until=instant(answer.header("prominence-claimed-until")),
        claimed_by=answer.header("prominence-claimed-by"),
        claims=int(answer.header("prominence-claims") or 0),
    )


def info_of_detail(detail: Mapping[str, Any]) -> Info:
    """What a listing with details says of a key."""
    return Info(
        key=Key(detail["key"]),
        revision=detail["revision"],
        size=detail["size"],
        created=instant(detail.get("created")),
        modified=instant(detail.get("modified")),
        expires=instant(detail.get("expires")),
        job=detail.get("job"),
        claimed_until=instant(detail.get("claimed_until")),
        claimed_by=detail.get("claimed_by"),
        claims=detail.get("claims", 0),
    )


def content_of_detail(detail: Mapping[str, Any]) -> Optional[bytes]:
    """The bytes that a listing or an event has of a value."""
    if "value" in detail:
        return str(detail["value"]).encode("utf-8")
    if "value_base64" in detail:
        return base64.b64decode(detail["value_base64"])
    return None


def _http_date(text: Optional[str]) -> Optional[datetime]:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).astimezone(timezone.utc)
    except (TypeError, ValueError):
        return None
