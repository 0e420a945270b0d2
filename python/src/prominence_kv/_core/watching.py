"""Watching changes as they happen, over as many connections as it takes, as operations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ..errors import Gone, StoreError
from . import answers, names, persist
from .answers import bad_answer, is_marked
from .clock import now
from .listing import Pages, Query
from .names import Key
from .persist import Backoff, Core, Failed
from .value import Info, Value, content_of_detail, info_of_detail, instant
from .wire import Close, Failure, Operation, Pause, ReadLine, Repeat, Request, Stream

_MAX_LINE = 8 << 20
"""Bytes of a line. The largest value takes four thirds of a MiB in base64, and JSON more for control characters."""


@dataclass(frozen=True)
class Change:
    """A change: what happened to which key, and how the entry is since then."""

    kind: str
    """`"put"`, `"delete"`, `"expire"`, or `"existing"` for a key that was there when the watch began."""
    key: Key
    revision: int
    """The commit."""
    time: Optional[datetime]
    job: Optional[str] = None
    """The job whose token changed it."""
    cause: Optional[str] = None
    """What a put was: `"set"`, `"claim"`, `"renew"` or `"release"`."""
    value: Optional[Value] = None
    """The value, where values are asked for and no later change has superseded it."""
    info: Optional[Info] = None
    """What is known about the entry after a put."""

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.name


class WatchCore:
    """The changes under a prefix, in order, none twice and none missing."""

    def __init__(
        self,
        core: Core,
        prefix: str,
        *,
        since: Optional[int],
        values: bool,
        existing: bool,
        timeout: Optional[float],
        reconnect_for: float,
    ) -> None:
        self._core = core
        self._prefix = prefix
        self._since = since
        self._values = values
        self._reconnect_for = reconnect_for
        self._ends = None if timeout is None else now() + timeout
        self._listing = Pages(core, Query(prefix, detail=True, values=values)) if existing else None
        self._waiting: list[Change] = []
        self._stream: Optional[Stream] = None
        self._last_id: Optional[str] = None
        self._outage_since: Optional[float] = None
        self._backoff = Backoff()
        self._over = False

    def next_change(self) -> Operation[Optional[Change]]:
        """The next change; `None` at the end of the time."""
        while not self._over:
            if self._waiting:
                return self._waiting.pop(0)
            if self._ends is not None and now() >= self._ends:
                break
            if self._listing is not None and self._listing.more:
                yield from self._list(self._listing)
            elif self._stream is None:
                yield from self._connect()
            else:
                change = yield from self._read(self._stream)
                if change is not None:
                    return change
        yield from self.close()
        return None

    def close(self) -> Operation[None]:
        """Ends the watch."""
        self._over = True
        stream, self._stream = self._stream, None
        if stream is not None:
            yield Close(stream)

    def _list(self, listing: Pages) -> Operation[None]:
        details = yield from listing.next_page()
        for detail in details:
            about = info_of_detail(detail)
            content = content_of_detail(detail) if self._values else None
            value = None if content is None else Value(content, about)
            self._waiting.append(
                Change("existing", about.key, about.revision, about.modified, about.job, None, value, about)
            )
        if not listing.more:
            self._since = listing.first_revision

    def _connect(self) -> Operation[None]:
        """Opens a connection, behind the last event."""
        request = self._request()
        try:
            answer = yield from persist.attempt(self._core, request, stream=True)
            is_stream = answers.is_success(answer) and is_marked(answer)
            if is_stream and answer.stream is not None:
                self._stream = answer.stream
                return
            persist.judge(self._core, request, answer)
            raise Failed(bad_answer("it is no stream of events", self._core.url), Repeat.SAFE)
        except Failed as failed:
            error, asked = failed.error, failed.retry_after
        if not answers.is_transient(error):
            yield from self.close()
            raise error
        yield from self._broken(error, asked, told=False)

    def _broken(self, error: StoreError, asked: Optional[float], *, told: bool) -> Operation[None]:
        """The connection is gone: waits a little before the next, or gives up."""
        stream, self._stream = self._stream, None
        if stream is not None:
            yield Close(stream)
        if self._outage_since is None:
            self._outage_since, self._backoff = now(), Backoff()
        left = max(self._reconnect_for - (now() - self._outage_since), 0.0)
        pause = self._backoff.pause(left, asked)
        if pause is None:
            self._over = True
            raise error
        # A stream that ends, as proxies end idle ones, is no trouble if the next one begins.
        if not told:
            persist.notify(self._core, error, left, pause, self._outage_since)
        if self._ends is not None:
            pause = max(min(pause, self._ends - now()), 0.0)
        yield Pause(pause)

    def _read(self, stream: Stream) -> Operation[Optional[Change]]:
        """The next event, or `None` after a comment, at the end of the stream, and at the end of the time."""
        block: dict[str, str] = {}
        while True:
            # The server sends something every 15 s; the usual time-out notices that it does not.
            silence = self._core.settings.silence
            left = silence if self._ends is None else min(silence, max(self._ends - now(), 0.001))
            try:
                line: bytes = yield ReadLine(stream, left)
            except Failure as failure:
                if self._ends is not None and now() >= self._ends:
                    return None
                error = bad_answer(failure.reason, self._core.url)
                yield from self._broken(error, None, told=True)
                return None
            if not line.endswith(b"\n"):
                # A block that the end cuts off is none, as the standard wants it.
                yield from self._broken(bad_answer("it ended", self._core.url), None, told=True)
                return None
            text = line.rstrip(b"\r\n").decode("utf-8", "replace")
            if text == "" and block:
                return self._understood(block)
            name, _, value = text.partition(":")
            if name == "" and not block:
                self._outage_since = None
                return None
            value = value[1:] if value.startswith(" ") else value
            block[name] = f"{block[name]}\n{value}" if name == "data" and "data" in block else value

    def _understood(self, block: dict[str, str]) -> Optional[Change]:
        try:
            return self._event(block)
        except (ValueError, KeyError) as error:
            self._over = True
            raise bad_answer(f"an event can't be read: {error!r}", self._core.url) from None

    def _event(self, block: dict[str, str]) -> Optional[Change]:
        self._outage_since = None
        self._last_id = block.get("id", self._last_id)
        kind = block.get("event", "")
        if kind == "reset":
            self._over = True
            revision = int(json.loads(block["data"])["revision"])
            raise Gone(
                "changes are missing, because this watch fell behind what the server keeps; list the keys, and "
                f"watch again since {revision}",
                revision=revision,
            )
        if kind not in ("put", "delete", "expire"):
            # What a later server may tell beside.
            return None
        change = _change(kind, json.loads(block["data"]))
        # A listing is made of several snapshots, and the watch begins at the first one's.
        if self._listing is not None and self._listing.shows(change.key, change.revision):
            return None
        return change

    def _request(self) -> Request:
        target = f"{names.path_of(self._prefix)}?watch"
        target += "&values" if self._values else ""
        target += "" if self._since is None else f"&since={self._since}"
        headers = () if self._last_id is None else (("Last-Event-ID", self._last_id),)
        return Request("GET", target, headers)


def _change(kind: str, data: dict[str, Any]) -> Change:
    key, revision = Key(data["key"]), int(data["revision"])
    about = None
    if kind == "put":
        about = Info(
            key=key,
            revision=revision,
            size=data.get("size", 0),
            created=instant(data.get("created")),
            modified=instant(data["time"]) if data.get("change", "set") == "set" else None,
            expires=instant(data.get("expires")),
            job=data.get("job"),
            claimed_until=instant(data.get("claimed_until")),
            claimed_by=data.get("claimed_by"),
            claims=data.get("claims", 0),
        )
    content = content_of_detail(data)
    return Change(
        kind=kind,
        key=key,
        revision=revision,
        time=instant(data.get("time")),
        job=data.get("job"),
        cause=data.get("change"),
        value=None if content is None else Value(content, about),
        info=about,
    )
