"""The access token, which never shows itself, and where it comes from."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from typing import Optional

from ..errors import SettingsError, SignedOut
from .forks import after_fork_in_child

_EARLY = 60.0
"""How long before the end of a token its file is read again: services renew tokens in files minutes before."""

_BETWEEN_READS = 1.0
"""The shortest time between two reads of a file because its token is about to end."""

_MARKS = " \t\r\n\v\f\ufeff"


class Token:
    """A bearer token (RFC 6750). Neither `repr` nor `str` shows it, and it can't be pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def parse(cls, text: str, place: str) -> Token:
        """Takes a token; white space around it and a byte-order mark before it are not part of it."""
        text = text.strip(_MARKS)
        why = _refusal(text)
        if why is not None:
            raise SignedOut(f"the token from {place} can't be used: {why}")
        return cls(text)

    @property
    def bearer(self) -> str:
        """The value of the header `Authorization`."""
        return f"Bearer {self._text}"

    def expires(self) -> Optional[float]:
        """When it ends, where it is a JSON Web Token that says so. Nobody has checked who signed it."""
        parts = self._text.split(".")
        if len(parts) < 2:
            return None
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        try:
            ends = json.loads(base64.urlsafe_b64decode(padded))["exp"]
        except (ValueError, KeyError, TypeError):
            return None
        return float(ends) if isinstance(ends, (int, float)) and ends >= 0 else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<Token>"

    def __reduce__(self) -> str:
        raise TypeError("a token is not pickled")


def _refusal(text: str) -> Optional[str]:
    """Why a text can't be sent as a token. Never repeats the text."""
    first, _, rest = text.partition(" ")
    if not text:
        return "the token is empty; put the token itself there"
    if "\n" in text or "\r" in text:
        return "the token has several lines; keep the token alone, on one line"
    if text[0] in "\"'" or text[-1] in "\"'":
        return "the token is in quotation marks; leave them out"
    if rest and first.lower() in ("bearer", "bearer:", "authorization:"):
        return 'the token begins with "Bearer " or the name of a header; keep the token alone'
    if not all("!" <= character <= "~" for character in text):
        return "the token contains a character that no token has, such as a space or a line break; copy it again"
    return None


class Credentials:
    """Where the token comes from. What is pickled is the name of the place, never the token."""

    def current(self) -> Token:
        """The token to send now."""
        raise NotImplementedError

    def instead_of(self, refused: Token) -> Optional[Token]:
        """Another token to send after this one was refused; `None` where there is none."""
        return None

    def remark(self) -> Optional[str]:
        """What to say of a token that was refused, and the next step."""
        ends = self.current().expires()
        if ends is None or ends > time.time():
            return None
        return f"it ended at {_instant(ends)}"


class GivenToken(Credentials):
    """A token that was handed over as text."""

    def __init__(self, text: str) -> None:
        self._token = Token.parse(text, "the argument token")

    def current(self) -> Token:
        return self._token

    def __reduce__(self) -> str:
        raise TypeError(
            "a store whose token was given as text is not pickled, because the pickle would have the token in it; "
            "leave the token in PROMINENCE_TOKEN or in a file"
        )


class VariableToken(Credentials):
    """A token in a variable of the environment, read once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._token = Token.parse(os.environ.get(name, ""), name)

    def current(self) -> Token:
        return self._token

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return VariableToken, (self._name,)


class FileToken(Credentials):
    """A token in a file that somebody else renews: it is read again before the token ends and after a refusal."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._token = read_token_file(path)
        self._read_at = time.monotonic()
        after_fork_in_child(self)

    def current(self) -> Token:
        with self._lock:
            ends = self._token.expires()
            is_due = ends is not None and ends <= time.time() + _EARLY
            if is_due and time.monotonic() - self._read_at >= _BETWEEN_READS:
                self._read_again()
            return self._token

    def instead_of(self, refused: Token) -> Optional[Token]:
        with self._lock:
            if self._token == refused:
                self._read_again()
            return None if self._token == refused else self._token

    def remark(self) -> Optional[str]:
        ends = self.current().expires()
        if ends is None or ends > time.time():
            return f"the token comes from {self._path}; have another one written to it"
        return (
            f"the token in {self._path} ended at {_instant(ends)}; renew the file with the program that writes it, "
            "such as oidc-token or prominence token create"
        )

    def after_fork(self) -> None:
        """Another thread of the parent may have had the lock, and is not in the child."""
        self._lock = threading.Lock()

    def _read_again(self) -> None:
        self._read_at = time.monotonic()
        try:
            self._token = read_token_file(self._path)
        except (SettingsError, SignedOut):
            # A file that can't be read, because it is being replaced, say, leaves the token as it was.
            pass

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return FileToken, (os.path.abspath(self._path),)


def read_token_file(path: str) -> Token:
    """Reads a file that holds the token and nothing else, or a JSON object with an `access_token`."""
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
    except OSError as error:
        raise SettingsError(
            f"cannot read the token file {path}: {error.strerror or error}; check its name and permissions"
        ) from None
    try:
        text = content.decode("utf-8").strip(_MARKS)
    except UnicodeDecodeError:
        # The codec's own error has the bytes in it.
        raise SignedOut(
            f"the token from {path} can't be used: it is no UTF-8 text; save it as plain UTF-8 text"
        ) from None
    if text.startswith("{"):
        text = _access_token(text, path)
    return Token.parse(text, path)


def _access_token(text: str, path: str) -> str:
    try:
        saved = json.loads(text)
    except ValueError:
        # The parser's own message could repeat a part of the token.
        saved = None
    token = saved.get("access_token") if isinstance(saved, dict) else None
    if not isinstance(token, str):
        raise SignedOut(
            f'the token file {path} is JSON without a text "access_token"; write the token alone into it, or JSON '
            "that has it there"
        )
    return token


def _instant(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
