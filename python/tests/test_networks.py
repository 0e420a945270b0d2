"""What stands between a store and its server: proxies, certificates, answers of somebody else, broken connections."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import socketserver
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Optional
from unittest import mock

from support import Server, ServerCase, both

import prominence_kv
from prominence_kv import Unavailable

if TYPE_CHECKING:
    Base = ServerCase
else:
    Base = object


class _Proxy(socketserver.StreamRequestHandler):
    """A proxy that makes tunnels, and passes on requests with the whole URL; it notes the first lines."""

    def handle(self) -> None:
        seen: list[str] = self.server.seen  # type: ignore[attr-defined]
        first = self.rfile.readline().decode("latin-1")
        head = []
        while True:
            line = self.rfile.readline()
            if line in (b"\r\n", b""):
                break
            head.append(line)
        seen.append(first.strip() + "".join(f"|{line.decode().strip()}" for line in head if b"Proxy-A" in line))
        method, target, _ = first.split(" ", 2)
        place = target if method == "CONNECT" else target.split("/")[2]
        host, port = place.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as onward:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                length = next(
                    (int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")), 0
                )
                kept = [line for line in head if not line.lower().startswith(b"connection")]
                body = self.rfile.read(length)
                onward.sendall(
                    f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(kept) + b"Connection: close\r\n\r\n" + body
                )
            self._copy(onward)

    def _copy(self, onward: socket.socket) -> None:
        ends = {self.connection: onward, onward: self.connection}
        while True:
            for ready in select.select(list(ends), [], [])[0]:
                part = ready.recv(1 << 16)
                if not part:
                    return
                ends[ready].sendall(part)


class _Serving:
    """A server of some kind, on a thread, on a free port."""

    def __init__(self, handler: Any) -> None:
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self.server.seen = []  # type: ignore[attr-defined]
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def seen(self) -> list[str]:
        found: list[str] = self.server.seen  # type: ignore[attr-defined]
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def answering(
    answer: Optional[bytes], then: Optional[str] = None, lost: Callable[[str], bool] = lambda _: False
) -> Any:
    """Answers whatever is asked, the first request or with no other place all of them; passes on all others. The
    answers to those that `lost` chooses by their first line are thrown away."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seen: list[str] = self.server.seen  # type: ignore[attr-defined]
            first = self.rfile.readline()
            if not first:
                return
            head = []
            while True:
                line = self.rfile.readline()
                if line in (b"\r\n", b""):
                    break
                head.append(line)
            shown = first.decode("latin-1").strip()
            seen.append(shown)
            length = next((int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")), 0)
            body = self.rfile.read(length)
            if answer is not None and (then is None or len(seen) == 1):
                self.wfile.write(answer)
                return
            answered = _passed_on(then or "", first + b"".join(head) + b"Connection: close\r\n\r\n" + body)
            if not lost(shown):
                self.wfile.write(answered)

    return Handler


def _passed_on(place: str, request: bytes) -> bytes:
    """The whole answer of a server."""
    host, port = place.rsplit(":", 1)
    answered = b""
    with socket.create_connection((host, int(port))) as onward:
        onward.sendall(request)
        while True:
            part = onward.recv(1 << 16)
            if not part:
                return answered
            answered += part


class once:  # noqa: N801
    """Chooses the first line that begins so."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning
        self._found = False

    def __call__(self, line: str) -> bool:
        chosen = not self._found and line.startswith(self._beginning)
        self._found = self._found or chosen
        return chosen


class Networks(Base):
    kv: Any

    def serving(self, handler: Any) -> _Serving:
        made = _Serving(handler)
        self.addCleanup(made.close)
        return made

    def at(self, place: str, **settings: Any) -> Any:
        """A store of this test's user at another place."""
        url, token = self.server.url, self.server.token(self.user)
        self.server.url = f"http://{place}/prominence/v1"
        try:
            return self.store(token=token, **settings)
        finally:
            self.server.url = url

    @property
    def place(self) -> str:
        return self.server.url.split("/")[2]

    def test_a_request_without_tls_is_passed_on_by_a_proxy(self) -> None:
        proxy = self.serving(_Proxy)
        with mock.patch.dict(os.environ, {"http_proxy": f"http://me:secret@{proxy.place}"}):
            kv = self.store()
        kv["/a b"] = "through"
        self.assertEqual(kv["/a b"].text, "through")
        self.assertIn(f"PUT {self.server.url}/kv/a%20b HTTP/1.1|Proxy-Authorization: Basic bWU6c2VjcmV0", proxy.seen)

    def test_a_proxy_that_is_not_there_is_named(self) -> None:
        with mock.patch.dict(os.environ, {"http_proxy": "http://me:secret@127.0.0.1:9"}):
            kv = self.store(retry_for=0)
        with self.assertRaisesRegex(Unavailable, r"through the proxy http://127.0.0.1:9 \(from http_proxy\)") as caught:
            kv.get("/a")
        self.assertNotIn("secret", str(caught.exception))

    def test_an_answer_of_somebody_else_is_told_as_such(self) -> None:
        page = b"<html><title>Log in</title></html>"
        length = b"Content-Length: %d\r\n\r\n" % len(page)
        for status, words, may in (
            (b"200 OK", "200 OK.*Log in", True),
            (b"302 Found\r\nLocation: http://portal/", "pointing to http://portal/", True),
            (b"403 Forbidden\r\nServer: nginx", "from nginx", False),
            (b"413 Too Large", "the proxy's limit on bodies", False),
            (b"502 Bad Gateway", "the proxy can't reach the server", True),
        ):
            portal = self.serving(answering(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\n" + length + page))
            kv = self.at(portal.place, retry_for=0)
            with self.subTest(status), self.assertRaisesRegex(prominence_kv.ForeignAnswer, words) as caught:
                kv.set("/a", b"x" * 2_000)
            self.assertEqual(caught.exception.may_have_happened, may)

    def test_what_is_safe_is_repeated_and_what_is_not_is_told(self) -> None:
        gateway = self.serving(answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", self.place))
        kv = self.at(gateway.place)
        kv["/a"] = 1
        self.assertEqual(len(gateway.seen), 2)
        gateway = self.serving(answering(b"", self.place))
        self.at(gateway.place).set("/b", 1, if_absent=True)
        self.assertEqual(len(gateway.seen), 2)
        actions: list[Callable[[Any], Any]] = [
            lambda kv: kv.add("/n"),
            lambda kv: kv.batch().require("/c", absent=True).set("/c", 1).commit(),
            lambda kv: kv.delete("/a", if_revision=1),
        ]
        for action in actions:
            gateway = self.serving(answering(b"", self.place))
            with self.assertRaises(Unavailable) as caught:
                action(self.at(gateway.place))
            self.assertTrue(caught.exception.may_have_happened)
            self.assertEqual(len(gateway.seen), 1)

    def test_a_set_with_a_condition_whose_answer_was_lost_is_answered_as_before(self) -> None:
        gateway = self.serving(answering(None, self.place, once("PUT")))
        kv = self.at(gateway.place)
        self.assertTrue(kv.set("/a", "mine", if_absent=True).created)
        self.assertEqual(len(gateway.seen), 2)
        with self.assertRaises(prominence_kv.Conflict):
            kv.set("/a", "other", if_absent=True)

    def test_work_whose_last_answer_was_lost_is_done_and_not_lost(self) -> None:
        for lost in ("DELETE", "POST /prominence/v1/kv/todo/a?renew"):
            self.kv["/todo/a"] = ""
            gateway = self.serving(answering(None, self.place, once(lost)))
            kv = self.at(gateway.place, retry_for=1)
            with self.subTest(lost), kv.claim("/todo/", for_="12s") as work:
                # Until the renewal whose answer was lost has been repeated.
                while "renew" in lost and sum("?renew" in line for line in gateway.seen) < 2:
                    self.assertFalse(work.lost)
                    time.sleep(0.05)
            self.assertFalse(work.lost)
            self.assertEqual(self.kv.count("/todo/"), 0)

    def test_a_lock_whose_answers_were_lost_is_taken_and_released_all_the_same(self) -> None:
        for lost in ("PUT", "DELETE"):
            gateway = self.serving(answering(None, self.place, once(lost)))
            kv = self.at(gateway.place)
            with self.subTest(lost), kv.lock("/lock", ttl="30s") as lock:
                kv.batch(require=[lock]).set("/result", lost).commit()
            self.assertEqual(self.kv["/result"].text, lost)
            self.assertNotIn("/lock", self.kv)

    def test_a_retry_after_is_waited_for_or_given_up_at_once(self) -> None:
        later = (
            b"HTTP/1.1 503 No\r\nContent-Type: application/json\r\nX-Request-Id: r7\r\nRetry-After: %d\r\n"
            b"Content-Length: 70\r\n\r\n"
        )
        body = b'{"error": "full", "code": "unavailable", "may_have_happened": false}'.ljust(70)
        gateway = self.serving(answering(later % 1 + body, self.place))
        self.assertEqual(self.at(gateway.place).add("/n"), 1)
        gateway = self.serving(answering(later % 90 + body))
        with self.assertRaisesRegex(Unavailable, r"full.*Retry-After.*\(request r7\)") as caught:
            self.at(gateway.place, retry_for=5).add("/n")
        self.assertEqual((caught.exception.request_id, caught.exception.may_have_happened), ("r7", False))

    def test_half_a_value_is_never_taken_for_a_whole_one(self) -> None:
        marks = b'X-Request-Id: 1\r\nETag: "7"\r\n'
        for answer in (
            b"HTTP/1.1 200 OK\r\n" + marks + b"Content-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\n" + marks + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",
            b"HTTP/1.1 200 OK\r\n" + marks + b"\r\nhalf",
            b"HTTP/1.1 200 OK\r\n" + marks,
            b"nonsense\r\n\r\n",
            b"",
        ):
            gateway = self.serving(answering(answer))
            with self.subTest(answer), self.assertRaises(Unavailable):
                self.at(gateway.place, retry_for=0).get("/a")

    def test_a_silent_server_is_given_up(self) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
            kv = self.at(f"127.0.0.1:{listener.getsockname()[1]}", retry_for=0, timeout=1)
            with self.assertRaisesRegex(Unavailable, "took too long"):
                kv.get("/a")


class Certificates(Base):
    kv: Any
    folder: str

    @classmethod
    def setUpClass(cls) -> None:
        import tempfile

        made = tempfile.TemporaryDirectory()
        cls.addClassCleanup(made.cleanup)
        cls.folder = made.name
        for name in ("server", "other"):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
                + ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
                + ["-keyout", f"{cls.folder}/{name}.key", "-out", f"{cls.folder}/{name}.pem"],
                check=True,
                stderr=subprocess.DEVNULL,
            )
        cls.arguments = ("--tls-cert", f"{cls.folder}/server.pem", "--tls-key", f"{cls.folder}/server.key")
        super().setUpClass()

    def store(self, **settings: Any) -> Any:
        return super().store(**{"ca_file": f"{self.folder}/server.pem", **settings})

    def test_a_server_is_believed_by_the_file_and_not_without(self) -> None:
        self.kv["/a"] = "encrypted"
        self.assertEqual(self.kv["/a"].text, "encrypted")
        self.assertEqual(self.store(verify=False, ca_file=None)["/a"].text, "encrypted")
        for settings in ({"ca_file": f"{self.folder}/other.pem"}, {"ca_file": None}):
            with self.assertRaisesRegex(Unavailable, "certificate is not accepted"):
                self.store(**settings).get("/a")

    def test_tls_and_no_tls_are_told_apart(self) -> None:
        url = self.server.url
        self.addCleanup(setattr, self.server, "url", url)
        self.server.url = url.replace("https:", "http:")
        with self.assertRaisesRegex(Unavailable, "https"):
            self.store(token="t", ca_file=None, retry_for=0).get("/a")
        plain = Server()
        self.addCleanup(plain.remove)
        self.server.url = plain.url.replace("http:", "https:")
        with self.assertRaisesRegex(Unavailable, "does not speak TLS on this port"):
            self.store(token="t").get("/a")

    def test_a_tunnel_is_made_through_a_proxy(self) -> None:
        proxy = _Serving(_Proxy)
        self.addCleanup(proxy.close)
        with mock.patch.dict(os.environ, {"https_proxy": proxy.place, "no_proxy": ""}):
            kv = self.store()
        kv["/t"] = "tunnelled"
        self.assertEqual(kv["/t"].text, "tunnelled")
        self.assertTrue(proxy.seen[0].startswith(f"CONNECT {self.server.url.split('/')[2]} HTTP/1."), proxy.seen)


both(Networks)(globals())
both(Certificates)(globals())
