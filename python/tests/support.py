"""What the tests share: real servers, stores of both kinds, and processes.

Expects the program in PROMINENCE_TEST_PROGRAM. PROMINENCE_TEST_ENGINE has further arguments of `prominence serve`, and
PROMINENCE_TEST_WITHOUT_HTTPX says that this Python has no httpx, so that only the blocking store is tested.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from prominence_kv import Store

PROGRAM = os.environ["PROMINENCE_TEST_PROGRAM"]
ENGINE = shlex.split(os.environ.get("PROMINENCE_TEST_ENGINE", ""))
HAS_HTTPX = not os.environ.get("PROMINENCE_TEST_WITHOUT_HTTPX")
ROOT = Path(__file__).resolve().parents[2]
TESTS = Path(__file__).resolve().parent

HOSTILE_KEYS = [
    "/a b",
    "/a?b#c",
    "/100%",
    "/%2F",
    "/a%00b",
    "/é/🦀",
    "/e\u0301",
    "/a+b&c=d;e",
    "/\"<>[]{}|\\^`'",
    "/~user/-._,:@!$*()",
    "/\u202eabc",
    "/\ufeff",
    "/a" * 300,
    "/" + "ü" * 511,
    "/_internal_/x",
    "/.../x",
    "/prefix/list",
]
"""Keys that are legal, and that something on the way may get wrong."""


class Server:
    """A running server with a folder of its own."""

    def __init__(self, *arguments: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="prominence-kv-"))
        self.data = self.home / "data"
        engine = list(ENGINE)
        if "etcd" in engine:
            engine += ["--etcd-root", f"/{secrets.token_hex(8)}"]
        self._arguments = [*engine, *arguments]
        self._process: Optional[subprocess.Popen[str]] = None
        self.url = ""
        self.start()

    def start(self) -> None:
        """Starts it, again on the same port."""
        address = re.sub(r"^https?://|/.*$", "", self.url) or "127.0.0.1:0"
        command = [PROGRAM, "serve", "--listen", address, "--data-dir", str(self.data), *self._arguments]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self._environment()
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"https?://\S+", line)
            if found is not None:
                self.url = found[0]
                # Nobody reads on; a full pipe must not stop the server.
                self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
                self._reader.start()
                return
        raise AssertionError(f"{shlex.join(command)} ended with {self._process.wait()}")

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def stop(self) -> None:
        """Asks it to stop, and waits until it has."""
        assert self._process is not None
        self._process.terminate()
        self._end()

    def _end(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def remove(self) -> None:
        """Ends it, and removes its folder."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def token(self, user: str, *arguments: str) -> str:
        """A token of a user."""
        command = [PROGRAM, "token", "create", "--user", user, "--data-dir", str(self.data), *arguments]
        made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=self._environment())
        return made.stdout.strip()

    def environment(self, user: str) -> dict[str, str]:
        """The environment of a job of this user."""
        return {**self._environment(), "PROMINENCE_URL": self.url, "PROMINENCE_TOKEN": self.token(user)}

    def command(self, user: str, *arguments: str, text: Optional[str] = None) -> str:
        """What the command line prints."""
        ran = subprocess.run(
            [PROGRAM, *arguments],
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=self.environment(user),
        )
        return ran.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMINENCE_")}
        source = str(ROOT / "python" / "src")
        return {
            **kept,
            "HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([source, str(TESTS)]),
            "PROMINENCE_TEST_PROGRAM": PROGRAM,
        }


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, awaitable: Any) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(120)


class Awaited:
    """An object of `prominence_kv.aio` that is used as one of `prominence_kv` is: its methods are awaited."""

    def __init__(self, loop: Loop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.ismethod(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            named = {
                name: [each._inner for each in value] if name == "require" else value for name, value in named.items()
            }
            return self._wrapped(found(*arguments, **named))

        return call

    def _wrapped(self, result: Any) -> Any:
        if inspect.iscoroutine(result):
            return self._wrapped(self._loop.run(result))
        is_of_loop = hasattr(result, "__aiter__") or hasattr(result, "__aenter__") or hasattr(result, "commit")
        return Awaited(self._loop, result) if is_of_loop else result

    def __truediv__(self, folder: str) -> Awaited:
        return Awaited(self._loop, self._inner / folder)

    def __getitem__(self, key: str) -> Any:
        return self._loop.run(self._inner._value(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __contains__(self, key: str) -> bool:
        return self.info(key) is not None

    def __iter__(self) -> Iterator[Any]:
        iterator = self._inner.__aiter__()
        while True:
            try:
                yield self._wrapped(self._loop.run(iterator.__anext__()))
            except StopAsyncIteration:
                return

    def __next__(self) -> Any:
        try:
            return self._loop.run(self._inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Awaited:
        self._loop.run(self._inner.__aenter__())
        return self

    def __exit__(self, *about: Any) -> Any:
        return self._loop.run(self._inner.__aexit__(*about))


class ServerCase(unittest.TestCase):
    """Tests at one server, each with a user of its own."""

    server: Server
    arguments: tuple[str, ...] = ()
    _users = itertools.count()

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server(*cls.arguments)
        cls.addClassCleanup(cls.server.remove)

    def setUp(self) -> None:
        self.user = f"user{next(self._users)}"
        self.kv = self.store()

    def store(self, **settings: Any) -> Any:
        """A store of this test's user."""
        store = Store(self.server.url, settings.pop("token", None) or self.server.token(self.user), **settings)
        self.addCleanup(store.close)
        return store

    def script(self, text: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A process of this Python that runs a script as this test's user."""
        process = subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**self.server.environment(self.user), **environment},
        )
        self.addCleanup(_end, process)
        return process


class LoopCase(ServerCase):
    """The same with the store for event loops."""

    loop: Loop

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.loop = Loop()

    def store(self, **settings: Any) -> Any:
        from prominence_kv import aio

        store = aio.Store(self.server.url, settings.pop("token", None) or self.server.token(self.user), **settings)
        self.addCleanup(lambda: self.loop.run(store.close()))
        return Awaited(self.loop, store)


def both(cases: type) -> Callable[[dict[str, Any]], None]:
    """Adds test classes of some cases for the blocking store, and for the one for event loops."""

    def add(module: dict[str, Any]) -> None:
        kinds = [("Blocking", ServerCase), ("OnALoop", LoopCase)] if HAS_HTTPX else [("Blocking", ServerCase)]
        for name, base in kinds:
            made = type(f"{cases.__name__}{name}", (cases, base), {"__module__": module["__name__"]})
            module[made.__name__] = made

    return add


def after(seconds: float, action: Callable[[], Any]) -> threading.Thread:
    """Does something a little later, on a thread."""

    def run() -> None:
        threading.Event().wait(seconds)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()
