"""Rows and keys: tables as `prominence kv load` stores them and `prominence kv gather` makes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ..errors import Conflict
from . import writes
from .listing import Pages, Query
from .names import key_of
from .persist import Core
from .value import content_of_detail, dumps
from .wire import Operation
from .writes import Ttl

_KNOWN = ("key", "job", "modified")
"""The columns that every row has."""

_RESULT, _INPUT = 0, 1
"""The two halves of a table."""


@dataclass(frozen=True)
class Loaded:
    """What loading rows did."""

    rows: int
    stored: int
    existing: int
    """Rows that `if_absent` left out because their keys exist."""
    removed: int
    """Rows of an earlier table that `replace` removed."""


class _Member(NamedTuple):
    """A column that is a member of objects."""

    side: int
    name: str


class _Whole(NamedTuple):
    """A column of values that are not objects: text, or base64 of what is no text."""

    side: int
    base64: bool


class Table:
    """Rows in the making: their columns are known when all are there."""

    def __init__(self, *, bare: bool) -> None:
        self._bare = bare
        self._columns: dict[Any, None] = {}
        self._rows: list[tuple[dict[str, Any], dict[Any, Any]]] = []

    def add(self, result: Mapping[str, Any], found_input: Optional[Mapping[str, Any]] = None) -> None:
        """Adds a row: what a listing with details and values has of a result, and of its input."""
        cells: dict[Any, Any] = {}
        if found_input is not None:
            cells.update(_cells(_INPUT, found_input))
        cells.update(_cells(_RESULT, result))
        for column in cells:
            self._columns.setdefault(column)
        known = {name: result.get(name) for name in _KNOWN}
        self._rows.append(({} if self._bare else known, cells))

    def rows(self) -> list[dict[str, Any]]:
        """All rows. A cell that a row lacks is left out of it; columns of inputs come first."""
        names = self._names()
        known = {name: names[name] for name in _KNOWN if name in names}
        ordered = sorted(self._columns, key=lambda column: -column.side)
        made = []
        for about, cells in self._rows:
            row = {known[name]: value for name, value in about.items()}
            for column in ordered:
                if column in cells:
                    row[names[column]] = cells[column]
            made.append(row)
        return made

    def _names(self) -> dict[Any, str]:
        """The names of all columns: members of results keep theirs, and others make way for them."""
        names: dict[Any, str] = {}
        taken: set[str] = set()

        def name(column: Any, wanted: str, beginning: str) -> None:
            while wanted in taken:
                wanted = beginning + wanted
            taken.add(wanted)
            names[column] = wanted

        members = [column for column in self._columns if isinstance(column, _Member)]
        for column in members:
            if column.side == _RESULT:
                name(column, column.name, "_")
        clashing = [each for each in members if each.side == _INPUT and each.name in taken]
        for column in members:
            if column.side == _INPUT and column not in clashing:
                name(column, column.name, "_")
        for column in clashing:
            name(column, column.name, "input_")
        for known in () if self._bare else _KNOWN:
            name(known, known, "_")
        for column in self._columns:
            if isinstance(column, _Whole):
                wanted = ("value", "input")[column.side] + ("_base64" if column.base64 else "")
                name(column, wanted, "_")
        return names


def _cells(side: int, detail: Mapping[str, Any]) -> dict[Any, Any]:
    content = content_of_detail(detail) or b""
    text = _text(content)
    try:
        value = None if text is None else json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return {_Member(side, name): member for name, member in value.items()}
    try:
        return {_Whole(side, False): content.decode("utf-8").removeprefix("\ufeff")}
    except UnicodeDecodeError:
        return {_Whole(side, True): base64.b64encode(content).decode("ascii")}


def _text(content: bytes) -> Optional[str]:
    is_utf_16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def records(rows: Any) -> list[Mapping[str, Any]]:
    """Rows as mappings: an iterable of them, or a table of pandas or polars."""
    if hasattr(rows, "to_dicts"):
        return list(rows.to_dicts())
    if hasattr(rows, "to_dict") and not isinstance(rows, Mapping):
        return list(rows.to_dict("records"))
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise TypeError("rows are an iterable of mappings, such as a list of dictionaries, or a table of pandas")
    return list(rows)


class Naming(NamedTuple):
    """How rows are named: by a column, or by numbers."""

    key: Optional[str]
    start: int
    pad: bool


def _pairs(folder: str, rows: list[Mapping[str, Any]], naming: Naming) -> list[tuple[Any, str]]:
    """The key and the JSON of each row."""
    key, start, pad = naming
    width = len(str(start + max(len(rows) - 1, 0))) if pad else 1
    made = []
    seen = set()
    for index, row in enumerate(rows):
        name = str(row[key]) if key is not None else f"{start + index:0{width}d}"
        # A cell names a key below the folder, also where it begins with "/".
        whole = key_of(folder, folder + name)
        if whole in seen:
            raise ValueError(f"two rows have the key {whole}; every row needs its own")
        seen.add(whole)
        made.append((whole, dumps(dict(row))))
    return made


def load(
    core: Core, folder: str, rows: Any, *, naming: Naming, ttl: Ttl, if_absent: bool, replace: bool
) -> Operation[Loaded]:
    """Stores rows in batches. Each batch is one commit; the table is not. With `replace`, rows of an earlier table go
    once all new ones are there."""
    pairs = _pairs(folder, records(rows), naming)
    if replace and not pairs:
        # Nothing would be left; a table that was not read to its end looks like this too.
        raise ValueError("the table has no rows, so nothing was stored or removed")
    stored = existing = 0
    for group in _groups(pairs):
        try:
            stored += yield from _store(core, group, ttl, if_absent)
        except Conflict:
            # Some of the keys exist; only single sets show which.
            for row in group:
                try:
                    stored += yield from _store(core, [row], ttl, if_absent)
                except Conflict:
                    existing += 1
    removed = 0
    if replace:
        removed = yield from _remove_others(core, folder, pairs, named=naming.key is not None)
    return Loaded(len(pairs), stored, existing, removed)


def _remove_others(core: Core, folder: str, rows: list[tuple[Any, str]], *, named: bool) -> Operation[int]:
    """Deletes the rows of an earlier table below a folder, and says how many there were: keys that are numbers, or,
    where a column names the keys, those as deep as the rows' own."""
    ours = {str(key) for key, _ in rows}
    depths = {key.count("/") for key in ours}

    def is_other(key: str) -> bool:
        is_row = key.count("/") in depths if named else re.fullmatch("[0-9]+", key[len(folder) :]) is not None
        return is_row and key not in ours

    removed = 0
    pages = Pages(core, Query(folder, one_level=not named))
    while pages.more:
        page = yield from pages.next_page()
        others = [key for key in page if is_other(key)]
        for start in range(0, len(others), writes.MAX_OPERATIONS):
            deletes = [{"delete": key} for key in others[start : start + writes.MAX_OPERATIONS]]
            yield from writes.batch(core, [], deletes)
        removed += len(others)
    return removed


def _store(core: Core, group: list[tuple[Any, str]], ttl: Ttl, if_absent: bool) -> Operation[int]:
    if len(group) == 1:
        # A single set takes what is too large for a batch.
        yield from writes.put(core, group[0][0], group[0][1], ttl=ttl, if_absent=if_absent)
        return 1
    conditions = [writes.condition(key, absent=True) for key, _ in group] if if_absent else []
    operations = [writes.set_operation(key, value, ttl) for key, value in group]
    yield from writes.batch(core, conditions, operations)
    return len(group)


def _groups(rows: list[tuple[Any, str]]) -> Iterable[list[tuple[Any, str]]]:
    """Rows in groups, each for one batch."""
    group: list[tuple[Any, str]] = []
    size = 0
    for key, value in rows:
        # JSON escapes a quote and a backslash in two bytes; a condition names the key once more.
        more = 4 * len(key.encode()) + 2 * len(value.encode()) + 100
        if group and (len(group) == writes.MAX_OPERATIONS or size + more > writes.MAX_BATCH - 32):
            yield group
            group, size = [], 0
        group.append((key, value))
        size += more
    if group:
        yield group
