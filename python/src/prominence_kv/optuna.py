"""Studies of Optuna in the store: its journal as keys, one for each record.

    import optuna, prominence_kv

    kv = prominence_kv.Store()
    study = optuna.create_study(storage=prominence_kv.optuna.storage(kv / "optuna/s1"))

Records are numbered without gaps. Appending is one batch, which succeeds only where its first number is free, so
that any number of processes on any number of machines append to one journal. Needs the package optuna, as in
`pip install 'prominence-kv[optuna]'`.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from typing import Any

try:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend
except ImportError as _error:
    raise ImportError(
        "prominence_kv.optuna needs the package optuna, 4.0 or later; install it with pip install "
        "'prominence-kv[optuna]'"
    ) from _error

from ._blocking.keys import Batch
from ._blocking.store import Store
from ._core.value import dumps
from ._core.writes import MAX_OPERATIONS
from .errors import Conflict, NoSuchKey, TooLarge, Unavailable

_DIGITS = 12
"""Digits of a record's number, so that records sort by it."""

_PART = 8_000
"""Bytes of a part of a record that is too long for one value: half of the usual limit on values, so that all parts
of a record, with the quotes escaped, fit into one batch of 1 MiB."""

_MOST_PARTS = 60
"""Parts of a record. JSON within JSON takes up to twice as many bytes, and a batch has 1 MiB."""

_WHOLE = 15_000
"""Bytes of a record that is stored as one value."""

_LONGEST_PAUSE = 0.5
"""The longest pause after another process has appended first."""


def storage(store: Store) -> JournalStorage:
    """A storage for `optuna.create_study`, kept below this part of the store."""
    return JournalStorage(JournalBackend(store))


class JournalBackend(BaseJournalBackend):
    """A journal of Optuna below a part of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = 0
        """The number of the next record, as far as this process knows."""

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """The records from this number on."""
        after = f"log/{log_number_from - 1:0{_DIGITS}d}" if log_number_from > 0 else None
        records = []
        for key, value in self._store.items("log/", after=after):
            records.append(self._record(key.name, value.json()))
        self._next = max(self._next, log_number_from + len(records))
        return records

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends records, as many in one commit as a batch takes."""
        waiting = [self._operations(log) for log in logs]
        while waiting:
            group: list[tuple[str, list[str]]] = []
            operations = 0
            while waiting and (not group or operations + 1 + len(waiting[0][1]) <= MAX_OPERATIONS):
                operations += 1 + len(waiting[0][1])
                group.append(waiting.pop(0))
            self._append(group)

    def _operations(self, log: dict[str, Any]) -> tuple[str, list[str]]:
        """A record's JSON with an id that no other record has, or the parts of it."""
        identity = secrets.token_hex(8)
        text = dumps({"id": identity, "log": log})
        if len(text.encode()) <= _WHOLE:
            return text, []
        # JSON in ASCII, so that characters are bytes.
        text = json.dumps(log, separators=(",", ":"))
        parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
        if len(parts) > _MOST_PARTS:
            raise TooLarge(
                f"a record of the study has {len(text)} bytes, and the limit is {_MOST_PARTS * _PART}; store large "
                "attributes elsewhere, and their place in the study"
            )
        return dumps({"id": identity, "parts": len(parts)}), parts

    def _append(self, group: list[tuple[str, list[str]]]) -> None:
        pause, lost = 0.01, False
        while True:
            first = self._next
            try:
                self._batch(first, group).commit()
                is_done = True
            except Conflict:
                # An earlier try, whose answer was lost, may have appended: its record has our id.
                is_done = lost and self._is_at(first, group[0][0])
            except Unavailable as error:
                if not error.may_have_happened:
                    raise
                lost, is_done = True, self._is_at(first, group[0][0])
                if not is_done and _name(first) not in self._store:
                    # The same number again, which at most one of the tries takes.
                    continue
            if is_done:
                self._next = first + len(group)
                return
            lost, self._next = False, self._free_number()
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _batch(self, first: int, group: list[tuple[str, list[str]]]) -> Batch:
        batch = self._store.batch().require(_name(first), absent=True)
        for number, (text, parts) in enumerate(group, first):
            batch.set(_name(number), text)
            identity = json.loads(text)["id"]
            for at, part in enumerate(parts):
                batch.set(f"part/{identity}/{at:03d}", part)
        return batch

    def _is_at(self, number: int, text: str) -> bool:
        there = self._store.get(_name(number))
        return there is not None and there == text.encode()

    def _free_number(self) -> int:
        """The number behind the last record, from the last one that is known on."""
        number = self._next
        after = _name(number - 1) if number > 0 else None
        for _ in self._store.keys("log/", after=after):
            number += 1
        return number

    def _record(self, name: str, stored: Any) -> dict[str, Any]:
        if "log" in stored:
            record: dict[str, Any] = stored["log"]
            return record
        found = [value.text for value in self._store.values(f"part/{stored['id']}/")]
        if len(found) != stored["parts"]:
            raise NoSuchKey(f"the record {name} of the study lacks {stored['parts'] - len(found)} of its parts")
        whole: dict[str, Any] = json.loads("".join(found))
        return whole


def _name(number: int) -> str:
    return f"log/{number:0{_DIGITS}d}"


__all__ = ["JournalBackend", "storage"]
