"""Keys and prefixes: how names are joined, and how they are written in a URL."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

_SLASHES = re.compile("/{2,}")

# What stands unencoded in a path, as the project's other client writes it.
_PATH_SAFE = "-._~/@:,="
_QUERY_SAFE = "-._~/@:"


class Key(str):
    """A key: text that begins with `/`, with its parts at hand.

    >>> key = Key("/sweep/out/7")
    >>> key.name, key.parent
    ('7', '/sweep/out')
    >>> key.below("/sweep/")
    'out/7'
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """What stands behind the last `/`."""
        return str(self[self.rindex("/") + 1 :]) if "/" in self else str(self)

    @property
    def parent(self) -> str:
        """The key without its last part, `/` for a key of one part."""
        return str(self[: max(self.rfind("/"), 1)])

    def below(self, prefix: str) -> str:
        """What stands behind a prefix of the key."""
        if not self.startswith(prefix):
            raise ValueError(f"{self} does not begin with {prefix}")
        return str(self[len(prefix) :])


def joined(folder: str, name: str) -> str:
    """A name below a folder that ends in `/`. A name that begins with `/` is whole, as an absolute path is."""
    if not isinstance(name, str):
        raise TypeError(f"a key is a text, not {type(name).__name__}")
    whole = name if name.startswith("/") else folder + name
    return _SLASHES.sub("/", whole)


def key_of(folder: str, name: str) -> Key:
    """The key of a name. What else a key can't be is said by the server."""
    return Key(joined(folder, name))


def folder_of(prefix: str) -> str:
    """A prefix with a `/` at its end."""
    return prefix if prefix.endswith("/") else prefix + "/"


def path_of(name: str) -> str:
    """A key or prefix as the path of a request."""
    if name in ("", "/"):
        return "/kv"
    return "/kv" + quote(name, safe=_PATH_SAFE)


def query_value(text: str) -> str:
    """A text as the value of a parameter."""
    return quote(text, safe=_QUERY_SAFE)


def query_bytes(value: bytes) -> str:
    """Bytes as the value of a parameter."""
    return quote(value, safe="")


def decoded(text: str) -> str:
    """A name that is percent-encoded, as headers have it."""
    return unquote_to_bytes(text).decode("utf-8")
