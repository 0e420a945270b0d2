"""Where settings come from: arguments, the environment, files and profiles; and what can't be a setting."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable, Optional
from unittest import mock

from support import ServerCase

from prominence_kv import SettingsError, SignedOut, Store
from prominence_kv._core.answers import is_ours
from prominence_kv._core.names import Key
from prominence_kv._core.page import headline
from prominence_kv._core.persist import Backoff
from prominence_kv._core.wire import Answer, Request
from prominence_kv._settings.base_url import BaseUrl
from prominence_kv._settings.durations import seconds, shown, whole_seconds
from prominence_kv._settings.proxy import is_exempt, named_proxy
from prominence_kv._settings.resolve import resolve

HAS_TOML = sys.version_info >= (3, 11)
URL = "http://127.0.0.1:9/prominence/v1"


def only_if(applies: bool) -> Callable[[Any], Any]:
    """Keeps a test of what this version of Python does; of what it does not do, there is nothing to test or skip."""
    return lambda test: test if applies else None


class Sources(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        kept = {
            name: value
            for name, value in os.environ.items()
            if "PROMINENCE" not in name and "proxy" not in name.lower()
        }
        given = mock.patch.dict(os.environ, {**kept, "HOME": str(self.home)}, clear=True)
        given.start()
        os.environ.pop("XDG_CONFIG_HOME", None)
        self.addCleanup(given.stop)

    def write(self, name: str, text: str) -> Path:
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def token(self, **settings: Any) -> str:
        return resolve(URL, **settings).credentials.current().bearer

    def test_the_first_source_that_has_a_token_counts(self) -> None:
        with self.assertRaisesRegex(SignedOut, "there is no token to log in with"):
            self.token()
        self.write(".prominence/token", '\ufeff{"access_token": "saved"}')
        self.assertEqual(self.token(), "Bearer saved")
        os.environ["PROMINENCE_TOKEN_FILE"] = str(self.write("named", " named\r\n"))
        self.assertEqual(self.token(), "Bearer named")
        os.environ["PROMINENCE_TOKEN"] = "variable"
        self.assertEqual(self.token(), "Bearer variable")
        self.assertEqual(self.token(token_file=str(self.write("argument", "file"))), "Bearer file")
        self.assertEqual(self.token(token="text"), "Bearer text")

    @only_if(HAS_TOML)
    def test_a_profile_that_is_an_argument_beats_the_environment_and_others_do_not(self) -> None:
        self.write(
            ".config/prominence/config.toml",
            'default-profile = "a"\n[profile.a]\nurl = "http://a/prominence/v1"\ntoken-file = "token"\n'
            'retry-for = "5m"\n[profile.b]\nurl = "https://b/prominence/v1"\ntoken-file = "~/b"\nssl-verify = false\n',
        )
        self.write(".config/prominence/token", "of-a")
        self.write("b", "of-b")
        settings = resolve()
        self.assertEqual((settings.url.text, settings.retry_for), ("http://a/prominence/v1", 300))
        self.assertEqual(settings.credentials.current().bearer, "Bearer of-a")
        os.environ.update(PROMINENCE_URL=URL, PROMINENCE_TOKEN="variable", PROMINENCE_RETRY_FOR="0")
        settings = resolve()
        self.assertEqual((settings.url.text, settings.retry_for), (URL, 0))
        settings = resolve(profile="b")
        self.assertEqual(settings.url.text, "https://b/prominence/v1")
        self.assertEqual(settings.credentials.current().bearer, "Bearer of-b")
        self.assertFalse(settings.certificates.verified)
        os.environ["PROMINENCE_PROFILE"] = "b"
        self.assertEqual(resolve().url.text, URL)
        self.assertFalse(resolve().certificates.verified)
        with self.assertRaisesRegex(SettingsError, "there is no profile c, .* has a, b"):
            resolve(profile="c")

    @only_if(HAS_TOML)
    def test_mistakes_in_the_client_file_are_named(self) -> None:
        for text, words in (
            ("x =", "is not TOML"),
            ('token = "s3cret"', "a token does not belong"),
            ('[profile.a]\ntoken = "s3cret"', "a token does not belong"),
            ("[profile.a]\nurls = 1", "no setting urls"),
            ("colour = 1", "no setting colour"),
            ('default-profile = "a"\n[profile.a]\nurl = 7', "url of the profile a is a text"),
        ):
            self.write(".config/prominence/config.toml", text)
            with self.subTest(text), self.assertRaisesRegex(SettingsError, words) as caught:
                resolve(token="t")
            self.assertNotIn("s3cret", str(caught.exception))

    @only_if(not HAS_TOML)
    def test_without_a_reader_of_toml_the_client_file_is_done_without_unless_it_is_needed(self) -> None:
        self.write(
            ".config/prominence/config.toml", 'default-profile = "a"\n[profile.a]\nurl = "http://a/prominence/v1"\n'
        )
        self.assertEqual(resolve(URL, "t").url.text, URL)
        with self.assertRaisesRegex(SettingsError, "needs Python 3.11 or the package tomli"):
            resolve(token="t")

    def test_other_settings_are_read_and_refused_by_name(self) -> None:
        os.environ["PROMINENCE_SSL_VERIFY"] = "False"
        self.assertFalse(resolve(URL, "t").certificates.verified)
        self.assertTrue(resolve(URL, "t", verify=True).certificates.verified)
        os.environ["PROMINENCE_SSL_VERIFY"] = "perhaps"
        with self.assertRaisesRegex(SettingsError, "PROMINENCE_SSL_VERIFY"):
            resolve(URL, "t")
        os.environ["PROMINENCE_SSL_VERIFY"] = ""
        os.environ["PROMINENCE_CA_FILE"] = "/absent.pem"
        with self.assertRaisesRegex(SettingsError, "/absent.pem can't be used"):
            Store("https://h/prominence/v1", "t")
        with self.assertRaisesRegex(SettingsError, "no certificate in PEM form"):
            Store("https://h/prominence/v1", "t", ca_file=str(self.write("empty.pem", "nothing")))
        os.environ["PROMINENCE_TIMEOUT"] = "x"
        with self.assertRaisesRegex(SettingsError, "PROMINENCE_TIMEOUT"):
            resolve(URL, "t")

    def test_what_is_no_token_is_named_by_its_place_and_not_repeated(self) -> None:
        for text, word in (
            ("", "empty"),
            ("a b s3cret", "character"),
            ("s3cret\nother", "several lines"),
            ("Bearer s3cret", "Bearer"),
            ('"s3cret"', "quotation marks"),
            ('{"id_token": "s3cret"}', "access_token"),
            ('{"access_token": s3cret', "access_token"),
        ):
            file = self.write("token", text)
            with self.subTest(text), self.assertRaises(SignedOut) as caught:
                resolve(URL, token_file=str(file))
            self.assertIn(word, str(caught.exception))
            self.assertIn(str(file), str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))
        (self.home / "binary").write_bytes(b"\xff\xfes\x003\x00")
        with self.assertRaisesRegex(SignedOut, "UTF-8"):
            resolve(URL, token_file=str(self.home / "binary"))
        with self.assertRaisesRegex(SettingsError, "cannot read the token file"):
            resolve(URL, token_file=str(self.home / "absent"))


class Addresses(unittest.TestCase):
    def test_an_address_of_the_service_is_taken_without_its_last_slash(self) -> None:
        url = BaseUrl(" http://[::1]:8080/prominence/v1// ", "x")
        self.assertEqual(
            (url.text, url.host, url.port, url.path), ("http://[::1]:8080/prominence/v1", "::1", 8080, "/prominence/v1")
        )
        url = BaseUrl("HTTPS://kv.example.org/site/prominence/v1", "x")
        self.assertEqual((url.encrypted, url.port, url.authority), (True, 443, "kv.example.org"))

    def test_nonsense_is_refused_with_the_reason(self) -> None:
        for text, words in (
            ("", "no URL"),
            ("localhost:8080", "no URL"),
            ("/prominence/v1", "no URL"),
            ("ftp://h/prominence/v1", "no URL"),
            ("http:///prominence/v1", "no URL"),
            ("http://h:x/prominence/v1", "no URL"),
            ("http://h/a b", "no URL"),
            ("http://h/prominence/v1?x", "a query"),
            ("http://h/prominence/v1#x", "a fragment"),
            ("http://me:hunter2@h/prominence/v1", "password"),
            ("http://h:8080/", "write http://h:8080/prominence/v1"),
            ("http://h/x/prominence/v1/kv/a", "write http://h/x/prominence/v1"),
        ):
            with self.subTest(text), self.assertRaises(SettingsError) as caught:
                BaseUrl(text, "PROMINENCE_URL")
            self.assertIn(words, str(caught.exception))
            self.assertNotIn("hunter2", str(caught.exception))

    def test_the_address_that_was_probably_meant_is_known(self) -> None:
        for text, meant in (
            ("http://h:1/kv", "http://h:1/prominence/v1"),
            ("http://h/site/prominence/v2", "http://h/site/prominence/v1"),
            ("http://h/site/prominence/v1", "http://h/prominence/v1"),
            ("http://h/prominence/v1", None),
        ):
            self.assertEqual(BaseUrl(text, "x").meant(), meant, text)


class Proxies(unittest.TestCase):
    def named(self, host: str, encrypted: bool, **variables: str) -> Optional[str]:
        with mock.patch.dict(os.environ, variables, clear=True):
            proxy = named_proxy(host, encrypted)
        return None if proxy is None else repr(proxy)

    def test_each_scheme_has_its_variables_and_the_first_one_set_counts(self) -> None:
        for encrypted, variables, expected in (
            (False, {"http_proxy": "p:1"}, "http://p:1 (from http_proxy)"),
            (False, {"HTTP_PROXY": "p:1"}, None),
            (False, {"ALL_PROXY": "p"}, "http://p:1080 (from ALL_PROXY)"),
            (True, {"HTTPS_PROXY": "http://p:2/", "all_proxy": "q:1"}, "http://p:2 (from HTTPS_PROXY)"),
            (True, {"https_proxy": "p:2", "no_proxy": "h"}, None),
        ):
            found = self.named("h", encrypted, **variables)
            self.assertEqual(found, expected and f"the proxy {expected}")

    def test_a_password_is_sent_and_never_shown(self) -> None:
        with mock.patch.dict(os.environ, {"http_proxy": "http://me:p%40ss@p:3128"}, clear=True):
            proxy = named_proxy("h", False)
        assert proxy is not None
        self.assertEqual(proxy.authorization(), "Basic bWU6cEBzcw==")
        self.assertNotIn("ss", repr(proxy))
        for text in ("socks5h://p:1", "http://", "http://s3cret:p@p:port"):
            with self.assertRaises(SettingsError) as caught:
                self.named("h", False, http_proxy=text)
            self.assertIn("http_proxy", str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))

    def test_exemptions_follow_curl(self) -> None:
        for host, names in (
            ("h.example.org", "*"),
            ("h.example.org", "example.org"),
            ("H.Example.Org.", "x, example.org"),
            ("example.org", ".example.org"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("fd00::7", "[fd00::]/8"),
        ):
            self.assertTrue(is_exempt(host, names), (host, names))
        for host, names in (
            ("127.0.0.1", "localhost"),
            ("badexample.org", "example.org"),
            ("h.example.org", "*.example.org"),
            ("11.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.0.0.0/33"),
        ):
            self.assertFalse(is_exempt(host, names), (host, names))


class Parts(unittest.TestCase):
    def test_durations_are_read_as_the_interface_reads_them(self) -> None:
        for text, number in (("90s", 90), ("1h30m", 5400), ("7d", 604800), ("5", 5), ("1d0h2m3s", 86523)):
            self.assertEqual(seconds(text), number)
        self.assertEqual((seconds(0.5), whole_seconds(0.5), shown(5400), shown(0)), (0.5, 1, "1h30m", "0s"))
        for bad in ("", "s", "1.5h", "1w", "30m1h", "1h30", " 1h", "-1", "٣s"):
            with self.assertRaises(ValueError, msg=bad):
                seconds(bad)
        worse: list[Any] = [True, None, []]
        for each in worse:
            with self.assertRaises(TypeError):
                seconds(each)

    def test_pauses_double_and_retry_after_is_never_undercut(self) -> None:
        backoff, full = Backoff(), 0.2
        for _ in range(10):
            pause = backoff.pause(100, None)
            assert pause is not None
            self.assertTrue(full / 2 <= pause <= full)
            full = min(full * 2, 5)
        self.assertEqual(Backoff().pause(0.01, None), 0.01)
        self.assertIsNone(Backoff().pause(0, None))
        self.assertEqual(Backoff().pause(4, 4.0), 4.0)
        self.assertIsNone(Backoff().pause(3, 4.0))

    def test_the_servers_answers_are_known_by_their_marks(self) -> None:
        request = Request("GET", "/kv/a")
        marks = {"x-request-id": "1", "content-type": "application/json"}
        error = b'{"error": "no", "code": "no_such_key"}'
        self.assertTrue(is_ours(Answer(404, marks, error), request))
        self.assertFalse(is_ours(Answer(404, {}, error), request))
        self.assertFalse(is_ours(Answer(404, marks, b"{}"), request))
        self.assertFalse(is_ours(Answer(302, marks), request))
        self.assertTrue(is_ours(Answer(304, marks), request))
        self.assertFalse(is_ours(Answer(200, {**marks, "content-type": "text/html"}), request))

    def test_a_page_is_known_by_its_title_and_can_not_write_to_a_terminal(self) -> None:
        for page, line in (
            (b"<TITLE lang=en>\n Log in &amp; go on\r\n</TITLE>", "Log in & go on"),
            (b"<title></title><p>\n<b>No</b> entry", "No"),
            (b"upstream connect error\nmore", "upstream connect error"),
            (b"\r\n <br>", None),
            (b"\xff\xfe\0", None),
            ("<title>a\x1b[31mb\u202ed\0</title>".encode(), "a[31mbd"),
        ):
            self.assertEqual(headline(page), line)

    def test_the_parts_of_a_key(self) -> None:
        self.assertEqual((Key("/a").name, Key("/a").parent, Key("/a/b/").name), ("a", "/", ""))
        with self.assertRaises(ValueError):
            Key("/a").below("/b")


class Renewals(ServerCase):
    def test_a_token_that_was_refused_is_read_again_from_its_file(self) -> None:
        file = self.server.home / "renewed"
        file.write_text(self.server.token(self.user, "--for", "1s"))
        kv = Store(self.server.url, token_file=str(file))
        kv["/a"] = 1
        file.write_text(self.server.token(self.user))
        import time

        time.sleep(1.2)
        self.assertEqual(int(kv["/a"]), 1)
        file.write_text("another")
        # The one that is still good is used on.
        self.assertEqual(int(kv["/a"]), 1)

    def test_a_token_of_another_server_is_replaced_once_its_file_has_a_good_one(self) -> None:
        file = self.server.home / "forged"
        header, claims, signature = self.server.token(self.user).split(".")
        file.write_text(".".join((header, claims, signature[::-1])))
        kv = Store(self.server.url, token_file=str(file))
        with self.assertRaisesRegex(SignedOut, "the token comes from .*forged"):
            kv.get("/a")
        file.write_text(self.server.token(self.user))
        self.assertIsNone(kv.get("/a"))

    def test_a_token_that_has_ended_is_told_with_its_file_and_end(self) -> None:
        import time

        file = self.server.home / "ended"
        file.write_text(self.server.token(self.user, "--for", "1s"))
        kv = Store(self.server.url, token_file=str(file))
        time.sleep(1.2)
        with self.assertRaisesRegex(SignedOut, "ended at 20.*renew the file") as caught:
            kv.get("/a")
        self.assertIn(str(file), str(caught.exception))

    def test_a_wrong_path_names_the_address_that_was_meant(self) -> None:
        kv = Store(self.server.url.replace("/v1", "/v2"), self.server.token(self.user))
        with self.assertRaisesRegex(Exception, "comes from the argument url; write http://.*/prominence/v1 there"):
            kv.get("/a")


if __name__ == "__main__":
    unittest.main()
