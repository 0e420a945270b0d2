"""Listing keys, page by page.

Each page is one complete JSON array, so that an answer that broke off can't be mistaken for a shorter listing, and
one page is all that is ever held in memory.
"""

from __future__ import annotations

import bisect
import json
import re
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote

from . import names, persist
from .answers import bad_answer
from .persist import Core
from .wire import MAX_PAGE, Answer, Operation, Request

MAX_PAGE_KEYS = 10_000
"""Keys on one page."""

_AFTER = re.compile(r"<[^>]*[?&]after=([^&>]*)[^>]*>")


class Query(NamedTuple):
    """What a listing shows."""

    prefix: str
    detail: bool = False
    values: bool = False
    one_level: bool = False
    limit: Optional[int] = None
    after: Optional[str] = None


class Pages:
    """A listing: its next page, and of which revisions its pages were."""

    def __init__(self, core: Core, query: Query) -> None:
        self._core = core
        self._query = query
        self.more = True
        """Whether there is another page."""
        self._ends: list[str] = []
        self._revisions: list[int] = []
        self._last: Optional[int] = None

    @property
    def first_revision(self) -> Optional[int]:
        """The revision from which a watch continues the listing without a gap."""
        return self._revisions[0] if self._revisions else self._last

    def shows(self, key: str, revision: int) -> bool:
        """Whether the listing already showed what a change of this revision did to this key."""
        at = bisect.bisect_left(self._ends, key)
        page = self._revisions[at] if at < len(self._revisions) else self._last
        return page is not None and revision <= page

    def next_page(self) -> Operation[list[Any]]:
        """The items of the next page."""
        request = Request("GET", self._target(), limit=MAX_PAGE)
        answer = yield from persist.send(self._core, request)
        page = self._items(answer)
        after = self._after(answer)
        revision = answer.header("prominence-revision")
        if revision is not None and revision.isdigit():
            if after is None:
                self._last = int(revision)
            else:
                self._ends.append(after)
                self._revisions.append(int(revision))
        left = None if self._query.limit is None else self._query.limit - len(page)
        self.more = after is not None and (left is None or left > 0)
        self._query = self._query._replace(after=after, limit=left)
        return page

    def _items(self, answer: Answer) -> list[Any]:
        try:
            page = json.loads(answer.body)
        except ValueError as error:
            raise bad_answer(str(error), self._core.url) from None
        if not isinstance(page, list):
            raise bad_answer("it is no JSON array", self._core.url)
        return page

    def _after(self, answer: Answer) -> Optional[str]:
        """Where the next page starts. The rest of the link may name the server as only a proxy in front knows it."""
        link = answer.header("link")
        if link is None:
            return None
        found = _AFTER.search(link)
        if found is None:
            raise bad_answer(f"its next page is unclear: {link}", self._core.url)
        after = unquote(found[1])
        # Going on where this page began would never end.
        if self._query.after is not None and after.encode() <= self._query.after.encode():
            raise bad_answer("its next page does not lie ahead", self._core.url)
        return after

    def _target(self) -> str:
        query = self._query
        limit = MAX_PAGE_KEYS if query.limit is None else min(query.limit, MAX_PAGE_KEYS)
        target = f"{names.path_of(query.prefix)}?list&limit={limit}"
        target += "&detail" if query.detail else ""
        target += "&values" if query.values else ""
        target += "&delimiter=/" if query.one_level else ""
        if query.after is not None:
            target += f"&after={names.query_value(query.after)}"
        return target
