"""Values, keys, conditions, listings and errors, by both kinds of stores at a real server."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any, Callable

from support import HOSTILE_KEYS, ServerCase, both

import prominence_kv
from prominence_kv import Conflict, Key, NoSuchKey, Value

if TYPE_CHECKING:
    Base = ServerCase
else:
    Base = object


class Values(Base):
    kv: Any

    def test_every_type_comes_back(self) -> None:
        for value in (b"", b"\0\xff\xfe", bytes(range(256)), bytearray(b"a"), memoryview(b"b")):
            self.kv["/v"] = value
            self.assertEqual(self.kv["/v"], bytes(value))
        for text in ("", "example", "grün €uro 🦀", "1\n2\r\n3", "\ufeffmark"):
            self.kv["/v"] = text
            self.assertEqual(self.kv["/v"], text.encode())
        others: list[Any] = [0, -1, 2**62, 0.1, 1e-300, True, False, None, [], [1, "a"], {}, {"a": {"b": [None]}}]
        for other in others:
            self.kv["/v"] = other
            self.assertEqual(self.kv["/v"].json(), other)
        self.kv["/v"] = [float("nan"), math.inf]
        self.assertEqual(self.kv["/v"], b"[NaN,Infinity]")
        self.assertTrue(math.isnan(self.kv["/v"].json()[0]))

    def test_a_value_is_bytes_that_know_what_they_are(self) -> None:
        before = self.kv.set("/a/b", "42", ttl="1h")
        value = self.kv["/a/b"]
        self.assertIsInstance(value, bytes)
        self.assertEqual((int(value), float(value), value.text, value.json()), (42, 42.0, "42", 42))
        self.assertEqual((value.key, value.name, value.revision), ("/a/b", "b", before.revision))
        self.assertEqual((value.expires - value.created).total_seconds(), 3600)
        self.assertEqual(value.modified, value.created)
        again = pickle.loads(pickle.dumps(value))
        self.assertEqual((again, again.key, again.revision), (value, "/a/b", before.revision))
        info = self.kv.info("/a/b")
        self.assertEqual((info.size, info.revision, info.expires), (2, value.revision, value.expires))
        self.assertIsNone(self.kv.info("/absent"))

    def test_text_that_other_programs_write_is_read(self) -> None:
        self.kv["/v"] = b"\xef\xbb\xbf{}"
        self.assertEqual(self.kv["/v"].json(), {})
        self.kv["/v"] = '{"a": 1}'.encode("utf-16")
        self.assertEqual(self.kv["/v"].json(), {"a": 1})

    def test_every_legal_key_is_itself(self) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            self.kv[key] = number
        for number, key in enumerate(HOSTILE_KEYS):
            self.assertEqual(self.kv[key].json(), number, key)
            self.assertEqual(self.kv[key].key, key)
        listed = [str(key) for key in self.kv]
        self.assertEqual(listed, sorted(set(HOSTILE_KEYS) - {"/_internal_/x"}, key=str.encode))
        # Page by page, each beginning behind a hostile key.
        pages, after = [], None
        while True:
            page = list(self.kv.keys(limit=1, after=after))
            if not page:
                break
            pages += page
            after = page[-1]
        self.assertEqual(pages, listed)
        for key in HOSTILE_KEYS:
            self.assertTrue(self.kv.delete(key), key)
        self.assertEqual(self.kv.count(), 0)

    def test_names_are_below_a_store_unless_they_are_whole(self) -> None:
        sweep = self.kv / "sweep"
        sweep["in/1"] = 1
        sweep["/done"] = 2
        self.assertEqual(list(self.kv.keys()), ["/done", "/sweep/in/1"])
        self.assertEqual(list(sweep.keys()), ["/sweep/in/1"])
        self.assertEqual(int((sweep / "in")["1"]), 1)
        self.assertEqual((sweep / "/other").key("x"), "/other/x")
        self.assertEqual(sweep.key("a//b"), "/sweep/a/b")
        key = next(iter(sweep.keys()))
        self.assertEqual((key.name, key.parent, key.below("/sweep/")), ("1", "/sweep/in", "in/1"))
        self.assertIsInstance(sweep["in/1"].key, Key)

    def test_an_absent_key_is_a_key_error_with_the_servers_words(self) -> None:
        with self.assertRaises(KeyError) as caught:
            self.kv["/absent"]
        error = caught.exception
        assert isinstance(error, NoSuchKey)
        self.assertEqual((error.code, error.status), ("no_such_key", 404))
        self.assertIn("No such key", str(error))
        self.assertIsNone(self.kv.get("/absent"))
        self.assertEqual(self.kv.get("/absent", 7), 7)
        self.assertNotIn("/absent", self.kv)
        self.assertFalse(self.kv.delete("/absent"))

    def test_conditions_decide_and_say_how_it_is(self) -> None:
        first = self.kv.set("/c", 1, if_absent=True)
        self.assertTrue(first.created)
        with self.assertRaises(Conflict) as caught:
            self.kv.set("/c", 2, if_absent=True)
        self.assertEqual((caught.exception.key, caught.exception.revision), ("/c", first.revision))
        second = self.kv.set("/c", 2, if_revision=first.revision)
        self.assertFalse(second.created)
        with self.assertRaises(Conflict):
            self.kv.set("/c", 3, if_revision=first.revision)
        self.kv.set("/c", b"\xff &=%", if_value=2)
        self.kv.set("/c", 4, if_value=b"\xff &=%")
        with self.assertRaises(Conflict):
            self.kv.delete("/c", if_revision=first.revision)
        self.assertTrue(self.kv.delete("/c", if_revision=self.kv["/c"].revision))
        with self.assertRaises(ValueError):
            self.kv.set("/c", 1, if_absent=True, if_revision=1)

    def test_additions_are_numbers(self) -> None:
        self.assertEqual([self.kv.add("/n"), self.kv.add("/n", 5), self.kv.add("/n", -7)], [1, 6, -1])
        self.kv["/text"] = "seven"
        with self.assertRaises(prominence_kv.NotANumber) as caught:
            self.kv.add("/text")
        self.assertIsInstance(caught.exception, ValueError)
        self.assertFalse(caught.exception.may_have_happened)

    def test_a_batch_happens_whole_or_not_at_all(self) -> None:
        done = self.kv.batch().require("/a", absent=True).set("/a", b"\xff").add("/n", 3).delete("/x").commit()
        self.assertEqual([each["key"] for each in done.results], ["/a", "/n", "/x"])
        self.assertEqual(self.kv["/a"].revision, done.revision)
        batch = (self.kv / "y").batch().require("/a", value=b"\xff").require("/n", revision=done.revision + 5)
        with self.assertRaises(Conflict) as caught:
            batch.set("z", 1, ttl="1m").commit()
        self.assertEqual((caught.exception.key, caught.exception.revision), ("/n", done.revision))
        self.assertNotIn("/y/z", self.kv)

    def test_deleting_a_prefix_is_counted_first(self) -> None:
        for key in ("/a/1", "/a/2", "/ab"):
            self.kv[key] = ""
        self.assertEqual(self.kv.delete_prefix("/a/", dry_run=True), 2)
        self.assertEqual(self.kv.delete_prefix("/a/"), 2)
        self.assertEqual(list(self.kv.keys()), ["/ab"])
        self.assertEqual((self.kv / "a").delete_prefix(""), 0)
        self.assertEqual(self.kv.count(), 1)

    def test_listings_show_keys_values_folders_and_what_is_known(self) -> None:
        for number in range(25):
            self.kv[f"/out/{number:02d}/loss"] = {"loss": number}
        self.kv["/out/top"] = b"\xff"
        keys = [str(key) for key in self.kv.keys("/out/")]
        self.assertEqual(len(keys), 26)
        self.assertEqual([str(key) for key in self.kv.keys("/out/", limit=2, after="/out/03")], keys[3:5])
        self.assertEqual([value.json()["loss"] for value in self.kv.values("/out/0")], list(range(10)))
        pairs = dict(self.kv.items("/out/"))
        self.assertEqual(pairs["/out/top"], b"\xff")
        self.assertEqual(pairs["/out/07/loss"].revision, self.kv["/out/07/loss"].revision)
        infos = list(self.kv.infos("/out/"))
        self.assertEqual([info.key for info in infos], keys)
        self.assertEqual(infos[-1].size, 1)
        self.assertEqual(list(self.kv.folders("/")), ["/out/"])
        self.assertEqual(len(list(self.kv.folders("/out/"))), 25)
        self.assertEqual(list(self.kv.level("/out/"))[-1], "/out/top")
        self.assertEqual([str(key) for key in self.kv / "out"], keys)
        self.assertEqual(self.kv.count("/out/2"), 5)

    def test_the_newest_come_first(self) -> None:
        for number in (3, 1, 2, 5, 4):
            self.kv[f"/out/{number}"] = number
        newest = list(self.kv.items("/out/", newest=3))
        self.assertEqual(
            [(str(key), int(value)) for key, value in newest], [("/out/4", 4), ("/out/5", 5), ("/out/2", 2)]
        )
        self.assertEqual([int(value) for value in (self.kv / "out").values(newest=1)], [4])

    def test_users_and_usage_are_told(self) -> None:
        self.kv["/a"] = "12345"
        self.assertEqual(self.kv.usage()["keys"], 1)
        self.assertEqual(self.kv.whoami()["user"], self.user)

    def test_what_notebooks_show_is_escaped(self) -> None:
        self.kv["/<b>"] = "<script>alert(1)</script>"
        shown = Value._repr_html_(self.kv["/<b>"])
        self.assertIn("&lt;script&gt;", shown)
        self.assertNotIn("<script>", shown)
        self.assertNotIn("<b>", shown)
        self.assertIn(self.server.url, self.kv._repr_html_())


class Refusals(Base):
    arguments = ("--quota-keys", "3", "--rate-limit", "0")
    kv: Any

    def test_each_refusal_is_an_exception_of_its_own(self) -> None:
        refused: list[tuple[str, type[prominence_kv.StoreError], str, Callable[[], Any]]] = [
            ("an illegal key", prominence_kv.BadRequest, "bad_key", lambda: self.kv.set("/a/../b", 1)),
            ("a large value", prominence_kv.TooLarge, "value_too_large", lambda: self.kv.set("/a", b"x" * 16_385)),
            ("a large lifetime", prominence_kv.BadRequest, "bad_request", lambda: self.kv.set("/a", 1, ttl="40000d")),
        ]
        for name, kind, code, action in refused:
            with self.subTest(name), self.assertRaises(kind) as caught:
                action()
            self.assertEqual(caught.exception.code, code)
            self.assertFalse(caught.exception.may_have_happened)
        reader = self.store(token=self.server.token(self.user, "--scope", "storage.read:/in"))
        with self.assertRaises(PermissionError) as forbidden:
            reader.set("/in/a", 1)
        self.assertEqual(forbidden.exception.code, "forbidden")  # type: ignore[attr-defined]
        header, claims, signature = self.server.token(self.user).split(".")
        forged = ".".join((header, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))
        with self.assertRaises(prominence_kv.SignedOut) as out:
            self.store(token=forged).get("/a")
        self.assertEqual(out.exception.status, 401)

    def test_a_full_namespace_says_so(self) -> None:
        for number in range(3):
            self.kv[f"/{number}"] = ""
        with self.assertRaises(prominence_kv.QuotaExceeded) as caught:
            self.kv["/4"] = ""
        self.assertEqual(caught.exception.code, "quota_exceeded")


both(Values)(globals())
both(Refusals)(globals())
