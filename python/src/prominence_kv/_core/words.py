"""Why no answer came, in a person's words, whichever driver met it."""

from __future__ import annotations

import os
import socket
import ssl

from .._settings import tls
from .._settings.resolve import Settings
from .wire import Failure


def not_connected(error: OSError) -> Failure:
    """Why a connection could not be made: nothing was sent."""
    if isinstance(error, ssl.SSLError):
        return Failure(tls.explain(error), sent=False, lasting=True)
    if isinstance(error, socket.gaierror):
        temporary = error.errno == socket.EAI_AGAIN
        reason = "this machine can't look names up now" if temporary else "there is no machine of this name"
        return Failure(reason, sent=False)
    if isinstance(error, (TimeoutError, socket.timeout)):
        return slow_connection()
    text = str(error)
    if text.startswith("Tunnel connection failed"):
        return no_tunnel(text)
    return Failure(words(error), sent=False)


def slow_connection() -> Failure:
    """The connection did not stand in time."""
    return Failure("the connection took too long", sent=False)


def slow_answer() -> Failure:
    """The answer did not come in time."""
    return Failure("the answer took too long", sent=True)


def no_tunnel(text: str) -> Failure:
    """The failure of a proxy to make a tunnel, from the library's text, which has its status."""
    status = next((int(word) for word in text.split() if word.isdigit()), 0)
    if status == 407:
        reason = (
            "the proxy wants a user name and a password; put them into its URL, as in http://USER:PASSWORD@HOST:PORT"
        )
    else:
        reason = f"the proxy answered {status} to CONNECT"
    return Failure(reason, sent=False, lasting=status < 502, proxy=True)


def cut_off(settings: Settings) -> Failure:
    """The connection ended before the answer did."""
    closed = "the connection was closed before the answer was complete"
    more = "" if settings.url.encrypted else " (a server that speaks https needs a URL with https://)"
    return Failure(closed + more, sent=True)


def no_http(settings: Settings) -> Failure:
    """The answer is no HTTP."""
    more = "" if settings.url.encrypted else "; if the server speaks https, write https:// instead of http://"
    return Failure(f"the answer is not valid HTTP{more}", sent=True, lasting=True)


def words(error: OSError) -> str:
    """The operating system's words for an error."""
    # Event loops put the address where the words belong.
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
