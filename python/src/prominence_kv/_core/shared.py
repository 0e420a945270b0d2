"""What the blocking store and the one for event loops have in common: settings, names, and how they show themselves."""

from __future__ import annotations

import heapq
import html
from typing import Any, Optional

from .._settings.base_url import BaseUrl
from .._settings.credentials import Credentials
from .._settings.durations import seconds
from .._settings.proxy import named_proxy
from .._settings.resolve import Certificates, Settings
from ..errors import NoSuchKey
from . import names
from .listing import Pages, Query
from .names import Key
from .persist import Core
from .reads import get
from .tables import Table
from .value import Info, Value, content_of_detail, info_of_detail
from .wire import Operation


class StoreBase:
    """A store, or the part of one below a folder."""

    _core: Core
    _folder: str

    def key(self, name: str) -> Key:
        """The key of a name: a name below this store, or a whole key, which begins with `/`.

        >>> (kv / "sweep").key("out/1")
        '/sweep/out/1'
        >>> (kv / "sweep").key("/done")
        '/done'
        """
        return names.key_of(self._folder, name)

    def _prefix(self, prefix: str) -> str:
        """The whole of a prefix; the folder of this store where it is empty."""
        return names.joined(self._folder, prefix)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._core.url} {self._folder}>"

    def _repr_html_(self) -> str:
        url, folder = html.escape(self._core.url), html.escape(self._folder)
        return f"<div>{type(self).__name__} <code>{url}</code> <code>{folder}</code></div>"


def pickled(store: StoreBase) -> tuple[Any, ...]:
    """What a pickle of a store has in it: neither a token nor a proxy, which may have a password."""
    settings = store._core.settings
    url = settings.url
    times = (settings.connect, settings.silence, settings.retry_for)
    return url.text, url.place, settings.credentials, settings.certificates, times, store._folder


def unpickled(
    url: str,
    place: str,
    credentials: Credentials,
    certificates: Certificates,
    times: tuple[float, float, float],
) -> Settings:
    """The settings in a pickle; the proxy is that of this machine."""
    base = BaseUrl(url, place)
    proxy = named_proxy(base.host, base.encrypted)
    return Settings(base, credentials, certificates, proxy, *times)


def key_of_item(item: Any) -> Key:
    """A line of a listing of names."""
    return Key(item)


def value_of_item(item: Any) -> Value:
    """A line of a listing with details and values."""
    if isinstance(item, Value):
        return item
    return Value(content_of_detail(item) or b"", info_of_detail(item))


def pair_of_item(item: Any) -> tuple[Key, Value]:
    """The same as key and value."""
    value = value_of_item(item)
    return value.key, value


def info_of_item(item: Any) -> Info:
    """A line of a listing with details."""
    return info_of_detail(item)


class Newest:
    """The entries under a prefix whose values were set last: a listing of one page."""

    def __init__(self, core: Core, prefix: str, number: int) -> None:
        self._core = core
        self._prefix = prefix
        self._number = number
        self.more = True

    def next_page(self) -> Operation[list[Any]]:
        """Lists details, and then reads the values of the newest ones: memory has no more than these and a page."""
        self.more = False
        pages = Pages(self._core, Query(self._prefix, detail=True))
        newest: list[tuple[str, int, str]] = []
        while pages.more:
            page = yield from pages.next_page()
            several = [(each["modified"], each["revision"], each["key"]) for each in page]
            newest = heapq.nlargest(self._number, newest + several)
        values = []
        for _, _, key in newest:
            try:
                value = yield from get(self._core, Key(key))
            except NoSuchKey:
                # It was deleted meanwhile.
                continue
            values.append(value)
        return values


class FolderPages:
    """The folders of one level: a listing without its keys."""

    def __init__(self, core: Core, prefix: str) -> None:
        self._pages = Pages(core, Query(prefix, one_level=True))

    @property
    def more(self) -> bool:
        """Whether there is another page."""
        return self._pages.more

    def next_page(self) -> Operation[list[Any]]:
        """The folders of the next page."""
        page = yield from self._pages.next_page()
        return [name for name in page if name.endswith("/")]


def missing(core: Core, inputs: str, results: str) -> Operation[list[str]]:
    """The names below one folder for which another one has neither a key nor keys below it."""
    there: set[str] = set()
    pages = Pages(core, Query(results, one_level=False))
    while pages.more:
        for key in (yield from pages.next_page()):
            # A result may be a key, or several keys below a name.
            name = key[len(results) :]
            parts = name.split("/")
            there.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    absent = []
    pages = Pages(core, Query(inputs))
    while pages.more:
        page = yield from pages.next_page()
        absent += [key[len(inputs) :] for key in page if key[len(inputs) :] not in there]
    return absent


def table(core: Core, results: str, inputs: Optional[str], *, bare: bool) -> Operation[list[dict[str, Any]]]:
    """Rows of all values under a prefix, with those of the same name under another one beside them."""
    made = Table(bare=bare)
    beside: dict[str, Any] = {}
    if inputs is not None:
        pages = Pages(core, Query(inputs, detail=True, values=True))
        while pages.more:
            for detail in (yield from pages.next_page()):
                beside[detail["key"][len(inputs) :]] = detail
    pages = Pages(core, Query(results, detail=True, values=True))
    while pages.more:
        for detail in (yield from pages.next_page()):
            made.add(detail, beside.get(detail["key"][len(results) :]))
    return made.rows()


def optional_seconds(duration: Any) -> Optional[float]:
    """A duration that may be left out."""
    return None if duration is None else seconds(duration)
