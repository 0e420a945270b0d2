"""The driver of the blocking store: the standard library's HTTP client, with connections that threads share.

A connection is used by one thread at a time. Threads share up to 64 idle ones; a child process that was forked begins
without any, since two processes must not write to one connection.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from typing import Any, Optional, Union, cast

from .._core import words
from .._core.wire import (
    Answer,
    Close,
    Failure,
    Open,
    Operation,
    Pause,
    ReadLine,
    Request,
    Send,
    Step,
    T,
)
from .._settings import tls
from .._settings.credentials import Token
from .._settings.forks import after_fork_in_child
from .._settings.resolve import Settings
from .._version import __version__

_MAX_IDLE = 64
"""Connections that are kept: one for each thread that may share a store."""

_MAX_IDLE_AGE = 3.0
"""A connection that was idle for longer is not used again: servers and proxies close idle ones after 5 s or later,
and a request that is sent at that moment is lost without anybody knowing whether it was done."""

_MAX_FOREIGN = 64 << 10
"""Bytes that are read of an answer that is not the server's: its title is at the beginning."""

_MAX_LINE = 8 << 20
"""Bytes of a line of a stream."""


class _Plain(http.client.HTTPConnection):
    """A connection that never prints its requests, whose headers have the token."""

    debuglevel = 0

    def set_debuglevel(self, level: int) -> None:
        """Has no effect."""


class _Encrypted(http.client.HTTPSConnection):
    """The same over TLS."""

    debuglevel = 0

    def set_debuglevel(self, level: int) -> None:
        """Has no effect."""


class _Lines:
    """The lines of an answer that goes on, and the connection that they come from."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        connection: http.client.HTTPConnection,
        connected: socket.socket,
    ) -> None:
        self.response = response
        self.connection = connection
        # A connection that the server closes after this answer forgets its socket.
        self.connected = connected


class Driver:
    """Does the steps of operations, and waits for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context: Optional[ssl.SSLContext] = None
        if settings.url.encrypted:
            self._context = tls.context(settings.certificates)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        after_fork_in_child(self)

    def after_fork(self) -> None:
        """Another thread of the parent may have had the lock; the connections are the parent's."""
        self._lock = threading.Lock()
        idle, self._idle = self._idle, []
        for _, connection in idle:
            # Closes the child's end alone: nothing is sent.
            connection.close()

    def __del__(self) -> None:
        for _, connection in getattr(self, "_idle", ()):
            connection.close()

    def close(self) -> None:
        """Closes the connections that nobody uses. The next request opens one again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def run(self, operation: Operation[T]) -> T:
        """Does an operation, and answers its result."""
        try:
            step = next(operation)
            while True:
                try:
                    answer = self._do(step)
                except Failure as failure:
                    step = operation.throw(failure)
                else:
                    step = operation.send(answer)
        except StopIteration as done:
            return cast(T, done.value)

    def _do(self, step: Step) -> Any:
        if isinstance(step, (Send, Open)):
            return self._send(step)
        if isinstance(step, ReadLine):
            return _read_line(cast(_Lines, step.stream), step.within)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if isinstance(step, Close):
            lines = cast(_Lines, step.stream)
            lines.response.close()
            return lines.connection.close()
        raise AssertionError(step)

    def _send(self, step: Union[Send, Open]) -> Answer:
        connection = self._connection(step.connect, step.silence + step.request.held)
        try:
            answer, response = self._exchange(connection, step)
        except BaseException:
            connection.close()
            raise
        if answer.stream is None:
            if response.will_close or not response.isclosed():
                connection.close()
            else:
                self._keep(connection)
        return answer

    def _exchange(
        self, connection: http.client.HTTPConnection, step: Union[Send, Open]
    ) -> tuple[Answer, http.client.HTTPResponse]:
        connected = connection.sock
        try:
            self._write(connection, step.request, step.token)
            response = connection.getresponse()
            headers = {name.lower(): _utf_8(value) for name, value in response.getheaders()}
            delimited = "content-length" in headers or "transfer-encoding" in headers
            answer = Answer(response.status, headers, delimited=delimited)
            # Whatever is not the server's is a page, and is read to be named.
            if isinstance(step, Open) and 200 <= response.status < 300 and "x-request-id" in headers:
                answer.stream = _Lines(response, connection, connected)
            else:
                answer.body = _read_whole(response, headers, step.request)
            return answer, response
        except (TimeoutError, socket.timeout):  # One and the same since Python 3.10.
            raise words.slow_answer() from None
        except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            raise words.cut_off(self._settings) from None
        except http.client.HTTPException:
            raise words.no_http(self._settings) from None
        except OSError as error:
            raise Failure(words.words(error), sent=True) from None

    def _write(self, connection: http.client.HTTPConnection, request: Request, token: Token) -> None:
        settings = self._settings
        path = settings.url.path + request.target
        if settings.proxy is not None and not settings.url.encrypted:
            # A proxy passes on what is asked for with the whole URL (RFC 9112, section 3.2.2).
            path = settings.url.text + request.target
        connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", settings.url.authority)
        connection.putheader("Authorization", token.bearer)
        connection.putheader("User-Agent", f"prominence-kv/{__version__}")
        if settings.proxy is not None and not settings.url.encrypted:
            authorization = settings.proxy.authorization()
            if authorization is not None:
                connection.putheader("Proxy-Authorization", authorization)
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("Content-Length", str(len(request.body)))
        try:
            connection.endheaders(request.body or None)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a request by its head may have answered before it closed the connection.
            pass

    def _connection(self, connect: float, silence: float) -> http.client.HTTPConnection:
        """A kept connection that is still open, or a new one."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                break
            since, connection = kept
            if time.monotonic() - since < _MAX_IDLE_AGE and _is_open(connection.sock):
                connection.sock.settimeout(silence)
                return connection
            connection.close()
        connection = self._new(connect)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise words.not_connected(error) from None
            if isinstance(error, http.client.HTTPException):
                raise Failure("the proxy's answer is not valid HTTP", sent=False, proxy=True) from None
            raise
        connection.sock.settimeout(silence)
        return connection

    def _new(self, within: float) -> http.client.HTTPConnection:
        url, proxy = self._settings.url, self._settings.proxy
        host, port = (url.host, url.port) if proxy is None else (proxy.host, proxy.port)
        if self._context is None:
            return _Plain(host, port, timeout=within)
        connection = _Encrypted(host, port, timeout=within, context=self._context)
        if proxy is not None:
            authorization = proxy.authorization()
            headers = {} if authorization is None else {"Proxy-Authorization": authorization}
            connection.set_tunnel(url.host, url.port, headers)
        return connection

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()


