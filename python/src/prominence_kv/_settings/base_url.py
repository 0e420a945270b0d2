"""Where the service is."""

from __future__ import annotations

from typing import Optional
from urllib.parse import urlsplit

from ..errors import SettingsError

BASE = "/prominence/v1"


class BaseUrl:
    """The address that every path is appended to, such as `https://kv.example.org/prominence/v1`."""

    def __init__(self, text: str, place: str) -> None:
        self.place = place
        """The setting that the address comes from, for messages."""
        self.text, self.host, self.port, self.encrypted = _parsed(text.strip(), place)
        """Without a `/` at its end."""

    @property
    def path(self) -> str:
        """The path that every path is appended to."""
        return self.text[self.text.index("/", self.text.index("://") + 3) :]

    @property
    def authority(self) -> str:
        """Host and port."""
        return self.text[self.text.index("://") + 3 :].split("/", 1)[0]

    def meant(self) -> Optional[str]:
        """The address that was probably meant, where a server has answered that nothing is at this one."""
        origin = self.text[: len(self.text) - len(self.path)]
        above = ""
        for segment in self.path.split("/")[1:]:
            if segment == "prominence":
                break
            above += "/" + segment
        is_below = len(above) < len(self.path) and not self.path.endswith(BASE)
        meant = origin + (above if is_below else "") + BASE
        return None if meant == self.text else meant


def _parsed(given: str, place: str) -> tuple[str, str, int, bool]:
    def refused(why: str) -> SettingsError:
        return SettingsError(f"{why}; correct {place}, such as http://127.0.0.1:8080{BASE}")

    # A password must not end up in an error message.
    shown = given.rpartition("@")[2]
    no_url = refused(f'"{shown}" is no URL; it looks like http://HOST:PORT{BASE}')
    if any(character <= " " or character > "~" for character in given):
        raise no_url
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise no_url from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise no_url
    for has, part in (
        ("@" in parts.netloc, "a user name or password"),
        ("?" in given, "a query"),
        ("#" in given, "a fragment"),
    ):
        if has:
            raise refused(f'the URL "{shown}" must not have {part}; leave that out')
    if not parts.hostname:
        raise no_url
    text = given.rstrip("/")
    if not parts.path.strip("/"):
        raise refused(f'the URL "{text}" lacks the path of the interface; write {text}{BASE}')
    end = text.find(BASE + "/")
    if end >= 0:
        raise refused(f'the URL "{text}" goes on after {BASE}; write {text[: end + len(BASE)]}')
    encrypted = parts.scheme == "https"
    return text, parts.hostname, port or (443 if encrypted else 80), encrypted
