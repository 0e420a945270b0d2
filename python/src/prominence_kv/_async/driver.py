"""The driver of the store for event loops: httpx, whose connections belong to the loop that opened them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, Optional, Union, cast

import httpx

from .._core import words
from .._core.wire import Answer, Close, Failure, Open, Operation, Pause, ReadLine, Send, Step, T
from .._settings import tls
from .._settings.resolve import Settings
from .._version import __version__
from ..errors import BadRequest

_MAX_IDLE = 64
"""Connections that are kept: one for each task that may share a store."""

_MAX_IDLE_AGE = 3.0
"""A connection that was idle for longer is not used again; docs/retries.md says why."""

_MAX_FOREIGN = 64 << 10
"""Bytes that are read of an answer that is not the server's: its title is at the beginning."""

_MAX_LINE = 8 << 20
"""Bytes of a line of a stream."""


class _Lines:
    """The lines of an answer that goes on."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._parts: AsyncIterator[bytes] = response.aiter_raw()
        self._read = bytearray()

    async def next(self) -> bytes:
        """The next line, or what there is at the end."""
        start = 0
        while True:
            end = self._read.find(b"\n", start)
            if end >= 0 or len(self._read) > _MAX_LINE:
                break
            start = len(self._read)
            try:
                self._read += await self._parts.__anext__()
            except StopAsyncIteration:
                end = len(self._read) - 1
                break
        line = bytes(self._read[: end + 1])
        del self._read[: end + 1]
        return line


class Driver:
    """Does the steps of operations on an event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context: Optional[ssl.SSLContext] = None
        if settings.url.encrypted:
            self._context = tls.context(settings.certificates)
        self._base = httpx.URL(settings.url.text)
        self._client: Optional[httpx.AsyncClient] = None
        self._owner: Optional[tuple[int, asyncio.AbstractEventLoop]] = None

    async def close(self) -> None:
        """Closes all connections. The next request opens one again."""
        client, self._client = self._client, None
        if client is not None and self._owner == _here():
            await client.aclose()

    async def run(self, operation: Operation[T]) -> T:
        """Does an operation, and answers its result."""
        try:
            step = next(operation)
            while True:
                try:
                    answer = await self._do(step)
                except Failure as failure:
                    step = operation.throw(failure)
                else:
                    step = operation.send(answer)
        except StopIteration as done:
            return cast(T, done.value)

    async def _do(self, step: Step) -> Any:
        if isinstance(step, (Send, Open)):
            return await self._send(step)
        if isinstance(step, ReadLine):
            return await self._read_line(cast(_Lines, step.stream), step.within)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Close):
            return await cast(_Lines, step.stream).response.aclose()
        raise AssertionError(step)

    async def _send(self, step: Union[Send, Open]) -> Answer:
        request = step.request
        path = (self._settings.url.path + request.target).encode("ascii")
        silence = step.silence + request.held
        client = self._connections()
        try:
            built = client.build_request(
                request.method,
                self._base.copy_with(raw_path=path),
                headers=[("Authorization", step.token.bearer), *request.headers],
                content=request.body,
                timeout=httpx.Timeout(connect=step.connect, read=silence, write=silence, pool=None),
            )
            if built.url.raw_path != path:
                # httpx takes ".." for a step up, and so one key for another.
                raise BadRequest('a key can\'t have a segment "." or ".."; choose another name', code="bad_key")
            response = await client.send(built, stream=True)
            headers = {name.lower(): value for name, value in response.headers.items()}
            delimited = "content-length" in headers or "transfer-encoding" in headers
            answer = Answer(response.status_code, headers, delimited=delimited)
            # Whatever is not the server's is a page, and is read to be named.
            if isinstance(step, Open) and response.is_success and "x-request-id" in headers:
                answer.stream = _Lines(response)
                return answer
            try:
                limit = max(request.limit, 1 << 20)
                answer.body = await _read_whole(response, limit)
            finally:
                await response.aclose()
            return answer
        except httpx.HTTPError as error:
            raise self._failure(error) from None

    async def _read_line(self, lines: _Lines, within: float) -> bytes:
        try:
            return await asyncio.wait_for(lines.next(), within)
        except (asyncio.TimeoutError, httpx.TimeoutException):
            raise Failure("the server was silent for too long", sent=True) from None
        except (httpx.HTTPError, httpx.StreamError):
            raise Failure("the connection was closed", sent=True) from None

    def _connections(self) -> httpx.AsyncClient:
        """The connections of this loop in this process. Those of another one can't be used, nor closed, here."""
        if self._client is None or self._owner != _here():
            proxy = self._settings.proxy
            self._client = httpx.AsyncClient(
                # Without TLS, reading the machine's authorities would take longer than a request.
                verify=self._context if self._context is not None else False,
                # Which proxy to go through is decided by the rules of the other clients of this project.
                proxy=None if proxy is None else httpx.Proxy(proxy.url, auth=proxy.auth),
                trust_env=False,
                # A redirect would carry values to somewhere else than the caller named.
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=None,
                    max_keepalive_connections=_MAX_IDLE,
                    keepalive_expiry=_MAX_IDLE_AGE,
                ),
                headers={"User-Agent": f"prominence-kv/{__version__}", "Accept-Encoding": "identity"},
            )
            self._owner = _here()
        return self._client

    def _failure(self, error: httpx.HTTPError) -> Failure:
        text = str(error)
        if isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)):
            return words.slow_connection()
        if isinstance(error, httpx.ProxyError):
            return words.no_tunnel(text)
        if isinstance(error, httpx.ConnectError):
            cause = next((each for each in _causes(error) if isinstance(each, _EXACT)), None)
            return words.not_connected(cause if cause is not None else OSError(_without_name(text)))
        if isinstance(error, httpx.TimeoutException):
            return words.slow_answer()
        if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in text and "closed" not in text:
            return words.no_http(self._settings)
        return words.cut_off(self._settings)


_EXACT = (ssl.SSLError, socket.gaierror, ConnectionError)
"""What tells why a connection could not be made."""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those behind it; several addresses of a name may each have failed with one."""
    seen: Optional[BaseException] = error
    while seen is not None:
        yield seen
        for each in getattr(seen, "exceptions", ()):
            yield from _causes(each)
        seen = seen.__cause__ or seen.__context__


def _without_name(text: str) -> str:
    """The words of an error without its number, as in `[Errno 111] Connection refused`."""
    return text.rsplit("] ", 1)[-1]


def _here() -> tuple[int, asyncio.AbstractEventLoop]:
    return os.getpid(), asyncio.get_running_loop()


async def _read_whole(response: httpx.Response, limit: int) -> bytes:
    """The body, or as much of a page of somebody else as is needed to name it."""
    kind = response.headers.get("content-type", "")
    is_page = "x-request-id" not in response.headers or kind.startswith("text/html")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if is_page and len(body) > _MAX_FOREIGN:
            break
        if len(body) > limit:
            raise httpx.RemoteProtocolError("the answer is too long")
    return bytes(body)
