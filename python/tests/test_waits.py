"""Waiting for keys and counts, and watching changes: woken, timed out, and over a restart of the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

from support import ServerCase, after, both

import prominence_kv
from prominence_kv import Gone, TimedOut

if TYPE_CHECKING:
    Base = ServerCase
else:
    Base = object


class Waits(Base):
    kv: Any

    def test_a_wait_is_woken_by_the_key(self) -> None:
        other = self.store()
        setter = after(0.3, lambda: other.set("/address", "node7:4711"))
        self.assertEqual(self.kv.wait("/address", timeout="1m").text, "node7:4711")
        setter.join()
        # It is there by now.
        self.assertEqual(self.kv.wait("/address", timeout=0).text, "node7:4711")

    def test_a_wait_ends_with_a_timeout_error_and_not_before(self) -> None:
        began = time.monotonic()
        with self.assertRaises(TimeoutError) as caught:
            self.kv.wait("/absent", timeout=1)
        self.assertIsInstance(caught.exception, TimedOut)
        self.assertIn("/absent", str(caught.exception))
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_a_change_and_a_deletion_are_waited_for(self) -> None:
        other = self.store()
        revision = self.kv.set("/a", 1).revision
        setter = after(0.3, lambda: other.set("/a", 2))
        changed = self.kv.wait_change("/a", revision, timeout="1m")
        setter.join()
        self.assertEqual(int(changed), 2)
        deleter = after(0.3, lambda: other.delete("/a"))
        self.assertIsNone(self.kv.wait_change("/a", changed.revision, timeout="1m"))
        deleter.join()
        revision = self.kv.set("/a", 3).revision
        with self.assertRaises(TimedOut) as caught:
            self.kv.wait_change("/a", revision, timeout=1)
        self.assertEqual(caught.exception.revision, revision)

    def test_a_barrier_opens_with_the_last_key(self) -> None:
        other = self.store()
        for number in range(4):
            self.kv[f"/done/{number}"] = ""
        with self.assertRaises(TimedOut) as caught:
            self.kv.wait_count("/done/", 5, timeout=1)
        self.assertIn("4 of 5", str(caught.exception))
        setter = after(0.3, lambda: other.set("/done/4", ""))
        self.assertEqual(self.kv.wait_count("/done/", 5, timeout="1m"), 5)
        setter.join()

    def test_a_watch_tells_every_kind_of_change_in_order(self) -> None:
        self.kv["/w/old"] = "before"
        since = self.kv.set("/w/a", 1).revision
        self.kv["/other"] = 1
        self.kv["/w/b"] = {"x": 1}
        self.kv.delete("/w/a")
        self.kv.batch().set("/w/c", "c").set("/w/d", b"\xff").commit()
        with self.kv.claim("/w/c", for_="1m"):
            pass
        self.kv.set("/w/e", "", ttl="1s")
        told = []
        with self.kv.watch("/w/", since=since, values=True, timeout="1m") as changes:
            for change in changes:
                # What has a lifetime may have ended before its value is read.
                value = None if change.name == "e" else change.value
                told.append((change.kind, change.name, change.cause, value))
                if change.kind == "expire":
                    break
        self.assertEqual(
            told,
            [
                ("put", "b", "set", b'{"x":1}'),
                ("delete", "a", None, None),
                ("put", "c", "set", None),
                ("put", "d", "set", b"\xff"),
                ("put", "c", "claim", None),
                ("delete", "c", None, None),
                ("put", "e", "set", None),
                ("expire", "e", None, None),
            ],
        )

    def test_a_watch_begins_now_with_a_revision_or_with_what_is_there(self) -> None:
        other = self.store()
        self.kv["/w/1"] = 1
        self.kv["/w/2"] = 2
        setter = after(0.5, lambda: other.set("/w/3", 3))
        names = [change.name for change in self.kv.watch("/w/", timeout=2)]
        setter.join()
        self.assertEqual(names, ["3"])
        self.kv["/w/1"] = 11
        setter = after(0.5, lambda: other.set("/w/4", 4))
        told = [
            (each.kind, each.name, each.value) for each in self.kv.watch("/w/", existing=True, values=True, timeout=2)
        ]
        setter.join()
        expected = [("existing", str(number), str(value).encode()) for number, value in ((1, 11), (2, 2), (3, 3))]
        self.assertEqual(told, [*expected, ("put", "4", b"4")])

    def test_what_a_listing_of_several_snapshots_has_shown_is_not_told_again(self) -> None:
        other = self.store()
        for number in range(4):
            self.kv[f"/w/{number}"] = number
        told = []
        with mock.patch("prominence_kv._core.listing.MAX_PAGE_KEYS", 2):
            for change in self.kv.watch("/w/", existing=True, values=True, timeout=2):
                told.append((change.kind, change.name, change.value))
                if change.name == "0" and change.kind == "existing":
                    # The first page is there; the second one shows this one, and the watch the other one.
                    other["/w/3"] = "changed"
                    other["/w/0"] = "later"
        self.assertEqual(
            told,
            [
                ("existing", "0", b"0"),
                ("existing", "1", b"1"),
                ("existing", "2", b"2"),
                ("existing", "3", b"changed"),
                ("put", "0", b"later"),
            ],
        )

    def test_a_revision_that_has_not_happened_is_refused(self) -> None:
        with self.assertRaises(prominence_kv.BadRequest):
            next(self.kv.watch("/w/", since=10**9))


class Restarts(Base):
    kv: Any

    def test_a_wait_outlasts_a_restart_of_the_server(self) -> None:
        found: list[Any] = []
        waiter = threading.Thread(target=lambda: found.append(self.kv.wait("/late", timeout="1m")))
        waiter.start()
        time.sleep(0.3)
        self.server.kill()
        time.sleep(0.3)
        self.server.start()
        self.store()["/late"] = "here"
        waiter.join()
        self.assertEqual(found, [b"here"])

    def test_a_watch_over_restarts_has_no_gap_and_no_repetition(self) -> None:
        other = self.store()
        seen: list[int] = []
        since = other.set("/begin", 1).revision

        def watch() -> None:
            for change in self.kv.watch("/n/", since=since, values=True):
                seen.append(int(change.name))
                if change.name == "299":
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(300):
            other[f"/n/{number}"] = number
            if number % 100 == 50:
                self.server.kill()
                self.server.start()
        watcher.join(60)
        self.assertEqual(seen, list(range(300)))

    def test_reads_and_sets_outlast_a_restart_and_an_addition_says_what_is_not_known(self) -> None:
        self.kv["/a"] = 1
        self.server.kill()
        starter = after(0.5, self.server.start)
        self.kv["/a"] = 2
        self.kv.set("/b", 1, if_absent=True)
        starter.join()
        self.assertEqual(int(self.kv["/a"]), 2)
        self.server.kill()
        impatient = self.store(retry_for=0, token=self.kv_token())
        with self.assertRaises(prominence_kv.Unavailable) as caught:
            impatient.add("/n")
        # Nobody listens, so nothing was sent.
        self.assertFalse(caught.exception.may_have_happened)
        self.assertIsInstance(caught.exception, ConnectionError)
        self.server.start()

    def kv_token(self) -> str:
        return self.server.token(self.user)


class ShortLog(Base):
    arguments = ("--log-changes", "5")
    kv: Any

    def test_a_watch_behind_the_log_is_gone_and_says_where_it_can_begin(self) -> None:
        since = self.kv.set("/0", 0).revision
        for number in range(300):
            self.kv.set("/n", number) if number % 2 else self.kv.delete("/n")
        with self.assertRaises(Gone) as caught:
            for _ in range(100):
                next(self.kv.watch("/", since=since))
        self.assertGreater(caught.exception.revision, since)
        self.assertEqual(caught.exception.code, "compacted")


both(Waits)(globals())
both(Restarts)(globals())
both(ShortLog)(globals())
