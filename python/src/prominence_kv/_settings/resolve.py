"""The settings of a store: arguments, the environment and the client file, in the order of the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import SettingsError, SignedOut
from . import profiles
from .base_url import BASE, BaseUrl
from .credentials import Credentials, FileToken, GivenToken, VariableToken
from .durations import Duration, seconds, whole_seconds
from .profiles import Profile
from .proxy import Proxy, named_proxy

URL = "PROMINENCE_URL"
TOKEN = "PROMINENCE_TOKEN"
TOKEN_FILE = "PROMINENCE_TOKEN_FILE"
CA_FILE = "PROMINENCE_CA_FILE"
PROFILE = "PROMINENCE_PROFILE"
SSL_VERIFY = "PROMINENCE_SSL_VERIFY"
RETRY_FOR = "PROMINENCE_RETRY_FOR"
TIMEOUT = "PROMINENCE_TIMEOUT"

_SAVED_TOKEN = ".prominence/token"

_ON = ("true", "yes", "on", "1", "t", "y")
_OFF = ("false", "no", "off", "0", "f", "n")

CONNECT_WITHIN = 10.0
"""The longest time until a connection stands: three lost packets in a row."""

_SILENCE = 60.0
"""The longest silence of a server that is asked to answer at once: twice what the server lets a request take."""

_RETRY_FOR = 60.0
"""How long a request that is answered at once is repeated: a server that is restarted is back by then."""


@dataclass(frozen=True)
class Certificates:
    """Whether and by which authorities the server has to prove who it is."""

    verified: bool = True
    file: Optional[str] = None


@dataclass(frozen=True)
class Settings:
    """Where the service is, who asks, and how patiently."""

    url: BaseUrl
    credentials: Credentials
    certificates: Certificates
    proxy: Optional[Proxy]
    connect: float
    silence: float
    retry_for: float


def resolve(
    url: Optional[str] = None,
    token: Optional[str] = None,
    *,
    token_file: Optional[str] = None,
    profile: Optional[str] = None,
    ca_file: Optional[str] = None,
    verify: Optional[bool] = None,
    retry_for: Optional[Duration] = None,
    timeout: Optional[Duration] = None,
) -> Settings:
    """The settings in effect. A profile that is an argument beats the environment; other profiles do not."""
    named = profile if profile is not None else _variable(PROFILE)
    chosen, unread = profiles.selected(named, "the argument profile" if profile else PROFILE)
    sources = _Sources(chosen, profile is not None)
    remark = f" ({unread})" if unread else ""
    address = sources.url(url)
    if address is None:
        raise SettingsError(
            f"the server's address is not known{remark}; set {URL}, as in export {URL}=http://127.0.0.1:8080{BASE}, "
            "or give it as the first argument"
        )
    credentials = sources.credentials(token, token_file)
    if credentials is None:
        raise SignedOut(
            f"there is no token to log in with{remark}; set {TOKEN} or {TOKEN_FILE}, or save one in ~/{_SAVED_TOKEN}"
        )
    silence = _duration(_variable(TIMEOUT), TIMEOUT) if timeout is None else whole_seconds(timeout)
    return Settings(
        url=address,
        credentials=credentials,
        certificates=sources.certificates(ca_file, verify),
        proxy=named_proxy(address.host, address.encrypted),
        connect=CONNECT_WITHIN,
        silence=_SILENCE if silence is None else silence,
        retry_for=sources.retry_for(retry_for),
    )


class _Sources:
    """Takes each setting from the first source that has it."""

    def __init__(self, profile: Optional[Profile], named: bool) -> None:
        self._profile = profile
        self._named = named

    def _first(self, variable: Any, of_profile: Any) -> Any:
        first, second = (of_profile, variable) if self._named else (variable, of_profile)
        return first if first is not None else second

    def url(self, given: Optional[str]) -> Optional[BaseUrl]:
        if given is not None:
            return BaseUrl(given, "the argument url")
        variable, text = _variable(URL), self._text("url")
        found = self._first(
            None if variable is None else (variable, URL),
            None if text is None else (text, f"url of the profile {self._name()}"),
        )
        return None if found is None else BaseUrl(*found)

    def credentials(self, token: Optional[str], token_file: Optional[str]) -> Optional[Credentials]:
        if token is not None:
            return GivenToken(token)
        if token_file is not None:
            return FileToken(os.fspath(token_file))
        of_profile = None if self._profile is None else self._profile.path("token-file")
        if self._named and of_profile is not None:
            return FileToken(of_profile)
        if _variable(TOKEN) is not None:
            return VariableToken(TOKEN)
        file = _variable(TOKEN_FILE) or of_profile
        if file is not None:
            return FileToken(file)
        home = os.environ.get("HOME")
        saved = None if home is None else os.path.join(home, _SAVED_TOKEN)
        return FileToken(saved) if saved is not None and os.path.exists(saved) else None

    def certificates(self, ca_file: Optional[str], verify: Optional[bool]) -> Certificates:
        if verify is False:
            return Certificates(verified=False)
        if ca_file is not None:
            return Certificates(file=os.fspath(ca_file))
        if verify is True:
            return Certificates(file=self._first(_variable(CA_FILE), self._ca_file()))
        found: Optional[Certificates] = self._first(self._of_variables(), self._of_profile())
        return Certificates() if found is None else found

    def _of_variables(self) -> Optional[Certificates]:
        switch, file = _variable(SSL_VERIFY), _variable(CA_FILE)
        if switch is not None and not _switch(switch, SSL_VERIFY):
            return Certificates(verified=False)
        if switch is not None:
            return Certificates(file=file or self._ca_file())
        return None if file is None else Certificates(file=file)

    def _of_profile(self) -> Optional[Certificates]:
        if self._profile is None:
            return None
        verify, file = self._profile.switch("ssl-verify"), self._ca_file()
        if verify is False:
            return Certificates(verified=False)
        return Certificates(file=file) if file is not None or verify else None

    def retry_for(self, given: Optional[Duration]) -> float:
        if given is not None:
            return seconds(given)
        variable = _duration(_variable(RETRY_FOR), RETRY_FOR)
        text = None if self._profile is None else self._profile.duration("retry-for")
        of_profile = _duration(text, f"retry-for of the profile {self._name()}")
        found: Optional[float] = self._first(variable, of_profile)
        return _RETRY_FOR if found is None else found

    def _text(self, setting: str) -> Optional[str]:
        return None if self._profile is None else self._profile.text(setting)

    def _ca_file(self) -> Optional[str]:
        return None if self._profile is None else self._profile.path("ca-file")

    def _name(self) -> str:
        return "" if self._profile is None else self._profile.name


def _variable(name: str) -> Optional[str]:
    """A variable that is set to something."""
    return os.environ.get(name) or None


def _switch(text: str, name: str) -> bool:
    word = text.lower()
    if word not in _ON + _OFF:
        raise SettingsError(f'{name} is "{text}"; write true, yes, on or 1, or false, no, off or 0')
    return word in _ON


def _duration(text: Optional[str], name: str) -> Optional[float]:
    if text is None:
        return None
    try:
        return seconds(text)
    except ValueError as error:
        raise SettingsError(f"{name} can't be used: {error}") from None
