"""What travels between the operations, which know no network, and the drivers, which know no operations.

An operation is a generator: it yields steps, and is sent the answer of each. One driver does the steps with the
standard library's HTTP client, another one on an event loop, so that every rule is written once.
"""

from __future__ import annotations

import enum
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Protocol, TypeVar, Union

from .._settings.credentials import Token

T = TypeVar("T")

MAX_SMALL = 1 << 20
"""Bytes of an answer that is one small JSON object, or an error."""

MAX_VALUE = 1 << 20
"""Bytes of a value: the largest limit that a server can have."""

MAX_PAGE = 64 << 20
"""Bytes of a page. The server ends one at about 8 MiB, and JSON writes a control character in six bytes."""


class Repeat(enum.Enum):
    """Whether a request may be sent again without knowing what became of it."""

    SAFE = "doing it twice is as good as doing it once"
    IF_NOT_APPLIED = "only where it is certain that it was not done"


@dataclass(frozen=True)
class Request:
    """What to ask for."""

    method: str
    target: str
    """Below the base URL, with its query string."""
    headers: tuple[tuple[str, str], ...] = ()
    body: Optional[bytes] = None
    repeat: Repeat = Repeat.SAFE
    limit: int = MAX_SMALL
    """The longest answer that makes sense."""
    held: float = 0.0
    """How long the server may hold it before it answers."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method in ("GET", "HEAD")


class Stream(Protocol):
    """The lines of an answer that goes on; each driver has its own kind."""


@dataclass
class Answer:
    """An answer. The body of a stream is read line by line."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes = b""
    delimited: bool = True
    """Whether the end of the body could be told from a broken connection."""
    stream: Optional[Stream] = None
    reason: str = field(default="")

    def header(self, name: str) -> Optional[str]:
        return self.headers.get(name.lower())


class Failure(Exception):
    """No answer came. Has no part of the request, and so no token."""

    def __init__(self, reason: str, *, sent: bool, lasting: bool = False, proxy: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        """Whether the request may have reached the server."""
        self.lasting = lasting
        """Whether another try can't help."""
        self.proxy = proxy
        """Whether it is the proxy's failure."""


class Send(NamedTuple):
    """Send a request, and read the answer whole. Answers an `Answer`, or throws a `Failure`."""

    request: Request
    token: Token
    connect: float
    """The longest time until a connection stands."""
    silence: float
    """The longest silence of the server, beyond the time for which it may hold the request."""


class Open(NamedTuple):
    """The same, and leave the body of a success to be read."""

    request: Request
    token: Token
    connect: float
    silence: float


class ReadLine(NamedTuple):
    """Read a line of a stream, within a time. Answers the bytes, or `b""` at the end."""

    stream: Stream
    within: float


class Close(NamedTuple):
    """Close a stream."""

    stream: Stream


class Pause(NamedTuple):
    """Wait for so many seconds."""

    seconds: float


Step = Union[Send, Open, ReadLine, Close, Pause]
Operation = Generator[Step, Any, T]
