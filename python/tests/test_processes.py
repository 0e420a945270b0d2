"""Threads, forks, spawned processes and pickles; and that no token is ever shown."""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Callable
from unittest import mock

from support import HAS_HTTPX, ServerCase

import prominence_kv
from prominence_kv import Store

COUNTER = """
from prominence_kv import Store

kv = Store()
for _ in range(1000):
    kv.add("/counter")
"""


def add_one(kv: Store) -> int:
    """What processes of a pool do with a store that was pickled for them."""
    return kv.add("/pool")


def refuse(kv: Store) -> None:
    """Throws what has to travel back to the parent."""
    kv.set("/pool", 1, if_absent=True)


class Sharing(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        given = mock.patch.dict(os.environ, self.server.environment(self.user))
        given.start()
        self.addCleanup(given.stop)
        self.kv: Any = Store()

    def test_eight_processes_count_to_eight_thousand(self) -> None:
        counters = [self.script(COUNTER) for _ in range(8)]
        for counter in counters:
            self.assertEqual(counter.wait(300), 0)
        self.assertEqual(int(self.kv["/counter"]), 8_000)

    def test_threads_share_a_store(self) -> None:
        with ThreadPoolExecutor(16) as pool:
            sums = list(pool.map(lambda _: self.kv.add("/counter"), range(400)))
        self.assertEqual(sorted(sums), list(range(1, 401)))

    def test_a_fork_has_connections_of_its_own(self) -> None:
        self.kv["/a"] = 1
        stop = threading.Event()

        def use() -> None:
            while not stop.is_set():
                self.kv.get("/a")

        # At the instants of the forks other threads use connections and locks.
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(8):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    for step in range(20):
                        self.kv[f"/child/{number}"] = step
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        for child in children:
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual([int(value) for value in self.kv.values("/child/")], [19] * 8)

    def test_parent_and_child_never_read_each_others_answers(self) -> None:
        for who in ("parent", "child"):
            self.kv[f"/{who}"] = who
        # Now one connection is kept, which both would take.
        child = os.fork()
        who = "parent" if child else "child"
        wrong = [each for each in (self.kv[f"/{who}"].text for _ in range(300)) if each != who]
        if not child:
            os._exit(len(wrong) > 0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(wrong, [])

    def test_pools_of_spawned_and_forked_processes_use_a_pickled_store(self) -> None:
        for method in ("spawn", "fork"):
            with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context(method)) as pool:
                list(pool.map(add_one, [self.kv] * 40))
                with self.assertRaises(prominence_kv.Conflict) as caught:
                    pool.submit(refuse, self.kv).result()
                self.assertEqual(caught.exception.code, "precondition_failed")
                self.assertEqual(caught.exception.key, "/pool")
        self.assertEqual(int(self.kv["/pool"]), 80)

    def test_a_pickle_has_the_place_of_the_token_and_not_the_token(self) -> None:
        token = os.environ["PROMINENCE_TOKEN"]
        below = self.kv / "below"
        dumped = pickle.dumps(below)
        self.assertNotIn(token.encode(), dumped)
        self.assertIn(b"PROMINENCE_TOKEN", dumped)
        pickle.loads(dumped)["x"] = 1
        self.assertEqual(int(self.kv["/below/x"]), 1)
        file = self.server.home / "token"
        file.write_text(token)
        dumped = pickle.dumps(Store(self.server.url, token_file=str(file)))
        self.assertNotIn(token.encode(), dumped)
        self.assertEqual(pickle.loads(dumped).whoami()["user"], self.user)
        with self.assertRaisesRegex(TypeError, "PROMINENCE_TOKEN"):
            pickle.dumps(Store(self.server.url, token))


class Secrets(ServerCase):
    def test_no_token_is_shown_by_anything(self) -> None:
        token = self.server.token(self.user)
        shown = io.StringIO()
        handler = logging.StreamHandler(shown)
        root = logging.getLogger()
        root.addHandler(handler)
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)
        self.addCleanup(root.removeHandler, handler)
        with mock.patch("http.client.HTTPConnection.debuglevel", 1), mock.patch("sys.stdout", shown):
            self._use(Store(self.server.url, token), shown)
            self._use(Store("http://127.0.0.1:9/prominence/v1", token, retry_for=0.1), shown)
            self._use(Store(self.server.url, token[:-4] + "AAAA"), shown)
            if HAS_HTTPX:
                import asyncio

                from prominence_kv import aio

                async def on_a_loop() -> None:
                    async with aio.Store(self.server.url, token) as kv:
                        print(repr(kv), repr(vars(kv)), file=shown)
                        await kv.set("/a", 1)
                        try:
                            await kv.set("/a", 1, if_absent=True)
                        except prominence_kv.Conflict:
                            traceback.print_exc(file=shown)

                asyncio.run(on_a_loop())
        text = shown.getvalue()
        self.assertIn("<Store ", text)
        self.assertIn("Traceback", text)
        for part in token.split("."):
            self.assertNotIn(part[:40], text)
        self.assertNotIn("Bearer", text)

    def _use(self, kv: Any, shown: io.StringIO) -> None:
        settings = kv._core.settings
        for each in (kv, kv / "a", vars(kv), settings, settings.credentials, settings.credentials.current()):
            print(repr(each), str(each), file=shown)
        actions: list[Callable[[], Any]] = [
            lambda: kv.set("/a", 1),
            lambda: kv["/absent"],
            lambda: kv.set("/a", 1, if_absent=True),
        ]
        for action in actions:
            try:
                action()
            except prominence_kv.StoreError as error:
                print(repr(error), error, error.args, vars(error), file=shown)
                traceback.print_exception(type(error), error, error.__traceback__, file=shown)


class Import(ServerCase):
    def test_the_module_brings_nothing_that_is_not_of_python(self) -> None:
        script = (
            "import sys; before = set(sys.modules); import prominence_kv; "
            "print([name for name in set(sys.modules) - before if '.' not in name and name not in "
            "getattr(sys, 'stdlib_module_names', ()) and name != 'prominence_kv'])"
        )
        if not hasattr(sys, "stdlib_module_names"):
            script = "import prominence_kv; print([])"
        printed = subprocess.run(
            [sys.executable, "-I", "-S", "-c", self._path() + script], stdout=subprocess.PIPE, text=True, check=True
        )
        self.assertEqual(printed.stdout, "[]\n")

    def _path(self) -> str:
        source = os.path.dirname(os.path.dirname(os.path.abspath(prominence_kv.__file__)))
        return f"import sys; sys.path.insert(0, {source!r}); "
