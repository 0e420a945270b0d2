"""The `prominence` package from PyPI, version 0.21.0, driven as its users drive it: by its command
line and by its Python class. Expects PROMINENCE_URL and PROMINENCE_TOKEN of a running server."""

import os
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

import prominence
from prominence import ProminenceClient, exceptions

COMMAND = os.path.join(os.path.dirname(sys.executable), "prominence")


def kv(*arguments, **environment):
    """Runs `prominence kv …`; answers its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, COMMAND, "kv", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
    )
    return done.returncode, done.stdout.decode()


class Suite(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)
        self.client = ProminenceClient(authenticated=True)
        for key in self.client.kv_list():
            self.client.kv_delete(key, False)


class CommandLine(Suite):
    def test_the_examples_of_its_manual(self):
        self.assertEqual(kv("set", "/mykey/path/example", "example string"), (0, ""))
        self.assertEqual(kv("get", "/mykey/path/example"), (0, "example string\n"))
        self.assertEqual(kv("list"), (0, "/mykey/path/example\n"))
        self.assertEqual(kv("list", "/mykey"), (0, "/mykey/path/example\n"))
        self.assertEqual(kv("list", "/nothing"), (0, ""))
        self.assertEqual(kv("delete", "/mykey/path/example"), (0, ""))
        self.assertEqual(kv("list"), (0, ""))

    def test_a_file_is_stored_by_its_name(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("line one\nline two\n")
            file.flush()
            self.assertEqual(kv("set", "/file", file.name), (0, ""))
        self.assertEqual(self.client.kv_get("/file"), "line one\nline two\n")

    def test_a_prefix_is_deleted(self):
        for key in ("/a/1", "/a/2", "/ab", "/b"):
            kv("set", key, "x")
        self.assertEqual(kv("delete", "--prefix", "/a/"), (0, ""))
        self.assertEqual(kv("list"), (0, "/ab\n/b\n"))
        self.assertEqual(kv("delete", "--prefix", "a"), (0, ""))
        self.assertEqual(kv("list"), (0, "/b\n"))

    def test_text_that_is_not_ascii_is_shown_right(self):
        self.assertEqual(kv("set", "/text", "grün €uro 🦀"), (0, ""))
        self.assertEqual(kv("get", "/text", PYTHONIOENCODING="utf-8"), (0, "grün €uro 🦀\n"))

    def test_errors_are_its_own_texts_and_end_with_status_1(self):
        self.assertEqual(kv("get", "/absent"), (1, "Error: No such key\n"))
        status, said = kv("set", "/big", "x" * 16_385)
        self.assertEqual(status, 1)
        self.assertIn("16384", said)
        expired = os.environ["EXPIRED_TOKEN"]
        time.sleep(1.1)
        self.assertEqual(
            kv("list", PROMINENCE_TOKEN=expired), (1, "Error: access token has expired\n")
        )
        header, claims, signature = os.environ["PROMINENCE_TOKEN"].split(".")
        forged = ".".join((header, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))
        for command in (("list",), ("get", "/a"), ("set", "/a", "1"), ("delete", "/a")):
            self.assertEqual(
                kv(*command, PROMINENCE_TOKEN=forged), (1, "Error: authentication failed\n")
            )
        status, said = kv("list", PROMINENCE_URL="http://127.0.0.1:9/prominence/v1")
        self.assertEqual(status, 1)
        self.assertIn("Error:", said)

    def test_a_wrong_url_is_told_as_such(self):
        status, said = kv("list", PROMINENCE_URL=os.environ["PROMINENCE_URL"] + "/wrong")
        self.assertEqual((status, said), (1, "Error: Invalid PROMINENCE URL, got a 404 not found error\n"))


class PythonClass(Suite):
    def test_it_is_the_version_that_has_to_work(self):
        self.assertEqual(prominence.__version__, "0.21.0")

    def test_a_value_comes_back_decoded_from_its_charset(self):
        for value in ("example string", "", "grün €uro 🦀", "1\n2\r\n3", "ÿ"):
            self.assertIsInstance(self.client.kv_set("/a", value.encode()), dict)
            self.assertEqual(self.client.kv_get("/a"), value)

    def test_the_answer_to_a_set_names_key_and_revision(self):
        first = self.client.kv_set("/a", "1")
        second = self.client.kv_set("/a", "2")
        self.assertEqual(first["key"], "/a")
        self.assertGreater(second["revision"], first["revision"])

    def test_an_absent_key_is_no_such_key(self):
        with self.assertRaises(exceptions.NoSuchKey):
            self.client.kv_get("/absent")
        self.assertTrue(self.client.kv_delete("/absent", False))

    def test_lists_are_sorted_and_prefixes_are_string_prefixes(self):
        for key in ("/input/b", "/input/a", "/inside", "/output"):
            self.client.kv_set(key, "x")
        self.assertEqual(self.client.kv_list(), ["/input/a", "/input/b", "/inside", "/output"])
        self.assertEqual(self.client.kv_list("/in"), ["/input/a", "/input/b", "/inside"])
        self.assertEqual(self.client.kv_list("input/"), ["/input/a", "/input/b"])
        self.assertEqual(self.client.kv_list("/"), self.client.kv_list())
        self.assertEqual(self.client.kv_list("/none"), [])

    def test_deleting_by_prefix_leaves_the_rest(self):
        for key in ("/a/1", "/a/2", "/ab"):
            self.client.kv_set(key, "x")
        self.assertTrue(self.client.kv_delete("/a/", True))
        self.assertEqual(self.client.kv_list(), ["/ab"])
        self.assertTrue(self.client.kv_delete("/", True))
        self.assertEqual(self.client.kv_list(), [])

    def test_keys_are_the_same_with_and_without_their_leading_slash(self):
        self.client.kv_set("/a/b", "1")
        for key in ("/a/b", "a/b", "//a//b"):
            self.assertEqual(self.client.kv_get(key), "1")

    def test_the_odd_keys_that_it_can_express(self):
        keys = ["/a b", "/a+b", "/a&b=c", "/a;b", "/é/🦀", "/~_-.x", "/a:b@c", "/[x]{y}|z", "/'q'\"r\""]
        for key in keys:
            self.client.kv_set(key, key.encode())
        for key in keys:
            self.assertEqual(self.client.kv_get(key), key)
        self.assertEqual(self.client.kv_list(), sorted(keys, key=str.encode))
        for key in keys:
            self.assertTrue(self.client.kv_delete(key, False))
        self.assertEqual(self.client.kv_list(), [])

    def test_a_value_that_is_too_large_is_a_key_value_error_with_the_limit(self):
        self.client.kv_set("/big", "x" * 16_384)
        self.assertEqual(len(self.client.kv_get("/big")), 16_384)
        with self.assertRaises(exceptions.KeyValueError) as raised:
            self.client.kv_set("/big", "x" * 16_385)
        self.assertIn("16384", str(raised.exception))

    def test_a_token_that_is_not_accepted_is_an_authentication_error(self):
        self.client._headers = {"Authorization": "Bearer abc"}
        for call in (
            lambda: self.client.kv_list(),
            lambda: self.client.kv_get("/a"),
            lambda: self.client.kv_set("/a", "1"),
            lambda: self.client.kv_delete("/a", False),
        ):
            with self.assertRaises(exceptions.AuthenticationError):
                call()

    def test_thousands_of_keys_are_listed_whole(self):
        session_keys = ["/many/%04d" % number for number in range(2_500)]
        import requests

        with requests.Session() as session:
            for key in session_keys:
                answer = session.post(
                    os.environ["PROMINENCE_URL"] + "/kv" + key, headers=self.client._headers, data="x"
                )
                self.assertEqual(answer.status_code, 201)
        self.assertEqual(self.client.kv_list("/many"), session_keys)
        self.client.kv_delete("/many", True)


if __name__ == "__main__":
    unittest.main()
