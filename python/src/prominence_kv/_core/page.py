"""Pages that are for people who look at them with a browser: their title, or their first line of text."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Optional

_SHOWN = 80
"""Characters of a page that are shown."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")


def headline(page: bytes) -> Optional[str]:
    """The title of a page, or its first line of text, as one line that can be printed anywhere."""
    try:
        text = page.decode("utf-8")
    except UnicodeDecodeError:
        return None
    title = _TITLE.search(text)
    lines = [title[1]] if title is not None else []
    lines += _TAG.sub("\n", text).splitlines()
    for line in lines:
        shown = _printable(line)
        if shown:
            return shown
    return None


def _printable(text: str) -> str:
    """One line without control characters and those that change the direction of text."""
    line = " ".join(html.unescape(text).split())
    line = "".join(each for each in line if unicodedata.category(each) not in ("Cc", "Cf"))
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