def _is_open(connected: socket.socket) -> bool:
    """Whether the other end has neither closed a kept connection nor sent what nobody has asked for."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(connected, select.POLLIN)
            return not poll.poll(0)
        return not select.select([connected], [], [], 0)[0]
    except (OSError, ValueError):
        return False


def _read_whole(response: http.client.HTTPResponse, headers: dict[str, str], request: Request) -> bytes:
    """The body, or as much of a page of somebody else as is needed to name it."""
    is_page = "x-request-id" not in headers or headers.get("content-type", "").startswith("text/html")
    limit = _MAX_FOREIGN if is_page else max(request.limit, 1 << 20)
    parts, total = [], 0
    while True:
        part = response.read(min(1 << 16, limit + 1 - total))
        total += len(part)
        parts.append(part)
        if not part or total > limit:
            break
    if total > limit and not is_page:
        raise http.client.HTTPException("the answer is too long")
    body = b"".join(parts)
    # Some versions of Python take a body that breaks off for a whole one where it is read in parts.
    announced = headers.get("content-length", "")
    if request.method != "HEAD" and announced.isdigit() and not is_page and total < int(announced):
        raise http.client.IncompleteRead(b"")
    return body


def _read_line(lines: _Lines, within: float) -> bytes:
    try:
        lines.connected.settimeout(within)
        line = lines.response.readline(_MAX_LINE)
    except (TimeoutError, socket.timeout):
        raise Failure("the server was silent for too long", sent=True) from None
    except (http.client.HTTPException, OSError, ValueError):
        raise Failure("the connection was closed", sent=True) from None
    return line


def _utf_8(header: str) -> str:
    """The text of a header: the server writes UTF-8, and the library reads Latin-1."""
    return header.encode("latin-1", "replace").decode("utf-8", "replace")
