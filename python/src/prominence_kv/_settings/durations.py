"""Durations, as the interface writes them: `90s`, `15m`, `1h30m`, or a number of seconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Union

Duration = Union[str, int, float, timedelta]
"""A duration: text such as `"90s"`, `"15m"`, `"12h"`, `"7d"`, `"1h30m"`, a number of seconds, or a `timedelta`."""

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_FORMS = "write it as 90s, 15m, 12h, 7d, 1h30m or a number of seconds"


def seconds(duration: Duration) -> float:
    """The number of seconds, 0 included."""
    if isinstance(duration, timedelta):
        number = duration.total_seconds()
    elif isinstance(duration, str):
        number = float(_parse(duration))
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        number = float(duration)
    else:
        raise TypeError(f"{type(duration).__name__} is no duration; {_FORMS}")
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{duration!r} is no duration; {_FORMS}")
    return number


def whole_seconds(duration: Duration) -> int:
    """The number of whole seconds, as the interface takes it: at least 1, parts of a second rounded up."""
    number = seconds(duration)
    if number == 0:
        raise ValueError("a duration must be longer than 0")
    return math.ceil(number)


def _parse(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    found = _PARTS.fullmatch(text)
    if found is None or not text:
        raise ValueError(f'"{text}" is not a duration; {_FORMS}')
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS.values()))


def shown(number: float) -> str:
    """A number of seconds as people write it."""
    left = math.ceil(number)
    parts = []
    for letter, unit in _UNITS.items():
        if left >= unit:
            parts.append(f"{left // unit}{letter}")
            left %= unit
    return "".join(parts) or "0s"
