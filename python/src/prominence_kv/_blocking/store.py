"""The blocking store, made of its parts; and its methods for tables and the account."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Optional

from .._core import reads, shared, tables
from .._core.names import folder_of
from .._core.persist import Core
from .._core.tables import Loaded
from .._core.writes import Ttl
from .._settings.durations import Duration
from .._settings.resolve import resolve
from .driver import Driver
from .keys import KeyMethods
from .lists import ListMethods
from .waits import WaitMethods


class Store(KeyMethods, ListMethods, WaitMethods):
    """The keys of a user, reached with the user's token.

    Without arguments the address is `$PROMINENCE_URL`, and the token `$PROMINENCE_TOKEN`, the file that
    `$PROMINENCE_TOKEN_FILE` names, or `~/.prominence/token`; profiles of `~/.config/prominence/config.toml` are read
    as by the command line. Threads may share a store, and so may the children of a fork. It has no connection until
    the first request.

    >>> kv["/input/param1"] = 42
    >>> int(kv["/input/param1"])
    42
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        token_file: Optional[str] = None,
        profile: Optional[str] = None,
        ca_file: Optional[str] = None,
        verify: Optional[bool] = None,
        retry_for: Optional[Duration] = None,
        timeout: Optional[Duration] = None,
    ) -> None:
        """
        - `url`: the address, such as `http://127.0.0.1:8080/prominence/v1`
        - `token`: the token itself, or `token_file`: a file with it, which is read again when the token ends
        - `profile`: a profile of the client file, which then beats the environment
        - `ca_file`: certificates of the authorities that vouch for the server; `verify=False` checks nothing
        - `retry_for`: how long a request is repeated while the server is away; a minute, and 0 for not at all
        - `timeout`: how long the server may be silent before a connection counts as lost; a minute
        """
        settings = resolve(
            url,
            token,
            token_file=token_file,
            profile=profile,
            ca_file=ca_file,
            verify=verify,
            retry_for=retry_for,
            timeout=timeout,
        )
        self._begin(Driver(settings), Core(settings), "/")

    def _begin(self, driver: Driver, core: Core, folder: str) -> None:
        self._driver = driver
        self._core = core
        self._folder = folder

    def __truediv__(self, folder: str) -> Store:
        """The part of the store below a folder, which shares the connections.

        >>> sweep = kv / "sweep"
        >>> sweep["in/1"] = {"lr": 0.001, "depth": 4}
        >>> kv["/sweep/in/1"].json()["depth"]
        4
        """
        below = Store.__new__(Store)
        below._begin(self._driver, self._core, folder_of(self.key(folder)))
        return below

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, shared.pickled(self)

    def close(self) -> None:
        """Closes the connections that nobody uses. The next request opens one again."""
        self._driver.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def load(
        self,
        folder: str,
        rows: Any,
        *,
        key: Optional[str] = None,
        start: int = 1,
        pad: bool = False,
        ttl: Ttl = None,
        if_absent: bool = False,
        replace: bool = False,
    ) -> Loaded:
        """A key for each row, as `prominence kv load` makes them: `folder/1`, `folder/2` and so on, with the JSON
        object of the row. Rows are mappings, or a table of pandas or polars. `key` names the column that names the
        keys; `start` is the first number; `pad` writes zeros before numbers. `replace` then deletes the rows of an
        earlier table below the folder: other numbers, or with `key` other keys as deep as the rows'.

        >>> kv.load("/in", [{"lr": 0.1}, {"lr": 0.2}]).stored
        2
        >>> kv["/in/2"].json()
        {'lr': 0.2}
        """
        naming, below = tables.Naming(key, start, pad), folder_of(self.key(folder))
        loading = tables.load(self._core, below, rows, naming=naming, ttl=ttl, if_absent=if_absent, replace=replace)
        return self._driver.run(loading)

    def table(self, prefix: str, *, join: Optional[str] = None, bare: bool = False) -> list[dict[str, Any]]:
        """Rows of all values under a prefix, as `prominence kv gather` makes them: `key`, `job`, `modified`, and the
        members of values that are JSON objects; `pandas.DataFrame(kv.table("/out/"))` is a table of them. `join` puts
        the values of the same names below another folder beside them, `bare` leaves the first three columns out.

        >>> kv["/in/1"], kv["/out/1"] = {"lr": 0.1}, {"loss": 3}
        >>> kv.table("/out/", join="/in/", bare=True)
        [{'lr': 0.1, 'loss': 3}]
        """
        results, inputs = self._prefix(prefix), None
        if join is not None:
            results, inputs = folder_of(results), folder_of(self._prefix(join))
        return self._driver.run(shared.table(self._core, results, inputs, bare=bare))

    def missing(self, inputs: str, results: str) -> list[str]:
        """The names of inputs without a result: neither a key of that name nor keys below it."""
        folders = folder_of(self._prefix(inputs)), folder_of(self._prefix(results))
        return self._driver.run(shared.missing(self._core, *folders))

    def usage(self) -> Mapping[str, Any]:
        """What the namespace holds and may hold: `keys`, `bytes` and `limits`."""
        return self._driver.run(reads.ask_object(self._core, "/kv?usage"))

    def whoami(self) -> Mapping[str, Any]:
        """Who the token says the caller is: `user`, `job`, `scopes`, `expires` and `issuer`."""
        return self._driver.run(reads.ask_object(self._core, "/whoami"))


def _unpickled(url: str, place: str, credentials: Any, certificates: Any, times: Any, folder: str) -> Store:
    settings = shared.unpickled(url, place, credentials, certificates, times)
    store = Store.__new__(Store)
    store._begin(Driver(settings), Core(settings), folder)
    return store
